# SPDX-License-Identifier: BSD-3-Clause
"""Messages from the processes of a tested run to the test."""

from __future__ import annotations

import os
import signal
from contextlib import closing

import numpy as np
import pytest
from harness.clipboard import Clipboard
from harness.tester.channel import HEAD, LARGE_BYTES, MOST_FILES, Channel, split
from harness.tester.messages import pack_clipboard, unpack_clipboard


def in_fork(work) -> int:
    """Calls `work` in a fork; its wait status."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


def test_messages_of_forks_arrive_whole_and_in_the_order_of_each_sender():
    with closing(Channel(2)) as channel:
        for rank in (-1, 1, 0):
            assert in_fork(lambda rank=rank: [channel.send(rank, (rank, n)) for n in range(3)]) == 0
        found = [message for message, _ in channel.received()]
    for rank in (-1, 0, 1):
        assert [n for sender, n in found if sender == rank] == [0, 1, 2]


def test_many_slices_share_few_files():
    before = len(os.listdir("/proc/self/fd"))
    with closing(Channel(1000)) as channel:
        assert len(os.listdir("/proc/self/fd")) - before == 1 + MOST_FILES
        for rank in range(0, 1000, 7):
            channel.send(rank, rank)
        assert sorted(message for message, _ in channel.received()) == list(range(0, 1000, 7))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_message_that_was_cut_off_is_left_out_with_what_others_sent():
    def die():
        channel.send(0, "before")
        os.write(channel._file(0), HEAD.pack(1000, 0) + b"half a message")
        os.kill(os.getpid(), signal.SIGKILL)

    with closing(Channel(2)) as channel:
        channel.send(1, "other")
        assert os.WTERMSIG(in_fork(die)) == signal.SIGKILL
        assert sorted(message for message, _ in channel.received()) == ["before", "other"]


def test_large_buffers_stay_out_of_the_pickle_and_small_ones_in_it():
    large, small = np.zeros(LARGE_BYTES, np.uint8), np.zeros(LARGE_BYTES - 1, np.uint8)
    data, buffers = split({"large": large, "small": small})
    assert [buffer.nbytes for buffer in buffers] == [LARGE_BYTES]
    assert LARGE_BYTES < len(data) + 1000 and len(data) < 2 * LARGE_BYTES


@pytest.mark.parametrize("writeable", [True, False])
def test_a_clipboard_comes_back_as_it_was(writeable):
    clipboard = Clipboard()
    image = np.arange(60_000, dtype=np.float64).reshape(200, 300)
    image.flags.writeable = writeable
    clipboard.put("image", image, True)
    clipboard.put("cut", image[::2, 1:])
    clipboard.put("masked", np.ma.masked_less(image, 100.0))
    clipboard.put("name", "raw-7")
    with closing(Channel(1)) as channel:
        assert in_fork(lambda: channel.send(0, *pack_clipboard(clipboard, 1, 0))) == 0
        ((packed, buffers),) = channel.received()
    out = unpack_clipboard(packed, buffers)
    assert out.getKeys() == ["image", "cut", "masked", "name"] and out.getSharedKeys() == ["image"]
    assert np.array_equal(out.get("image"), image) and np.array_equal(out.get("cut"), image[::2, 1:])
    assert out.get("masked").mask.sum() == 100 and out.get("name") == "raw-7"
    assert out.get("image").flags.writeable == writeable


def test_a_clipboard_that_a_stage_has_kept_is_none():
    packed, buffers = pack_clipboard(None, 1, 0)
    assert unpack_clipboard(packed, buffers) is None


def test_what_does_not_pickle_is_told_by_its_key():
    clipboard = Clipboard()
    clipboard.put("callback", lambda: None)
    with pytest.raises(TypeError, match="clipboard of the master holds a value under 'callback'"):
        pack_clipboard(clipboard, 1, -1)

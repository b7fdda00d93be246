# SPDX-License-Identifier: BSD-3-Clause
"""What the processes of a tested run tell the test: messages in files in memory, inherited by fork.

Nothing of it has a name, so nothing is left behind, whoever is killed. What a process has sent before it was
killed arrives. The files are read when the processes have ended.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from harness.runtime.processes.memory_files import memory_file

__all__ = ["LARGE_BYTES", "Channel", "Parcel", "split"]

LARGE_BYTES = 64 * 1024
"""From this size on a buffer is written from where it lies, and is not copied into a pickle first."""

Parcel = tuple[Any, list[bytearray]]
"""A message and its buffers, as they arrive."""

MOST_FILES = 64
MOST_PARTS = 512
HEAD = struct.Struct("<QQ")
READ_BYTES = 1 << 30


def split(value: object) -> tuple[bytes, list[memoryview]]:
    """A pickle of a value, and the large buffers that are not in it. Raises what pickling raises."""
    buffers: list[memoryview] = []

    def take(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < LARGE_BYTES:
            return True
        buffers.append(raw)
        return False

    return pickle.dumps(value, protocol=5, buffer_callback=take), buffers


class Channel:
    """Files in memory to which the master and the slices append. Only own forks write to them.

    Args:
        n_slices: how many slices may send.
    """

    def __init__(self, n_slices: int) -> None:
        # A process that is killed in the middle of a message spoils what comes after it in the same file.
        self._files = [_appendable(number) for number in range(1 + min(n_slices, MOST_FILES))]

    def send(self, rank: int, message: object, buffers: Sequence[memoryview] = ()) -> None:
        """Appends a message and what `split` has left out of it; rank -1 is the master.

        Raises `OSError` when there is no memory for it.
        """
        content = pickle.dumps((message, [buffer.nbytes for buffer in buffers]), protocol=5)
        total = sum(buffer.nbytes for buffer in buffers)
        _write(self._file(rank), [memoryview(HEAD.pack(len(content), total) + content), *buffers])

    def received(self) -> Iterator[Parcel]:
        """Every message that arrived whole, in the order of each sender, with its buffers."""
        for file in self._files:
            size, at = os.fstat(file).st_size, 0
            while size - at >= HEAD.size:
                content_bytes, total = HEAD.unpack(_read(file, at, HEAD.size))
                at += HEAD.size
                if at + content_bytes + total > size:
                    break
                message, sizes = pickle.loads(_read(file, at, content_bytes))
                at += content_bytes
                buffers = []
                for length in sizes:
                    buffers.append(_read(file, at, length))
                    at += length
                yield message, buffers

    def close(self) -> None:
        """Gives the memory back."""
        for file in self._files:
            os.close(file)
        self._files = []

    def _file(self, rank: int) -> int:
        return self._files[0 if rank < 0 else 1 + rank % (len(self._files) - 1)]


def _appendable(number: int) -> int:
    file = memory_file(f"pex-test {number}")
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file


def _write(file: int, parts: list[memoryview]) -> None:
    """Appends everything; with one call, which nobody's stands between, unless there is very much of it."""
    parts = [part.cast("B") for part in parts if part.nbytes]
    while parts:
        written = os.writev(file, parts[:MOST_PARTS])
        while parts and written >= parts[0].nbytes:
            written -= parts.pop(0).nbytes
        if parts:
            parts[0] = parts[0][written:]


def _read(file: int, at: int, size: int) -> bytearray:
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        got = os.preadv(file, [view[done : done + READ_BYTES]], at + done)
        if got == 0:
            raise EOFError("a file in memory was shortened while it was read")
        done += got
    return data

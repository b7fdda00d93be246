# SPDX-License-Identifier: BSD-3-Clause
"""Files that are there whole or not at all: killed writers, two at once, file systems of every kind."""

import errno
import os
import signal
import threading

import pytest
from harness import whole_files
from harness.whole_files import whole_file, write_atomically
from harness.workspaces import temporary_name


def write(path, data: bytes, parts: int = 1) -> None:
    with whole_file(str(path), sync=False) as stream:
        for _ in range(parts):
            stream.write(data)
            stream.flush()


def refuse_nameless(monkeypatch) -> None:
    """As a file system without O_TMPFILE."""
    real = os.open

    def refusing(path, flags, *more, **options):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not supported", path)
        return real(path, flags, *more, **options)

    monkeypatch.setattr(whole_files.os, "open", refusing)


@pytest.mark.parametrize("nameless", [True, False])
def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path, monkeypatch, nameless):
    if not nameless:
        refuse_nameless(monkeypatch)
    path = tmp_path / "a"
    write(path, b"one")
    with pytest.raises(ValueError, match="enough"), whole_file(str(path), sync=True) as stream:
        stream.write(b"two")
        raise ValueError("enough")
    assert path.read_bytes() == b"one" and os.listdir(tmp_path) == ["a"]
    write(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(tmp_path) == ["a"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_writer_that_is_killed_leaves_nothing(tmp_path):
    pid = os.fork()
    if pid == 0:
        with whole_file(str(tmp_path / "a"), sync=False) as stream:
            stream.write(b"half")
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert os.listdir(tmp_path) == []


def test_what_a_writer_that_was_killed_before_the_last_rename_left_is_taken_away(tmp_path):
    path = tmp_path / "a"
    pid = os.fork()
    if pid == 0:
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        write(path, b"never")
    os.waitpid(pid, 0)
    assert os.listdir(tmp_path) == [os.path.basename(temporary_name("a"))]
    write(path, b"again")
    assert os.listdir(tmp_path) == ["a"] and path.read_bytes() == b"again"


@pytest.mark.parametrize("nameless", [True, False])
def test_what_a_chain_of_killed_writers_left_is_taken_away_by_the_next(tmp_path, monkeypatch, nameless):
    if not nameless:
        refuse_nameless(monkeypatch)
    # The second finds what the first has left, and dies at the same call, for another name.
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            try:
                os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
                write(tmp_path / "a", b"never")
            finally:
                os._exit(1)
        assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert os.listdir(tmp_path)
    write(tmp_path / "a", b"again")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"again"


def test_writers_of_one_file_at_once_leave_one_of_their_texts_and_no_other_file(tmp_path):
    path, texts = tmp_path / "a", [bytes([letter]) * 1000 for letter in b"abcd"]
    threads = [
        threading.Thread(target=lambda text=text: [write(path, text, 3) for _ in range(60)]) for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path) == ["a"] and path.read_bytes() in {text * 3 for text in texts}


def test_long_names_have_temporary_names_of_their_own(tmp_path):
    names = ["a" * 250 + tail for tail in ("1", "2")]
    assert len({temporary_name(name) for name in names}) == 2
    for name in names:
        write(tmp_path / name, name.encode())
    assert sorted(os.listdir(tmp_path)) == sorted(names)


@pytest.mark.parametrize("nameless", [True, False])
def test_what_can_t_be_replaced_is_an_error_and_leaves_nothing(tmp_path, monkeypatch, nameless):
    if not nameless:
        refuse_nameless(monkeypatch)
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError):
        write(tmp_path / "a", b"x")
    assert os.listdir(tmp_path) == ["a"]
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "nowhere" / "a", b"x")


def test_small_files_make_their_directories(tmp_path):
    write_atomically(tmp_path / "b" / "c" / "a", b"x")
    assert (tmp_path / "b" / "c" / "a").read_bytes() == b"x"

# SPDX-License-Identifier: BSD-3-Clause
"""Places for what is to get a name: taken over from the dead, left to the living, gone at the end."""

import contextlib
import errno
import os
import signal
from pathlib import Path

import pytest
from harness import workspaces
from harness.workspaces import temporary_name, workspace


def die_within(path: Path) -> None:
    """Has a process be killed in the middle of its work, of which a file and a directory are there."""
    pid = os.fork()
    if pid == 0:
        try:
            with workspace(str(path)) as temporary:
                Path(temporary).mkdir()
                Path(temporary, "part").write_text("half")
                Path(temporary).with_name("beside").symlink_to("/")
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def make(path: Path, text: str) -> None:
    with workspace(str(path)) as temporary:
        Path(temporary).write_text(text)
        os.replace(temporary, path)


def test_what_is_made_gets_its_name_and_what_is_not_named_goes(tmp_path):
    make(tmp_path / "a", "one")
    with workspace(str(tmp_path / "a")) as temporary:
        Path(temporary).mkdir()
    with pytest.raises(ValueError, match="enough"), workspace(str(tmp_path / "b")) as temporary:
        Path(temporary).write_text("two")
        raise ValueError("enough")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "one"


def test_who_writes_after_a_death_takes_over_what_the_dead_had(tmp_path):
    die_within(tmp_path / "a")
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".") and left.endswith(".tmp")
    with workspace(str(tmp_path / "a")) as temporary:
        assert os.listdir(tmp_path) == [left] == [Path(temporary).parent.name]
        assert os.listdir(tmp_path / left) == []
    make(tmp_path / "a", "again")
    assert os.listdir(tmp_path) == ["a"]


def test_nobody_takes_what_another_works_with(tmp_path):
    path = str(tmp_path / "a")
    with workspace(path) as one:
        Path(one).write_text("one")
        with workspace(path) as other:
            assert not os.path.exists(other) and Path(one).read_text() == "one"
            Path(other).write_text("other")
            with workspace(path) as third:
                assert len({one, other, third}) == 3
        assert Path(one).read_text() == "one"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("anew", [False, True])
def test_one_that_goes_while_it_is_being_taken_is_not_taken(tmp_path, monkeypatch, anew):
    path = str(tmp_path / "a")
    real = workspaces.fcntl.flock
    first = contextlib.ExitStack()
    one = first.enter_context(workspace(path))

    def end_the_first(descriptor, operation):
        first.close()
        if anew:
            os.mkdir(os.path.dirname(one))
        real(descriptor, operation)

    monkeypatch.setattr(workspaces.fcntl, "flock", end_the_first)
    with workspace(path) as other:
        assert os.path.dirname(other) != os.path.dirname(one) and os.path.isdir(os.path.dirname(other))
    # What a third has made in between is left to it.
    assert os.listdir(tmp_path) == ([os.path.basename(os.path.dirname(one))] if anew else [])


def test_where_directories_cannot_be_locked_each_has_its_own(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.EBADF, "not locked here")

    monkeypatch.setattr(workspaces.fcntl, "flock", refuse)
    for text in ("one", "two"):
        make(tmp_path / "a", text)
        assert (tmp_path / "a").read_text() == text


def test_a_directory_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), workspace(str(tmp_path / "nowhere" / "a")):
        pass


def test_long_names_have_places_of_their_own(tmp_path):
    names = ["a" * 250 + tail for tail in ("1", "2")]
    assert len({temporary_name(name) for name in names}) == 2
    for name in names:
        make(tmp_path / name, name)
    assert sorted(os.listdir(tmp_path)) == sorted(names)

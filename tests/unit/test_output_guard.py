# SPDX-License-Identifier: BSD-3-Clause
"""The bound on printed output: beginning and end of a file stay, what was between is counted."""

import re

import pytest
from harness.runtime.logs.output_guard import OutputGuard

LIMIT = 4000
NOTICE = re.compile(rb"--- (\d+) bytes were dropped here: more than outputLimit, 4000 bytes ---\n")


@pytest.fixture
def scene(tmp_path):
    """(path, guard, told): a file that is not there yet, its guard, what the guard has said."""
    told = []
    path = tmp_path / "Worker0.out"
    return path, OutputGuard([path], LIMIT, told.append), told


def lines(first, end):
    return b"".join(b"line %06d\n" % number for number in range(first, end))


def append(path, data):
    with open(path, "ab") as file:
        file.write(data)


def test_a_file_within_the_bound_is_left_alone(scene):
    path, guard, told = scene
    guard.look()
    append(path, lines(0, 300))
    guard.look()
    assert path.read_bytes() == lines(0, 300) and told == [] and guard.losses() == []


def test_of_a_file_that_has_grown_too_long_whole_lines_of_both_ends_stay_and_the_rest_is_counted(scene):
    path, guard, told = scene
    append(path, lines(0, 1000))
    guard.look()
    head, count, tail = NOTICE.split(path.read_bytes())
    assert head == lines(0, 166) and tail == lines(1000 - 83, 1000)
    assert int(count) == len(lines(0, 1000)) - len(head) - len(tail)
    assert len(told) == 1 and str(path) in told[0]
    assert guard.losses() == [f"{int(count)} bytes of output are not in {path}: more than outputLimit, 4000"]


def test_a_file_that_grows_on_keeps_its_beginning_and_has_one_count_for_all(scene):
    path, guard, told = scene
    writer = open(path, "ab", buffering=0)
    for first in range(0, 5000, 100):
        writer.write(lines(first, first + 100))
        guard.look()
        assert path.stat().st_size <= LIMIT + 100
    writer.close()
    head, count, tail = NOTICE.split(path.read_bytes())
    assert head == lines(0, 166) and lines(0, 5000).endswith(tail) and len(tail) >= LIMIT // 4 - 12
    assert int(count) == len(lines(0, 5000)) - len(head) - len(tail)
    assert len(told) == 1


def test_one_line_without_end_is_cut(scene):
    path, guard, _ = scene
    append(path, b"x" * 100_000)
    guard.look()
    head, count, tail = NOTICE.split(path.read_bytes())
    assert head == b"x" * 2000 and tail == b"x" * 1000 and int(count) == 97_000


def test_without_a_bound_and_without_a_file_nothing_happens(tmp_path):
    path = tmp_path / "Worker0.out"
    append(path, lines(0, 1000))
    OutputGuard([path], 0, pytest.fail).look()
    assert path.read_bytes() == lines(0, 1000)
    path.unlink()
    OutputGuard([path], 10, pytest.fail).look()

# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for a file: the sleeps, the end of patience, and the look that needs none."""

import pytest
from harness.iostage.waiting import wait_for_path


class Log:
    INFO = 0

    def __init__(self):
        self.messages = []

    def log(self, importance, message):
        self.messages.append((importance, message))

    def warn(self, message):
        self.messages.append((10, message))


def waited(path, timeout, appears_after=None):
    """(result, sleeps, messages) of a wait during which the file appears after so many sleeps."""
    sleeps, log = [], Log()

    def sleep(seconds):
        sleeps.append(seconds)
        if len(sleeps) == appears_after:
            path.touch()

    return wait_for_path(str(path), timeout, log, sleep), sleeps, log.messages


def test_a_file_that_is_there_costs_nothing(tmp_path):
    (tmp_path / "a").touch()
    assert waited(tmp_path / "a", 60.0) == (True, [], [])


@pytest.mark.contract("8.5.waiting")
def test_a_file_that_comes_is_found_after_growing_sleeps(tmp_path):
    found, sleeps, messages = waited(tmp_path / "a", 60.0, appears_after=4)
    assert found is True
    assert sleeps == pytest.approx([0.5, 0.6, 0.72, 0.864])
    assert len(messages) == 4
    assert messages[0][0] == Log.INFO
    assert f"waiting for {tmp_path / 'a'}" in messages[0][1]


@pytest.mark.contract("8.5.waiting")
def test_patience_ends_when_the_sleeps_add_up_to_the_timeout(tmp_path):
    found, sleeps, _ = waited(tmp_path / "a", 60.0)
    assert found is False
    assert sum(sleeps) == pytest.approx(60.0)


def test_people_are_told_once_when_five_seconds_have_passed(tmp_path):
    _, sleeps, messages = waited(tmp_path / "a", 60.0)
    (told,) = [at for at, (importance, _) in enumerate(messages) if importance > Log.INFO]
    assert messages[told][1].startswith(f"still waiting for {tmp_path / 'a'}: 6 s of 60 s")
    slept = sum(sleeps[: told - 1])
    assert 5.0 <= slept < 7.0


def test_a_file_that_comes_during_the_last_sleep_is_found(tmp_path):
    found, sleeps, _ = waited(tmp_path / "a", 0.8, appears_after=2)
    assert found is True
    assert sleeps == pytest.approx([0.5, 0.3])


@pytest.mark.contract("8.5.waiting")
@pytest.mark.parametrize("timeout", [0.0, -1.0])
def test_without_patience_there_is_one_look_and_no_sleep(tmp_path, timeout):
    assert waited(tmp_path / "a", timeout) == (False, [], [])

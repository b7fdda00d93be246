# SPDX-License-Identifier: BSD-3-Clause
"""Where slices meet the master, by what policy and stages say, and what the classes of stages show."""

from types import SimpleNamespace

import pytest
from harness.dc3a import Dc3aStage, acts, adapt
from harness.runtime.configuration.schedule import (
    FUSED,
    LOCKSTEP,
    Declared,
    compile_schedule,
    kind_of,
    meeting_points,
    why_not_balanced,
)
from harness.stage import NoOpSerialProcessing, SerialProcessing

FREE = Declared(independent=True, stateless=True)


def config(count=4, schedule=None, topics=(), exchanges=(), slices=4, workers=2):
    stages = [
        SimpleNamespace(number=n, name=f"s{n}", event_topic="t" if n in topics else None)
        for n in range(1, count + 1)
    ]
    return SimpleNamespace(
        stages=stages, schedule=schedule, exchanges=frozenset(exchanges), n_slices=slices, n_workers=workers,
        one_loop=False, topology=None, visits_in_flight=1,
    )  # fmt: skip


def test_slices_meet_only_where_somebody_has_to_do_something():
    serial = {1: Declared(postprocesses=True), 3: Declared(preprocesses=True), 4: FREE}
    assert meeting_points(config(topics={4}), serial) == {
        2: "stage 1 (s1) has a postprocess",
        3: "stage 3 (s3) has a preprocess",
        4: "stage 4 (s4) waits for an event",
    }
    # An exchange needs the neighbours alone.
    assert meeting_points(config(exchanges={2}), {}) == {}
    # What the first stage does before the slices, and the last one after them, keeps nobody.
    ends = {1: Declared(preprocesses=True), 4: Declared(postprocesses=True)}
    assert meeting_points(config(), ends) == {}


def test_the_policy_decides_and_without_it_what_all_halves_declare():
    free, bound = {1: FREE}, {2: Declared(stateless=True)}
    assert kind_of(config(schedule=LOCKSTEP), free, free)[0] == LOCKSTEP
    assert kind_of(config(schedule=FUSED), bound, bound)[0] == FUSED
    assert kind_of(config(), free, {1: FREE, 2: FREE})[0] == FUSED
    assert kind_of(config(), {}, bound) == (
        LOCKSTEP, "lockstep, for stage 2 (s2) does not declare itself independent",
    )  # fmt: skip
    # A failure stage runs in the place of a stage, wherever that is.
    assert kind_of(config(), {-1: Declared()}, {1: FREE})[0] == FUSED


def test_a_schedule_of_one_stage_meets_nowhere():
    text = compile_schedule(config(count=1), serial={}, parallel={}).explain()
    assert "they have met" not in text


def test_slices_are_taken_where_no_half_that_runs_in_them_has_a_state():
    assert why_not_balanced(config(), {1: FREE, -1: FREE}) == ""
    assert "stage 3 (s3)" in why_not_balanced(config(), {1: FREE, 3: Declared()})
    assert "failure stage" in why_not_balanced(config(), {1: FREE, -1: Declared()})
    assert "a worker for every slice" in why_not_balanced(config(slices=2), {1: FREE})


class Before(SerialProcessing):
    def preprocess(self, clipboard):
        pass


class ByHand(SerialProcessing):
    def applyPostprocess(self, queue):
        pass


class Heir(Before):
    pass


class Old(Dc3aStage):
    def postprocess(self):
        self.outputQueue.addDataset(self.activeClipboard)


@pytest.mark.parametrize(
    ("half", "before", "after"),
    [
        (NoOpSerialProcessing, False, False), (Before, True, False), (Heir, True, False),
        (ByHand, False, True), (adapt(Old).serialClass, False, True),
        (adapt(Dc3aStage).serialClass, False, False),
    ],
)  # fmt: skip
def test_a_class_shows_what_it_does_in_the_master(half, before, after):
    assert (acts(half, "preprocess"), acts(half, "postprocess")) == (before, after)

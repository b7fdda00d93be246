# SPDX-License-Identifier: BSD-3-Clause
"""The harness's own errors: they pickle to equals, carry exit codes and say how a process ended."""

import pickle

import pytest
from harness import errors

SAMPLES = [
    errors.HarnessError("plain"),
    errors.ConfigError("policy.paf: nSlices: expected 0 or more, saw -1"),
    errors.StageFailed("stage 'warp' raised", rank=3, details="Traceback"),
    errors.SliceDied(1, 4711, rank=2, ranks="0,2", stage="'warp'", visit=5, signalled=True, code=11),
    errors.ArenaFull("no shared memory", asked_bytes=5, stats={"live_bytes": 1}),
    errors.TransportError("clipboard item 'x'"),
    errors.LedgerError("ledger run/ledger.sqlite: no such file"),
    errors.NoReplacement("worker 1 has died and can't be replaced: no process"),
    errors.ResumeRefused("the policy differs", differences=("nSlices: 2, was 3",)),
    errors.InternalError("a defect"),
]


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_pickles_to_an_equal_one(error, protocol):
    copy = pickle.loads(pickle.dumps(error, protocol))
    assert copy == error and str(copy) == str(error) and vars(copy) == vars(error)


def test_every_class_is_sampled():
    kinds = [item for item in vars(errors).values() if isinstance(item, type)]
    classes = {kind for kind in kinds if issubclass(kind, Exception)}
    assert {type(error) for error in SAMPLES} == classes


@pytest.mark.parametrize(
    ("signalled", "code", "text"),
    [
        (True, 11, "SIGSEGV (signal 11)"),
        (True, 9, "SIGKILL (signal 9)"),
        (True, 200, "signal 200"),
        (False, 3, "exit code 3"),
        (False, -1, "unknown cause"),
    ],
)
def test_an_end_is_described_for_people(signalled, code, text):
    assert text in errors.describe_end(signalled, code)


def test_a_dead_slice_is_named_with_all_that_is_known():
    text = str(SAMPLES[3])
    for word in ("worker 1", "pid 4711", "ranks 0,2", "SIGSEGV (signal 11)", "'warp'", "visit 5", "rank 2"):
        assert word in text
    idle = errors.SliceDied(0, 1, rank=-1, ranks="0", stage="", visit=5, signalled=False, code=1)
    assert "between two steps" in str(idle)


def died(cause=None, *, rank=-1, stage=""):
    return errors.SliceDied(
        0, 1, rank=rank, ranks="0", stage=stage, visit=2, signalled=True, code=9, cause=cause
    )


def test_a_cause_with_a_clause_stands_by_itself_and_reads_well_in_its_sentence():
    late = died("a stageTimeout of 0.2 s, after which it was killed,", rank=0, stage="'warp'")
    assert late.cause == "a stageTimeout of 0.2 s, after which it was killed"
    assert "after which it was killed, while it ran stage 'warp'" in late.what
    # As when it is told of another rank of the worker.
    assert died(late.cause, rank=0, stage="'warp'").what == late.what
    assert "SIGKILL (signal 9) while it ran" in died(rank=0, stage="'warp'").what


def test_a_death_says_what_follows_from_it_and_nothing_where_that_is_not_known():
    death = died(rank=0, stage="'warp'")
    assert "lost" not in str(death) and death.follows == ""
    again = death.followed_by("the visit of rank 0 runs again")
    assert str(again).startswith(f"{death.what}; the visit of rank 0 runs again. ")
    assert again.what == death.what and again.follows == "the visit of rank 0 runs again"
    assert "runs again" not in str(death)
    assert str(again.followed_by("rank 0 has failed")).count(";") == 1
    copy = pickle.loads(pickle.dumps(again))
    assert copy == again and str(copy) == str(again)


def test_a_worker_that_dies_in_setup_has_run_no_visit():
    assert "died of SIGKILL (signal 9) while it set its stages up. Look" in str(died(stage="setup"))


def test_a_full_arena_is_a_memory_error():
    assert isinstance(SAMPLES[4], MemoryError)
    assert errors.ArenaFull.exit_code == 4

# SPDX-License-Identifier: BSD-3-Clause
"""Every kind of value rides in a real run: arrives as it was, read-only, uncopied if it was born shared."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import NO_BIRTHS, Bench, Finished

SAMPLE = Path(__file__).parent / "samples" / "kinds.py"
SLICES = 3


def load_kinds() -> dict:
    spec = importlib.util.spec_from_file_location("kinds_table", SAMPLE)
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.KINDS


KINDS = load_kinds()
UNCOPIED = [name for name, (_, uncopied) in KINDS.items() if uncopied]
COPIED = [name for name, (_, uncopied) in KINDS.items() if not uncopied]


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Finished:
    """One run in which every kind goes down, up, and across a ring of three slices on two workers."""
    bench = Bench(tmp_path_factory.mktemp("riding"))
    shutil.copy(SAMPLE, bench.folder / "stages_here.py")
    bench.policy(
        "down Send Check",
        "up CheckUp SendUp",
        "across - CheckAcross:share",
        slices=SLICES,
        tail=NO_BIRTHS + 'shareDataOn: true\ntopology: { type: "ring"\nparam1: "clockwise" }',
    )
    finished = bench.run("--workers", "2")
    assert finished.code == 0, finished.err
    assert finished.summary["failures"] == [], finished.err
    return finished


def row(done: Finished, direction: str, key: str) -> dict:
    """The figures of one key."""
    rows = [row for row in done.summary["keys"] if (row["direction"], row["key"]) == (direction, key)]
    assert len(rows) == 1, done.err
    return rows[0]


@pytest.mark.parametrize("direction", ["down", "up", "across"])
@pytest.mark.parametrize("name", list(KINDS))
def test_a_kind_of_value_arrives_as_it_was(done, name, direction):
    verdicts = [line for line in done.out.splitlines() if line.startswith(f"{direction} {name}: ")]
    assert verdicts == [f"{direction} {name}: arrived"] * SLICES
    assert row(done, direction, name)["items"] == (1 if direction == "down" else SLICES)


@pytest.mark.parametrize("direction", ["down", "up", "across"])
@pytest.mark.parametrize("name", UNCOPIED)
def test_what_was_born_shared_is_not_copied(done, name, direction):
    assert row(done, direction, name)["bytes_copied"] == 0


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("name", COPIED)
def test_what_has_to_be_copied_is_counted(done, name, direction):
    assert row(done, direction, name)["bytes_copied"] > 100_000


def test_a_copy_made_for_the_master_serves_the_neighbours_too(done):
    assert row(done, "across", "private")["bytes_copied"] == 0
    assert row(done, "across", "private_masked")["bytes_copied"] == 0
    assert row(done, "across", "private")["bytes_shared"] == SLICES * 320_000


@pytest.mark.parametrize(
    "name", ["masked", "recarray", "matrix_like", "quantity", "ccd", "nddata", "dataclass", "slots", "dict"]
)
def test_arrays_inside_other_things_leave_the_pickle(done, name):
    assert row(done, "down", name)["bytes_shared"] >= 160_000


def test_nothing_that_crossed_is_kept_but_what_links_to_itself(done):
    assert {row["key"] for row in done.summary["kept"]} <= {"plain_object"}

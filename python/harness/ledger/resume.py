# SPDX-License-Identifier: BSD-3-Clause
"""What a resumed run need not do again: visits that the ledger proves complete."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from harness.errors import ResumeRefused
from harness.exceptions import IoError
from harness.ledger.policies import compare_policies
from harness.ledger.provenance import code_differences
from harness.ledger.set_aside import set_aside
from harness.outputs import output_sha256

MOST_TOLD = 12


@dataclass
class ResumePlan:
    """What to leave out.

    Attributes: `series` (the chain of runs that is continued), `skips` (ranges of visits, both ends included,
    ascending), `last_visit` (where the data sets ended, or 0), `redone` (per visit why it is run again
    although it was begun), `differences` (of policy and code, that the caller chose to overlook), `changes`
    (of keys of the policy that may change), `begun` (the last visit of all), `again` (the identities of what
    the visits in `redone` worked on), `follows_events` (visits are made by events), `unfinished` (how many
    visits within `skips` are not complete: they are not run again by their number).
    """

    series: int
    skips: list[tuple[int, int]] = field(default_factory=list)
    last_visit: int = 0
    redone: dict[int, str] = field(default_factory=dict)
    differences: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    begun: int = 0
    again: set[str] = field(default_factory=set)
    follows_events: bool = False
    unfinished: int = 0

    def follow_events(self) -> None:
        """For visits that events make: all keep their numbers, and what is done again comes as an event."""
        self.unfinished = self.begun - self.skipped
        self.skips = [(1, self.begun)] if self.begun else []
        self.follows_events = True

    def end_of_run(self, asked: int | None) -> int | None:
        """The number of the run's last visit, where there is one and `asked` visits are wanted in all."""
        ends = [asked + self.unfinished] if asked else []
        if self.last_visit and self.follows_events:
            # What had begun ahead of the end of the data takes numbers, too.
            ends.append(self.begun + len(self.redone))
        elif self.last_visit:
            ends.append(self.last_visit)
        return min(ends, default=None)

    @property
    def skipped(self) -> int:
        """How many visits are left out."""
        return sum(last - first + 1 for first, last in self.skips) - self.unfinished


def plan_resume(
    connection: sqlite3.Connection, run_id: str, policy: str, code: dict[str, Any], *, anyway: bool
) -> ResumePlan | None:
    """What the next run may leave out; `None` where no run has been here before.

    Every output of a complete visit is read and compared with its size and SHA-256.

    Raises:
        ResumeRefused: policy, code or current directory differ from the last run's, and not `anyway`.
        sqlite3.Error: the ledger cannot be read.
    """
    last = connection.execute(
        "SELECT series, run_id, policy, code, directory FROM runs ORDER BY run DESC LIMIT 1"
    ).fetchone()
    if last is None:
        return None
    series, old_id, old_policy, old_code, directory = last
    changes = compare_policies(old_policy, policy)
    told = [*changes.bound, *code_differences(json.loads(old_code), code)]
    if run_id != old_id and "randomSeed" not in json.loads(policy):
        told.append(f"run id: {run_id}, was {old_id}, and the random streams are made from it")
    if not _is_here(directory):
        told.append(f"current directory: {os.getcwd()}, was {directory}, and relative paths begin there")
    differences = _few(told)
    if differences and not anyway:
        raise ResumeRefused(
            "this run is not the one that was interrupted: "
            + "; ".join(differences)
            + ". Undo that; or start anew in another run directory; or, if results may come of both, add"
            " --resume-anyway. Keys of the policy that results do not depend on may change",
            differences=differences,
        )
    plan = ResumePlan(series, differences=differences, changes=_few(changes.free))
    plan.last_visit = _where_data_sets_ended(connection, series)
    complete = _complete_visits(connection, plan)
    plan.skips = _ranges(sorted(complete))
    return plan


def _is_here(directory: str) -> bool:
    try:
        return os.path.samefile(directory, ".")
    except OSError:
        return False


def _few(texts: list[str]) -> tuple[str, ...]:
    more = [f"and {len(texts) - MOST_TOLD} more"] if len(texts) > MOST_TOLD else []
    return (*texts[:MOST_TOLD], *more)


def _where_data_sets_ended(connection: sqlite3.Connection, series: int) -> int:
    """The visit whose slice has said so, in the last run in which one did; 0: none has."""
    row = connection.execute(
        "SELECT last_visit FROM runs WHERE series = ? AND last_visit IS NOT NULL ORDER BY run DESC LIMIT 1",
        (series,),
    ).fetchone()
    return row[0] if row is not None else 0


def _complete_visits(connection: sqlite3.Connection, plan: ResumePlan) -> set[int]:
    """Visits that are complete and whose outputs are what they were."""
    complete: dict[int, int] = {}
    inputs: dict[int, set[str]] = {}
    aside = set_aside(connection)
    for visit, run, state, reason, identities in connection.execute(
        "SELECT v.visit, v.run, v.state, v.reason, v.input FROM standing s"
        " JOIN visits v ON v.run = s.run AND v.visit = s.visit ORDER BY v.visit"
    ):
        plan.begun = visit
        if visit in aside:
            continue
        inputs[visit] = set((identities or "").split())
        if state == "complete":
            complete[visit] = run
        else:
            plan.redone[visit] = reason or state
    owners = _last_writers(connection)
    for path, (visit, size, digest) in owners.items():
        if visit in complete and (why := _changed(path, size, digest)):
            plan.redone.setdefault(visit, why)
            complete.pop(visit)
    _spread(connection, plan, complete, aside)
    plan.again = {identity for visit in plan.redone for identity in inputs[visit]}
    return set(complete)


def _last_writers(connection: sqlite3.Connection) -> dict[str, tuple[int, int, str]]:
    """Per path the standing attempt that wrote it last, with size and SHA-256: what it wrote is there."""
    rows = connection.execute(
        "SELECT o.path, o.visit, o.bytes, o.sha256 FROM outputs o"
        " JOIN standing s ON s.run = o.run AND s.visit = o.visit ORDER BY o.output"
    )
    return {path: (visit, size, digest) for path, visit, size, digest in rows}


def _changed(path: str, size: int, digest: str) -> str:
    """In which way an output is not what was recorded; empty if it is."""
    try:
        now_size, now_digest = output_sha256(path)
    except IoError as error:
        return str(error)
    if now_size != size:
        return f"output {path}: expected {size} bytes, saw {now_size}"
    if now_digest != digest:
        return f"output {path}: its SHA-256 is no longer the recorded one"
    return ""


def _spread(
    connection: sqlite3.Connection, plan: ResumePlan, complete: dict[int, int], aside: set[int]
) -> None:
    """A visit that runs again writes its files again: later visits that wrote to one of them must follow."""
    writers: dict[str, set[int]] = defaultdict(set)
    for path, visit in connection.execute(
        "SELECT path, visit FROM outputs WHERE run IN (SELECT run FROM runs WHERE series = ?)", (plan.series,)
    ):
        if visit not in aside:
            writers[path].add(visit)
    shared = [(path, visits) for path, visits in writers.items() if len(visits) > 1]
    changed = True
    while changed:
        changed = False
        for path, visits in shared:
            first = min((visit for visit in visits if visit not in complete), default=None)
            if first is None:
                continue
            for visit in [later for later in visits if later > first and later in complete]:
                plan.redone[visit] = f"output {path} is written again by visit {first}, which comes before it"
                complete.pop(visit)
                changed = True


def _ranges(visits: list[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for visit in visits:
        if ranges and ranges[-1][1] == visit - 1:
            ranges[-1] = (ranges[-1][0], visit)
        else:
            ranges.append((visit, visit))
    return ranges

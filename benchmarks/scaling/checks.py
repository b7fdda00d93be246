# SPDX-License-Identifier: BSD-3-Clause
"""Runs of the harness beside what the model says of them when their slices take as long as they did."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from keys import policies_know
from measured_runs import Measured, run
from model import Costs, Job, Stage, simulate
from predictions import MODES, STAGES, VARIATION, Mode, scheduled
from topologies import policy, topology

CHECKED = ("lockstep", "balanced", "fused", "loose", "flight2", "flight3", "fused2", "all",
           "meeting", "ring", "plane", "ring2")  # fmt: skip
RANKS_PER_WORKER = 3


@dataclass(frozen=True)
class Check:
    """Stages of a class of `scaling_stages`, on so many workers.

    `mean` are the seconds of a stage, `serial` those that the master sleeps before and behind the slices.
    """

    name: str
    workers: int
    mean: float
    serial: float = 0.0

    def label(self) -> str:
        """What tables call it."""
        text = f"{self.name.lower()}, {1e3 * self.mean:g} ms"
        return text + (f", master twice {1e3 * self.serial:g} ms" if self.serial else "")


CHECKS = (
    Check("Computing", 1, 0.005), Check("Computing", 2, 0.005),
    Check("Sleeping", 1, 0.01), Check("Sleeping", 4, 0.01), Check("Sleeping", 8, 0.01),
    Check("Sleeping", 4, 0.01, 0.04),
)  # fmt: skip
"""Computing ones as far as there are cores; sleeping ones need none."""


def chosen(most: int, modes: Sequence[str]) -> tuple[list[tuple[Check, str]], list[str]]:
    """Which checks are made in which modes, and what is left out, with the reason."""
    cores = len(os.sched_getaffinity(0))
    checks = [
        check for check in CHECKS
        if check.workers <= most and (check.name != "Computing" or check.workers <= cores)
    ]  # fmt: skip
    able, remarks = [], []
    for key in modes:
        if (needs := MODES[key].needs) and not policies_know(needs):
            remarks.append(f"skipped: {MODES[key].label}: pipeline policies of this version have no {needs}")
        else:
            able.append(key)
    return [(check, key) for check in checks for key in able], remarks


def compare(check: Check, mode: Mode, costs: Costs, visits: int) -> dict[str, float]:
    """One run, and the model of it: seconds of a visit behind those that warm up, and efficiency.

    Both efficiencies are of all visits behind the first: with several in flight part of what is done between
    the ends of two visits belongs to later ones, so that work and time of fewer visits do not fit each other.
    """
    ranks = RANKS_PER_WORKER * check.workers
    name = f"Loose{check.name}" if mode.balanced else check.name
    found = run(
        [name] * STAGES, ranks, check.workers, visits, head=mode.head, serial=check.serial,
        stage_policy=f"    mean: {check.mean}\n    variation: {VARIATION}\n"
        f"    offers: {'true' if mode.exchange else 'false'}\n",
        topology=policy(topology(mode.exchange, ranks)) if mode.exchange else "",
    )  # fmt: skip
    took = {
        (visit - 1, stage - 1, rank): seconds
        for visit, rank, stage, step, _, seconds in found.steps
        if step == "process" and 1 <= stage <= STAGES
    }
    measured = statistics.mean(found.visit_seconds)
    work = sum(seconds for (visit, _, _), seconds in took.items() if visit > 0)
    ends = predicted_ends(check, mode, costs, found, took, visits)
    return {"measured": measured, "predicted": (ends[-1] - ends[found.warm - 1]) / visits,
            "efficiency": work / (check.workers * found.behind_first),
            "modelled": work / (check.workers * (ends[-1] - ends[0]))}  # fmt: skip


def predicted_ends(
    check: Check, mode: Mode, costs: Costs, found: Measured,
    took: dict[tuple[int, int, int], float], visits: int,
) -> list[float]:  # fmt: skip
    """When visits end by the model."""
    before, after = (
        max(1e-9, statistics.mean(found.seconds(step, stage)) - costs.serial) if check.serial else 0.0
        for step, stage in (("preprocess", 1), ("postprocess", STAGES))
    )
    last = Stage(after=after, hands_over=bool(mode.exchange))
    stages = (Stage(before=before), *[Stage()] * (STAGES - 2), last)
    job = Job(check.workers, RANKS_PER_WORKER * check.workers, stages, found.warm + visits)
    # What slices did beside the stage's work is in the measured times already, exchanges too.
    beside = replace(costs, exchange=0.0)
    durations = lambda visit, stage, rank: max(0.0, took[visit, stage, rank] - costs.step)  # noqa: E731
    job, durations = scheduled(mode, job, durations)
    return simulate(job, beside, durations).ends


def make_checks(
    costs: Costs, pairs: Sequence[tuple[Check, str]], rounds: int, visits: int, minutes: float
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each check, and what there was no time for; every round makes all of them once."""
    end = time.monotonic() + 60 * minutes
    found: dict[tuple[Check, str], list[dict[str, float]]] = {pair: [] for pair in pairs}
    remarks = []
    for number in range(rounds):
        for pair in pairs:
            if time.monotonic() > end:
                remarks.append(f"the {minutes:g} minutes were over in round {number + 1}")
                break
            found[pair].append(compare(pair[0], MODES[pair[1]], costs, visits))
        else:
            continue
        break
    rows = []
    for (check, key), results in found.items():
        if not results:
            continue
        ratios = [one["predicted"] / one["measured"] for one in results]
        middle = {name: statistics.median(one[name] for one in results) for name in results[0]}
        rows.append({
            "stages": check.label(), "mode": key, "workers": check.workers, **middle,
            "ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios),
        })  # fmt: skip
    return rows, remarks


NOTICED = 0.005
"""Efficiencies that differ by less are called equal."""


def reversed_pairs(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each two schedules of which the model has the other one ahead than the runs."""
    found = []
    for at, one in enumerate(rows):
        for other in rows[at + 1 :]:
            if (one["stages"], one["workers"]) != (other["stages"], other["workers"]):
                continue
            measured, modelled = (one[key] - other[key] for key in ("efficiency", "modelled"))
            if measured * modelled < 0 and min(abs(measured), abs(modelled)) >= NOTICED:
                ahead, behind = (one, other) if measured > 0 else (other, one)
                found.append(
                    f"* {one['stages']}, {one['workers']} workers: {MODES[ahead['mode']].label}"
                    f" ({100 * ahead['efficiency']:.1f} %, by the model {100 * ahead['modelled']:.1f}) before"
                    f" {MODES[behind['mode']].label}"
                    f" ({100 * behind['efficiency']:.1f} %, by the model {100 * behind['modelled']:.1f})"
                )
    return found

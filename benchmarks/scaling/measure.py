# SPDX-License-Identifier: BSD-3-Clause
"""Measures what steps of a run cost, for the model: releases, arrivals, exchanges, serial halves, visits.

Usage: measure.py [--rounds N] [--visits N] [FILE]. All costs but that of waking a process (ring.py) are
differences of moments in the ledger, of runs with one rank and with many, on one worker, which with the
master needs two cores: from the end of a `preprocess` to the first slice's begin, from slice to slice,
from the last slice's end to `postprocess`, from visit to visit. What grows with the ranks is the cost of
a rank, what does not is that of a step. What it costs the master to let a slice go on behind an exchange,
and to look who may, is seen where all others wait for one. Of the moments of a kind the quickest tenth
counts, for others on the machine can only add; of the rounds the median. FILE gets the costs as JSON, with
the surroundings.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "handover")]

from figures import Surroundings, quantile  # noqa: E402
from measured_runs import MASTER, Measured, run  # noqa: E402
from model import Costs  # noqa: E402
from ring import ring_seconds  # noqa: E402
from topologies import policy, topology  # noqa: E402

STAGES, MANY = 6, 33
PAUSE = 0.004
"""Seconds after which whoever waits sleeps: the harness yields for 1 ms at most."""
QUICK = 0.1
FEW_LOOKED_AT, LOOKED_AT = 65, 257
"""Ranks of a ring in which all wait for the first: so many that whoever waits has learnt to sleep soon."""
FUSED = 'schedule: "fused"\n'


def quick(seconds: list[float]) -> float:
    """The time below which a tenth of all lie."""
    return quantile(seconds, QUICK)


class Moments:
    """The intervals between the half-steps of a run, by kind, in seconds."""

    def __init__(self, found: Measured, ranks: int, stages: int) -> None:
        spans: dict[tuple[int, int], dict[tuple[str, int], tuple[float, float]]] = defaultdict(dict)
        for visit, rank, stage, name, start, seconds in found.steps:
            spans[visit, stage][name, rank] = (start, start + seconds)
        self.begin: list[float] = []
        self.between: list[float] = []
        self.end: list[float] = []
        self.visits: list[float] = []
        for (visit, stage), here in spans.items():
            if visit <= found.warm or stage > stages:
                continue
            slices = [here["process", rank] for rank in range(ranks)]
            begun, ended = here["preprocess", MASTER], here["postprocess", MASTER]
            self.begin.append(slices[0][0] - begun[1])
            self.end.append(ended[0] - slices[-1][1])
            pairs = zip(slices, slices[1:], strict=False)
            self.between += [after[0] - before[0] for before, after in pairs]
            if stage == stages and (visit + 1, 1) in spans:
                self.visits.append(spans[visit + 1, 1]["preprocess", MASTER][0] - ended[1])


def measure_once(visits: int) -> Costs:
    """The costs as one round finds them."""
    empty = {ranks: run(["Empty"] * STAGES, ranks, 1, visits) for ranks in (1, MANY)}
    offering = run(["Offering"] * STAGES, MANY, 1, visits, topology=policy(topology("ring", MANY)))
    pausing = {
        ranks: run(["Sleeping"] * 2, ranks, 1, max(20, visits // 4), serial=PAUSE,
                   stage_policy=f"    mean: {PAUSE / ranks}\n    variation: 0.0\n")
        for ranks in (1, MANY)
    }  # fmt: skip
    few, many = (Moments(empty[ranks], ranks, STAGES) for ranks in (1, MANY))
    offered = Moments(offering, MANY, STAGES)
    # Of the first stage, before which workers have slept; behind all of them, the master has.
    slept = {ranks: Moments(found, ranks, 1) for ranks, found in pausing.items()}
    step = quick(many.between)
    process = quick(empty[MANY].seconds("process"))
    gather = max(0.0, (quick(many.end) - quick(few.end)) / (MANY - 1))
    rounds = max(10, visits // 2)
    few_there, many_there = behind_first(FEW_LOOKED_AT, rounds), behind_first(LOOKED_AT, rounds)
    visit = quick(few.visits) - (quick(few.begin) + step + quick(few.end))
    return Costs(
        serial=statistics.mean(quick(empty[1].seconds(name)) for name in ("preprocess", "postprocess")),
        release=max(0.0, (quick(slept[MANY].begin) - quick(slept[1].begin)) / (MANY - 1)),
        ring=quick(ring_seconds(visits)),
        wake=quick(slept[1].begin),
        step=step,
        exchange=max(0.0, quick(offering.seconds("process")) - process),
        master_wake=quick(slept[1].end),
        gather=gather,
        item=max(0.0, (quick(offered.end) - quick(few.end)) / MANY - gather),
        visit=max(0.0, visit),
        look=max(0.0, (many_there - few_there) / (LOOKED_AT - FEW_LOOKED_AT)),
        go_on=max(0.0, min(few_there, many_there) - quick(slept[1].end)),
    )


def behind_first(ranks: int, visits: int) -> float:
    """Seconds until slice 0, which all others wait for, is let go on behind an exchange.

    Two workers: one has that slice, while the other takes all other slices as far as they get.
    """
    with tempfile.NamedTemporaryFile() as place:
        found = run(
            ["LooseLast"] * 2, ranks, 2, visits, warm=2, head=FUSED, topology=policy(topology("ring", ranks)),
            stage_policies=[f'    place: "{place.name}"\n    pause: {PAUSE}\n    first: {first}\n'
                            for first in ("true", "false")],
        )  # fmt: skip
    began = {(visit, stage): start for visit, rank, stage, name, start, _ in found.steps
             if (name, rank) == ("process", 0)}  # fmt: skip
    return quick([
        began[visit, 2] - (start + seconds) for visit, rank, stage, name, start, seconds in found.steps
        if (name, rank, stage) == ("process", 0, 1) and visit > found.warm
    ])  # fmt: skip


def measure(rounds: int, visits: int) -> Costs:
    """Medians of several rounds."""
    every = [asdict(measure_once(visits)) for _ in range(rounds)]
    return Costs(**{name: statistics.median(one[name] for one in every) for name in every[0]})


def describe(costs: Costs) -> str:
    """One line per cost, in microseconds."""
    return "\n".join(f"    {name:12s} {value * 1e6:9.2f} us" for name, value in asdict(costs).items())


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--visits", type=int, default=200)
    arguments = parser.parse_args()
    surroundings = Surroundings()
    costs = measure(arguments.rounds, arguments.visits)
    print(f"costs of a run, medians of {arguments.rounds} rounds\n{describe(costs)}\n{surroundings.text()}")
    if arguments.file is not None:
        told = {"costs": asdict(costs), "surroundings": surroundings.text().strip()}
        arguments.file.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()

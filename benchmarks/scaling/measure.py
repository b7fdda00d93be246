# SPDX-License-Identifier: BSD-3-Clause
"""Measures what steps of a run cost, for the model: release, arrive, exchange, gather, serial halves, visits.

Usage: measure.py [--rounds N] [--visits N] [FILE]. Runs empty stages with few and with many ranks on one
worker, which with the master needs two cores. What grows with the ranks is the cost of a rank, what does not
is that of a step; spans of the ledger tell what of it was in the slice and what in the serial halves. Of the
visits of a round the quickest fiftieth counts, for others on the machine can only add; of the rounds the
median. FILE gets the costs as JSON, with the surroundings.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "handover")]

from figures import Surroundings, quantile  # noqa: E402
from measured_runs import run  # noqa: E402
from model import Costs  # noqa: E402

STAGES, FEW, MANY = 10, 1, 33
WAKE_SHARE = 0.5
"""Of what a step costs whatever its ranks: ringing, waking a worker, waking the master. How much the worker's
half is cannot be seen from outside; it is halved."""


def quick(seconds: list[float]) -> float:
    """The time below which a fiftieth of all lie."""
    return quantile(seconds, 0.02)


def measure_once(visits: int) -> Costs:
    """The costs as one round finds them."""
    found = {}
    for ranks in (FEW, MANY):
        whole = run(["Empty"] * STAGES, ranks, 1, visits)
        short = run(["Empty"], ranks, 1, visits)
        # Two numbers of stages: what a visit costs beside its steps, and what a step does.
        per_step = (quick(whole.visit_seconds) - quick(short.visit_seconds)) / (STAGES - 1)
        per_visit = quick(short.visit_seconds) - per_step
        process = quick(whole.seconds("process"))
        serial = [quick(whole.seconds(name)) for name in ("preprocess", "postprocess")]
        found[ranks] = (per_step, per_visit, process, statistics.mean(serial))
    exchanging = run(["Offering"] * STAGES, MANY, 1, visits, share=True)
    slope = (found[MANY][0] - found[FEW][0]) / (MANY - FEW)
    process = found[MANY][2]
    in_master = max(0.0, slope - process)
    fixed = max(0.0, found[FEW][0] - 2 * found[FEW][3] - slope)
    # Closing a visit is a step as well, without serial halves.
    visit = max(0.0, found[FEW][1] - fixed - slope)
    exchange = max(0.0, quick(exchanging.seconds("process")) - process)
    return Costs(
        serial=found[FEW][3],
        release=in_master / 2,
        ring=0.0,
        wake=fixed * WAKE_SHARE,
        step=process,
        exchange=exchange,
        master_wake=fixed * (1 - WAKE_SHARE),
        gather=in_master / 2,
        visit=visit,
    )


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

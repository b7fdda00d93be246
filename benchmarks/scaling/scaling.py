# SPDX-License-Identifier: BSD-3-Clause
"""Predicts the efficiency of runs with up to 256 workers from measured costs, and checks that against runs.

Usage: scaling.py [--costs FILE] [--rounds N] [--visits N] [--plot FILE] [--json FILE] [--most-workers N].
Without --costs, the costs are measured first (measure.py). Then runs whose stages sleep, or compute, for
log-normal times are simulated with the very times that their slices took, and the wall time is compared:
computing stages with at most as many workers as there are cores, sleeping ones with more, for they need no
core. The predictions are for 4 stages without serial halves and 4 ranks a worker, and for 189 ranks spread
over the workers; times of a stage are log-normal. Efficiency is the stages' own work over what the workers
could have done in the time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "handover")]

from distributions import lognormal  # noqa: E402
from figures import Surroundings, short, table  # noqa: E402
from measure import describe, measure  # noqa: E402
from measured_runs import policies_know, run  # noqa: E402
from model import Costs, Job, Stage, fused, simulate  # noqa: E402

STAGES, RANKS_PER_WORKER, FOCAL_PLANE = 4, 4, 189
"""Stages of a visit; ranks a worker; CCDs of a large camera."""
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TIMES = ((0.001, 0.3), (0.01, 0.3), (0.1, 0.3))
"""Mean seconds of a stage, and standard deviation over the mean."""
PREDICTED_VISITS = 12


@dataclass(frozen=True)
class Mode:
    """How a run is scheduled: `head` is what its policy says, `needs` the key that this version must know."""

    label: str
    is_fused: bool = False
    in_flight: int = 1
    balanced: bool = False
    head: str = ""
    needs: str = ""


MODES = {
    "lockstep": Mode("lockstep"),
    "balanced": Mode("balanced", balanced=True),
    "fused": Mode("fused", is_fused=True, head='schedule: "fused"\n', needs="schedule"),
    "flight2": Mode("2 visits in flight", in_flight=2, head="visitsInFlight: 2\n", needs="visitsInFlight"),
    "flight3": Mode("3 visits in flight", in_flight=3, head="visitsInFlight: 3\n", needs="visitsInFlight"),
    "flight4": Mode("4 visits in flight", in_flight=4, head="visitsInFlight: 4\n", needs="visitsInFlight"),
    "all": Mode("fused, balanced, 2 in flight", True, 2, True),
}
CHECKED = ("lockstep", "fused", "flight2", "flight3", "flight4")
"""What a policy can ask for; whether stages let others take their ranks is theirs to say."""


def predict(mode: Mode, job: Job, costs: Costs, mean: float, variation: float) -> float:
    """The efficiency of a job in a mode."""
    job = replace(job, in_flight=mode.in_flight, balanced=mode.balanced)
    durations = lognormal(mean, variation, (job.visits, len(job.stages), job.ranks))
    if mode.is_fused:
        job, durations = fused(job, durations)
    return simulate(job, costs, durations).efficiency


def predictions(costs: Costs, most: int) -> list[dict[str, Any]]:
    """Rows of efficiency by mode, workers, ranks and time of a stage."""
    rows = []
    stages = (Stage(),) * STAGES
    for mean, variation in TIMES:
        for workers in [count for count in WORKERS if count <= most]:
            for kind, ranks in (("weak", RANKS_PER_WORKER * workers), ("strong", FOCAL_PLANE)):
                if kind == "strong" and workers > FOCAL_PLANE:
                    continue
                job = Job(workers, ranks, stages, PREDICTED_VISITS)
                for name, mode in MODES.items():
                    efficiency = predict(mode, job, costs, mean, variation)
                    rows.append({"kind": kind, "mode": name, "workers": workers, "ranks": ranks, "mean": mean,
                                 "variation": variation, "efficiency": efficiency})  # fmt: skip
    return rows


def check_one(
    mode: Mode, name: str, workers: int, costs: Costs, mean: float, visits: int
) -> dict[str, float]:
    """A run, and what the model says of it when its stages take as long as they did."""
    ranks = 2 * workers
    policy = f"    mean: {mean}\n    variation: 0.3\n    seed: 7\n"
    found = run([name] * STAGES, ranks, workers, visits, head=mode.head, stage_policy=policy)
    first = min(visit for visit, *_ in found.steps)
    took = {
        (visit - first, stage - 1, rank): seconds
        for visit, rank, stage, step, _, seconds in found.steps
        if step == "process"
    }
    job = Job(workers, ranks, (Stage(),) * STAGES, visits, mode.in_flight)
    # What slices did beside the stage's work is in the measured times already.
    durations = lambda visit, stage, rank: max(0.0, took[visit, stage, rank] - costs.step)  # noqa: E731
    if mode.is_fused:
        job, durations = fused(job, durations)
    simulated = simulate(job, costs, durations)
    measured = sum(found.visit_seconds)
    return {"measured": measured / visits, "predicted": simulated.seconds_per_visit,
            "efficiency": sum(took.values()) / (workers * measured)}  # fmt: skip


def checks(costs: Costs, rounds: int, visits: int, most: int) -> list[dict[str, Any]]:
    """Rows that compare runs with the model."""
    cores = len(os.sched_getaffinity(0))
    cases = [("Computing", workers, 0.005) for workers in (1, 2) if workers <= min(cores, most)]
    cases += [("Sleeping", workers, 0.02) for workers in (1, 2, 4, 8) if workers <= most]
    rows = []
    for name, workers, mean in cases:
        for key in CHECKED:
            mode = MODES[key]
            if mode.needs and not policies_know(mode.needs):
                continue
            found = [check_one(mode, name, workers, costs, mean, visits) for _ in range(rounds)]
            ratios = [one["predicted"] / one["measured"] for one in found]
            rows.append({
                "stages": name.lower(), "mode": key, "workers": workers, "mean": mean,
                "measured": statistics.median(one["measured"] for one in found),
                "predicted": statistics.median(one["predicted"] for one in found),
                "efficiency": statistics.median(one["efficiency"] for one in found),
                "ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios),
            })  # fmt: skip
    return rows


def table_of_predictions(rows: list[dict[str, Any]], kind: str, mean: float) -> str:
    """Modes down, workers across, in percent."""
    chosen = [row for row in rows if (row["kind"], row["mean"]) == (kind, mean)]
    workers = sorted({row["workers"] for row in chosen})
    found = {(row["mode"], row["workers"]): f"{100 * row['efficiency']:.1f}" for row in chosen}
    lines = [[MODES[mode].label, *(found[mode, count] for count in workers)] for mode in MODES]
    return table([f"{mean * 1e3:g} ms a stage", *map(str, workers)], lines)


def table_of_checks(rows: list[dict[str, Any]]) -> str:
    """One line per run."""
    lines = [
        [f"{row['stages']}, {1e3 * row['mean']:g} ms, {MODES[row['mode']].label}", str(row["workers"]),
         short(1e3 * row["measured"]), short(1e3 * row["predicted"]), f"{100 * row['efficiency']:.1f}",
         f"{row['ratio']:.3f} ({row['least']:.3f}-{row['most']:.3f})"]
        for row in rows
    ]  # fmt: skip
    head = ["stages", "workers", "ms a visit", "predicted", "efficiency, %", "predicted / measured"]
    return table(head, lines)


def main() -> None:
    """Measures, checks, predicts and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--costs", type=Path, metavar="FILE", help="as measure.py wrote them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--visits", type=int, default=40, help="of each run that is checked")
    parser.add_argument("--most-workers", type=int, default=WORKERS[-1])
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    surroundings = Surroundings()
    if arguments.costs is not None:
        costs = Costs(**json.loads(arguments.costs.read_text())["costs"])
    else:
        costs = measure(arguments.rounds, 5 * arguments.visits)
    print(f"Scaling\n\nCosts of a run:\n\n{describe(costs)}\n")
    checked = checks(costs, arguments.rounds, arguments.visits, arguments.most_workers)
    print(f"Checked against runs:\n\n{table_of_checks(checked)}")
    predicted = predictions(costs, arguments.most_workers)
    for kind, words in (("weak", f"{RANKS_PER_WORKER} ranks a worker"), ("strong", f"{FOCAL_PLANE} ranks")):
        print(f"Predicted efficiency in %, {words}, by workers:\n")
        for mean, _ in TIMES:
            print(table_of_predictions(predicted, kind, mean))
    print(surroundings.text())
    if arguments.json is not None:
        told = {"costs": asdict(costs), "checks": checked, "predictions": predicted,
                "surroundings": surroundings.text().strip()}  # fmt: skip
        arguments.json.write_text(json.dumps(told, indent=1) + "\n")
    if arguments.plot is not None:
        from plot import draw

        labels = {name: mode.label for name, mode in MODES.items()}
        draw(predicted, checked, labels, arguments.plot)


if __name__ == "__main__":
    main()

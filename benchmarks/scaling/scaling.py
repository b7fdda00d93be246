# SPDX-License-Identifier: BSD-3-Clause
"""Predicts the efficiency of runs with up to 256 workers from measured costs, and checks that against runs.

Usage: scaling.py [--costs FILE] [--rounds N] [--visits N] [--minutes M] [--modes NAME ...] [--plot FILE]
[--json FILE] [--most-workers N]. Without --costs, the costs are measured first (measure.py). Then runs
whose stages sleep, or compute, for log-normal times are simulated with the very times that their slices
took, and the wall time is compared: computing stages with at most as many workers as there are cores,
sleeping ones with more, for they need no core. What policies of the installed version do not know is left
out, and named. Efficiency is the stages' own work over what the workers could have done in the time.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "handover")]

from checks import CHECKED, chosen, make_checks, reversed_pairs  # noqa: E402
from figures import Surroundings, short, table  # noqa: E402
from measure import describe, measure  # noqa: E402
from model import Costs  # noqa: E402
from predictions import (  # noqa: E402
    CASES,
    FLIGHTS,
    MODES,
    SHARED_BY,
    SHARES,
    WORKERS,
    enough,
    over_visits_in_flight,
    over_workers,
)


def table_of_predictions(rows: list[dict[str, Any]], case: str) -> str:
    """Modes down, workers across, in percent."""
    chosen_rows = [row for row in rows if row["case"] == case]
    workers = sorted({row["workers"] for row in chosen_rows})
    found = {(row["mode"], row["workers"]): f"{100 * row['efficiency']:.1f}" for row in chosen_rows}
    lines = [[MODES[mode].label, *(found[mode, count] for count in workers)] for mode in MODES]
    return table([CASES[case].label, *map(str, workers)], lines)


def table_of_shares(rows: list[dict[str, Any]]) -> str:
    """The master's share down, visits in flight across, in percent, and how many are enough."""
    lines = []
    for is_fused in (False, True):
        for share in SHARES:
            found = [
                (row["in_flight"], row["efficiency"]) for row in rows
                if (row["share"], row["is_fused"]) == (share, is_fused)
            ]  # fmt: skip
            name = f"{'fused' if is_fused else 'lockstep'}, {100 * share:g} % and {100 * share:g} %"
            lines.append([name, *(f"{100 * value:.1f}" for _, value in found), str(enough(found))])
    return table(["the master's part", *(f"W={number}" for number in FLIGHTS), "enough"], lines)


def table_of_checks(rows: list[dict[str, Any]]) -> str:
    """One line per run."""
    lines = [
        [f"{row['stages']}, {MODES[row['mode']].label}", str(row["workers"]), short(1e3 * row["measured"]),
         short(1e3 * row["predicted"]), f"{100 * row['efficiency']:.1f}", f"{100 * row['modelled']:.1f}",
         f"{row['ratio']:.3f} ({row['least']:.3f}-{row['most']:.3f})"]
        for row in rows
    ]  # fmt: skip
    head = ["stages", "workers", "ms a visit", "predicted", "efficiency, %", "by the model, %",
            "predicted / measured"]  # fmt: skip
    return table(head, lines)


def main() -> None:
    """Measures, checks, predicts and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--costs", type=Path, metavar="FILE", help="as measure.py wrote them")
    parser.add_argument("--rounds", type=int, default=3, help="of checks (default 3)")
    parser.add_argument("--visits", type=int, default=12, help="of each run that is checked (default 12)")
    parser.add_argument("--minutes", type=float, default=60.0, help="no new check after them (default 60)")
    parser.add_argument("--modes", nargs="*", metavar="NAME", default=list(CHECKED),
                        help=f"to check, of {', '.join(MODES)}; none: predict only")  # fmt: skip
    parser.add_argument("--most-workers", type=int, default=WORKERS[-1])
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.modes) - set(MODES)):
        sys.exit(f"--modes: no mode {', '.join(unknown)}; there are {', '.join(MODES)}")
    surroundings = Surroundings()
    if arguments.costs is not None:
        costs = Costs(**json.loads(arguments.costs.read_text())["costs"])
    else:
        costs = measure(arguments.rounds, 100)
    print(f"Scaling\n\nCosts of a run:\n\n{describe(costs)}\n")
    pairs, remarks = chosen(arguments.most_workers, arguments.modes)
    checked, more = make_checks(costs, pairs, arguments.rounds, arguments.visits, arguments.minutes)
    print(f"Checked against runs:\n\n{table_of_checks(checked)}")
    others = "\n".join(reversed_pairs(checked)) or "* none"
    print(f"Schedules of which the model has the other one ahead, where it matters:\n\n{others}\n")
    predicted = list(over_workers(costs, arguments.most_workers))
    print("Predicted efficiency in %, by workers:\n")
    for case in CASES:
        print(table_of_predictions(predicted, case))
    shared_by = min(SHARED_BY, arguments.most_workers)
    shares = list(over_visits_in_flight(costs, shared_by))
    print(f"Predicted efficiency in % with {shared_by} workers and stragglers, by visits in flight:\n")
    print(table_of_shares(shares))
    print("\n".join([surroundings.text(), *remarks, *more]))
    if arguments.json is not None:
        told = {"costs": asdict(costs), "checks": checked, "predictions": predicted, "shares": shares,
                "surroundings": surroundings.text().strip()}  # fmt: skip
        arguments.json.write_text(json.dumps(told, indent=1) + "\n")
    if arguments.plot is not None:
        from plot import draw

        draw(predicted, checked, arguments.plot)


if __name__ == "__main__":
    main()

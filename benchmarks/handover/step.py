# SPDX-License-Identifier: BSD-3-Clause
"""An empty step: all slices are released, do nothing, and have arrived.

Usage: step.py [--rounds N] [--minutes M] [--slices N ...] [--peers NAME ...]. For the harness it is a
whole step of stages whose methods do nothing: preprocess, release, process in every slice, gather,
postprocess. Every contender runs in a fresh process per round, in turn. In each entry: median of the
rounds' medians / p99 of all repetitions, then the ratio to the limit in the same round (median, least,
greatest; the limit shows its own least and greatest).
"""

from __future__ import annotations

import argparse
import sys

from contest import Cell, Contest, add_options, chosen
from figures import Surroundings

REPETITIONS = 2000
SECONDS = 0.6


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser, 5)
    arguments = parser.parse_args()
    surroundings = Surroundings()
    contest = Contest("steps", chosen("steps", arguments.peers), REPETITIONS, SECONDS)
    cells = [Cell(slices) for slices in arguments.slices]
    contest.run(cells, arguments.rounds, arguments.minutes)
    print(f"An empty step, at most {arguments.rounds} rounds\n\n{surroundings.text()}")
    print(contest.table(cells, "out", ("microseconds", 1e6)))
    print("\n".join(contest.remarks))
    sys.exit(1 if contest.failed else 0)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-3-Clause
"""Handing images over: from the master to all slices, and back from each.

Usage: handover.py [--rounds N] [--minutes M] [--slices N ...] [--sizes MIB ...] [--peers NAME ...].
There: the master has an image of its own; the time ends when it knows that every slice has read one
byte of each page. Back: every slice has an image of its own; the time ends when the master has read one
byte of each page of all. Computing the images is not in it, and every byte read is checked. Every
contender runs in a fresh process per round, in turn. In each entry: median of the rounds' medians / p99
of all repetitions, then the ratio to the limit in the same round (median, least, greatest; the limit
shows its own least and greatest).
"""

from __future__ import annotations

import argparse
import sys

from contest import Cell, Contest, add_options, chosen
from figures import Surroundings

REPETITIONS = 20
SECONDS = 0.5
HARNESS = ("harness", "default", "foreign")
FIRST = (Cell(2, 1), Cell(2, 16), Cell(2, 64), Cell(8, 64))
"""What goals are about: measured before anything else, for the time may not suffice for all."""


def bytes_told(contest: Contest, cells: list[Cell]) -> list[str]:
    """Lines on what the runs of the harness copied and shared, from their summaries."""
    lines = []
    for name in HARNESS:
        results = [(cell, result) for cell in cells for result in contest.found.get((name, cell), [])]
        if results:
            copied, shared = (sum(result[key] for _, result in results) for key in ("copied", "shared"))
            lines.append(
                f"bytes in all runs, {contest.contender(name).label}: {copied:,} copied, {shared:,} shared"
            )
    return lines


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser, 3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 16, 64], metavar="MIB")
    arguments = parser.parse_args()
    surroundings = Surroundings()
    contest = Contest("handover", chosen("handover", arguments.peers), REPETITIONS, SECONDS)
    cells = [Cell(slices, size) for size in arguments.sizes for slices in arguments.slices]
    in_turn = sorted(cells, key=lambda cell: FIRST.index(cell) if cell in FIRST else len(FIRST))
    contest.run(in_turn, arguments.rounds, arguments.minutes)
    print(f"Hand-over, at most {arguments.rounds} rounds\n\n{surroundings.text()}")
    for size in arguments.sizes:
        row = [cell for cell in cells if cell.mebibytes == size]
        for direction, words in (("out", "there, ms"), ("back", "back, ms")):
            if text := contest.table(row, direction, (words, 1e3)):
                print(f"{size} MiB {words[:-4]}\n\n{text}")
    print("\n".join([*bytes_told(contest, cells), *contest.remarks]))
    sys.exit(1 if contest.failed else 0)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-3-Clause
"""Contenders taking turns: every round runs each in a fresh process, so that a slow moment meets them all."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contenders import KINDS, Contender
from figures import quantile, ratio_of_rounds, short, table
from groups import last_words, run_to_end

TIMEOUT_S = 60
SHARED_MEMORY = "/dev/shm"
HERE = str(Path(__file__).parent)


@dataclass(frozen=True)
class Cell:
    """One size of the question: so many slices, and an image of so many MiB (0: none)."""

    slices: int
    mebibytes: int = 0

    def __str__(self) -> str:
        return f"N={self.slices}" + (f", {self.mebibytes} MiB" if self.mebibytes else "")


@dataclass
class Contest:
    """Runs contenders and keeps what they took.

    Attributes: `kind` is `steps` or `handover`; `names` take part; `rounds` and `seconds` bound what one
    process repeats; `found[name, cell]` has one result per round; `remarks` are skipped and failed ones.
    """

    kind: str
    names: Sequence[str]
    rounds: int
    seconds: float
    found: dict[tuple[str, Cell], list[dict[str, list[float]]]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    failed: bool = False

    def __post_init__(self) -> None:
        able = []
        for name in self.names:
            missing = self.contender(name).missing()
            if missing:
                self.remarks.append(f"skipped: {self.contender(name).label}: {missing}")
            else:
                able.append(name)
        self.names = able

    def contender(self, name: str) -> Contender:
        """The contender of this contest that is called so."""
        return KINDS[self.kind][name]

    def run(self, cells: Sequence[Cell], rounds: int, minutes: float) -> None:
        """So many rounds in every cell; no new turn after so many minutes."""
        end = time.monotonic() + 60 * minutes
        for number in range(rounds):
            for cell in cells:
                if time.monotonic() > end:
                    self.remarks.append(f"the {minutes:g} minutes were over in round {number + 1}, at {cell}")
                    return
                self.turn(cell, number)

    def turn(self, cell: Cell, number: int) -> None:
        """One round in one cell: everybody once, beginning with another one each time."""
        first = number % len(self.names)
        for name in [*self.names[first:], *self.names[:first]]:
            contender = self.contender(name)
            if contender.above_cores and cell.slices <= len(os.sched_getaffinity(0)):
                continue
            command = contender.command(self.kind, name, cell.slices)
            sizes = [str(cell.slices), str(cell.mebibytes), str(self.rounds), str(self.seconds)]
            before = set(os.listdir(SHARED_MEMORY))
            try:
                result = _run([*command, *sizes])
            except RuntimeError as error:
                self.failed = True
                left = sorted(set(os.listdir(SHARED_MEMORY)) - before)
                more = f"; new in {SHARED_MEMORY}: {', '.join(left)}" if left else ""
                self.remarks.append(f"FAILED: {contender.label}, {cell}: {error}{more}")
                print(self.remarks[-1], file=sys.stderr)
                continue
            self.found.setdefault((name, cell), []).append(result)

    def table(self, cells: Sequence[Cell], direction: str, unit: tuple[str, float]) -> str:
        """Median / p99 in the unit, and the ratio to the limit, by contender and cell; empty without any."""
        name_of_unit, factor = unit
        rows = []
        for name in self.names:
            row = [self.contender(name).label]
            for cell in cells:
                row.append(self._entry(name, cell, direction, factor))
            if any(entry != "-" for entry in row[1:]):
                rows.append(row)
        return table([name_of_unit, *map(str, cells)], rows) if rows else ""

    def _entry(self, name: str, cell: Cell, direction: str, factor: float) -> str:
        rounds = [result[direction] for result in self.found.get((name, cell), [])]
        limit = [result[direction] for result in self.found.get((self.names[0], cell), [])]
        if not rounds:
            return "-"
        medians = [statistics.median(times) for times in rounds]
        p99 = quantile(sum(rounds, []), 0.99)
        text = f"{short(statistics.median(medians) * factor)} / {short(p99 * factor)}"
        if name != self.names[0] and len(limit) == len(rounds):
            ratio, least, most = ratio_of_rounds(rounds, limit)
            spread = f", {short(least)}-{short(most)}" if len(rounds) > 1 else ""
            return f"{text} ({short(ratio)}x{spread})"
        if name == self.names[0] and len(rounds) > 1:
            return f"{text} ({short(min(medians) * factor)}-{short(max(medians) * factor)})"
        return text


def _run(command: Sequence[str]) -> dict[str, list[float]]:
    """The JSON that a contender prints. Raises `RuntimeError` with its last words when it fails."""
    path = os.pathsep.join(filter(None, [HERE, os.environ.get("PYTHONPATH", "")]))
    try:
        done = run_to_end(command, TIMEOUT_S, {**os.environ, "PYTHONPATH": path})
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"no answer in {TIMEOUT_S} s") from None
    lines = [line for line in done.stdout.split("\n") if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise RuntimeError(f"exit code {done.returncode}: {last_words(done.stderr)}")
    return json.loads(lines[-1])


def add_options(parser: argparse.ArgumentParser, rounds: int) -> None:
    """The options that both contests have."""
    parser.add_argument("--rounds", type=int, default=rounds, help=f"turns of everybody (default {rounds})")
    parser.add_argument("--minutes", type=float, default=60.0, help="no new turn after them (default 60)")
    parser.add_argument("--slices", type=int, nargs="+", default=[1, 2, 4, 8], metavar="N")
    parser.add_argument("--peers", nargs="*", metavar="NAME",
                        help="who takes part beside the limit: names, or 'all'; the default leaves out Ray"
                        " and Dask, which start a cluster each time")


def chosen(kind: str, peers: Sequence[str] | None) -> list[str]:
    """The names that --peers stands for. Ends the program for an unknown one."""
    everybody = KINDS[kind]
    if peers is None:
        return [name for name, contender in everybody.items() if not contender.heavy]
    if list(peers) == ["all"]:
        return list(everybody)
    unknown = sorted(set(peers) - set(everybody))
    if unknown:
        sys.exit(f"--peers: no contender {', '.join(unknown)}; there are {', '.join(everybody)}")
    return [name for name in everybody if name in peers or name == "bare"]

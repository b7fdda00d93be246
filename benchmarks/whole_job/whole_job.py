# SPDX-License-Identifier: BSD-3-Clause
"""A whole job with two workers: visits of 8 amplifiers of 2048 x 512 float32, reduced, sent back and summed.

Usage: whole_job.py [--rounds N] [--visits N] [--minutes M] [--ways NAME ...] [--peers NAME ...]. --peers
says who takes part beside the harness, the ceiling and what is written by hand. Every way does the same work
on the same images in a fresh process per round, in turn; start-up, making the images and the first visits
are not timed, and every sum is checked against one process. When the minutes are over, rounds that are left
are run by those alone that goals are about. Entries: images/s, median of the rounds (least and greatest); the
share of the ceiling in the same round: two processes that share nothing; how many rounds; and the most that
all processes of a way held together (PSS, looked at four times a second).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "handover")]

from figures import Surroundings, short, table  # noqa: E402
from groups import end_group, last_words  # noqa: E402
from harness.bench.memory import family, pss_bytes  # noqa: E402
from job import AMPLIFIERS, wrong  # noqa: E402
from ways import WAYS  # noqa: E402

TIMEOUT_S = 300
LOOK_S = 0.25
GOALS = ("ceiling", "harness", "mpi")
"""Whom goals are about: measured in every round."""
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def run(name: str, visits: int) -> dict[str, Any]:
    """What one process found, with its peak of memory. Raises `RuntimeError` with its last words."""
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))
    command = WAYS[name].command(name, visits)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            command, stdout=out, stderr=errors, start_new_session=True,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
        )  # fmt: skip
        peak, end = 0, time.monotonic() + TIMEOUT_S
        try:
            while child.poll() is None:
                if time.monotonic() > end:
                    raise RuntimeError(f"no answer in {TIMEOUT_S} s")
                peak = max(peak, sum(pss_bytes(pid) for pid in family(child.pid)))
                time.sleep(LOOK_S)
        finally:
            end_group(child)
        out.seek(0), errors.seek(0)
        lines = [line for line in out.read().splitlines() if line.startswith("{")]
        if child.returncode != 0 or not lines:
            raise RuntimeError(f"exit code {child.returncode}: {last_words(errors.read())}")
    return {**json.loads(lines[-1]), "peak": peak}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of everybody (default 3)")
    parser.add_argument("--visits", type=int, default=24, help="of each (default 24)")
    parser.add_argument("--minutes", type=float, default=60.0,
                        help="after them, turns of those alone that goals are about (default 60)")
    parser.add_argument("--ways", nargs="+", metavar="NAME", help=f"of {', '.join(WAYS)}; the ceiling always")
    parser.add_argument("--peers", nargs="*", metavar="NAME", default=["all"],
                        help=f"of {', '.join(name for name, way in WAYS.items() if way.is_peer)}; or 'all'")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.ways or ()) - set(WAYS)):
        sys.exit(f"--ways: no way {', '.join(unknown)}; there are {', '.join(WAYS)}")
    peers = [name for name, way in WAYS.items() if way.is_peer]
    if arguments.peers == ["all"]:
        arguments.peers = peers
    if unknown := sorted(set(arguments.peers) - set(peers)):
        sys.exit(f"--peers: no peer {', '.join(unknown)}; there are {', '.join(peers)}")
    names, remarks = [], []
    for name, way in WAYS.items():
        if arguments.ways is not None and name not in arguments.ways and name != "ceiling":
            continue
        if way.is_peer and name not in arguments.peers:
            continue
        if missing := way.missing():
            remarks.append(f"skipped: {way.label}: {missing}")
        else:
            names.append(name)
    if "ceiling" not in names:
        sys.exit("\n".join(remarks))
    surroundings = Surroundings()
    found, failures = measure(names, arguments.rounds, arguments.visits, arguments.minutes)
    rounds = f"at most {arguments.rounds} rounds"
    print(f"The whole job, {arguments.visits} visits, {rounds}\n\n{surroundings.text()}")
    print(report(found, arguments.visits))
    print("\n".join([*remarks, *failures]))
    sys.exit(1 if failures else 0)


def measure(
    names: list[str], rounds: int, visits: int, minutes: float
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """What every way found in every round; what failed, or summed wrongly."""
    expected = run("alone", visits)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    failures = []
    end = time.monotonic() + 60 * minutes
    for number in range(rounds):
        is_late = number > 0 and time.monotonic() > end
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            if is_late and name not in GOALS:
                found[name].append({})
                continue
            try:
                result = run(name, visits)
                if difference := wrong(result, expected):
                    raise RuntimeError(f"another result than one process: {difference}")
            except RuntimeError as error:
                failures.append(f"FAILED: {WAYS[name].label}: {error}")
                print(failures[-1], file=sys.stderr)
                result = {}
            found[name].append(result)
    return found, failures


def report(found: dict[str, list[dict[str, Any]]], visits: int) -> str:
    """The table, fastest first behind the ceiling."""
    rates = {
        name: [visits * AMPLIFIERS / result["seconds"] if result else 0.0 for result in results]
        for name, results in found.items()
    }
    whole = [name for name in rates if any(rates[name])]
    order = sorted(whole, key=lambda name: (name != "ceiling", -statistics.median(filter(None, rates[name]))))
    rows = []
    for name in order:
        own = [rate for rate in rates[name] if rate]
        pairs = zip(rates[name], rates["ceiling"], strict=True)
        shares = [100 * rate / top for rate, top in pairs if rate and top]
        share = f"{statistics.median(shares):.0f} % ({min(shares):.0f}-{max(shares):.0f})" if shares else "-"
        peak = statistics.median(result["peak"] for result in found[name] if result) / (1 << 20)
        copied = {result["copied"] for result in found[name] if "copied" in result}
        rows.append([
            WAYS[name].label, f"{short(statistics.median(own))} ({short(min(own))}-{short(max(own))})", share,
            str(len(own)), f"{peak:.0f}", f"{max(copied):,}" if copied else "-",
        ])  # fmt: skip
    return table(["way", "images/s", "of the ceiling", "rounds", "peak PSS, MiB", "bytes copied"], rows)


if __name__ == "__main__":
    main()

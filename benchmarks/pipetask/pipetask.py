# SPDX-License-Identifier: BSD-3-Clause
"""What a task that does nothing costs: pipetask of the Rubin middleware, and a slice's stage of the harness.

Usage: pipetask.py [--rounds N] [--environment DIRECTORY]. pipetask runs over few and over many detectors;
what a further one costs is the difference of the wall times over that of the detectors, so that starting up
is left out. Theirs includes a butler (a registry in SQLite, a file per output) and its provenance, which the
harness does not have. The harness: a step of empty stages, 8 slices on as many workers as cores, over 8. The
environment (build/pipetask) is what 'make bench-peers' installs lsst-ctrl-mpexec into; without it the program
says so and measures the harness alone.
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

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "handover")]

from figures import Surroundings, short, table  # noqa: E402
from groups import last_words, run_to_end  # noqa: E402

ENVIRONMENT = HERE.parents[1] / "build" / "pipetask"
FEW, MANY = 4, 12
TIMEOUT_S = 300
SLICES = 8
WAYS = {"pipetask run -j 1": ["-j", "1"], "pipetask run -j 2": ["-j", "2"]}


def call(environment: Path, program: str, *arguments: str) -> str:
    """What a program of the environment prints. Raises `RuntimeError` with its last words when it fails.

    What it has started ends with it, also when it does not end in time.
    """
    command = [str(environment / "bin" / program), *arguments]
    variables = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
    try:
        done = run_to_end(command, TIMEOUT_S, variables)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{program} {' '.join(arguments)} did not end within {TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise RuntimeError(f"{program} ended with {done.returncode}: {last_words(done.stderr)}")
    return done.stdout


def seconds_of(environment: Path, root: Path, options: list[str], output: str, detectors: int) -> float:
    """Wall time of a run over all detectors of a repository, whose outputs are checked."""
    start = time.perf_counter()
    call(
        environment, "pipetask", "--log-level", "WARNING", "run", "-b", str(root), "-i", "inputs",
        "-o", output, "-p", str(HERE / "nothing.yaml"), "--register-dataset-types", *options,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    program = str(HERE / "make_repository.py")
    right = call(environment, "python", program, str(root), str(detectors), "--check", output)
    if int(right) != detectors:
        raise RuntimeError(f"expected {detectors} right outputs of pipetask, saw {right.strip()}")
    return seconds


def of_pipetask(environment: Path, rounds: int) -> tuple[dict[str, list[float]], list[str]]:
    """Seconds that a further detector costs, by way and round; and what failed, which has no more turns.

    Raises `RuntimeError` when the repositories cannot be made.
    """
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        roots = {detectors: Path(name, f"repository{detectors}") for detectors in (FEW, MANY)}
        for detectors, root in roots.items():
            call(environment, "python", str(HERE / "make_repository.py"), str(root), str(detectors))
        for number in range(rounds):
            for way, options in WAYS.items():
                if way in failures:
                    continue
                try:
                    wall = [
                        seconds_of(environment, root, options, f"out{number}{way[-1]}", detectors)
                        for detectors, root in roots.items()
                    ]
                except RuntimeError as error:
                    failures[way] = f"FAILED: {way}: {error}"
                else:
                    found[way].append((wall[1] - wall[0]) / (MANY - FEW))
    return {way: seconds for way, seconds in found.items() if seconds}, list(failures.values())


def of_harness(rounds: int) -> list[float]:
    """Seconds of a stage and slice that do nothing, by round."""
    program = str(HERE.parent / "handover" / "contenders.py")
    found = []
    for _ in range(rounds):
        command = [sys.executable, program, "steps", "default", str(SLICES), "0", "2000", "0.6"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S)
        found.append(statistics.median(json.loads(done.stdout.splitlines()[-1])["out"]) / SLICES)
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT)
    arguments = parser.parse_args()
    surroundings = Surroundings()
    found = {"**harness**, a stage on a slice, logs from warnings up": of_harness(arguments.rounds)}
    missing = not (arguments.environment / "bin" / "pipetask").exists()
    failures: list[str] = []
    if not missing:
        try:
            peers, failures = of_pipetask(arguments.environment, arguments.rounds)
        except RuntimeError as error:
            peers, failures = {}, [f"FAILED: pipetask: {error}"]
        found |= peers
    rows = [
        [name, short(statistics.median(times) * 1e3), f"{short(min(times) * 1e3)}-{short(max(times) * 1e3)}"]
        for name, times in found.items()
    ]
    print(f"A task that does nothing, {arguments.rounds} rounds\n\n{surroundings.text()}")
    print(table(["milliseconds", "median", "least-most"], rows))
    if missing:
        print(f"skipped: pipetask: {arguments.environment} has none; 'make bench-peers' installs it")
    print("\n".join(failures))
    for line in failures:
        print(line, file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

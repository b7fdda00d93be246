# SPDX-License-Identifier: BSD-3-Clause
"""Runs every benchmark program with modest rounds and writes what they print into one file.

Usage: run_all.py FILE [--core PROGRAM] [--peers NAME ...]. Programs run one after the other; one that
fails is named at the end, its output stays, and the exit code is 1. --peers goes to the contests of
benchmarks/handover.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
CONTESTS = {"handover/step.py": ["--rounds", "3"], "handover/handover.py": ["--rounds", "2"]}
PROGRAMS = {
    "startup.py": ["--rounds", "5", "--visits", "2000"],
    "replacement.py": ["--deaths", "200"],
    "handover/calls.py": [],
    "handover/unchanged.py": ["--rounds", "3"],
    **CONTESTS,
    "born_shared.py": ["--rounds", "3", "--sizes", "4", "64"],
    "ledger.py": ["--visits", "500"],
    "policy/read_policies.py": ["--rounds", "5"],
    "log_records.py": ["--rounds", "5"],
    "stage_test.py": ["--rounds", "21"],
    "files/read_fits.py": ["--rounds", "5"],
    "files/read_ahead.py": ["--rounds", "3"],
    "events.py": ["--rounds", "3", "--events", "100"],
}


def main() -> None:
    """Runs all and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--core", help="program built from policy/parse_paf.cpp")
    parser.add_argument("--peers", nargs="*", help="as in handover/step.py")
    arguments = parser.parse_args()
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    failed = []
    with arguments.file.open("w") as report:
        report.write(f"# Benchmarks, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC\n")
        for program, options in PROGRAMS.items():
            if program in CONTESTS and arguments.peers is not None:
                options = [*options, "--peers", *arguments.peers]
            if program == "policy/read_policies.py" and arguments.core:
                options = [*options, "--core", arguments.core]
            print(f"{program} {' '.join(options)}", flush=True)
            command = [sys.executable, str(HERE / program), *options]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            text = done.stdout.rstrip()
            # Tables of contests are Markdown; other programs align their columns by blanks.
            body = text if program.startswith("handover/") else f"```\n{text.strip()}\n```"
            report.write(f"\n## {program} {' '.join(options)}\n\n{body}\n")
            report.flush()
            if done.returncode != 0:
                failed.append(f"{program} ended with exit code {done.returncode}")
        report.write("".join(f"\n**{line}**\n" for line in failed))
    for line in failed:
        print(line, file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

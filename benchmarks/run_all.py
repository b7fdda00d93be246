# SPDX-License-Identifier: BSD-3-Clause
"""Runs every benchmark program in bounded time and writes what they print into one file, goals first.

Usage: run_all.py FILE [--minutes M] [--only PROGRAM ...] [--core PROGRAM] [--peers NAME ...]. Programs run
one after the other; one that fails, or does not end, is named at the end, its output stays, and the exit code
is 1. The picture of scaling lies beside FILE. The contests have shares of --minutes, 70 % of it together, and
begin no new turn afterwards, but for those of the whole job that goals are about. --peers says who takes part
in the contests beside the harness and the limits: each contest is told of those that it has.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "handover"), str(HERE / "whole_job")]

from contenders import KINDS  # noqa: E402
from goals import summary  # noqa: E402
from groups import end_group, end_when_told  # noqa: E402
from ways import WAYS  # noqa: E402

CONTESTS = {
    "handover/step.py": ["--rounds", "3"],
    "handover/handover.py": ["--rounds", "2"],
    "whole_job/whole_job.py": ["--rounds", "3"],
}
SHARES = {
    "handover/step.py": 0.13, "handover/handover.py": 0.27, "whole_job/whole_job.py": 0.2,
    "scaling/scaling.py": 0.1,
}  # fmt: skip
"""Of the minutes of all: when a contest begins no new turn any more."""
OWN = {
    "handover/step.py": ["thin", "harness", "default"],
    "handover/handover.py": ["harness", "default", "copy", "foreign"],
    "whole_job/whole_job.py": [],
}
"""Who takes part in a contest whoever the peers are: goals are about them."""
PEERS = {
    "handover/step.py": set(KINDS["steps"]),
    "handover/handover.py": set(KINDS["handover"]),
    "whole_job/whole_job.py": {name for name, way in WAYS.items() if way.is_peer},
}
"""Whom a contest knows."""
PROGRAMS = {
    "startup.py": ["--rounds", "5", "--visits", "2000"],
    "replacement.py": ["--deaths", "200"],
    "handover/calls.py": [],
    "handover/unchanged.py": ["--rounds", "3"],
    **CONTESTS,
    "pipetask/pipetask.py": ["--rounds", "2"],
    "scaling/scaling.py": ["--rounds", "2"],
    "scaling/measure.py": ["--rounds", "3", "--visits", "100"],
    "born_shared.py": ["--rounds", "3", "--sizes", "4", "64"],
    "ledger.py": ["--visits", "500"],
    "policy/read_policies.py": ["--rounds", "5"],
    "log_records.py": ["--rounds", "5"],
    "spans.py": [],
    "stage_test.py": ["--rounds", "21"],
    "files/read_fits.py": ["--rounds", "3"],
    "files/read_ahead.py": ["--rounds", "3"],
    "million.py": ["--visits", "60000", "--seconds", "300"],
    "events.py": ["--rounds", "3", "--events", "100"],
}
TABLES = ("handover/", "whole_job/", "pipetask/", "scaling/scaling.py")
"""Whose output is Markdown; other programs align their columns by blanks."""
TIMEOUT_S = 1800


def main() -> None:
    """Runs all and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--minutes", type=float, default=15.0, help="for the contests (default 15)")
    parser.add_argument("--only", nargs="+", metavar="PROGRAM", help=f"of {', '.join(PROGRAMS)}")
    parser.add_argument("--core", help="program built from policy/parse_paf.cpp")
    parser.add_argument("--peers", nargs="*", metavar="NAME",
                        help="of any contest, or 'all'; by default Ray and Dask are left out where they would"
                        " start anew for each figure")  # fmt: skip
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.peers or ()) - set().union({"all"}, *PEERS.values())):
        sys.exit(f"--peers: no contest has {', '.join(unknown)}")
    if unknown := sorted(set(arguments.only or ()) - set(PROGRAMS)):
        sys.exit(f"--only: no program {', '.join(unknown)}; there are {', '.join(PROGRAMS)}")
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    end_when_told()
    failed, sections, start = [], [], time.time()
    for program in arguments.only or PROGRAMS:
        options = options_of(program, arguments)
        print(f"{program} {' '.join(options)}", flush=True)
        text, problem = run([sys.executable, str(HERE / program), *options])
        body = text if program.startswith(TABLES) else f"```\n{text}\n```"
        sections.append(f"\n## {program} {' '.join(options)}\n\n{body}\n")
        if problem:
            failed.append(f"{program} {problem}")
        write(arguments.file, start, sections, failed)
    for line in failed:
        print(line, file=sys.stderr)
    sys.exit(1 if failed else 0)


def options_of(program: str, arguments: argparse.Namespace) -> list[str]:
    """The options of a program in this run."""
    options = list(PROGRAMS[program])
    if program in SHARES:
        options += ["--minutes", f"{SHARES[program] * arguments.minutes:.3g}"]
    if program in CONTESTS and arguments.peers is not None:
        options += ["--peers", *taking_part(program, arguments.peers)]
    if program == "scaling/scaling.py":
        options += ["--plot", str(arguments.file.with_name("scaling.png"))]
    if program == "policy/read_policies.py" and arguments.core:
        options += ["--core", arguments.core]
    return options


def taking_part(program: str, peers: list[str]) -> list[str]:
    """Whom a contest is told of."""
    if "all" in peers:
        return ["all"]
    own = OWN[program]
    return own + [name for name in peers if name in PEERS[program] and name not in own]


def run(command: list[str]) -> tuple[str, str]:
    """What a program prints, and how it failed; empty if it did not."""
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out, text=True, start_new_session=True)
        problem = ""
        try:
            code = child.wait(TIMEOUT_S)
            problem = f"ended with exit code {code}" if code else ""
        except subprocess.TimeoutExpired:
            problem = f"did not end within {TIMEOUT_S} s"
        finally:
            end_group(child)
        out.seek(0)
        return out.read().strip(), problem


def write(file: Path, start: float, sections: list[str], failed: list[str]) -> None:
    """Writes all that is known so far."""
    date = time.strftime("%Y-%m-%d %H:%M", time.gmtime(start))
    head = f"# Benchmarks, {date} UTC, {(time.time() - start) / 60:.0f} minutes\n"
    text = "".join(sections)
    goals = f"\n## Goals\n\n{summary(text)}"
    file.write_text(head + goals + text + "".join(f"\n**{line}**\n" for line in failed))


if __name__ == "__main__":
    main()

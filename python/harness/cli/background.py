# SPDX-License-Identifier: BSD-3-Clause
"""`launchPipeline.sh`: runs `launchPipeline.py` in the background, in an environment that it records."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import harness
from harness.cli.launching import DIRECTORY_VARIABLE, EXIT_FAILURE, build_parser
from harness.policy.products import installed_directory

PROGRAM = "launchPipeline.sh"
RECORD = "eups-env.txt"
DESCRIPTION = f"""Runs launchPipeline.py in the background, with its output in <policy file up to its first
dot>-<runid>.log, and records in {RECORD} what is set up. Exit codes: 0 it is on its way, 1 wrong
arguments, or it cannot be started, 2 an unknown option."""


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; returns 0 once the run is on its way, and prints where its output goes."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = build_parser(PROGRAM, DESCRIPTION)
    _, words = parser.parse_args(arguments)
    if not 2 <= len(words) <= 3:
        parser.print_usage(sys.stderr)
        return EXIT_FAILURE
    environment = {DIRECTORY_VARIABLE: installed_directory(), **os.environ}
    output = Path(f"{Path(words[0]).name.split('.')[0]}-{words[1]}.log")
    try:
        Path(RECORD).write_text(_products(environment))
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.cli.launching", *arguments],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                env={"PYTHONSAFEPATH": "1", **environment}, start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_FAILURE
    print(f"process {process.pid}, output in {output}")
    # It goes on alone.
    process.returncode = 0
    return 0


def _products(environment: dict[str, str]) -> str:
    """What is set up, a line per product: the harness, and every directory that the environment names."""
    names = sorted(name for name in environment if name.endswith("_DIR") or name.startswith("SETUP_"))
    lines = [f"pex_harness {harness.__version__}", *(f"{name}={environment[name]}" for name in names)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

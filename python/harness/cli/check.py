# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness check`: everything that is wrong with a pipeline, a policy or a dictionary, without a run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import positive_seconds
from harness.cli.output import complain, write
from harness.cli.table import counted

if TYPE_CHECKING:
    from harness.policy.problems import Problem

TIMEOUT_S = 60.0


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "check",
        help="find everything that is wrong with a pipeline policy, without running it",
        description="Checks a pipeline policy: its text, its includes, its keys, its stage classes, and the"
        " stage policies against the dictionaries of the stages. A dictionary file is held against the"
        " dictionary of dictionaries. Exit codes: 0 nothing but warnings, 1 errors, 2 wrong usage.",
    )
    parser.add_argument("policy", help="pipeline policy file, or a dictionary file")
    parser.add_argument("--json", action="store_true", help="print a list of problems for programs")
    parser.add_argument(
        "--allow-unknown", action="store_true", help="unknown keys are warnings, as they are in a run"
    )
    parser.add_argument(
        "--no-setup", action="store_true",
        help="make no stage: policies are checked only where the class names its dictionary",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=positive_seconds, default=TIMEOUT_S, metavar="SECONDS",
        help="how long importing or setting up half a stage may take (default: 60)",
    )  # fmt: skip
    parser.add_argument("--dictionary", metavar="FILE", help="check any policy against this dictionary")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Checks what the command line names."""
    try:
        problems, about = _check(arguments)
    except KeyboardInterrupt:
        return 130
    n_errors = sum(problem.severity == "error" for problem in problems)
    if arguments.json:
        text = json.dumps([problem.to_json() for problem in problems], indent=2)
    else:
        found = {"error": n_errors, "warning": len(problems) - n_errors}
        counts = ", ".join(counted(number, kind) for kind, number in found.items() if number)
        summary = f"{arguments.policy}: {counts or 'no problems'}{about}"
        text = "\n".join([*map(str, problems), summary])
    try:
        write(f"{text}\n")
    except OSError as error:
        complain("pex-harness check", f"writing standard output: {error.strerror}")
        return 2
    return 1 if n_errors else 0


def _check(arguments: argparse.Namespace) -> tuple[list[Problem], str]:
    from harness.check.dictionaries import check_against, check_dictionary, is_dictionary
    from harness.check.pipeline import check_pipeline

    path = Path(arguments.policy)
    if arguments.dictionary is not None:
        dictionary = Path(arguments.dictionary)
        return check_against(path, dictionary, allow_unknown=arguments.allow_unknown), ""
    if is_dictionary(path):
        return check_dictionary(path), " (a dictionary)"
    checked = check_pipeline(
        path, allow_unknown=arguments.allow_unknown, setup=not arguments.no_setup, timeout=arguments.timeout
    )
    stages = counted(checked.n_stages, "stage") if checked.n_stages else "no stages"
    slices = counted(checked.n_slices, "slice") if checked.n_slices else "no slices"
    return checked.problems, f" ({stages}, {slices})"

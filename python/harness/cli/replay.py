# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness replay`: a slice's visit once more, in this process, under a debugger if wanted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.cli.arguments import at_least
from harness.cli.output import complain

FAILED_AGAIN = 3
ENDED_BY_USER = 130


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "replay",
        help="run one slice's visit again in one process",
        description="Runs the stages of one slice again for one visit, with what the slice had received, in"
        " this process. The visit is one that failed, or any with keepInputs: \"all\" in the policy. Files"
        " that the stages write are written again. Exit codes: 0 nothing failed this time, 2 wrong usage, or"
        " it cannot be replayed, 3 it failed again; a stage that kills its process kills this one.",
    )
    parser.add_argument("rundir", type=Path, help="run directory")
    parser.add_argument("visit", type=at_least(1), help="number of the visit, from 1")
    parser.add_argument("rank", type=at_least(0), help="rank of the slice, from 0")
    parser.add_argument("--pdb", action="store_true", help="open the Python debugger where a stage raises")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Replays, and says how it went."""
    from harness.errors import HarnessError
    from harness.exceptions import Exception as LsstException
    from harness.runtime.halves.failure import describe_failure
    from harness.runtime.halves.replay import Replay

    try:
        replay = Replay(arguments.rundir, arguments.visit, arguments.rank)
        replay.set_up()
    except (HarnessError, LsstException) as error:
        complain("pex-harness replay", str(error))
        print(getattr(error, "details", ""), end="", file=sys.stderr)
        return 2
    try:
        failed = replay.run()
    except KeyboardInterrupt:
        return ENDED_BY_USER
    if failed is None:
        print(f"visit {arguments.visit}, slice {arguments.rank}: every stage ran, none failed")
        return 0
    print(failed.text, end="", file=sys.stderr)
    where = f"visit {arguments.visit}, slice {arguments.rank}"
    reason = describe_failure(failed.error).partition("\n")[0]
    complain("pex-harness replay", f"{where}: stage {failed.number} ({failed.name}) failed again: {reason}")
    if arguments.pdb:
        import pdb

        pdb.post_mortem(failed.error.__traceback__)
    return FAILED_AGAIN

# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness stop` and `pex-harness stacks`: ask the run of a run directory to end, or what it is doing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.cli.output import write
from harness.runtime.processes import stacks
from harness.runtime.shutdown.control import NoMaster, ask_to_stop, find


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommands."""
    stop = subparsers.add_parser(
        "stop",
        help="ask a run to end",
        description="Asks the run that goes on in a run directory to end, and says what it answers."
        " Exit codes: 0 it will, 2 wrong usage, no run goes on there, or it does not answer.",
    )
    stop.add_argument("rundir", help="run directory", type=Path)
    stop.add_argument(
        "--level", type=int, choices=(1, 2, 3, 4), default=4,
        help="4: after this visit (default), 3: after this stage, 2: at the next synchronisation point,"
        " 1: at once",
    )
    stop.set_defaults(handler=handle_stop)
    show = subparsers.add_parser(
        "stacks",
        help="print the Python stacks of a run's processes",
        description="Prints where every process of the run that goes on in a run directory is."
        " Exit codes: 0 all told, 2 wrong usage, no run goes on there, or a process does not answer.",
    )
    show.add_argument("rundir", help="run directory", type=Path)
    show.set_defaults(handler=handle_stacks)


def handle_stop(arguments: argparse.Namespace) -> int:
    """Asks for the end."""
    try:
        write(f"{ask_to_stop(find(arguments.rundir), arguments.level)}\n")
    except NoMaster as error:
        print(f"pex-harness stop: {error}", file=sys.stderr)
        return 2
    return 0


def handle_stacks(arguments: argparse.Namespace) -> int:
    """Prints the stacks."""
    try:
        master = find(arguments.rundir)
    except NoMaster as error:
        print(f"pex-harness stacks: {error}", file=sys.stderr)
        return 2
    code = 0
    for pid in (master.pid, *_children(master.pid)):
        who = stacks.who(pid)
        if who is None:
            # What stage code started.
            continue
        try:
            write(f"--- {who} (process {pid})\n{stacks.dump(pid)}\n")
        except stacks.NoStacks as error:
            print(f"pex-harness stacks: {who}: {error}", file=sys.stderr)
            code = 2
    return code


def _children(parent: int) -> list[int]:
    """The processes whose parent it is, in the order of their numbers."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(entry.name))
    return sorted(found)

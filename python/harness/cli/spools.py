# SPDX-License-Identifier: BSD-3-Clause
"""The options that name a spool, for the commands that publish and listen."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from harness.cli.output import complain
from harness.events.hosts import SCHEME, VARIABLE


def add_spool_options(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--run-dir", metavar="DIR", help="the run directory of the run whose spool is meant")
    where.add_argument(
        "--spool", metavar="DIR", help=f"the spool's directory (default: the environment variable {VARIABLE})"
    )


def spool_host(arguments: argparse.Namespace) -> str | None:
    """The host that the options name; `None` leaves it to the environment."""
    if arguments.run_dir is not None:
        from harness.runtime.halves.run_events import SPOOL_NAME

        return f"{SCHEME}{Path(arguments.run_dir, SPOOL_NAME)}"
    return f"{SCHEME}{arguments.spool}" if arguments.spool is not None else None


def exit_code_of(command: str, work: Callable[[], None]) -> int:
    """Does the work of a command: 0; 2 and a message for what cannot be used; 130 after Ctrl-C."""
    from harness.exceptions import Exception as LsstException

    try:
        work()
    except (LsstException, OSError) as error:
        complain(command, str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0

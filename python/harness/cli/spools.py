# SPDX-License-Identifier: BSD-3-Clause
"""The options that name a spool, for the commands that publish and listen."""

from __future__ import annotations

import argparse
from pathlib import Path

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
        from harness.runtime.run_events import SPOOL_NAME

        return f"{SCHEME}{Path(arguments.run_dir, SPOOL_NAME)}"
    return f"{SCHEME}{arguments.spool}" if arguments.spool is not None else None

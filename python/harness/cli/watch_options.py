# SPDX-License-Identifier: BSD-3-Clause
"""The options that name a directory whose new files become events."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import positive_seconds, seconds
from harness.log.verbosity import UsageError

if TYPE_CHECKING:
    from harness.events.watching import WatchSettings

ANY_NAME = "{name}"


def add_watch_options(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    group = parser.add_argument_group("files as events")
    group.add_argument(
        "--watch", metavar="DIR", help="publish an event for every file in DIR that is complete, now or later"
    )
    group.add_argument(
        "--pattern", metavar="P",
        help="names of the files, with properties of the event as fields, such as raw-{visit:d}-{ccd}.fits or"
        f" {{night}}/*.fits (default: {ANY_NAME})",
    )  # fmt: skip
    group.add_argument(
        "--settle", metavar="S", type=seconds,
        help="a file is complete when it has not changed for S seconds (default: when its writer closes it)",
    )  # fmt: skip
    group.add_argument(
        "--poll", metavar="S", type=positive_seconds,
        help="look at DIR every S seconds instead of waiting for notices of the kernel (default on network"
        " file systems: 2)",
    )  # fmt: skip
    group.add_argument(
        "--idle-timeout", metavar="S", type=seconds, help="end when there was no new file for S seconds"
    )


def watch_settings(arguments: argparse.Namespace) -> WatchSettings | None:
    """What the options say; None without `--watch`. Raises `UsageError`."""
    if arguments.watch is None:
        names = ("pattern", "settle", "poll", "idle_timeout")
        given = [name for name in names if getattr(arguments, name) is not None]
        if given:
            raise UsageError(f"--{given[0].replace('_', '-')} goes with --watch DIR")
        return None
    from harness.events.watching import WatchSettings

    pattern = arguments.pattern if arguments.pattern is not None else ANY_NAME
    return WatchSettings(Path(arguments.watch), pattern, arguments.settle, arguments.poll)

# SPDX-License-Identifier: BSD-3-Clause
"""Verbosity names on command lines and the thresholds they stand for."""

import re
from typing import Any

import harness.exceptions as pex
from harness.log.default import get_default_log
from harness.log.log import Log

__all__ = [
    "THRESHOLDS",
    "RunSetupException",
    "UsageError",
    "addAllVerbosityOptions",
    "addVerbosityOption",
    "createLog",
    "verbosity2threshold",
]

# None: whatever the caller's default is.
THRESHOLDS: dict[str, int | None] = {
    "silent": 30,
    "quiet": 10,
    "info": 0,
    "trace": -1,
    "verb1": -1,
    "verb2": -2,
    "verb3": -3,
    "debug": -10,
    "policy": None,
    "none": None,
}

WHOLE = re.compile("[+-]?[0-9]+")
"""Python itself would also take `1_0`, and digits of every script."""

SHORTCUTS = (
    ("-d", "--debug", "debug"),
    ("-v", "--verbose", "verb3"),
    ("-q", "--quiet", "quiet"),
    ("-s", "--silent", "silent"),
)


class RunSetupException(pex.Exception):
    """A run cannot be set up."""


class UsageError(RunSetupException):
    """A command line makes no sense."""


def verbosity2threshold(level: str | int | None, defthresh: int | None = None) -> int | None:
    """The threshold for a verbosity: a name in any case, an integer v (threshold -v) or its text.

    None, ``policy`` and ``none`` give the default. Raises UsageError for anything else.
    """
    if level is None:
        return defthresh
    if isinstance(level, int) and not isinstance(level, bool):
        return -level
    if isinstance(level, str):
        name = level.strip().lower()
        if name in THRESHOLDS:
            threshold = THRESHOLDS[name]
            return defthresh if threshold is None else threshold
        if WHOLE.fullmatch(name):
            return -int(name)
    raise UsageError(f"unknown verbosity {level!r}: expected an integer or one of {', '.join(THRESHOLDS)}")


def addVerbosityOption(clparser: Any, shortopt: str = "L", dest: str = "verbosity") -> None:
    """Add -L / --log-verbosity (text, default None) to an optparse or argparse parser."""
    _add(
        clparser,
        f"-{shortopt}",
        "--log-verbosity",
        dest=dest,
        default=None,
        metavar="LEV",
        help=f"verbosity of the logs: an integer or one of {', '.join(THRESHOLDS)}",
    )


def addAllVerbosityOptions(clparser: Any, shortopt: str = "L", dest: str = "verbosity") -> None:
    """Add -L / --log-verbosity and the shortcuts -d, -v, -q and -s, which store in the same place."""
    addVerbosityOption(clparser, shortopt, dest)
    for short, long, name in SHORTCUTS:
        _add(
            clparser,
            short,
            long,
            action="store_const",
            const=name,
            dest=dest,
            default=None,
            help=f"the same as -{shortopt} {name}",
        )


def _add(clparser: Any, *flags: str, **settings: Any) -> None:
    add = getattr(clparser, "add_option", None) or clparser.add_argument
    add(*flags, **settings)


def createLog() -> Log:
    """The log of the launcher."""
    return Log(get_default_log(), "harness.run.launchPipeline")

# SPDX-License-Identifier: BSD-3-Clause
"""Kinds of arguments. What is none of a kind is wrong usage: `argparse` says where, and ends with 2."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from harness.log.verbosity import UsageError, verbosity2threshold

WRONG_USAGE = 2
"""The exit code of every command for a command line that makes no sense."""


def at_least(least: int) -> Callable[[str], int]:
    """The kind of whole numbers from `least` on."""

    def whole(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number, {least} or more; saw {text!r}")
        return number

    return whole


def seconds(text: str) -> float:
    """The kind of durations: 0 or more seconds, below 1e9."""
    number = _number(text)
    if not 0 <= number < 1e9:
        raise argparse.ArgumentTypeError(f"expected 0 or more seconds, below 1e9; saw {text!r}")
    return number


def positive_seconds(text: str) -> float:
    """The kind of time limits: more than 0 seconds, below 1e9."""
    number = _number(text)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"expected more than 0 seconds, below 1e9; saw {text!r}")
    return number


def verbosity(text: str) -> str:
    """The kind of verbosities: a name or a whole number, as text."""
    try:
        verbosity2threshold(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

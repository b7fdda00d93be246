# SPDX-License-Identifier: BSD-3-Clause
"""The parser of command lines: that of `argparse`, which makes a formatter for every option it is told of."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

MARGIN = 2
"""What `argparse` leaves free at the right."""
USUAL_COLUMNS = 80


class HelpFormatter(argparse.HelpFormatter):
    """The usual one, told how wide the terminal is: it would ask `shutil`, which imports all compressions."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("width", columns() - MARGIN)
        super().__init__(*arguments, **options)


class Parser(argparse.ArgumentParser):
    """A parser, or subparser, whose help is written by that formatter."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("formatter_class", HelpFormatter)
        super().__init__(*arguments, **options)


def columns() -> int:
    """The width of the terminal: what COLUMNS says, else the terminal itself, else 80."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    if sys.__stdout__ is None:
        return USUAL_COLUMNS
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or USUAL_COLUMNS
    except (ValueError, OSError):
        # It is closed, or no terminal.
        return USUAL_COLUMNS

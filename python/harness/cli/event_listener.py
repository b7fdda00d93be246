# SPDX-License-Identifier: BSD-3-Clause
"""`EventListener.py host topic`: prints the events of a topic for ever, as in 2009."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness.cli.watching import build_parser, watch

if TYPE_CHECKING:
    from harness.events.event import Event

PROGRAM = "EventListener.py"
USAGE = "%prog host topic [-p PORT] [-s SELECTOR] [-c COUNT]"
DESCRIPTION = """Prints every event of a topic: header and payload, a property per line, then an empty line.
The host is a message broker, or "spool:" and a directory. Exit codes: 0 as many as asked for, 2 wrong usage
or a host that cannot be used."""


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    parser = build_parser(PROGRAM, USAGE, DESCRIPTION)
    options, words = parser.parse_args(argv)
    if len(words) != 2:
        parser.error(f"expected host and topic, saw {len(words)} arguments")
    return watch(PROGRAM, words[0], words[1], options, describe)


def describe(event: Event) -> str:
    """The event for people: topic and time, then `name = value` per property."""
    head = f"{event.getTopic()} {event.getEventDate()} {event.ident}\n"
    return f"{head}{event.getPropertySet().toString()}\n"


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""`logwatcher.py host`: prints the log records of all pipelines that a broker has, for ever, as in 2009."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness.cli.watching import build_parser, watch

if TYPE_CHECKING:
    from harness.events.event import Event

PROGRAM = "logwatcher.py"
USAGE = "%prog host [-p PORT] [-s SELECTOR] [-c COUNT]"
DESCRIPTION = """Prints every log record that is published on topic logging: a line per text, with time, run,
slice and log. The host is a message broker, or "spool:" and a directory. Exit codes: 0 as many as asked
for, 2 wrong usage or a host that cannot be used."""


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    from harness.events.log_events import TOPIC

    parser = build_parser(PROGRAM, USAGE, DESCRIPTION)
    options, words = parser.parse_args(argv)
    if len(words) != 1:
        parser.error(f"expected a host, saw {len(words)} arguments")
    return watch(PROGRAM, words[0], TOPIC, options, describe)


def describe(event: Event) -> str:
    """A line per text of a record; nothing for an event that is none."""
    from harness.events.event_kinds import LOG_DELIMITER, LogEvent
    from harness.log.levels import level_word

    if not isinstance(event, LogEvent):
        return ""
    properties = event.getPropertySet()
    level = level_word(event.getLevel())
    date = properties.getString("DATE") if properties.exists("DATE") else event.getEventDate()
    who = [
        f"{word} {properties.get(name)}"
        for word, name in (("run", "RUNID"), ("slice", "SLICEID"), ("visit", "LOOPNUM"), ("stage", "STAGEID"))
        if properties.exists(name)
    ]
    head = f"{date} {', '.join(who)}: {event.getLog()}{level}: "
    return "".join(f"{head}{text}\n" for text in event.getComment().split(LOG_DELIMITER))


if __name__ == "__main__":
    sys.exit(main())

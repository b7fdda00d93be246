# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness listen`: shows the events of a topic as lines of JSON."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from harness.cli.arguments import at_least, seconds
from harness.cli.output import write_exactly
from harness.cli.spools import add_spool_options, exit_code_of, spool_host

if TYPE_CHECKING:
    from harness.events.event import Event
    from harness.events.receiver import EventReceiver

COMMAND = "pex-harness listen"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "listen",
        help="show the events of a topic",
        description="Writes every event of a topic as a line of JSON with topic, ident, header and payload:"
        " those that the spool still has, then those that come; a message broker gives those that come, and"
        " with --name those that it has kept under it. Exit codes: 0 as many as asked for, or the time is"
        " over, 2 wrong usage, or a spool or broker that cannot be used.",
    )
    parser.add_argument("topic", help="name of the topic")
    parser.add_argument("--selector", default="", help="which events, such as \"RUNID = 'r1'\"")
    parser.add_argument("--new", action="store_true", help="only events published from now on")
    parser.add_argument("--name", default="", help="go on where the last listener of this name had come to")
    parser.add_argument("--count", type=at_least(1), help="end after this many events")
    parser.add_argument("--timeout", type=seconds, help="end when none has come for so many seconds")
    add_spool_options(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Shows events until the end that the command line names, or a signal."""
    return exit_code_of(COMMAND, lambda: _listen(arguments))


def _listen(arguments: argparse.Namespace) -> None:
    from harness.events.receiver import EventReceiver

    receiver = EventReceiver(
        spool_host(arguments), arguments.topic, arguments.selector, name=arguments.name,
        start="new" if arguments.new else "oldest", acknowledge="explicit",
    )  # fmt: skip
    with receiver:
        _show(receiver, arguments.count, arguments.timeout)


def _show(receiver: EventReceiver, count: int | None, timeout: float | None) -> None:
    shown = 0
    while count is None or shown < count:
        event = receiver.receiveEvent(-1 if timeout is None else int(timeout * 1000))
        if event is None:
            return
        write_exactly(as_line(event))
        # Only what has been written is done.
        receiver.acknowledge(event)
        shown += 1


def as_line(event: Event) -> str:
    """The event as a line of JSON."""
    from harness.events.wire import encode

    parts = {
        "topic": event.getTopic(),
        "ident": event.ident,
        "header": event.header_values(),
        "payload": json.loads(encode(event.getCustomPropertySet())),
    }
    return json.dumps(parts, ensure_ascii=False) + "\n"

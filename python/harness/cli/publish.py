# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness publish`: sends events to a topic."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import WRONG_USAGE
from harness.cli.output import complain
from harness.cli.spools import add_spool_options, exit_code_of, spool_host
from harness.cli.watch_options import add_watch_options, watch_settings
from harness.log.verbosity import UsageError

if TYPE_CHECKING:
    from harness.events.event import Event
    from harness.events.watching import WatchSettings

COMMAND = "pex-harness publish"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "publish",
        help="publish events on a topic",
        description="Publishes an event with properties of the command line or of a JSON file, one per"
        " line of a feed, or one per file in a directory. It is on the disk of the spool or the broker when"
        " the command ends. Exit codes: 0 published, 2 wrong usage, or events, a directory, a spool or a"
        " broker that cannot be used; nothing is published then.",
    )
    parser.add_argument("topic", help="name of the topic")
    parser.add_argument("properties", nargs="*", metavar="KEY=VALUE", help="properties of the event")
    parser.add_argument("--json", metavar="FILE", help="properties from a JSON object; - is standard input")
    parser.add_argument("--feed", metavar="FILE", help="an event per line, each a JSON object")
    parser.add_argument("--runid", help="run id of the events, as shutdown events need it")
    parser.add_argument("--status", help="status of the event")
    add_watch_options(parser)
    add_spool_options(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Publishes what the command line says."""
    sources = (
        bool(arguments.properties),
        arguments.json is not None,
        arguments.feed is not None,
        arguments.watch is not None,
    )
    if sum(sources) > 1:
        complain(COMMAND, "expected KEY=VALUE arguments, --json, --feed or --watch, saw several of them")
        return WRONG_USAGE
    try:
        watched = watch_settings(arguments)
    except UsageError as error:
        complain(COMMAND, str(error))
        return WRONG_USAGE
    if watched is not None:
        return exit_code_of(COMMAND, lambda: _publish_files(arguments, watched))
    return exit_code_of(COMMAND, lambda: _publish(arguments, _events(arguments)))


def _events(arguments: argparse.Namespace) -> list[tuple[str, Event]]:
    from harness.events.feed import make_event, properties_from_words, read_lines
    from harness.events.settings import checked_name
    from harness.events.wire import MAX_BYTES, parse

    topic = checked_name(arguments.topic)
    if arguments.feed is not None:
        events = list(read_lines(Path(arguments.feed), topic))
    elif arguments.json is not None:
        with sys.stdin.buffer if arguments.json == "-" else open(arguments.json, "rb") as stream:
            # One byte more shows that there is too much.
            events = [make_event(parse(stream.read(MAX_BYTES + 1)), topic)]
    else:
        from harness.events.event import Event

        events = [(topic, Event(properties_from_words(arguments.properties)))]
    _mark(arguments, (event for _, event in events))
    return events


def _mark(arguments: argparse.Namespace, events: Iterable[Event]) -> None:
    """Puts into events what the command line says of all of them."""
    for event in events:
        if arguments.runid is not None:
            event.setRunId(arguments.runid)
        if arguments.status is not None:
            event.setStatus(arguments.status)


def _publish(arguments: argparse.Namespace, events: list[tuple[str, Event]]) -> None:
    from harness.events.hosts import open_broker
    from harness.events.transmitter import message_of

    broker = open_broker(spool_host(arguments))
    broker.publish([message_of(topic, event) for topic, event in events])


def _publish_files(arguments: argparse.Namespace, watched: WatchSettings) -> None:
    """Publishes files until a signal, or until none has come for `--idle-timeout`; says how many."""
    from harness.cli.terminal import terminal_destination
    from harness.events.settings import checked_name
    from harness.events.transmitter import EventTransmitter
    from harness.events.watching import FolderWatch
    from harness.log import Log

    transmitter = EventTransmitter(spool_host(arguments), checked_name(arguments.topic))

    def publish(events: list[Event]) -> None:
        _mark(arguments, events)
        transmitter.publish_all(events)

    log = Log()
    log.addDestination(terminal_destination())
    quit_read, quit_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os.write(quit_write, b"q"))
    watch = FolderWatch(watched, publish, log)
    try:
        watch.serve(quit_read, lambda: watch.is_idle(arguments.idle_timeout))
    finally:
        watch.close()
        print(f"{watch.count} files published")

# SPDX-License-Identifier: BSD-3-Clause
"""What `EventListener.py` and `logwatcher.py` share: options of 2009, and printing until they are ended."""

from __future__ import annotations

import optparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.cli.output import write_exactly
from harness.cli.spools import exit_code_of

if TYPE_CHECKING:
    from harness.events.event import Event


def build_parser(program: str, usage: str, description: str) -> optparse.OptionParser:
    """A parser with the options of both. Wrong options end the process with code 2."""
    parser = optparse.OptionParser(usage=usage, description=description, prog=program)
    parser.add_option(
        "-p", "--port", type="int", help="port of a message broker whose host names none (default: 61613)"
    )
    parser.add_option(
        "-s", "--selector", default="", help="which events, such as \"RUNID = 'r1'\" (default: all)"
    )
    parser.add_option("-c", "--count", type="int", help="end after this many (default: never)")
    return parser


def watch(
    program: str, host: str, topic: str, options: optparse.Values, words: Callable[[Event], str]
) -> int:
    """Prints `words` of every event of a topic. Returns the exit code."""

    def work() -> None:
        from harness.events.receiver import EventReceiver

        port = () if options.port is None else (options.port,)
        left = options.count
        with EventReceiver(host, topic, options.selector, *port) as receiver:
            while left is None or left > 0:
                event = receiver.receiveEvent()
                if event is None:
                    return
                write_exactly(words(event))
                left = None if left is None else left - 1

    return exit_code_of(program, work)

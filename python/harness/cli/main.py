# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness`: finds the subcommand and runs it."""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
from collections.abc import Iterable

import harness
from harness.cli.parser import Parser

COMMANDS = ("run", "stop", "check", "policy", "status", "replay", "publish", "listen", "bench", "demo")
"""Each is a module of this package, with a function `add_parser`."""


def build_parser(commands: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser with these subcommands; each sets `handler` to the function that runs it."""
    parser = Parser(
        prog="pex-harness", description="Runs pipelines of DC3b stages over shared memory on one node."
    )
    parser.add_argument("--version", action="version", version=f"pex-harness {harness.__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in commands:
        importlib.import_module(f"harness.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if argv is None:
        # A program of its own, in which what imports leave behind lives to the end: looking through it for
        # garbage, now, later, in every fork and at the exit, would only take time.
        gc.disable()
    # The others need not be imported, unless somebody asks what there is.
    parser = build_parser(words[:1] if words and words[0] in COMMANDS else COMMANDS)
    if argv is None:
        gc.freeze()
        gc.enable()
    arguments, rest = parser.parse_known_args(words)
    arguments.is_program = argv is None
    if rest:
        # argparse takes the words of a list up to the next option only.
        properties = getattr(arguments, "properties", None)
        if properties is None or any(word.startswith("-") for word in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        properties += rest
    return arguments.handler(arguments)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness`: finds the subcommand and runs it."""

from __future__ import annotations

import argparse
import sys

import harness
from harness.cli import bench, check, demo, listen, policy, publish, replay, run, status, stop


def build_parser() -> argparse.ArgumentParser:
    """The parser with every subcommand; each sets `handler` to the function that runs it."""
    parser = argparse.ArgumentParser(
        prog="pex-harness", description="Runs pipelines of DC3b stages over shared memory on one node."
    )
    parser.add_argument("--version", action="version", version=f"pex-harness {harness.__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run.add_parser(subparsers)
    stop.add_parser(subparsers)
    check.add_parser(subparsers)
    policy.add_parser(subparsers)
    status.add_parser(subparsers)
    replay.add_parser(subparsers)
    publish.add_parser(subparsers)
    listen.add_parser(subparsers)
    bench.add_parser(subparsers)
    demo.add_parser(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest:
        # argparse takes the words of a list up to the next option only.
        words = getattr(arguments, "properties", None)
        if words is None or any(word.startswith("-") for word in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        words += rest
    return arguments.handler(arguments)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness bench`: throughput of a stage or a whole policy, alone or beside other ways to run it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.cli.arguments import WRONG_USAGE, at_least
from harness.cli.output import complain, write

PROGRAM = "pex-harness bench"
RESULTS_DIFFER = 5


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "bench",
        help="measure the throughput of a stage or a policy",
        description="Measures how many images a second a stage works on, or a whole pipeline, with several"
        " numbers of slices in turn, and where the time goes. Exit codes: 0 measured, 2 wrong usage, or a"
        " class, policy or image that cannot be used, or a stage that raised, 3 a process died, 4 the images"
        " do not fit into memory, 5 a contender's results differ from the harness's, 130 ended by SIGINT.",
    )
    parser.add_argument(
        "stage", nargs="?",
        help="dotted name of a Stage, of its parallel half, or of a stage of 2008; without it, --policy names"
        " a pipeline policy, which runs as it is",
    )  # fmt: skip
    parser.add_argument("--policy", metavar="FILE", help="the stage's policy, or the pipeline policy")
    parser.add_argument("--shape", metavar="ROWSxCOLUMNS", help="shape of synthetic images")
    parser.add_argument("--dtype", default="float32", help="type of their pixels (default: %(default)s)")
    parser.add_argument("--images", nargs="+", metavar="FILE", default=[], help=".npy or FITS files instead")
    parser.add_argument("--key", default="image", help="clipboard key of the image (default: %(default)s)")
    parser.add_argument(
        "--source", choices=("master", "slice"), default="master",
        help="who makes the images: the master, which hands them over, or every slice its own, which it may"
        " write into (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--slices", metavar="N,N", help="numbers of slices (default: 1, or as the pipeline policy says)"
    )
    parser.add_argument(
        "--workers", type=at_least(1),
        help="worker processes (default: as the pipeline policy says, or at most one per core)",
    )  # fmt: skip
    parser.add_argument(
        "--visits", type=at_least(1), default=50, help="timed visits a round (default: %(default)s)"
    )
    parser.add_argument(
        "--warm-up", type=at_least(1), default=4, help="visits before them (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=at_least(1), default=6, help="turns of everybody (default: %(default)s)"
    )
    parser.add_argument("--minutes", type=float, help="begin no round later")
    parser.add_argument(
        "--compare", metavar="NAME,NAME",
        help="other ways to run the stage: serial, multiprocessing, futures, joblib, ray, dask",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write all figures there; - is standard output")
    parser.add_argument("--plot", metavar="FILE", help="draw a .png or .svg; needs matplotlib")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Measures and prints."""
    from harness.bench import measure
    from harness.bench.plan import checked_place, checked_plot, parse_counts
    from harness.errors import HarnessError
    from harness.exceptions import Exception as LsstException

    try:
        plot = checked_plot(arguments.plot) if arguments.plot is not None else None
        if arguments.json not in (None, "-"):
            checked_place("json", arguments.json)
        result = measure(
            arguments.stage,
            policy=arguments.policy,
            shape=arguments.shape,
            dtype=arguments.dtype,
            images=arguments.images,
            key=arguments.key,
            source=arguments.source,
            slices=parse_counts(arguments.slices) if arguments.slices is not None else (),
            visits=arguments.visits,
            warm_up=arguments.warm_up,
            rounds=arguments.rounds,
            compare=_names(arguments.compare),
            workers=arguments.workers,
            minutes=arguments.minutes,
            tell=_teller(),
        )
    except KeyboardInterrupt:
        complain(PROGRAM, "ended by SIGINT")
        return 130
    except (HarnessError, LsstException) as error:
        complain(PROGRAM, str(error))
        return getattr(error, "exit_code", 2)
    except (ValueError, ImportError) as error:
        complain(PROGRAM, str(error))
        return WRONG_USAGE
    return _report(arguments, result, plot)


def _report(arguments: argparse.Namespace, result, plot: Path | None) -> int:
    from harness.bench.plot import draw
    from harness.cli.bench_table import format_result

    try:
        if arguments.json == "-":
            write(result.to_json())
        else:
            write(format_result(result))
            if arguments.json is not None:
                Path(arguments.json).write_text(result.to_json())
        if plot is not None:
            draw(result, plot)
    except OSError as error:
        complain(PROGRAM, f"writing {error.filename or 'standard output'}: {error.strerror}")
        return 2
    if not result.equal:
        complain(PROGRAM, "results differ from the harness's: does the stage keep state, or use chance?")
        return RESULTS_DIFFER
    return 2 if result.failures else 0


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def _teller():
    """What shows, on a terminal only, what is being measured."""
    if not sys.stderr.isatty():
        return lambda text: None
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness run`: one run of a pipeline policy, with progress, a table at the end and clear errors."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import WRONG_USAGE, at_least, verbosity
from harness.cli.customs import OF_TODAY, Customs, log_fatal
from harness.cli.explaining import explain
from harness.cli.leaving import leave
from harness.cli.output import complain, write
from harness.cli.terminal import terminal_destination
from harness.cli.watch_options import add_watch_options, watch_settings
from harness.errors import HarnessError, reason_of
from harness.exceptions import Exception as LsstException
from harness.log.verbosity import UsageError, verbosity2threshold
from harness.runtime.pipeline.pipeline import Pipeline
from harness.runtime.processes.left_behind import LeftBehind
from harness.runtime.processes.signals import Interrupted
from harness.runtime.records.run_records import EXIT_SLICES_LOST, exit_code_of

if TYPE_CHECKING:
    from harness.events.watching import WatchSettings

PROGRAM = OF_TODAY.program


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "run",
        help="run a pipeline policy",
        description="Runs the pipeline of a policy file until its work is done. Exit codes: 0 done,"
        " 2 wrong usage, or a policy, class or stage set-up that cannot be used, 3 a worker died,"
        " 5 the run directory's ledger cannot be used, 6 done, but for slices whose workers died,"
        " 70 a defect of the harness, 128+n ended by signal n (143 also by a request of level 1).",
    )
    parser.add_argument("policy", help="pipeline policy file (PAF, JSON or TOML)")
    parser.add_argument("runid", help="name of this run")
    parser.add_argument(
        "-n", "--name", help="pipeline name (default: the policy file's name without extension)"
    )
    parser.add_argument("-w", "--workerid", help="worker id within a production")
    parser.add_argument("-g", "--logdir", help="directory of the log files (default: RUNDIR/log)")
    parser.add_argument(
        "--stage-output", choices=("file", "terminal"),
        help="where goes what stages of slices print: LOGDIR/Worker<n>.out or the terminal (default: as the"
        " policy's stageOutput says, else file)",
    )  # fmt: skip
    parser.add_argument("--run-dir", help="run directory (default: as the dir policy says, else ./RUNID)")
    parser.add_argument(
        "--workers", type=at_least(1), help="worker processes (default: one per slice, at most one per core)"
    )
    parser.add_argument(
        "--visits", type=at_least(1),
        help="end after this many visits (default: as the policy and stages say)",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true",
        help="continue the run directory's last run: visits that its ledger proves complete are left out",
    )
    parser.add_argument(
        "--resume-anyway", action="store_true", help="the same, although policy or code have changed since"
    )
    parser.add_argument(
        "--feed", metavar="FILE", help="publish this file's events, one per line, and end when all are done"
    )
    add_watch_options(parser)
    parser.add_argument(
        "--topic", help="the topic of the files that --watch finds, where stages wait for several"
    )
    parser.add_argument("--no-progress", action="store_true", help="no progress bar even on a terminal")
    parser.add_argument("--explain", action="store_true", help="print the schedule of a visit and do not run")
    levels = parser.add_mutually_exclusive_group()
    levels.add_argument(
        "-L", "--log-verbosity", dest="verbosity", type=verbosity, metavar="LEV",
        help="verbosity name or number for the logs",
    )
    for short, name, level in (("-d", "debug", "debug"), ("-v", "verbose", "verb3"),
                               ("-q", "quiet", "quiet"), ("-s", "silent", "silent")):
        levels.add_argument(short, f"--{name}", dest="verbosity", action="store_const", const=level,
                            help=f"the same as -L {level}")
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Runs what the command line asks for."""
    try:
        watched = watch_settings(arguments)
        if watched is None and arguments.topic is not None:
            raise UsageError("--topic goes with --watch DIR")
        if watched is not None and arguments.feed is not None:
            raise UsageError("expected --feed or --watch, saw both")
    except UsageError as error:
        complain(PROGRAM, str(error))
        return WRONG_USAGE
    if arguments.explain:
        return explain(arguments.policy, arguments.workers)
    before = LeftBehind()
    code = run_pipeline(
        arguments.policy,
        arguments.runid,
        name=arguments.name,
        worker_id=arguments.workerid,
        log_dir=arguments.logdir,
        run_dir=arguments.run_dir,
        workers=arguments.workers,
        max_visits=arguments.visits,
        feed=arguments.feed,
        watched=(watched, arguments.topic, arguments.idle_timeout) if watched is not None else None,
        threshold=verbosity2threshold(arguments.verbosity),
        progress=not arguments.no_progress,
        resume=arguments.resume,
        resume_anyway=arguments.resume_anyway,
        stage_output=arguments.stage_output,
    )
    if arguments.is_program:
        leave(PROGRAM, code, before)
    return code


def run_pipeline(
    policy: str | os.PathLike[str],
    run_id: str,
    *,
    name: str | None = None,
    worker_id: str | None = None,
    log_dir: str | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    max_visits: int | None = None,
    feed: str | os.PathLike[str] | None = None,
    watched: tuple[WatchSettings, str | None, float | None] | None = None,
    threshold: int | None = None,
    progress: bool = True,
    resume: bool = False,
    resume_anyway: bool = False,
    stage_output: str | None = None,
    customs: Customs = OF_TODAY,
) -> int:
    """Runs one pipeline in this process and reports on the terminal; returns the exit code.

    `watched` is what is watched, the topic, and after how many idle seconds the run ends.
    """
    pipeline = Pipeline(
        run_id,
        policy,
        name,
        worker_id,
        workers=workers,
        run_dir=run_dir,
        max_visits=max_visits,
        resume=resume,
        resume_anyway=resume_anyway,
    )
    pipeline.allow_hard_stop(customs.program, customs.at_once_code)
    pipeline.stage_output = stage_output
    pipeline.honours_local_log_mode = customs.honours_local_log_mode
    pipeline.add_log_destination(terminal_destination())
    if threshold is not None:
        pipeline.setLogThreshold(threshold)
        if customs.shows_records:
            pipeline.show_records(threshold)
    if feed is not None:
        pipeline.feed_events(feed)
    if watched is not None:
        pipeline.watch_files(*watched)
    if log_dir is not None:
        pipeline.setLogDir(log_dir)
    if not faulthandler.is_enabled():
        # Of the master itself; workers leave their stacks to it.
        faulthandler.enable(file=2)
    with _progress(pipeline, progress):
        code = _run(pipeline, customs)
    if code == 0:
        _print_summary(pipeline)
        if pipeline.lost_slices:
            return EXIT_SLICES_LOST
    return code


def _run(pipeline: Pipeline, customs: Customs) -> int:
    def complain(text: str, code: int, error: BaseException | None = None) -> int:
        return _complain(text, pipeline, code, error, customs)

    try:
        pipeline.run()
    except Interrupted as error:
        return complain(str(error), error.exit_code)
    except (KeyboardInterrupt, SystemExit) as error:
        told = "ended by SIGINT" if exit_code_of(error) == 130 else reason_of(error)
        return complain(told, exit_code_of(error), error)
    except HarnessError as error:
        return complain(str(error), error.exit_code, error)
    except LsstException as error:
        return complain(str(error), 2, error)
    except Exception as error:
        return complain(f"unexpected {type(error).__name__}: {error}", 2, error)
    return 0


def _complain(
    text: str, pipeline: Pipeline, code: int, error: BaseException | None, customs: Customs
) -> int:
    place = pipeline.log_file
    where = f" (traceback in {place})" if place is not None else ""
    if error is not None and customs.tells_errors_in_full:
        traceback.print_exception(error)
        if place is None:
            log_fatal(customs.program, text)
            return code
    print(f"{customs.program}: {text}{where}", file=sys.stderr)
    return code


@contextlib.contextmanager
def _progress(pipeline: Pipeline, wanted: bool):
    """A bar that follows the visits, on a terminal only."""
    if not wanted or not sys.stderr.isatty():
        yield
        return
    from harness.cli.progress import ProgressBar

    bar = ProgressBar(pipeline.max_visits)
    pipeline.on_progress = bar.update
    try:
        yield
    finally:
        bar.close()


def _print_summary(pipeline: Pipeline) -> None:
    from harness.cli.summary import format_summary

    if pipeline.statistics is None:
        return
    write(format_summary(pipeline.statistics, Path(pipeline.run_dir)) + "\n")

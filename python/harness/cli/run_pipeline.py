# SPDX-License-Identifier: BSD-3-Clause
"""`runPipeline.py`: one run of a pipeline policy, with the options and exit codes of 2009."""

from __future__ import annotations

import optparse
import sys
from pathlib import Path

from harness.cli.customs import CODES, OF_2009, log_fatal
from harness.cli.leaving import leave
from harness.cli.run import run_pipeline
from harness.log.verbosity import UsageError, addVerbosityOption, verbosity2threshold
from harness.runtime.processes.left_behind import LeftBehind

PROGRAM = OF_2009.program
EXIT_USAGE = 1
EXIT_FAILURE = 2
USAGE = "%prog [options] policy_file runid"
DESCRIPTION = f"""Runs the pipeline of a policy file until its work is done. Exit codes: 0 done, 1 wrong
arguments, 2 an unknown option, or a policy, class or stage set-up that cannot be used, {CODES}"""


def build_parser() -> optparse.OptionParser:
    """The parser of the command line. Unknown options end the process with code 2."""
    parser = optparse.OptionParser(usage=USAGE, description=DESCRIPTION, prog=PROGRAM)
    parser.add_option("-n", "--name", help="pipeline name (default: the policy file's, without extension)")
    addVerbosityOption(parser)
    parser.add_option("-V", "--verbosity", dest="verbosity", metavar="LEV", help="the same as -L")
    parser.add_option(
        "-g", "--logdir", metavar="DIR",
        help="directory of the log files, which must exist; None: the current directory (default: the current"
        " directory if the policy has localLogMode, else that of the run)",
    )  # fmt: skip
    parser.add_option("-w", "--workerid", metavar="ID", help="worker id within a production")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    parser = build_parser()
    options, words = parser.parse_args(argv)
    if len(words) != 2:
        parser.print_usage(sys.stderr)
        print(f"{PROGRAM}: expected policy_file and runid, saw {len(words)} arguments", file=sys.stderr)
        return EXIT_USAGE
    try:
        threshold = verbosity2threshold(options.verbosity, None)
    except UsageError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_USAGE
    log_dir = options.logdir or None
    if log_dir not in (None, "None") and not Path(log_dir).is_dir():
        log_fatal(PROGRAM, f"log directory {log_dir} (-g): expected one that exists, found none")
        return EXIT_FAILURE
    policy, run_id = words
    before = LeftBehind()
    code = run_pipeline(
        policy,
        run_id,
        name=None if options.name == "None" else options.name,
        worker_id=options.workerid,
        log_dir=log_dir,
        threshold=threshold,
        progress=False,
        customs=OF_2009,
    )
    if argv is None:
        leave(PROGRAM, code, before)
    return code


if __name__ == "__main__":
    sys.exit(main())

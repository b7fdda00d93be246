# SPDX-License-Identifier: BSD-3-Clause
"""`launchPipeline.py`: becomes `runPipeline.py` with the arguments that a production's scripts give."""

from __future__ import annotations

import optparse
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn

from harness.cli.customs import CODES
from harness.log import ScreenLog, set_default_log
from harness.log.verbosity import (
    THRESHOLDS,
    RunSetupException,
    UsageError,
    addAllVerbosityOptions,
    createLog,
    verbosity2threshold,
)
from harness.policy.products import installed_directory

__all__ = ["launchPipeline", "main", "msglev"]

RUNNER = "runPipeline.py"
DIRECTORY_VARIABLE = "PEX_HARNESS_DIR"
DEFAULT_NODE_LIST = "nodelist.scr"
OWN_THRESHOLD = -1
EXIT_FAILURE = 1

msglev = {name: -threshold for name, threshold in THRESHOLDS.items() if threshold is not None}
"""The verbosity that each name stands for."""

USAGE = "%prog policy_file runid [pipelineName] [options]"
DESCRIPTION = f"""Runs a pipeline by becoming {RUNNER}, whose exit code it hence has. The environment variable
{DIRECTORY_VARIABLE} must be set. Exit codes: 0 done, 1 own failures, such as wrong arguments, 2 an unknown
option, or what {RUNNER} cannot use, {CODES}"""


def launchPipeline(
    policyFile: str | os.PathLike[str],
    runid: str,
    workerid: str | None = None,
    name: str | None = None,
    verbosity: str | int | None = None,
    logdir: str | os.PathLike[str] | None = None,
) -> NoReturn:
    """Replaces this process by `runPipeline.py`. Never returns.

    Args:
        policyFile: pipeline policy file.
        runid: name of the run.
        workerid: worker id within a production.
        name: pipeline name; by default the policy file's name without extension.
        verbosity: verbosity name or integer for the logs; by default as the policy says.
        logdir: directory of the log files.

    Raises:
        RuntimeError: the environment variable PEX_HARNESS_DIR is not set.
        UsageError: the verbosity is neither a known name nor an integer.
        RunSetupException: the policy file cannot be read, or the program cannot be started.
    """
    if not os.environ.get(DIRECTORY_VARIABLE):
        raise RuntimeError(
            f"the environment variable {DIRECTORY_VARIABLE} is not set: the launcher expects an environment"
            f" that was set up; for this installation: export {DIRECTORY_VARIABLE}={installed_directory()}"
        )
    verbosity2threshold(verbosity)
    if not os.access(policyFile, os.R_OK):
        raise RunSetupException(f"pipeline policy {policyFile}: expected a readable file, found none")
    options = {"-n": name, "-V": verbosity, "-w": workerid, "-g": logdir}
    words = [word for flag, value in options.items() if value is not None for word in (flag, str(value))]
    command = [sys.executable, *_runner(), *words, "--", os.fspath(policyFile), str(runid)]
    createLog().log(OWN_THRESHOLD, f"executing {' '.join(command)}")
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(command[0], command)
    except OSError as error:
        raise RunSetupException(f"{command[0]} cannot be executed: {error.strerror}") from error


def _runner() -> list[str]:
    """The runner beside this installation's scripts, else the one on PATH, else its module."""
    beside = Path(sysconfig.get_path("scripts")) / RUNNER
    found = str(beside) if beside.exists() else shutil.which(RUNNER)
    return [found] if found is not None else ["-m", "harness.cli.run_pipeline"]


def build_parser(
    program: str = "launchPipeline.py", description: str = DESCRIPTION
) -> optparse.OptionParser:
    """The parser of a launcher's command line. Wrong options end the process with code 2."""
    parser = optparse.OptionParser(usage=USAGE, description=description, prog=program)
    addAllVerbosityOptions(parser)
    parser.add_option(
        "-n", "--nodelist", metavar="FILE", default=DEFAULT_NODE_LIST,
        help="list of nodes; accepted and not read: nSlices says how many slices there are",
    )  # fmt: skip
    parser.add_option("-g", "--logdir", metavar="DIR", help="directory of the log files, which must exist")
    parser.add_option("-w", "--workerid", metavar="ID", help="worker id within a production")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; returns the exit code of an own failure."""
    parser = build_parser()
    options, words = parser.parse_args(argv)
    log = createLog()
    try:
        threshold = verbosity2threshold(options.verbosity, OWN_THRESHOLD)
        assert threshold is not None
        set_default_log(ScreenLog(threshold=threshold))
        log = createLog()
        log.setThreshold(threshold)
        if not 2 <= len(words) <= 3:
            raise UsageError(
                f"expected policy_file, runid and perhaps a pipeline name, saw {len(words)} arguments\n"
                f"{parser.get_usage().strip()}"
            )
        name = words[2] if len(words) > 2 else None
        launchPipeline(words[0], words[1], options.workerid, name, options.verbosity, options.logdir)
    except (RunSetupException, RuntimeError) as error:
        log.fatal(str(error))
    return EXIT_FAILURE


if __name__ == "__main__":
    sys.exit(main())

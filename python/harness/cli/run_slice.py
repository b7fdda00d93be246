# SPDX-License-Identifier: BSD-3-Clause
"""`runSlice.py`, with which MPI started the slices of a run: says that a run starts its slices itself."""

from __future__ import annotations

import optparse
import sys
from typing import NoReturn

from harness.cli.customs import log_fatal

PROGRAM = "runSlice.py"
EXIT_USAGE = 1
EXIT_FAILURE = 2
USAGE = "%prog [-l threshold] [-n name] policy_file runid"
DESCRIPTION = """Only says where slices are: they are processes that a run starts itself. Exit codes: 1 wrong
arguments, 2 else."""
REASON = (
    "slices are processes of a run, which starts them itself, as many as nSlices says; nothing is left to do"
    " here. Run runPipeline.py, or take lsst.pex.harness.Slice.Slice for one rank without a Pipeline"
)


class Parser(optparse.OptionParser):
    """A parser for which a wrong option is wrong usage like any other."""

    def error(self, msg: str) -> NoReturn:
        """Tells what is wrong, and ends the process."""
        self.print_usage(sys.stderr)
        print(f"{PROGRAM}: {msg}", file=sys.stderr)
        sys.exit(EXIT_USAGE)


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    parser = Parser(usage=USAGE, description=DESCRIPTION, prog=PROGRAM)
    parser.add_option("-l", dest="threshold", type="int", metavar="THRESHOLD", help="as in 2009; not used")
    parser.add_option("-n", dest="name", help="as in 2009; not used")
    _, words = parser.parse_args(argv)
    if len(words) != 2:
        parser.error(f"expected policy_file and runid, saw {len(words)} arguments")
    log_fatal(PROGRAM, REASON)
    return EXIT_FAILURE


if __name__ == "__main__":
    sys.exit(main())

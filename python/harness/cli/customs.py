# SPDX-License-Identifier: BSD-3-Clause
"""Where programs that run a pipeline differ: `pex-harness run`, and `runPipeline.py`, which is as in 2009."""

from __future__ import annotations

from typing import NamedTuple

from harness.runtime.processes.signals import AT_ONCE_CODE

KILLED = 137
"""What shells say of a process that SIGKILL has ended, with which level 1 ended a run in 2009."""


CODES = f"""3 a worker died, 5 the run directory's ledger cannot be used, 6 done, but for slices whose
workers died, 70 a defect of the harness, {KILLED} killed: ended at once by a request of level 1,
128+n ended by signal n."""
"""Exit codes of `runPipeline.py` in words, behind those that every program has in its own."""


class Customs(NamedTuple):
    """How one of them does what the other does in another way."""

    program: str
    """Its name, with which messages begin."""
    at_once_code: int = AT_ONCE_CODE
    """The exit code where a shutdown request of level 1 ends the run."""
    tells_errors_in_full: bool = False
    """The traceback of an error goes to standard error, too; its reason, where the run has no log yet, to the
    default log at FATAL."""

    honours_local_log_mode: bool = False
    """With `localLogMode` in the policy the log files lie in the current directory."""

    shows_records: bool = False
    """Where a verbosity was asked for, and there is no message broker, records of that go to the screen."""


OF_TODAY = Customs("pex-harness run")
OF_2009 = Customs(
    "runPipeline.py", KILLED, tells_errors_in_full=True, honours_local_log_mode=True, shows_records=True
)


def log_fatal(program: str, text: str) -> None:
    """Tells the default log why a program ends without a run."""
    from harness.log import Log, get_default_log

    Log(get_default_log(), f"harness.run.{program.removesuffix('.py')}").fatal(text)

# SPDX-License-Identifier: BSD-3-Clause
"""The command of the harness in which one defence is not there: `without_defence.py NAME COMMAND...`.

What is replaced here is replaced in every process of the run, which the nursery forks from this one.
"""

import sys

from harness.cli.main import main
from harness.ledger import resume
from harness.runtime.halves.slice import SliceHalf
from harness.runtime.processes import supervisor
from harness.runtime.processes.fates import Fates
from harness.runtime.processes.replacing import Replacing
from harness.runtime.records import recording

# --- the cause is named


def signals_have_no_names():
    supervisor.describe_end = lambda signalled, code: "an end that nobody has asked for"


def nobody_ran_when_a_worker_died():
    real = supervisor.Death

    def death(worker, pid, signalled, code, orderly, rank, stage, starting, *more):
        return real(worker, pid, signalled, code, orderly, -1, 0, starting, *more)

    supervisor.Death = death


def late_workers_are_dead_ones():
    Replacing._cause = lambda self, death: death.cause


def what_was_raised_is_not_kept():
    recording.read_post_mortem = lambda path: {}
    recording._text_of = lambda cause, text, traceback: ""


# --- others go on


def a_death_is_everybodys():
    Fates._why_not_again = lambda self, rank, death, visit, arrived: "its worker has died"


def a_failed_slice_ends_the_run():
    real = Replacing._why_the_run_ends

    def why(self, death, at, judged):
        failed = [rank for one in judged.values() for rank in one.failed]
        return f"rank {failed[0]} has failed" if failed else real(self, death, at, judged)

    Replacing._why_the_run_ends = why


def nothing_contains_an_exception():
    def end(self, number, raised):
        raise SystemExit(f"stage {number} of slice {self.rank} has raised")

    SliceHalf.fail_step = end


# --- what is proven complete does not run again, everything else does


def nothing_is_proven():
    resume._complete_visits = lambda connection, plan: set()


def what_has_begun_is_proven():
    query = "SELECT DISTINCT visit FROM visits"
    resume._complete_visits = lambda connection, plan: {visit for (visit,) in connection.execute(query)}


def outputs_are_not_looked_at():
    resume._changed = lambda path, size, digest: ""


def who_wrote_over_a_file_does_not_follow():
    resume._spread = lambda connection, plan, complete, aside: None


if __name__ == "__main__":
    globals()[sys.argv.pop(1)]()
    sys.exit(main())

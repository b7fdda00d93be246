# SPDX-License-Identifier: BSD-3-Clause
"""One Slice: the parallel halves of the stages for one rank, step by step."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from harness import _core
from harness.clipboard import Clipboard, Pending
from harness.dc3a import find_half
from harness.errors import StageFailed
from harness.runtime.halves.blocks import STAGE, VISIT
from harness.runtime.halves.exchange import make_exchange
from harness.runtime.halves.failure import (
    bounded,
    describe_failure,
    fatal_report,
    format_failure,
    original_of,
    write_report,
)
from harness.runtime.halves.half import DEBUG, SILENT, TRACE, Half
from harness.runtime.halves.post_mortems import keep_received, write_after_raise
from harness.runtime.halves.repeating import resume
from harness.runtime.halves.stray_forks import end_if_stray
from harness.stage import NoOpParallelProcessing, ParallelProcessing
from harness.transport import NO_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness._steps import Already
    from harness.log import Log
    from harness.runtime.configuration.config import StageConfig
    from harness.transport import Manifest

INFO = 0
PROCESS = f"{STAGE}.process"


class SliceHalf(Half[ParallelProcessing]):
    """A rank >= 0. The C++ loop of its worker calls `run_step`."""

    of_visit = ("received", "received_across", "_told", "_started")
    after_first_visit: Callable[[Log], None] | None = None

    def set_up(self) -> None:
        """Builds the stages. Raises `StageFailed`.

        `replaces` is false then. It says whether the rank may have begun a visit elsewhere before it comes
        here: the worker is a replacement, or the rank another worker's.
        """
        self.replaces = self._more = self._has_no_more = self._opened = False

        def make(stage: StageConfig, sysdata: dict[str, Any]) -> ParallelProcessing | None:
            if stage.parallel_class is None:
                if stage.number < 0:
                    return None
                return NoOpParallelProcessing(None, self.log, self.config.event_broker, sysdata)
            cls = find_half(
                stage.parallel_class, ParallelProcessing, one_class=stage.one_class, topic=stage.event_topic
            )
            return cls(stage.policy, self.log, self.config.event_broker, sysdata)

        self.build(make)
        self._published: list[tuple[int, Manifest]] = []
        self._told = NO_MANIFEST
        self._started: tuple[float, os.times_result] | None = None
        self._exchanges = [
            make_exchange(self.run, self.config, self.rank, transport) for transport in self._transports
        ]
        self.exchange = self._exchanges[0]
        self.received: list[tuple[int, Manifest]] = []
        """Where it stands what has come from the master in this visit, by stage."""
        self.received_across: list[tuple[int, list[tuple[str, Pending]]]] = []
        if any(stage.stateful for stage in self.stages):
            self.run.set_stateful(self.rank)

    def _make_one(
        self,
        make: Callable[[StageConfig, dict[str, Any]], ParallelProcessing | None],
        stage: StageConfig,
        stage_id: int,
    ) -> ParallelProcessing | None:
        # Its deadline begins.
        self.run.note_setup(stage_id if stage_id > 0 else len(self.config.stages) + 1)
        return super()._make_one(make, stage, stage_id)

    def run_step(self, visit: int, step: int, more: bool = False, already: Already | None = None) -> int:
        """Runs stage `step`, or closes the visit if it lies past the last stage. Returns the outcome bits.

        `more`: the next stage follows before anybody reads what this one publishes. `already`: in the place
        of a stage that has run.
        """
        is_known = visit == self.visit or self.turn_to(visit)
        if not self._more:
            self._published.clear()
            self._has_no_more = False
            if self.exchange is not None and self._goes_on(step - 1):
                self.transport.let_stand()
        self._more = more
        if self.replaces and not is_known:
            return resume(self, visit, step)
        if step > len(self.stages):
            self.end_visit()
            return _core.OUTCOME_OK
        if step == 1 and not self._opened:
            self.start_visit(visit)
        self._opened = False
        return self.process(step, already)

    def turn_to(self, visit: int) -> bool:
        """As of any half; what comes from the master and from neighbours is that visit's."""
        is_known = super().turn_to(visit)
        if self._has_several:
            self.exchange = self._exchanges[self.run.slot]
        return is_known

    def start_visit(self, visit: int) -> None:
        """A fresh clipboard, no error."""
        self.begin_visit(visit)
        self.start_slice(visit)
        # For a record that is sent at the end, if it passes.
        if self.log.sends(INFO):
            self._started = (time.monotonic(), os.times())
        if self.log.sends(TRACE):
            self.blocks.mark(VISIT, "start", TRACE, f"visit {visit}")

    def process(self, number: int, already: Already | None = None) -> int:
        """Runs stage `number`, or passes it over after a failure. Returns the outcome bits.

        `already` stands for a stage that has run, at a threshold that let nothing pass of what is logged
        here.
        """
        stage = self.stages[number - 1]
        self.enter_stage(number)
        passes = self.log.getThreshold() if already is None else SILENT
        if passes <= INFO:
            self.log.info(f"stage {number} {stage.getName()}, error flag {int(self.error_flagged)}")
        if self.error_flagged:
            self.log.log(TRACE, f"skipping {stage.getName()}: an earlier stage raised in this visit")
            self.pass_on(number)
            self.publish_nothing(number)
            return _core.OUTCOME_SKIPPED
        if self._has_no_more:
            self.pass_on(number)
            self.publish_nothing(number)
            return _core.OUTCOME_OK
        try:
            # Who has run the stage has seen to what arrived before it.
            if already is None:
                self._receive(number)
            if passes <= TRACE:
                self._traced(stage)
            else:
                self.call_stage(already or stage.applyProcess)
            clipboard = self.queues[number].element()
            if clipboard is None:
                self.publish_nothing(number)
                return _core.OUTCOME_OK
            self._publish(number, clipboard)
            self.count_clipboard(number)
            if passes <= DEBUG:
                then = f"ends stage {number}, and goes on"
                whom = "its neighbours" if self._goes_on(number) else "the master"
                waits = f"arrives behind stage {number}, and waits for {whom}"
                self.log.logdebug(then if self._more else waits)
            if clipboard.contains("noMoreDatasets"):
                # What follows before the run can end would lack the data.
                self._has_no_more = self._more
                return _core.OUTCOME_NO_MORE
            return _core.OUTCOME_OK
        except StageFailed:
            raise
        except Exception as error:
            end_if_stray(self._pid)
            self.publish_nothing(number)
            return self.fail_step(number, error)

    def fail_step(self, number: int, raised: Exception) -> int:
        """What follows when stage `number` has raised, or killed its worker. Returns the outcome bits."""
        self._bring_back(number)
        name = self.stages[number - 1].getName()
        write_report(self.run, self.rank, f"stage {name!r}: {describe_failure(original_of(raised))}")
        self.run.set_raised_stage(self.rank, number)
        self.fail(number, raised, "process", lambda failure: failure.applyProcess())
        self._tell(number, self.transport.publish_notes())
        return _core.OUTCOME_RAISED

    def leave_report(self, error: BaseException) -> str:
        """Notes what ends the run, which the stage has raised that runs. Returns where that was, in words."""
        number = self.stage_number
        if not self.in_visit or not 1 <= number <= len(self.stages):
            return f"visit {self.visit}" if self.in_visit else "its setup"
        self.run.set_raised_stage(self.rank, number)
        source = self.queues[number - 1]
        write_after_raise(self, number, "process", error, source.element() if source.size() > 0 else None)
        return f"stage {self.stages[number - 1].getName()!r} of visit {self.visit}"

    def repeat(self, number: int) -> None:
        """Runs stage `number` again, whose publications stand. Raises what the stage raises."""
        self.enter_stage(number)
        self._receive(number)
        self._traced(self.stages[number - 1])
        clipboard = self.queues[number].element()
        if clipboard is not None:
            self.transport.publish_again(clipboard)

    def _traced(self, stage: ParallelProcessing) -> None:
        name = stage.getName()
        self.blocks.mark(STAGE, "start", TRACE, f"stage {name}", name)
        self.blocks.mark(PROCESS, "start", TRACE, f"{name}.process")
        self.call_stage(stage.applyProcess)
        self.blocks.mark(PROCESS, "end", TRACE, f"{name}.process")
        self.blocks.mark(STAGE, "end", TRACE, f"stage {name}", name)

    def _receive(self, number: int) -> None:
        clipboard = self.queues[number - 1].element()
        if clipboard is None:
            return
        if self._down[2 * number + 1]:
            manifest = self.run.down_manifest(number)
            entries = self.transport.read(manifest)
            self.received.append((number, manifest))
            self.transport.deliver(entries, self.config.n_slices, clipboard._receive)
        if self.exchange is not None:
            self.exchange.take(clipboard, number)
            if number in self.config.exchanges:
                self.received_across.append((number, self.exchange.delivered()))

    def keep_inputs_of_failure(self) -> tuple[str | None, str]:
        """As the policy's `keepInputs` says."""
        if self.post_mortems is None or self.config.keep_inputs == "none":
            return None, ""
        return keep_received(self, self.post_mortems)

    def _goes_on(self, number: int) -> bool:
        """Whether slices begin the stage behind stage `number` before the master reads what they publish."""
        return number > 0 and self.run.goes_on(number)

    def _publish(self, number: int, clipboard: Clipboard) -> None:
        stands = self._more or (self.exchange is not None and self._goes_on(number))
        manifest, entries = self.transport.publish(clipboard, more=stands)
        if entries:
            # What is pickled has code of its own, which may have forked.
            end_if_stray(self._pid)
        if self.exchange is not None:
            self.exchange.offer(clipboard, number)
        self._tell(number, manifest)

    def _tell(self, number: int, manifest: Manifest) -> None:
        """Tells the master, when it looks next, of what was published after stage `number`."""
        if manifest[1]:
            self._published.append((number, manifest))
        if not self._published:
            whole = NO_MANIFEST
        elif len(self._published) == 1 and self._published[0][0] == number and not self._more:
            whole = manifest
        else:
            # Of a stage that is not the last of its step, too: it fails now if there is no room for the list.
            whole = self.transport.bind(self._published)
        if not self._more and (whole[1] or self._told[1]):
            self.run.set_up_manifest(self.rank, *whole)
            self._told = whole

    def _bring_back(self, number: int) -> None:
        """After a failed publication the clipboard has moved on: the failure stage expects it before."""
        if self.queues[number - 1].size() == 0 and self.queues[number].size() > 0:
            self.queues[number - 1].addDataset(self.queues[number].getNextDataset())

    def publish_nothing(self, number: int) -> None:
        """Says that nothing goes up or across after stage `number`."""
        self._tell(number, NO_MANIFEST)
        if self.exchange is not None:
            self.exchange.offer_nothing(number)

    def end_visit(self) -> None:
        """Drops the visit's clipboards and logs what it took."""
        self.leave_stages()
        if self.after_first_visit is not None:
            self.after_first_visit(self.log)
            self.after_first_visit = None
        now = os.times() if self._started is not None else None
        if self.config.keep_inputs == "all":
            _, complaint = self.keep_inputs_of_failure()
            if complaint:
                self.log.warn(complaint)
        self.received = []
        self.received_across = []
        self.empty_queues()
        self.in_visit = False
        self.transport.end_visit()
        self.run.set_up_manifest(self.rank, *NO_MANIFEST)
        self._told = NO_MANIFEST
        if self.log.sends(INFO):
            if self._started is not None and now is not None:
                wall, before = self._started
                user, system = now.user - before.user, now.system - before.system
                elapsed = time.monotonic() - wall
                self.log.info(
                    f"visit {self.visit}: user {user:.4f} system {system:.4f} user+system {user + system:.4f}"
                    f" wall {elapsed:.4f} s"
                )
            memory = memory_figures()
            if memory:
                self.log.info(memory)
        if self.log.sends(TRACE):
            self.blocks.mark(VISIT, "end", TRACE, f"visit {self.visit}")


def report_fatal(run: _core.Run, rank: int, error: BaseException, place: str) -> None:
    """Leaves the text of what ends the run where the master finds it: a message, then the traceback.

    `place` says where it was raised.
    """
    if isinstance(error, StageFailed):
        text = fatal_report(str(error), error.details)
    else:
        told = f"slice {rank} ended the run in {place}: {bounded(describe_failure(error))}"
        text = fatal_report(told, format_failure(error))
    write_report(run, rank, text)


def memory_figures() -> str:
    """`VmPeak`, `VmSize`, `VmHWM` and `VmRSS` of this process; empty where the kernel does not tell."""
    wanted = ("VmPeak", "VmSize", "VmHWM", "VmRSS")
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            lines = [" ".join(line.split()) for line in status if line.startswith(wanted)]
    except OSError:
        return ""
    return "memory: " + ", ".join(lines)

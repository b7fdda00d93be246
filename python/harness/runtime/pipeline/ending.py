# SPDX-License-Identifier: BSD-3-Clause
"""How a Pipeline ends: asked to, in good order, or not; what is told and written then."""

from __future__ import annotations

import contextlib
import os
import time

from harness import _core, arrays, current, outputs
from harness.errors import HarnessError, LedgerError, SliceDied, StageFailed, reason_of
from harness.log import set_default_log
from harness.runtime.halves.failure import failure_record, parts_of_report
from harness.runtime.halves.post_mortems import write_after_death
from harness.runtime.logs.stage_output import output_tail
from harness.runtime.pipeline.settings import PipelineSettings
from harness.runtime.pipeline.state import PipelineState
from harness.runtime.processes import exit_handlers, stacks
from harness.runtime.records.run_records import LOST
from harness.runtime.shutdown.control import withdraw

BIRTHS = ("births_shared", "births_refused", "births_refused_bytes")


class PipelineEnding(PipelineSettings):
    """The ends of one run."""

    def _take_end(self, end: _core.LoopEnd, visit: int, stage: int) -> str:
        """Why the loop has ended, which is logged. Raises when that is no orderly end."""
        config, log = self._require_config(), self._require_log()
        if end == _core.LoopEnd.PROCESS_DIED:
            death = self._require_master().replacing.error(visit)
            self._record_death(death)
            raise death
        if end == _core.LoopEnd.SLICE_FATAL:
            raise self._slice_fatal(visit)
        if end == _core.LoopEnd.AT_ONCE:
            late = "" if self._stops.level == 1 else ": slices had not set their stages up in time"
            raise self._stops.at_once(late)
        reasons = {
            _core.LoopEnd.VISITS_DONE: "one loop done" if config.one_loop else "as many visits as asked for",
            _core.LoopEnd.NO_MORE: f"no more datasets, said in stage {stage}",
            _core.LoopEnd.STOPPED: f"{self._stops.cause}, level {self._stops.level}; left in stage {stage}",
            _core.LoopEnd.EVENT_TIMEOUT: f"no event for stage {stage} in time",
            _core.LoopEnd.DRAINED: f"no event for stage {stage} is left",
        }
        visits = "1 visit" if visit == 1 else f"{visit} visits"
        log.info(f"the loop has ended after {visits}: {reasons[end]}")
        return reasons[end]

    def _record_death(self, error: HarnessError) -> None:
        if isinstance(error, SliceDied) and error.rank >= 0 and error.visit > 0:
            self._record_slice(error.rank, self._stage_number(error.stage), error, False)

    def _record_slice(self, rank: int, stage: int, error: SliceDied, retried: bool) -> None:
        """Notes what a death cost a slice, and what its worker printed last."""
        if self._logs.captures_output:
            path = self._logs.output_file(error.worker)
            if tail := output_tail(path):
                self._file_log.warn(f"the last of {path}:\n{tail}")
        master = self._require_master()
        write_after_death(master, rank, stage, error, master.replacing.stacks_of(error.pid))
        self._require_recorder().record_death(rank, stage, error.cause, str(error), retried=retried)

    def _stage_number(self, name: str) -> int:
        """The number of the stage that messages call `name`; 0 for none."""
        numbers = [one.number for one in self._require_config().stages if repr(one.name) == name]
        return numbers[0] if numbers else 0

    def _record_end(self, end: str, exit_code: int, reason: str) -> LedgerError | None:
        """Records how the run ended, once; returns what has kept that from being recorded."""
        if os.getpid() != self._pid:
            return None
        recorder, self._recorder = self._recorder, None
        error = recorder.end_run(end, exit_code, reason) if recorder is not None else None
        self._unlock()
        return error

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def lost_slices(self) -> int:
        """How many slices' results of a visit are lacking because their worker died."""
        return len(self.statistics.lost) if self.statistics is not None else 0

    def setStop(self) -> None:
        """Asks the loop to end after the current visit."""
        self.setExitLevel(4)

    def setExitLevel(self, level: int) -> None:
        """Asks the loop to end: 4 after this visit, 3 after this stage, 2 at the next synchronisation point.

        Level 1 ends the run at once: it raises `StoppedAtOnce`, here if this is the main thread, else in that
        one; call `close` then. A later request may be more urgent, never less. ValueError for other levels.
        """
        self._require_run()
        self._stops.request(level, "setExitLevel")

    def exit(self) -> None:
        """Ends the run at once: shutdown level 1."""
        self.setExitLevel(1)

    def shutdown(self) -> None:
        """Ends the run in good order, if `startStagesLoop` has not, and calls `close`."""
        if self._master is not None and not self._ended:
            self._end()
        self.close()

    def _end(self) -> None:
        """The orderly end: every process leaves by itself, stages are shut down, the summary is written."""
        self._ended = True
        supervisor = self._require_supervisor()
        if self.statistics is not None:
            count = self._require_config().n_workers
            workers = [f"worker {worker} (ranks {supervisor.ranks_of(worker)})" for worker in range(count)]
            self.statistics.note_kept_blocks(self._require_run().arena, workers)
            for text in self.statistics.describe_kept_blocks():
                self._require_log().warn(text)
        self._require_master().shut_down()
        if self._hard_stop is not None:
            # In good order: a pool whose processes are killed starts new ones.
            exit_handlers.end_pools()
        for complaint in supervisor.end(self._require_run()):
            self._require_log().warn(complaint)
        if self._event_source is not None:
            # Nothing is left that an event could end; what heard them goes while the rest is written.
            self._event_source.close()
        self._tell_refused_births()
        self.write_summary()
        if self._flow is not None:
            self._flow.close()

    def _tell_refused_births(self) -> None:
        _shared, refused, size = self._require_run().births()
        if refused:
            self._require_log().warn(
                f"the arena had no room for {refused} arrays of stage code ({size / 1e6:.1f} MB in all);"
                " they were private instead, and copied if they crossed. A larger arenaSize, or more free"
                " memory where that is the limit, avoids it"
            )

    def close(self) -> None:
        """Kills what is left of the run's processes and forgets its memory. Safe to call at any time."""
        if os.getpid() != self._pid:
            # A process that a stage forked and that came back here: the run is its parent's.
            return
        # Whatever goes wrong with one, all are closed, the last named first, and the next Pipeline can start.
        with contextlib.ExitStack() as parts:
            parts.callback(self._forget)
            for part in (self._flow, self._events):
                if part is not None:
                    parts.callback(part.close)
            if self._event_source is not None:
                parts.callback(self._event_source.dispose)
            parts.callback(self._listener.close)
            parts.callback(self._record_end, LOST, 2, "closed before its end")
            self._kill_processes()

    def _kill_processes(self) -> None:
        if self._run is not None and self._supervisor is not None:
            # The watcher may have been told of a request after the loop had ended; killing takes its time.
            self._run.disarm_hard_stop()
            # A program that does nothing but the run lets its pools end in good order first.
            here = self._hard_stop is None or self._ended
            for complaint in self._supervisor.kill(self._run, with_left_behind=here):
                self._require_log().warn(complaint)
            self._run.stop_watcher()

    def _forget(self) -> None:
        """Takes back what this run has set for the whole process."""
        set_default_log(None)
        if PipelineState._active is not self:
            return
        PipelineState._active = None
        arrays.use_arena(None)
        outputs.use_journal(None)
        current.work_for(None)
        stacks.unregister()
        if self._last_words is not None:
            self._last_words.close()
        if self._here is not None:
            withdraw(self._require_home()[0], self._here)

    def write_summary(self) -> None:
        """Writes `summary.json` into the run directory."""
        statistics, config = self.statistics, self._require_config()
        if statistics is None:
            return
        extra = {
            "run_id": self._run_id,
            "pipeline": config.pipeline_name,
            "slices": config.n_slices,
            "workers": config.n_workers,
            "random_seed": self._require_master().random_seed,
            "visits_in_flight": self._require_master().admission.row(),
            "wall_s": time.monotonic() - self.started_at,
            "lost_spans": self._require_run().lost_spans(),
            "arena": {
                **self._require_run().arena.stats(),
                **dict(zip(BIRTHS, self._require_run().births(), strict=True)),
            },
        }
        statistics.write(self._require_home()[0] / "summary.json", extra)

    def _slice_fatal(self, visit: int) -> StageFailed:
        run = self._require_run()
        for rank, report in run.fatal_reports():
            message, details = parts_of_report(report.decode("utf-8", "replace"))
            stage = run.raised_stage(rank)
            if visit and 1 <= stage <= len(self._require_config().stages):
                self._require_recorder().record_raise(rank, stage, message)
            return StageFailed(message, rank=rank, details=details)
        return StageFailed("a slice ended the run, but left no report")

    def _log_end(self, error: BaseException) -> None:
        if self._log is None:
            return
        import traceback

        details = getattr(error, "details", "") or "".join(traceback.format_exception(error))
        self._file_log.fatal(failure_record(f"the run has failed: {reason_of(error)}", details))

# SPDX-License-Identifier: BSD-3-Clause
"""What can be set and asked before and while a Pipeline runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.log import LogDestination
from harness.runtime.configuration.places import default_run_dir
from harness.runtime.pipeline.slice_threads import NOBODY, SliceThread
from harness.runtime.pipeline.state import PipelineState
from harness.runtime.processes.signals import AT_ONCE_CODE
from harness.runtime.shutdown.control import runs

if TYPE_CHECKING:
    from harness.events.watching import WatchSettings


class PipelineSettings(PipelineState):
    """The settings of the contract (5.8), and those of today."""

    def getRun(self) -> str:
        """The run id."""
        return self._run_id

    def setRun(self, runId: str) -> None:
        """Sets the run id."""
        self._run_id = runId

    def getLogThreshold(self) -> int:
        """The threshold of the root log."""
        if self._log_threshold is not None:
            return self._log_threshold
        if self._config is not None:
            return self._config.log_threshold
        return -1

    def setLogThreshold(self, threshold: int) -> None:
        """Sets the threshold of the root log; beats the policy's `logThreshold`."""
        self._log_threshold = threshold
        if self._log is not None:
            self._log.setThreshold(threshold)
            self._log.info(f"threshold set to {threshold}")

    def add_log_destination(self, destination: LogDestination) -> None:
        """Sends the master's records there too, except the one on how the run failed: that is raised."""
        self._destinations.append(destination)

    def show_records(self, threshold: int) -> None:
        """Shows records of at least that importance on standard error: the master's, and a line for each of
        a slice's.

        In place of what `add_log_destination` has added, and only where the policy names no message broker:
        else records go there.
        """
        self._screen_threshold = threshold

    def setLogDir(self, logdir: str | None) -> None:
        """Sets the directory of the log files; `None` or `"None"` means the current directory.

        Without a call it is that of the run, or, if the policy has `localLogMode`, the current one.
        """
        self._log_dir = logdir if logdir not in (None, "None") else "."

    def getShutdownTopic(self) -> str:
        """The topic of shutdown events."""
        return self._require_config().shutdown_topic

    def getEventBrokerHost(self) -> str | None:
        """The event broker's host, or `None`."""
        return self._require_config().event_broker

    def setEventTimeout(self, timeout: int) -> None:
        """Sets how often, about once a second, a stage looks for its event; beats the policy."""
        self._event_timeout = timeout

    def getEventTimeout(self) -> int:
        """How often a stage looks for its event before the run ends."""
        asked = self._event_timeout
        return asked if asked is not None else self._require_config().event_timeout

    def getSliceThreadList(self) -> list[SliceThread]:
        """The slices in the order of their ranks; none before `startSlices`."""
        config, run = self._require_config(), self._require_run()

        def slice_thread(rank: int) -> SliceThread:
            def find() -> int:
                pid = run.worker_pids()[rank % config.n_workers]
                return pid if pid or PipelineState._active is self else NOBODY

            return SliceThread(rank, find, runs)

        return [slice_thread(rank) for rank in range(config.n_slices if self._slices_started else 0)]

    def feed_events(self, path: str | os.PathLike[str]) -> None:
        """Has the run publish the events of a file to itself, one per line, and end when none is left."""
        self._feed_path = Path(path)

    def watch_files(
        self, settings: WatchSettings, topic: str | None = None, idle_s: float | None = None
    ) -> None:
        """Has the run publish the files of a directory to itself.

        Args:
            settings: what is watched.
            topic: one that a stage waits for; None where there is only one.
            idle_s: after so many seconds of waiting without a new file, the run ends; None: never.
        """
        self._watched = (settings, topic, idle_s)

    def allow_hard_stop(self, program: str, at_once_code: int = AT_ONCE_CODE) -> None:
        """Lets the whole process end when stage code does not yield in time. For command lines.

        Args:
            program: its name, for its last words.
            at_once_code: the exit code where a request of level 1 ends the run, in time or not. A signal has
                its own.
        """
        self._hard_stop = program
        self._stops.at_once_code = at_once_code

    @property
    def run_dir(self) -> Path:
        """The run directory: what the caller gave, else the policy's default, else `./<run id>`.

        As it was given: where it is relative, it is from the current directory at the start of the run.
        """
        if self._run_dir_option is not None:
            return Path(self._run_dir_option)
        return default_run_dir(self._require_config(), self._run_id)

    @property
    def log_file(self) -> Path | None:
        """The master's log file, once it is open; `None` for a run without."""
        if self._log is None or self._logs.directory is None:
            return None
        return self._logs.log_file(-1)

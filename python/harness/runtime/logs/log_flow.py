# SPDX-License-Identifier: BSD-3-Clause
"""LogFlow: what runs beside a run to bring its records to their files, from its rings to its end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from harness.log import Log, LogDestination, LogRecord
from harness.log.foreign import ForeignRecords
from harness.log.run_logs import run_files
from harness.runtime.logs.log_drain import LogDrain

if TYPE_CHECKING:
    from harness import _core
    from harness.events.log_events import LogPublisher
    from harness.runtime.logs.run_log import LogSettings


class LogFlow:
    """The master's. Records go through shared memory from its creation on, and come from other libraries.

    `consoles` get the lines about records of slices. Call `start()` when the nursery is there.
    """

    def __init__(
        self,
        run: _core.Run,
        logs: LogSettings,
        n_workers: int,
        log: Log,
        consoles: Sequence[LogDestination],
        publisher: LogPublisher | None = None,
    ) -> None:
        self._log = log
        self._publisher = publisher
        self.drain = LogDrain(run, logs, n_workers)
        self.drain.consoles = [partial(_tell, console) for console in consoles]
        if publisher is not None:
            self.drain.events = publisher.offer
        for file in run_files(log):
            file.use_ring(run.log_ring(0), self.drain.wake)
        self.foreign = ForeignRecords(run.first_at)
        self.foreign.install()

    def start(self) -> None:
        """Starts the threads that write records, and publish them."""
        self.drain.start()
        if self._publisher is not None:
            self._publisher.start()

    def close(self) -> None:
        """Every record that was sent is in its file; later ones go straight there. Safe to call twice."""
        self.foreign.uninstall()
        for loss in self.drain.take_losses():
            self._log.warn(loss)
        for file in run_files(self._log):
            file.close()
            file.use_ring(None)
        self.drain.stop()
        publisher, self._publisher = self._publisher, None
        if publisher is not None and (lost := publisher.close()):
            self._log.warn(f"{lost} log records were not published as events; they are in the log files")


def _tell(console: LogDestination, importance: int, text: str) -> None:
    """Writes a line about a slice's record; in the drain's thread."""
    record = LogRecord(importance, importance)
    record.addPropertyString("LOG", "harness")
    record.addComment(text)
    console.write(record)

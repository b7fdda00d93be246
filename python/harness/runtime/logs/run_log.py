# SPDX-License-Identifier: BSD-3-Clause
"""A run's logs: `Pipeline.log` and a `Slice<rank>.log` per rank, the run's properties on every record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.errors import InternalError
from harness.log import Log, open_run_log
from harness.log.forward import forward_to_logging
from harness.log.levels import WARN
from harness.log.run_logs import log_file_name, run_files

if TYPE_CHECKING:
    from harness import _core


class LogSettings(NamedTuple):
    """What every process of a run needs to open its logs. The threshold is an importance.

    Without `truncate`, as a resumed run has it, files that are there are continued.
    `flood` bounds the records of a visit, slice and kind; `in_flight` visits go on at a time. `layout` is a
    name in `harness.log.run_logs.LAYOUTS`. With `captures_output` what workers print goes to
    `output_file(worker)`, of which `output_limit` bytes are kept, or all if it is 0.
    With `publishes` records become events, too.
    Without `directory` there are no files: `ready` has the log of every rank.
    Records of slices from `console_threshold` on have a line on the master's console.
    """

    run_id: str
    pipeline_name: str
    worker_id: str
    threshold: int
    directory: Path | None
    truncate: bool = True
    flood: int = 0
    in_flight: int = 1
    layout: str = "indented"
    captures_output: bool = False
    output_limit: int = 0
    publishes: bool = False
    ready: Mapping[int, Log] = {}
    console_threshold: int = WARN

    def open_pipeline(self, offer: Callable[[list[bytes]], object] | None = None) -> Log:
        """The master's log. Raises `harness.exceptions.IoError` when its file can't be opened.

        `offer` gets the records that become events before there is a ring.
        """
        return self._open("pipeline", -1, truncate=self.truncate, offer=offer)

    def open_slice(self, rank: int, ring: _core.LogRing, wake: Callable[[], object] | None) -> Log:
        """The log of one slice, appended to its file: the master has emptied it, if it was there.

        Records go through `ring`; `wake` asks the master to write them now. Raises
        `harness.exceptions.IoError` when the file can't be opened.
        """
        log = self._open("slice", rank, truncate=False)
        for file in run_files(log):
            file.use_ring(ring, wake)
            file.show_on_console(self.console_threshold)
        return log

    def empty_slice_files(self, n_slices: int, n_workers: int) -> None:
        """Empties what an earlier run has left. Raises `harness.exceptions.IoError`."""
        from harness.exceptions import IoError
        from harness.log.append import AppendFile

        paths = [self.log_file(rank) for rank in range(n_slices)]
        if self.captures_output:
            paths += [self.output_file(worker) for worker in range(n_workers)]
        for path in filter(Path.exists, paths):
            try:
                AppendFile(path).open(truncate=True)
            except OSError as error:
                raise IoError(error.errno, f"cannot open log file: {error.strerror}", str(path)) from error

    def log_file(self, rank: int) -> Path:
        """The log file of a slice, or of the Pipeline (rank -1)."""
        return self._folder() / log_file_name("pipeline" if rank < 0 else "slice", rank)

    def output_file(self, worker: int) -> Path:
        """Where goes what a worker's stages, and the libraries they use, print."""
        return self._folder() / f"Worker{worker}.out"

    def _folder(self) -> Path:
        if self.directory is None:
            raise InternalError("this run has no log files")
        return self.directory

    def _open(
        self,
        kind: Literal["pipeline", "slice"],
        rank: int,
        *,
        truncate: bool,
        offer: Callable[[list[bytes]], object] | None = None,
    ) -> Log:
        if self.directory is None:
            return self.ready[rank]
        log = open_run_log(
            kind=kind,
            rank=rank,
            run_id=self.run_id,
            pipeline_name=self.pipeline_name,
            workerid=self.worker_id,
            threshold=self.threshold,
            logdir=self.directory,
            screen_threshold=None,
            truncate=truncate,
            layout=self.layout,
            flood=self.flood,
            in_flight=self.in_flight,
        )
        if self.publishes:
            # Most runs publish no records, and each of their processes opens logs.
            from harness.events.record_events import encode_record

            for file in run_files(log):
                file.publish(encode_record, offer)
        forward_to_logging(log.root)
        forward_to_logging(log)
        return log

# SPDX-License-Identifier: BSD-3-Clause
"""A run's logs: `Pipeline.log` and a `Slice<rank>.log` per rank, the run's properties on every record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.log import Log, open_run_log


@dataclass(frozen=True)
class LogSettings:
    """What every process of a run needs to open its logs. The threshold is an importance.

    Without `truncate`, as a resumed run has it, files that are there are continued.
    """

    run_id: str
    pipeline_name: str
    worker_id: str
    threshold: int
    directory: Path
    truncate: bool = True

    def open_pipeline(self) -> Log:
        """The master's log. Raises `harness.exceptions.IoError` when its file can't be opened."""
        return self._open("pipeline", -1)

    def open_slice(self, rank: int) -> Log:
        """The log of one slice. Raises `harness.exceptions.IoError` when its file can't be opened."""
        return self._open("slice", rank)

    def _open(self, kind: str, rank: int) -> Log:
        return open_run_log(
            kind=kind,  # type: ignore[arg-type]
            rank=rank,
            run_id=self.run_id,
            pipeline_name=self.pipeline_name,
            workerid=self.worker_id,
            threshold=self.threshold,
            logdir=self.directory,
            screen_threshold=None,
            truncate=self.truncate,
        )

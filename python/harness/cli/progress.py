# SPDX-License-Identifier: BSD-3-Clause
"""The progress bar on a terminal: how many visits, which stage, how fast."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class ProgressBar:
    """Follows a run. Redraws from the caller's thread only: no refreshing thread may stand beside a fork."""

    def __init__(self, total_visits: int | None) -> None:
        self._progress = Progress(
            TextColumn("visit {task.fields[visit]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[stage]}"),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self._task = self._progress.add_task("run", total=total_visits, visit=0, stage="starting")
        self._shown_at = 0.0
        self._progress.start()

    def update(self, visit: int, stage: str) -> None:
        """Called at every stage, and with an empty stage when a visit is complete."""
        completed = visit if not stage else visit - 1
        self._progress.update(self._task, completed=completed, visit=visit, stage=stage)
        now = self._progress.get_time()
        if now - self._shown_at >= 0.05:
            self._shown_at = now
            self._progress.refresh()

    def close(self) -> None:
        """Removes the bar."""
        self._progress.stop()

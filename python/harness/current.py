# SPDX-License-Identifier: BSD-3-Clause
"""What this process is working on: rank, visit and stage of the stage code that runs."""

from __future__ import annotations

from typing import Protocol

from harness._steps import process_state

__all__ = ["Worker", "current_visit", "work_for", "worker"]


class Worker(Protocol):
    """A rank (-1 for the master) with the visit and the stage (from 1) that it is in."""

    rank: int
    visit: int
    stage_number: int


def work_for(worker: Worker | None) -> None:
    """Says whose stage code this process runs from now on; `None` for nobody's."""
    process_state.worker = worker


def worker() -> Worker | None:
    """Whose stage code runs; `None` outside a run."""
    running: Worker | None = process_state.worker
    return running


def current_visit() -> int:
    """The number of the visit that the calling stage works on, from 1; 0 outside visits, as in `setup()`.

    It identifies the visit: a resumed run, which leaves visits out, gives the others the numbers that they
    had. A stage that counts its calls instead starts from the beginning then.
    """
    running = worker()
    return running.visit if running is not None else 0

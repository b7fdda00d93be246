# SPDX-License-Identifier: BSD-3-Clause
"""Unrecorded: what a run without a ledger has in the recorder's place."""

from __future__ import annotations

from harness.runtime.records.recording import Recorder

__all__ = ["Unrecorded"]


class Unrecorded(Recorder):
    """Takes everything and keeps nothing."""

    page = None

    def __init__(self) -> None:
        """Without a ledger there is nothing to open, and no place to note."""

    def enter_stage(self, visit: int, stage: int) -> None:
        """Nobody asks where the master is."""

    def begin_visit(self, visit: int, input_id: str | None = None) -> None:
        """Is not recorded."""

    def turn_to(self, visit: int, slot: int) -> None:
        """Is not recorded."""

    def drop_visit(self, visit: int) -> None:
        """Is not recorded."""

    def note_input(self, input_id: str) -> None:
        """Is not recorded."""

    def settle(self) -> None:
        """There is nothing to wait for."""

    def complete_inputs(self) -> set[str]:
        """No visit is known to be complete."""
        return set()

    def ended_inputs(self) -> set[str]:
        """No visit is known to be complete."""
        return set()

    def leave_stage(self, stage: int) -> None:
        """Is not recorded."""

    def record_raise(self, rank: int, stage: int, report: str, *, retried: bool = False) -> None:
        """Is not recorded; it is logged, and counted in the statistics."""

    def record_death(self, rank: int, stage: int, kind: str, text: str, *, retried: bool = False) -> None:
        """Is not recorded; it is logged, and counted in the statistics."""

    def end_visit(self, spans: list[tuple]) -> None:
        """Is not recorded."""

    def end_without_data(self, visit: int) -> None:
        """Is not recorded."""

    def end_run(self, end: str, exit_code: int, reason: str) -> None:
        """Is not recorded, as was agreed."""

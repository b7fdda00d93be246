# SPDX-License-Identifier: BSD-3-Clause
"""The master's calls of stage code: watched while they run, told with their place when they end the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from harness import _core
from harness.errors import note_place
from harness.runtime.halves.blocks import STAGE
from harness.runtime.halves.half import TRACE, VERB2, Half
from harness.stage import SerialProcessing

if TYPE_CHECKING:
    from harness.runtime.configuration.config import StageConfig


class MasterCalls(Half[SerialProcessing]):
    """Rank -1, as far as how its stage code is called."""

    def _make_one(
        self,
        make: Callable[[StageConfig, dict[str, Any]], SerialProcessing | None],
        stage: StageConfig,
        stage_id: int,
    ) -> SerialProcessing | None:
        with self._watched(stage_id, _core.SerialHalf.SETUP), self._placed(stage_id, "setup"):
            return super()._make_one(make, stage, stage_id)

    def _shut_down_one(self, stage: SerialProcessing, number: int) -> None:
        with self._watched(number, _core.SerialHalf.SHUTDOWN), self._placed(number, "shutdown"):
            super()._shut_down_one(stage, number)

    @contextlib.contextmanager
    def _watched(self, number: int, half: _core.SerialHalf) -> Iterator[None]:
        """While the block runs, stage code does, which has the stage's deadline."""
        number = number if number > 0 else len(self.config.stages) + 1
        self.run.begin_call(self.visit, number, half)
        try:
            yield
        finally:
            self.run.end_call()

    def _place(self, number: int, method: str) -> str:
        stages = self.config.stages
        name = f"stage {stages[number - 1].name!r}" if 1 <= number <= len(stages) else "the failure stage"
        when = f", visit {self.visit}" if self.in_visit else ""
        return f"{name} ({method}{when}) of the master"

    @contextlib.contextmanager
    def _placed(self, number: int, method: str) -> Iterator[None]:
        """While the block runs, stage code does: what it raises to end the run is told with its place."""
        try:
            yield
        except (SystemExit, KeyboardInterrupt) as error:
            note_place(error, self._place(number, method))
            raise

    def _mark_stages(self, status: str, first: int, last: int) -> None:
        for number in range(first, last + 1):
            name = self.stages[number - 1].getName()
            self.blocks.mark(STAGE, status, VERB2, f"stage {number} {name}", name)

    def _traced(self, stage: SerialProcessing, method: str, call: Callable[[], None]) -> None:
        what = f"{stage.getName()}.{method}"
        self.blocks.mark(f"{STAGE}.{method}", "start", TRACE, what)
        self.call_stage(call)
        self.blocks.mark(f"{STAGE}.{method}", "end", TRACE, what)

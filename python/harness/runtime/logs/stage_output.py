# SPDX-License-Identifier: BSD-3-Clause
"""StageOutput: what stages and C libraries print in a worker, in one file, with marks saying whose it is."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from os import write
from pathlib import Path
from typing import TYPE_CHECKING

from harness import _core
from harness._core import output_extent
from harness._steps import OutputWatch

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from harness.stage import StageProcessing

TAIL_BYTES = 2048


class StageOutput(OutputWatch):
    """Standard output and standard error of this process go to the end of a file from now on.

    A file, not a pipe: nothing can fill up, and what was printed before a crash is there. Text of Python and
    of the C library is written line by line. Raises `OSError` when the file can't be opened.
    """

    def __init__(self, path: Path) -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        _core.flush_stdio()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        _core.line_buffer_stdio()
        super().__init__([False])
        # Kept: a stage may put something else in their place.
        self._streams = (_text_stream(1, self.said), _text_stream(2, self.said))
        sys.stdout, sys.stderr = self._streams
        self._see()

    def _see(self) -> None:
        self._marked = output_extent()
        self.see(self._marked)

    def mark(self, rank: int, visit: int, step: int, stages: Sequence[StageProcessing]) -> None:
        """Says under what was printed since the last mark that it is of this rank, visit and stage.

        Step 0 is set-up or shutdown; the one past the last stage is the end of a visit.
        """
        if not self.has_printed():
            return
        if self.said[0]:
            self.said[0] = False
            for stream in self._streams:
                # A stage may have closed it: there is nothing to write then.
                with contextlib.suppress(ValueError, OSError):
                    stream.flush()
        extent = output_extent()
        # A stage may have closed descriptor 1, or put something else there: it prints nothing here then.
        if extent != self._marked and extent[0] >= 0:
            size = extent[0] - self._marked[0]
            with contextlib.suppress(OSError):
                write(1, mark_text(rank, visit, _step_name(step, stages), size))
            self._see()


def mark_text(rank: int, visit: int, what: str, size: int) -> bytes:
    """The mark below `size` bytes of output; of 0 or less where the file was shortened meanwhile."""
    extent = f"{size} bytes above" if size > 0 else "above, as far as it was not dropped"
    return f"--- {extent}: slice {rank}, visit {visit}, {what} ---\n".encode("utf-8", "replace")


def _step_name(step: int, stages: Sequence[StageProcessing]) -> str:
    if 1 <= step <= len(stages):
        return f"stage {step} {stages[step - 1].getName()}"
    return "end of visit" if step else "set-up or shutdown"


def output_tail(path: Path) -> str:
    """The last lines of a worker's output, for a report about its death; empty if there are none."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            tail = file.read()
    except OSError:
        return ""
    return tail.decode("utf-8", "replace")


class _Forgiving(io.FileIO):
    """What the disk has no room for is lost: a stage must not fail because it prints."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


class _Bytes(io.BufferedWriter):
    """Sets `said[0]` when there may be something to flush."""

    said: list[bool]

    def write(self, data: Buffer, /) -> int:
        self.said[0] = True
        return super().write(data)


class _Lines(io.TextIOWrapper):
    """The same for text, which is written line by line."""

    said: list[bool]

    def write(self, text: str, /) -> int:
        self.said[0] = True
        return super().write(text)


def _text_stream(descriptor: int, said: list[bool]) -> _Lines:
    raw = _Bytes(_Forgiving(descriptor, "w", closefd=False))
    raw.said = said
    lines = _Lines(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
    lines.said = said
    return lines

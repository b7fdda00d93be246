# SPDX-License-Identifier: BSD-3-Clause
"""The root log of a Pipeline or a Slice and the log its stages get."""

import copy
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from harness.log.destinations import LogDestination, ScreenDestination
from harness.log.flood import FloodGuard
from harness.log.formats import (
    BriefFormatter,
    IndentedFormatter,
    LogFormatter,
    NetLoggerFormatter,
    PrependedFormatter,
)
from harness.log.json_format import JsonFormatter
from harness.log.levels import DEBUG
from harness.log.log import Log
from harness.log.run_file import RunFile
from harness.log.stage_log import StageLog

__all__ = ["LAYOUTS", "log_file_name", "off_console", "open_run_log", "run_files"]

LAYOUTS: dict[str, Callable[[], LogFormatter]] = {
    "indented": lambda: IndentedFormatter(True),
    "brief": lambda: BriefFormatter(True),
    "prepended": lambda: PrependedFormatter(True),
    "netlogger": NetLoggerFormatter,
    "json": JsonFormatter,
}


def log_file_name(kind: Literal["pipeline", "slice"], rank: int) -> str:
    """``Pipeline.log`` or ``Slice<rank>.log``."""
    return "Pipeline.log" if kind == "pipeline" else f"Slice{rank}.log"


def open_run_log(
    *,
    kind: Literal["pipeline", "slice"],
    rank: int,
    run_id: str,
    pipeline_name: str,
    workerid: str = "-1",
    threshold: int,
    logdir: str | os.PathLike[str] | None,
    screen_threshold: int | None,
    truncate: bool = True,
    layout: str = "indented",
    flood: int = 0,
    in_flight: int = 1,
    others: Iterable[LogDestination] = (),
) -> StageLog:
    """Build a root log and return its child ``harness.pipeline`` or ``harness.slice``.

    Every record carries PIPELINE, workerid, RUNID and SLICEID. With ``logdir``, an existing
    directory, records from DEBUG on go to the log file there, with all properties, in a layout of LAYOUTS,
    at most ``flood`` of a visit and kind (0: no bound), of ``in_flight`` visits at a time. The file is
    truncated first unless ``truncate`` is false (for a process that takes over a slice). With
    ``screen_threshold`` they go to standard error, too, and in any case to ``others``. Blocks made from the
    returned log record resource usage.

    ``log.context.set("LOOPNUM", n)`` and ``log.context.set("STAGEID", i)`` reach the records of the
    returned log, of its children and of everything derived from them, whenever those were made.

    Raises IoError if the log file cannot be opened.
    """
    if kind not in ("pipeline", "slice"):
        raise ValueError(f"cannot open a run log of kind {kind!r}: expected 'pipeline' or 'slice'")
    root = Log(threshold)
    whose = {"PIPELINE": pipeline_name, "workerid": workerid, "RUNID": run_id, "SLICEID": rank}
    root.set_preamble_properties(whose)
    if logdir is not None:
        path = Path(logdir) / log_file_name(kind, rank)
        guard = FloodGuard(flood, root.context, in_flight)
        root.addDestination(
            RunFile(path, rank, LAYOUTS[layout](), threshold=DEBUG, truncate=truncate, guard=guard)
        )
    if screen_threshold is not None:
        root.addDestination(ScreenDestination(IndentedFormatter(), screen_threshold))
    for other in others:
        root.addDestination(other)
    return StageLog(root, f"harness.{kind}")


def run_files(log: Log) -> list[RunFile]:
    """The log files of a run that a log writes to."""
    return [destination for destination in log.destinations if isinstance(destination, RunFile)]


def off_console(log: Log) -> Log:
    """A copy of a log whose records reach the same destinations, but not the master's console."""
    twin = copy.copy(log)
    twin.replace_destinations([_off_console(destination) for destination in log.destinations])
    return twin


def _off_console(destination: LogDestination) -> LogDestination:
    if not isinstance(destination, RunFile):
        return destination
    silent = copy.copy(destination)
    silent.show_on_console(None)
    return silent

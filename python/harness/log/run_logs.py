# SPDX-License-Identifier: BSD-3-Clause
"""The root log of a Pipeline or a Slice and the log its stages get."""

import os
from pathlib import Path
from typing import Literal

from harness.log.destinations import FileDestination, ScreenDestination
from harness.log.formats import IndentedFormatter
from harness.log.levels import DEBUG
from harness.log.log import Log
from harness.log.timing import BlockTimingLog

__all__ = ["log_file_name", "open_run_log"]


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
) -> BlockTimingLog:
    """Build a root log and return its child ``harness.pipeline`` or ``harness.slice``.

    Every record carries PIPELINE, workerid, RUNID and SLICEID. With ``logdir``, an existing
    directory, records from DEBUG on go to the log file there: indented, with all properties,
    truncated first unless ``truncate`` is false (for a process that takes over a slice). With
    ``screen_threshold`` they go to standard error, too. Blocks made from the returned log record
    resource usage.

    ``log.context.set("LOOPNUM", n)`` and ``log.context.set("STAGEID", i)`` reach the records of the
    returned log, of its children and of everything derived from them, whenever those were made.

    Raises IoError if the log file cannot be opened.
    """
    if kind not in ("pipeline", "slice"):
        raise ValueError(f"cannot open a run log of kind {kind!r}: expected 'pipeline' or 'slice'")
    root = Log(threshold)
    root.setPreamblePropertyString("PIPELINE", pipeline_name)
    root.setPreamblePropertyString("workerid", workerid)
    root.setPreamblePropertyString("RUNID", run_id)
    root.setPreamblePropertyInt("SLICEID", rank)
    if logdir is not None:
        path = Path(logdir) / log_file_name(kind, rank)
        root.addDestination(FileDestination(path, True, DEBUG, truncate))
    if screen_threshold is not None:
        root.addDestination(ScreenDestination(IndentedFormatter(), screen_threshold))
    return BlockTimingLog(root, f"harness.{kind}", usageFlags=BlockTimingLog.LINUXUDATA)

# SPDX-License-Identifier: BSD-3-Clause
"""Hierarchical logs with typed properties (lsst.pex.logging), safe across threads and forks."""

from harness.log import levels as threshold
from harness.log.debug import Debug, Trace
from harness.log.default import get_default_log, set_default_log
from harness.log.destinations import FileDestination, LogDestination, ScreenDestination
from harness.log.formats import (
    BriefFormatter,
    IndentedFormatter,
    LogFormatter,
    NetLoggerFormatter,
    PrependedFormatter,
)
from harness.log.forward import forward_to_logging
from harness.log.json_format import JsonFormatter
from harness.log.log import Log
from harness.log.log_rec import LogRec, Rec, endr
from harness.log.record import LogRecord, Prop
from harness.log.run_logs import open_run_log
from harness.log.screen import DualLog, ScreenLog
from harness.log.timing import BlockTimingLog

getDefaultLog = get_default_log

__all__ = [
    "BlockTimingLog",
    "BriefFormatter",
    "Debug",
    "DualLog",
    "FileDestination",
    "IndentedFormatter",
    "JsonFormatter",
    "Log",
    "LogDestination",
    "LogFormatter",
    "LogRec",
    "LogRecord",
    "NetLoggerFormatter",
    "PrependedFormatter",
    "Prop",
    "Rec",
    "ScreenDestination",
    "ScreenLog",
    "Trace",
    "endr",
    "forward_to_logging",
    "getDefaultLog",
    "get_default_log",
    "open_run_log",
    "set_default_log",
    "threshold",
]

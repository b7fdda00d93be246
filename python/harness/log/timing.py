# SPDX-License-Identifier: BSD-3-Clause
"""BlockTimingLog: a log that marks the start and the end of a block of work, with resource usage."""

from __future__ import annotations

import resource
from typing import Any, ClassVar

from harness.log import levels
from harness.log.log import Log
from harness.log.record import LogRecord

__all__ = ["BlockTimingLog"]


class BlockTimingLog(Log):
    """``BlockTimingLog(parent, name, tracelev=INSTRUM, usageFlags=PARENTUDATA, funcName="")``.

    Start and end records have the importance ``tracelev`` (INHERIT_THRESHOLD: the level of a parent
    of this class, else INSTRUM) and the usage properties that ``usageFlags`` asks for. ``funcName``
    (default: the name) appears in their text only. ``BlockTimingLog(log)`` is a copy.
    """

    INSTRUM: ClassVar[int] = levels.INSTRUM
    STATUS: ClassVar[str] = "STATUS"
    START: ClassVar[str] = "start"
    END: ClassVar[str] = "end"

    NOUDATA: ClassVar[int] = 0
    UTIME: ClassVar[int] = 1
    STIME: ClassVar[int] = 2
    SUTIME: ClassVar[int] = UTIME | STIME
    MEMSZ: ClassVar[int] = 4
    NSWAP: ClassVar[int] = 16
    BLKIN: ClassVar[int] = 32
    BLKOUT: ClassVar[int] = 64
    BLKIO: ClassVar[int] = BLKIN | BLKOUT
    MINFLT: ClassVar[int] = 128
    MAJFLT: ClassVar[int] = 256
    LINUXUDATA: ClassVar[int] = SUTIME | MINFLT | MAJFLT
    ALLUDATA: ClassVar[int] = 511
    PARENTUDATA: ClassVar[int] = 8192

    def __init__(
        self,
        parent: Log,
        name: str | None = None,
        tracelev: int = INSTRUM,
        usageFlags: int = PARENTUDATA,
        funcName: str = "",
    ) -> None:
        # Where Debug is a base, too, it would set a threshold.
        Log.__init__(self, parent, name)
        timing_parent = parent if isinstance(parent, BlockTimingLog) else None
        if timing_parent is not None and name is None:
            self._copy_settings(timing_parent)
            return
        if tracelev == self.INHERIT_THRESHOLD:
            tracelev = timing_parent.getInstrumentationLevel() if timing_parent else self.INSTRUM
        self._trace_level = tracelev
        self._function_name = funcName or name or parent.getName()
        self._parent_flags = timing_parent.getUsageFlags() if timing_parent else self.NOUDATA
        self._usage_flags = self.NOUDATA
        self.setUsageFlags(usageFlags)

    def _copy_settings(self, other: BlockTimingLog) -> None:
        self._trace_level = other._trace_level
        self._function_name = other._function_name
        self._parent_flags = other._parent_flags
        self._usage_flags = other._usage_flags

    def start(self, funcName: str = "") -> None:
        """Record the start of the block; a name given here is used in the texts from now on."""
        if funcName:
            self._function_name = funcName
        self._mark("Starting", self.START)

    def done(self) -> None:
        """Record the end of the block."""
        self._mark("Ending", self.END)

    def _mark(self, verb: str, status: str) -> None:
        if not self.sends(self._trace_level):
            return
        record = self.new_record(self._trace_level)
        record.addComment(f"{verb} {self._function_name}")
        record.addPropertyString(self.STATUS, status)
        self.addUsageProps(record)
        self.send(record)

    def timeBlock(self, name: str, tracelev: int = levels.INHERIT, funcName: str = "") -> BlockTimingLog:
        """A child log for a block, already started; the caller calls done() at the block's end."""
        block = BlockTimingLog(self, name, tracelev, self.PARENTUDATA, funcName)
        block.start()
        return block

    createForBlock = timeBlock

    def traceBlock(self, name: str, tracelev: int = levels.TRACE, funcName: str = "") -> BlockTimingLog:
        """timeBlock() as the harness's log had it up to 3.4, at importance -1."""
        return self.timeBlock(name, tracelev, funcName)

    def getInstrumentationLevel(self) -> int:
        """The importance of start and end records."""
        return self._trace_level

    def getFunctionName(self) -> str:
        """The name used in the texts."""
        return self._function_name

    def getUsageFlags(self) -> int:
        """The usage figures that are collected, as OR-ed flags."""
        return self._usage_flags

    def setUsageFlags(self, flags: int) -> None:
        """Set the usage figures to collect; PARENTUDATA adds those of the parent at creation."""
        if flags & self.PARENTUDATA:
            flags |= self._parent_flags
        self._usage_flags = flags & ~self.PARENTUDATA

    def addUsageFlags(self, flags: int) -> None:
        """Collect these usage figures too."""
        self.setUsageFlags(self._usage_flags | flags)

    def addUsageProps(self, record: LogRecord) -> None:
        """Add the wanted figures, cumulative for this process, to a record.

        usertime and systemtime in s, maxrss in kB, the rest are counts (getrusage(2)).
        """
        if not self._usage_flags:
            return
        usage = resource.getrusage(resource.RUSAGE_SELF)
        for flag, name, field in USAGE:
            if self._usage_flags & flag:
                value: Any = getattr(usage, field)
                if isinstance(value, float):
                    # The kernel counts microseconds; more digits come from the division.
                    record.addPropertyDouble(name, round(value, 6))
                else:
                    record.addPropertyLong(name, value)


USAGE = (
    (BlockTimingLog.UTIME, "usertime", "ru_utime"),
    (BlockTimingLog.STIME, "systemtime", "ru_stime"),
    (BlockTimingLog.MEMSZ, "maxrss", "ru_maxrss"),
    (BlockTimingLog.MINFLT, "minflt", "ru_minflt"),
    (BlockTimingLog.MAJFLT, "majflt", "ru_majflt"),
    (BlockTimingLog.NSWAP, "nswap", "ru_nswap"),
    (BlockTimingLog.BLKIN, "blocksin", "ru_inblock"),
    (BlockTimingLog.BLKOUT, "blocksout", "ru_oublock"),
)

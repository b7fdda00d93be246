# SPDX-License-Identifier: BSD-3-Clause
"""BlockTimingLog: start and end records, levels, usage flags and figures."""

import copy
import io
import resource

import pytest
from harness.log import BlockTimingLog, Log, LogRecord
from harness.properties import PropertySet


class Collector:
    """Keeps the properties of the records it is sent."""

    def __init__(self):
        self.seen = []

    def write(self, stream, record):
        raise AssertionError("format() is used")

    def format(self, record):
        self.seen.append(record.getProperties().deepCopy())
        return ""


def collecting_root(level=-10):
    root, collector = Log(level), Collector()
    root.addDestination(io.StringIO(), formatter=collector)
    return root, collector.seen


def test_constants():
    names = """INSTRUM NOUDATA UTIME STIME SUTIME MEMSZ NSWAP BLKIN BLKOUT BLKIO MINFLT MAJFLT LINUXUDATA
        ALLUDATA PARENTUDATA""".split()
    assert [getattr(BlockTimingLog, name) for name in names] == [
        -3, 0, 1, 2, 3, 4, 16, 32, 64, 96, 128, 256, 387, 511, 8192,
    ]  # fmt: skip
    assert (BlockTimingLog.STATUS, BlockTimingLog.START, BlockTimingLog.END) == ("STATUS", "start", "end")


@pytest.mark.contract("13.5.blocks")
def test_start_and_end_records():
    root, seen = collecting_root()
    block = BlockTimingLog(root, "visit", funcName="the whole visit")
    block.start()
    block.done()
    assert [p.get("STATUS") for p in seen] == ["start", "end"]
    assert [p.get("LEVEL") for p in seen] == [-3, -3]
    assert [p.get("COMMENT") for p in seen] == ["Starting the whole visit", "Ending the whole visit"]
    assert [p.get("LOG") for p in seen] == ["visit", "visit"]


def test_function_name_defaults_to_the_name_and_start_may_change_it():
    root, seen = collecting_root()
    block = BlockTimingLog(root, "visit")
    assert block.getFunctionName() == "visit"
    block.start("visit 7")
    block.done()
    assert [p.get("COMMENT") for p in seen] == ["Starting visit 7", "Ending visit 7"]
    assert block.getFunctionName() == "visit 7"


def test_suppressed_block_collects_nothing(monkeypatch):
    root, seen = collecting_root(Log.INFO)
    monkeypatch.setattr(resource, "getrusage", None)
    block = BlockTimingLog(root, "visit", usageFlags=BlockTimingLog.ALLUDATA)
    block.start()
    block.done()
    assert seen == []


@pytest.mark.contract("13.5.blocks")
def test_time_block_is_a_started_child():
    root, seen = collecting_root()
    visit = BlockTimingLog(root, "visit", -2)
    stage = visit.timeBlock("stage", funcName="stage 1")
    assert type(stage) is BlockTimingLog and stage.getName() == "visit.stage"
    assert [p.get("COMMENT") for p in seen] == ["Starting stage 1"]
    assert stage.getInstrumentationLevel() == -2
    assert visit.createForBlock("x", -5).getInstrumentationLevel() == -5


def test_level_is_inherited_only_from_a_timing_log():
    root, _ = collecting_root()
    inherit = Log.INHERIT_THRESHOLD
    assert BlockTimingLog(root, "a", inherit).getInstrumentationLevel() == BlockTimingLog.INSTRUM
    timing = BlockTimingLog(root, "b", -7)
    assert BlockTimingLog(timing, "c", inherit).getInstrumentationLevel() == -7
    assert BlockTimingLog(timing, "c").getInstrumentationLevel() == BlockTimingLog.INSTRUM


PROPERTIES = {
    "UTIME": {"usertime"},
    "STIME": {"systemtime"},
    "SUTIME": {"usertime", "systemtime"},
    "MEMSZ": {"maxrss"},
    "NSWAP": {"nswap"},
    "BLKIN": {"blocksin"},
    "BLKOUT": {"blocksout"},
    "BLKIO": {"blocksin", "blocksout"},
    "MINFLT": {"minflt"},
    "MAJFLT": {"majflt"},
    "LINUXUDATA": {"usertime", "systemtime", "minflt", "majflt"},
    "ALLUDATA": {"usertime", "systemtime", "maxrss", "nswap", "blocksin", "blocksout", "minflt", "majflt"},
    "NOUDATA": set(),
}


@pytest.mark.contract("13.5.blocks")
@pytest.mark.parametrize("flag", PROPERTIES)
def test_flags_choose_the_figures(flag):
    record = LogRecord(0, 0)
    log = BlockTimingLog(Log(), "x", usageFlags=getattr(BlockTimingLog, flag))
    log.addUsageProps(record)
    assert set(record.getProperties()) - {"LEVEL", "TIMESTAMP", "DATE"} == PROPERTIES[flag]


@pytest.mark.contract("17.59")
def test_each_figure_is_the_one_of_the_system(monkeypatch):
    fields = "utime stime maxrss minflt majflt nswap inblock oublock".split()
    values = dict(zip(fields, [1.5, 2.5, 3, 4, 5, 6, 7, 8], strict=True))
    usage = type("Usage", (), {f"ru_{name}": value for name, value in values.items()})
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    record = LogRecord(0, 0)
    BlockTimingLog(Log(), "x", usageFlags=BlockTimingLog.ALLUDATA).addUsageProps(record)
    properties = record.getProperties()
    assert properties.getDouble("usertime") == 1.5
    assert properties.getDouble("systemtime") == 2.5
    names = "maxrss minflt majflt nswap blocksin blocksout".split()
    assert [properties.getLong(name) for name in names] == [3, 4, 5, 6, 7, 8]


def test_flags_are_inherited_from_a_timing_parent():
    root = BlockTimingLog(Log(), "a", usageFlags=BlockTimingLog.SUTIME)
    child = BlockTimingLog(root, "b")
    assert child.getUsageFlags() == BlockTimingLog.SUTIME
    child.addUsageFlags(BlockTimingLog.MEMSZ)
    assert child.getUsageFlags() == BlockTimingLog.SUTIME | BlockTimingLog.MEMSZ
    child.setUsageFlags(BlockTimingLog.NOUDATA)
    assert child.getUsageFlags() == 0
    child.addUsageFlags(BlockTimingLog.PARENTUDATA)
    assert child.getUsageFlags() == BlockTimingLog.SUTIME
    assert BlockTimingLog(Log(), "c").getUsageFlags() == 0


@pytest.mark.contract("17.60")
@pytest.mark.parametrize("clone", [BlockTimingLog, copy.copy, copy.deepcopy])
def test_copies_keep_flags_so_that_records_carry_usage(clone):
    root, seen = collecting_root()
    outer = BlockTimingLog(root, "outer", usageFlags=BlockTimingLog.LINUXUDATA)
    log = BlockTimingLog(outer, "visit", -4, BlockTimingLog.MEMSZ, "name in texts")
    twin = clone(log)
    assert (twin.getName(), twin.getInstrumentationLevel()) == ("outer.visit", -4)
    assert (twin.getFunctionName(), twin.getUsageFlags()) == ("name in texts", BlockTimingLog.MEMSZ)
    twin.setUsageFlags(BlockTimingLog.PARENTUDATA)
    twin.start()
    twin.timeBlock("stage").done()
    assert len(seen) == 3
    for properties in seen:
        assert PROPERTIES["LINUXUDATA"] <= set(properties)
    assert log.getUsageFlags() == BlockTimingLog.MEMSZ


def test_usage_figures_have_their_types():
    record = LogRecord(0, 0)
    BlockTimingLog(Log(), "x", usageFlags=BlockTimingLog.ALLUDATA).addUsageProps(record)
    properties = record.getProperties()
    assert properties.typeOf("usertime") is PropertySet.TYPE_Double
    assert properties.typeOf("maxrss") is PropertySet.TYPE_Long
    assert properties.getLong("maxrss") > 1000

# SPDX-License-Identifier: BSD-3-Clause
"""What a stage of 2007 or 2008 sees of the harness: calls in their order, queues, clipboards, identity."""

from __future__ import annotations

import lsst.dps.Clipboard
import lsst.dps.Queue
import lsst.dps.Stage
import lsst.pex.harness.Stage
import pytest
from harness.clipboard import Clipboard
from harness.dc3a import adapt, find_half
from harness.iostage import InputStageSerial
from harness.policy import Policy
from harness.queue import Queue
from harness.stage import (
    ClassLookupError,
    NoOpSerialProcessing,
    ParallelProcessing,
    SerialProcessing,
    WrongClassError,
)
from harness.tester import SimpleStageTester

OldStage = lsst.pex.harness.Stage.Stage
OldestStage = lsst.dps.Stage.Stage


class Noting(OldStage):
    """Notes every call of the harness."""

    def __init__(self, *arguments):
        self.calls = [("__init__", *arguments)]
        super().__init__(*arguments)

    def initialize(self, outQueue, inQueue):
        self.calls.append("initialize")
        super().initialize(outQueue, inQueue)

    def setRank(self, rank):
        self.calls.append(("setRank", rank))
        super().setRank(rank)

    def setUniverseSize(self, size):
        self.calls.append(("setUniverseSize", size))
        super().setUniverseSize(size)

    def setRun(self, runId):
        self.calls.append(("setRun", runId))
        super().setRun(runId)


def made(cls, rank, policy=None):
    stage = adapt(cls)(policy, sysdata={"stageId": 3, "runId": "r9", "universeSize": 5})
    half = stage.createSerialProcessing() if rank < 0 else stage.createParallelProcessing(rank)
    half.initialize(Queue(), Queue())
    return half


@pytest.mark.contract("15.1.calls")
def test_the_calls_at_the_start_come_in_their_order():
    policy = Policy()
    assert made(Noting, 2, policy).held.calls == [
        ("__init__", 3, policy),
        "initialize",
        ("setRank", 2),
        ("setUniverseSize", 5),
        ("setRun", "r9"),
    ]
    assert made(Noting, -1).held.calls == [
        ("__init__", 3),
        "initialize",
        ("setUniverseSize", 5),
        ("setRun", "r9"),
    ]


@pytest.mark.contract("15.1.attributes")
def test_a_stage_starts_with_the_attributes_of_2008():
    stage = OldStage()
    assert (stage.stageId, stage._rank, stage._runId) == (-1, -1, "TEST")
    assert stage._policy is None and stage._lookup == {}
    assert not hasattr(stage, "_universeSize")
    assert stage.inputQueue is None and stage.outputQueue is None and stage.activeClipboard is None


@pytest.mark.contract("15.1.accessors")
def test_getters_give_what_setters_took():
    stage = OldStage(1)
    values = {"StageId": 4, "Rank": 2, "UniverseSize": 7, "Run": "r", "Lookup": {"a": "b"}}
    for name, value in values.items():
        getattr(stage, f"set{name}")(value)
        assert getattr(stage, f"get{name}")() == value


@pytest.mark.contract("15.1.defaults")
def test_a_stage_that_overrides_nothing_hands_its_clipboard_on():
    for rank in (-1, 0):
        tester = SimpleStageTester(adapt(OldStage)())
        given = Clipboard()
        assert tester.run(given, rank) is given


class Both(OldestStage):
    def preprocess(self):
        self.kept = self.inputQueue.getNextDataset()

    def postprocess(self):
        self.kept.put("seen", self.kept.get("inputData"))
        self.outputQueue.addDataset(self.kept)

    def process(self):
        clipboard = self.inputQueue.element()
        assert self.inputQueue.getNextDataset() is clipboard
        assert type(clipboard) is lsst.dps.Clipboard.Clipboard
        fresh = lsst.dps.Clipboard.Clipboard()
        fresh.put("keys", clipboard.getKeys())
        clipboard.close()
        self.outputQueue.addDataset(fresh)


@pytest.mark.contract("15.1.inputData")
def test_a_stage_of_2007_finds_the_payload_of_its_event_as_input_data():
    tester = SimpleStageTester(adapt(Both, topic="frames")())
    tester.setEvent("frames", {"visit": 5})
    assert tester.runMaster({}).get("seen").getInt("visit") == 5
    assert tester.runMaster({"inputData": 3}).get("seen") == 3


@pytest.mark.contract("15.1.clipboard")
def test_clipboards_of_2007_have_four_methods_and_get_raises():
    tester = SimpleStageTester(adapt(Both)())
    given = tester.toClipboard({"a": 1})
    out = tester.runWorker(given)
    assert type(out) is Clipboard and out.get("keys") == ["a"]
    assert given.getKeys() == []
    with pytest.raises(KeyError):
        tester.runMaster({})
    with pytest.raises(KeyError):
        lsst.dps.Clipboard.Clipboard().get("absent")


class Confused(OldStage):
    stateful = True

    def process(self):
        self.outputQueue.addDataset(self.inputQueue.element())


@pytest.mark.contract("15.1.left")
def test_a_clipboard_that_was_added_but_not_taken_is_moved_on_once():
    half = made(Confused, 0)
    half.inputQueue.addDataset(Clipboard())
    half.applyProcess()
    assert (half.inputQueue.size(), half.outputQueue.size()) == (0, 1)


def test_either_half_is_found_by_the_name_of_either_api():
    name = f"{__name__}.Noting"
    assert issubclass(find_half(name, SerialProcessing), SerialProcessing)
    assert issubclass(find_half(name, ParallelProcessing, one_class=True), ParallelProcessing)
    today = find_half("harness.stage.NoOpSerialProcessing", SerialProcessing)
    assert today is NoOpSerialProcessing
    with pytest.raises(WrongClassError, match="Dc3aStage"):
        find_half("harness.stage.NoOpSerialProcessing", SerialProcessing, one_class=True)
    with pytest.raises(WrongClassError, match="ParallelProcessing"):
        find_half("harness.stage.NoOpSerialProcessing", ParallelProcessing)
    with pytest.raises(ClassLookupError):
        find_half(f"{__name__}.Nothing", ParallelProcessing)
    assert not find_half(name, SerialProcessing).stateful
    assert find_half(f"{__name__}.Confused", SerialProcessing).stateful
    serial = find_half("lsst.dps.IOStage.InputStage", SerialProcessing, one_class=True)
    assert serial is InputStageSerial
    with pytest.raises(WrongClassError, match=r"lsst\.dps\.Stage\.Stage"):
        adapt(SerialProcessing)


class Failing(OldStage):
    def process(self):
        self.outputQueue.addDataset(self.inputQueue.getNextDataset())
        raise ValueError("late")

    preprocess = process


@pytest.mark.contract("15.1.failing")
@pytest.mark.parametrize(("rank", "method"), [(0, "applyProcess"), (-1, "applyPreprocess")])
def test_a_stage_that_raises_has_its_clipboard_put_back_and_none_elsewhere(rank, method):
    half, clipboard = made(Failing, rank), Clipboard()
    half.inputQueue.addDataset(clipboard)
    with pytest.raises(ValueError, match="late"):
        getattr(half, method)()
    assert half.inputQueue.element() is clipboard
    assert (half.inputQueue.size(), half.outputQueue.size()) == (1, 0)

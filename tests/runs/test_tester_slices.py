# SPDX-License-Identifier: BSD-3-Clause
"""SimpleStageTester beyond one process: real slices, exchanges, visits, events, and what goes wrong."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
from harness._core import birth_counts
from harness.clipboard import Clipboard
from harness.dc3a import Dc3aStage, adapt
from harness.errors import HarnessError, SliceDied, StageFailed
from harness.policy import Policy
from harness.stage import ParallelProcessing, SerialProcessing, Stage
from harness.tester import SimpleStageTester, Visit
from harness.tester.slices import OtherProcess


class FlatSerial(SerialProcessing):
    def preprocess(self, clipboard):
        clipboard.put("flat", np.full((300, 300), self.policy.getDouble("level")), True)

    def postprocess(self, clipboard):
        clipboard.put("levels", clipboard.gather("level"))


class FlatParallel(ParallelProcessing):
    def setup(self):
        self.visits = 0

    def process(self, clipboard):
        self.visits += 1
        clipboard.put("level", clipboard.get("raw") * float(clipboard.get("flat").mean()), True)
        clipboard.put("who", (self.rank, self.universeSize, self.stageId, self.getName(), self.runId))
        clipboard.put("pid", os.getpid())
        clipboard.put("visits", self.visits)


class Flat(Stage):
    serialClass = FlatSerial
    parallelClass = FlatParallel


class Edge(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("edges", sorted(key for key in clipboard.getKeys() if key.startswith("level-")))


@pytest.fixture
def tester():
    policy = Policy()
    policy.set("level", 2.0)
    return SimpleStageTester(Flat(policy), "flat", runID="r8")


@pytest.mark.contract("9.slices", "17.13")
def test_slices_are_processes_and_what_is_shared_crosses(tester):
    given = Clipboard()
    given.put("raw", np.full((200, 200), 3.0))
    out = tester.runSlices([given, {"raw": 5.0}], workers=2)
    assert [type(clipboard) for clipboard in out] == [Clipboard, Clipboard]
    assert out[0].get("level").mean() == 6.0 and out[1].get("level") == 10.0
    assert out[0].getSharedKeys() == ["level"]
    assert out[1].get("who") == (1, 3, 1, "flat", "r8")
    pids = {clipboard.get("pid") for clipboard in out}
    assert len(pids) == 2 and os.getpid() not in pids
    assert given.getKeys() == ["raw"]


@pytest.mark.contract("9.slices")
def test_a_stage_added_with_share_data_begins_with_an_exchange(tester):
    tester.addStage(Edge(), shareData=True)
    topology = {"type": "ring", "param1": "clockwise"}
    out = tester.runSlices({"raw": 1.0}, 3, topology=topology, workers=2)
    assert [clipboard.get("edges") for clipboard in out] == [["level-2"], ["level-0"], ["level-1"]]


@pytest.mark.contract("9.slices")
def test_instances_live_from_visit_to_visit_and_clipboards_do_not(tester):
    visits = [Visit([{"raw": 1.0}, {"raw": 2.0}], {"night": 7}), Visit([{"raw": 3.0}, {"raw": 4.0}])]
    first, second = tester.runVisits(visits, workers=1)
    assert first.master.get("levels") == [2.0, 4.0] and second.master.get("levels") == [6.0, 8.0]
    assert [clipboard.get("visits") for clipboard in second.slices] == [2, 2]
    assert first.master.get("night") == 7 and not second.master.contains("night")


@pytest.mark.contract("7.2.tester")
def test_event_data_is_on_every_clipboard(tester):
    class Seen(Stage):
        class serialClass(SerialProcessing):
            def preprocess(self, clipboard):
                clipboard.put("seen", clipboard.get("frames").getInt("visit"))

        class parallelClass(ParallelProcessing):
            def process(self, clipboard):
                clipboard.put("seen", clipboard.get("frames").getInt("visit"))

    sut = SimpleStageTester(Seen())
    sut.setEvent("frames", {"visit": 5})
    (visit,) = sut.runVisits([Visit({})], 1)
    assert visit.master.get("seen") == visit.slices[0].get("seen") == 5


def test_stages_of_2008_run_in_slices_too():
    class Old(Dc3aStage):
        def process(self):
            clipboard = self.inputQueue.getNextDataset()
            clipboard.put("rank", self.getRank())
            self.outputQueue.addDataset(clipboard)

    out = SimpleStageTester(adapt(Old)()).runSlices({}, 2)
    assert [clipboard.get("rank") for clipboard in out] == [0, 1]


class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(a + b)


class Misbehaving(Stage):
    class parallelClass(ParallelProcessing):
        def setup(self):
            if self.policy.exists("atSetup"):
                raise KeyError("not set up")

        def process(self, clipboard):
            what = clipboard.get("what")
            if what == "raise" and self.rank > 0:
                raise ValueError(f"bad pixel in {self.rank}")
            if what == "odd":
                raise Odd("does not ", "pickle")
            if what == "keep":
                clipboard.put("callback", lambda: None)
            if what == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "hang":
                time.sleep(60)


@pytest.mark.parametrize(
    ("what", "kind", "told"),
    [
        ("raise", ValueError, "^bad pixel in 1$"),
        ("odd", StageFailed, "Odd: does not pickle"),
        ("keep", TypeError, "slice 0 holds a value under 'callback'"),
        ("die", SliceDied, r"SIGKILL \(signal 9\) while it ran stage '1' of visit 1 for rank .; the run"),
    ],
)
def test_what_goes_wrong_in_a_slice_reaches_the_test(what, kind, told):
    sut = SimpleStageTester(Misbehaving(Policy()))
    with pytest.raises(kind, match=told) as caught:
        sut.runSlices({"what": what}, 3, workers=2)
    if what == "raise":
        assert isinstance(caught.value.__cause__, OtherProcess)
        assert "stage 1 in slice 1, visit 1" in str(caught.value.__cause__)
        assert "test_tester_slices.py" in str(caught.value.__cause__)
    if what == "die":
        assert str(caught.value).endswith("logged and printed last, which comes with the test")


class Bears(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            before = birth_counts()[0]
            image = np.ones((300, 300))
            clipboard.put("born", birth_counts()[0] - before)
            clipboard.put("image", image)


def test_arrays_of_stage_code_are_born_shared_in_the_first_test_and_in_later_ones():
    for _ in range(2):
        out = SimpleStageTester(Bears()).runSlices({}, 2)
        assert [clipboard.get("born") for clipboard in out] == [1, 1]
        assert out[0].get("image").sum() == 90_000
        # It is the test's own, whatever it was there.
        out[0].get("image")[:] = 0.0


class Uneven(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put(f"level{self.rank}", 1, True)


def test_an_exchange_that_fails_reaches_the_test():
    sut = SimpleStageTester(Uneven())
    sut.addStage(Edge(), shareData=True)
    with pytest.raises(StageFailed, match="mark different keys shareable"):
        sut.runSlices({}, 2, topology={"type": "ring", "param1": "clockwise"})


def test_what_setup_raises_reaches_the_test():
    policy = Policy()
    policy.set("atSetup", True)
    with pytest.raises(KeyError, match="not set up"):
        SimpleStageTester(Misbehaving(policy)).runSlices({}, 1)


class DiesInSetup(Stage):
    class parallelClass(ParallelProcessing):
        def setup(self):
            os.kill(os.getpid(), signal.SIGKILL)

        def process(self, clipboard):
            pass


def test_a_slice_that_dies_while_it_is_set_up_is_told_as_that():
    with pytest.raises(SliceDied, match=r"SIGKILL \(signal 9\) while it set its stages up; the run ends"):
        SimpleStageTester(DiesInSetup()).runSlices({}, 2, workers=2)


class Prints(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            print(f"python of {self.rank}")
            os.system("echo child")


def test_what_a_slice_prints_is_the_tests_output(capfd):
    SimpleStageTester(Prints()).runSlices({}, 1)
    assert capfd.readouterr().out == "python of 0\nchild\n"


class Tells(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("threshold", self.log.getThreshold())


def test_the_logs_of_slices_have_the_threshold_of_the_tester():
    sut = SimpleStageTester(Tells())
    sut.setLogThreshold(7)
    assert sut.runSlices({}, 1)[0].get("threshold") == 7


def test_slices_that_take_too_long_are_ended():
    with pytest.raises(TimeoutError, match=r"longer than 0\.5 s"):
        SimpleStageTester(Misbehaving(Policy())).runSlices({"what": "hang"}, 1, timeout=0.5)


class Mistaken(Stage):
    serialClass = FlatParallel


def test_a_class_of_the_wrong_kind_is_refused():
    told = "stage 1: the serialClass of Mistaken must be a subclass of SerialProcessing, not .*FlatParallel"
    with pytest.raises(TypeError, match=told):
        SimpleStageTester(Mistaken()).runSlices({}, 1)


class RaisesInMaster(Stage):
    class serialClass(SerialProcessing):
        def setup(self):
            if self.policy.exists("atSetup"):
                raise KeyError("no master")

        def preprocess(self, clipboard):
            os._exit(7)


def test_what_goes_wrong_in_the_master_reaches_the_test():
    with pytest.raises(StageFailed, match="master of the tested slices died with exit code 7"):
        SimpleStageTester(RaisesInMaster(Policy())).runSlices({}, 2)
    policy = Policy()
    policy.set("atSetup", True)
    with pytest.raises(KeyError, match="no master"):
        SimpleStageTester(RaisesInMaster(policy)).runSlices({}, 2)


def test_arguments_that_do_not_fit_are_refused(tester):
    with pytest.raises(ValueError, match="say how many there are"):
        tester.runSlices({"raw": 1.0})
    with pytest.raises(ValueError, match="each of 3 slices"):
        tester.runSlices([{"raw": 1.0}], 3)
    with pytest.raises(TypeError, match="not on int"):
        tester.runSlices([3])
    with pytest.raises(TypeError, match="expected Visit"):
        tester.runVisits([{"raw": 1.0}], 1)
    with pytest.raises(ValueError, match="no stage was added so: addStage"):
        tester.runSlices({"raw": 1.0}, 2, topology={"type": "ring", "param1": "clockwise"})
    with pytest.raises(ValueError, match="has no stage"):
        SimpleStageTester().runSlices({}, 1)
    tester.addStage(Edge(), shareData=True)
    with pytest.raises(ValueError, match="no topology"):
        tester.runSlices({"raw": 1.0}, 2)
    with pytest.raises(HarnessError, match="topology.param1"):
        tester.runSlices({"raw": 1.0}, 2, topology={"type": "ring", "param1": "left"})

# SPDX-License-Identifier: BSD-3-Clause
"""The processing classes: construction, accessors, and how clipboards move through the queues."""

import pytest
from harness.clipboard import Clipboard
from harness.queue import Queue
from harness.stage import (
    NoOpParallelProcessing,
    NoOpSerialProcessing,
    ParallelProcessing,
    SerialProcessing,
    StageProcessing,
)

ALL_CLASSES = [
    StageProcessing,
    SerialProcessing,
    ParallelProcessing,
    NoOpSerialProcessing,
    NoOpParallelProcessing,
]


class Recording(SerialProcessing):
    def setup(self):
        self.seen = []

    def preprocess(self, clipboard):
        self.seen.append(("pre", clipboard))

    def postprocess(self, clipboard):
        self.seen.append(("post", clipboard))


class Doubling(ParallelProcessing):
    def process(self, clipboard):
        clipboard.put("x", 2 * clipboard.get("x"))
        return "ignored"


def plugged(stage, *clipboards):
    """The stage between two new queues, the clipboards in its input queue."""
    stage.initialize(Queue(), Queue())
    for clipboard in clipboards:
        stage.inputQueue.addDataset(clipboard)
    return stage


def clipboard_with(**values):
    clipboard = Clipboard()
    for key, value in values.items():
        clipboard.put(key, value)
    return clipboard


@pytest.mark.contract("2.3.defaults")
@pytest.mark.parametrize("cls", ALL_CLASSES)
def test_defaults_hold_without_arguments(cls):
    sut = cls()
    assert (sut.policy, sut.log, sut.eventBroker, sut.sysdata) == (None, None, None, {})
    assert (sut.stageId, sut.rank, sut.universeSize) == (-1, -1, 1)
    assert (sut.runId, sut.name) == ("user-driven", "processing stage")
    assert sut.inputQueue is None
    assert sut.outputQueue is None


@pytest.mark.contract("2.2.sysdata")
@pytest.mark.parametrize("cls", ALL_CLASSES)
def test_sysdata_sets_the_attributes_and_other_keys_are_kept(cls):
    policy, log = object(), object()
    sysdata = {"stageId": 3, "rank": 7, "runId": "r1", "name": "warp", "universeSize": 9, "site": "x"}
    sut = cls(policy, log, "broker.example.org", sysdata)
    assert sut.policy is policy
    assert sut.log is log
    assert sut.getEventBrokerHost() == "broker.example.org"
    assert (sut.stageId, sut.getRank(), sut.getRun(), sut.getName(), sut.getUniverseSize()) == (
        3,
        7,
        "r1",
        "warp",
        9,
    )
    assert sut.sysdata == sysdata


@pytest.mark.contract("2.2.sysdata")
def test_sysdata_is_copied():
    sysdata = {"rank": 1}
    sut = StageProcessing(None, None, None, sysdata)
    sysdata["rank"] = 2
    assert sut.sysdata == {"rank": 1}


def test_sysdata_of_the_wrong_kind_is_a_type_error_that_names_the_class():
    with pytest.raises(TypeError, match=r"Doubling: sysdata must be a dict .* not str: 'warp'"):
        Doubling(None, None, None, "warp")


@pytest.mark.contract("2.4.accessors")
def test_setters_change_what_getters_answer():
    sut = StageProcessing()
    sut.setRun("r2")
    sut.setRank(4)
    sut.setUniverseSize(5)
    assert (sut.getRun(), sut.getRank(), sut.getUniverseSize()) == ("r2", 4, 5)


@pytest.mark.contract("2.2.constructor")
def test_setup_runs_last_when_all_but_the_queues_is_set():
    class Watching(StageProcessing):
        def setup(self):
            self.found = dict(vars(self))

    found = Watching("policy", "log", "broker", {"rank": 2, "name": "n"}).found
    assert found["policy"] == "policy"
    assert found["log"] == "log"
    assert found["eventBroker"] == "broker"
    assert (found["rank"], found["name"], found["stageId"]) == (2, "n", -1)
    assert found["inputQueue"] is None


@pytest.mark.contract("2.2.constructor")
def test_setup_is_left_out_on_request():
    class Failing(StageProcessing):
        def setup(self):
            raise AssertionError("setup was called")

    Failing(None, None, None, None, False)


@pytest.mark.contract("2.4.initialize")
def test_initialize_takes_the_output_queue_first():
    outgoing, incoming = Queue(), Queue()
    sut = StageProcessing()
    sut.initialize(outgoing, incoming)
    assert sut.outputQueue is outgoing
    assert sut.inputQueue is incoming


@pytest.mark.contract("17.18")
def test_shutdown_is_an_ordinary_method():
    assert StageProcessing().shutdown() is None


@pytest.mark.contract("2.5.preprocess")
def test_preprocess_result_is_a_new_queue_with_the_clipboard():
    clipboard = Clipboard()
    sut = plugged(Recording(), clipboard)
    between = sut.applyPreprocess()
    assert sut.seen == [("pre", clipboard)]
    assert between is not sut.inputQueue
    assert between is not sut.outputQueue
    assert between.size() == 1
    assert between.element() is clipboard
    assert sut.inputQueue.size() == 0
    assert sut.outputQueue.size() == 0


@pytest.mark.contract("2.5.postprocess")
def test_postprocess_moves_every_clipboard_on_in_order():
    first, second = Clipboard(), Clipboard()
    sut = plugged(Recording())
    between = Queue()
    between.addDataset(first)
    between.addDataset(second)
    sut.applyPostprocess(between)
    assert sut.seen == [("post", first), ("post", second)]
    assert between.size() == 0
    assert [sut.outputQueue.getNextDataset(), sut.outputQueue.getNextDataset()] == [first, second]


@pytest.mark.contract("2.5.process")
def test_process_changes_the_clipboard_in_place_and_moves_it_on():
    clipboard = clipboard_with(x=21)
    sut = plugged(Doubling(), clipboard, Clipboard())
    assert sut.applyProcess() is None
    assert clipboard.get("x") == 42
    assert sut.outputQueue.element() is clipboard
    assert sut.inputQueue.size() == 1


@pytest.mark.contract("2.5.peek")
@pytest.mark.parametrize("half", ["preprocess", "process"])
def test_clipboard_stays_at_the_head_of_its_queue_when_the_stage_raises(half):
    def fail(self, clipboard):
        clipboard.put("partial", 1)
        raise ValueError("boom")

    base = ParallelProcessing if half == "process" else SerialProcessing
    sut = plugged(type("Failing", (base,), {half: fail})(), Clipboard())
    with pytest.raises(ValueError, match="boom"):
        getattr(sut, f"apply{half.capitalize()}")()
    assert sut.inputQueue.element().get("partial") == 1
    assert sut.outputQueue.size() == 0


@pytest.mark.contract("2.5.peek")
def test_clipboard_stays_in_the_middle_queue_when_postprocess_raises():
    class Failing(SerialProcessing):
        def postprocess(self, clipboard):
            raise ValueError("boom")

    sut = plugged(Failing(), Clipboard())
    between = sut.applyPreprocess()
    with pytest.raises(ValueError, match="boom"):
        sut.applyPostprocess(between)
    assert between.size() == 1
    assert sut.outputQueue.size() == 0


@pytest.mark.contract("2.5.none")
def test_empty_queue_hands_none_to_the_author():
    serial = plugged(Recording())
    serial.applyPostprocess(serial.applyPreprocess())
    assert serial.seen == [("pre", None), ("post", None)]

    class Watching(ParallelProcessing):
        def process(self, clipboard):
            self.seen = clipboard

    parallel = plugged(Watching())
    parallel.applyProcess()
    assert parallel.seen is None


@pytest.mark.contract("2.5.missing")
@pytest.mark.parametrize("method", ["preprocess", "postprocess"])
def test_calling_a_serial_base_method_names_it(method):
    with pytest.raises(RuntimeError, match=rf"SerialProcessing\.{method}\(\)"):
        getattr(SerialProcessing(), method)(Clipboard())


def test_calling_the_parallel_base_method_names_it():
    with pytest.raises(RuntimeError, match=r"ParallelProcessing\.process\(\)"):
        ParallelProcessing().process(Clipboard())


@pytest.mark.contract("2.5.missing")
def test_a_serial_stage_may_override_preprocess_alone():
    class Before(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("before", True)

    clipboard = Clipboard()
    sut = plugged(Before(), clipboard)
    sut.applyPostprocess(sut.applyPreprocess())
    assert sut.outputQueue.element() is clipboard
    assert clipboard.get("before") is True
    with pytest.raises(RuntimeError, match="postprocess"):
        sut.postprocess(clipboard)


def test_a_serial_stage_may_override_postprocess_alone():
    class After(SerialProcessing):
        def postprocess(self, clipboard):
            clipboard.put("after", True)

    clipboard = Clipboard()
    sut = plugged(After(), clipboard)
    sut.applyPostprocess(sut.applyPreprocess())
    assert clipboard.get("after") is True
    with pytest.raises(RuntimeError, match="preprocess"):
        sut.preprocess(clipboard)


def test_a_method_set_on_the_instance_counts_as_an_override():
    class Late(SerialProcessing):
        def setup(self):
            self.postprocess = lambda clipboard: clipboard.put("late", True)

    clipboard = Clipboard()
    sut = plugged(Late(), clipboard)
    sut.applyPostprocess(sut.applyPreprocess())
    assert clipboard.get("late") is True


@pytest.mark.contract("2.5.missing")
def test_a_serial_stage_that_overrides_neither_fails_with_its_class_and_what_to_define():
    class Forgetful(SerialProcessing):
        pass

    sut = plugged(Forgetful(None, None, None, {"name": "warp"}), Clipboard())
    with pytest.raises(
        RuntimeError, match=r"stage 'warp' does not implement it: define preprocess.*Forgetful"
    ):
        sut.applyPreprocess()
    between = Queue()
    between.addDataset(Clipboard())
    with pytest.raises(RuntimeError, match=r"Forgetful\.postprocess\(\)"):
        sut.applyPostprocess(between)


@pytest.mark.contract("2.5.missing")
def test_a_parallel_stage_that_does_not_override_process_fails():
    class Forgetful(ParallelProcessing):
        pass

    with pytest.raises(RuntimeError, match=r"Forgetful\.process\(\) .* define process\(self, clipboard\)"):
        plugged(Forgetful(), Clipboard()).applyProcess()


@pytest.mark.parametrize(
    "run", [lambda s: s.applyPreprocess(), lambda s: s.applyPostprocess(Queue())], ids=["pre", "post"]
)
def test_running_a_serial_stage_without_queues_says_that_initialize_is_missing(run):
    with pytest.raises(RuntimeError, match=r"'processing stage' .*Recording.* has no queues yet.*initialize"):
        run(Recording())


def test_running_a_parallel_stage_without_queues_says_that_initialize_is_missing():
    with pytest.raises(RuntimeError, match="has no queues yet"):
        Doubling().applyProcess()


@pytest.mark.contract("2.5.override")
def test_apply_methods_may_be_overridden():
    class Pairwise(ParallelProcessing):
        def applyProcess(self):
            for _ in range(2):
                self.outputQueue.addDataset(self.inputQueue.getNextDataset())

    sut = plugged(Pairwise(), Clipboard(), Clipboard())
    sut.applyProcess()
    assert sut.outputQueue.size() == 2


@pytest.mark.contract("2.1.tree")
def test_noop_halves_pass_the_clipboard_on_unchanged():
    clipboard = clipboard_with(x=1)
    serial = plugged(NoOpSerialProcessing(), clipboard)
    serial.applyPostprocess(serial.applyPreprocess())
    assert serial.outputQueue.element() is clipboard
    parallel = plugged(NoOpParallelProcessing(), clipboard)
    parallel.applyProcess()
    assert parallel.outputQueue.element() is clipboard
    assert clipboard.getKeys() == ["x"]


@pytest.mark.contract("17.15")
def test_a_stage_leaves_nothing_behind_when_it_is_dropped():
    assert "__del__" not in {name for cls in ALL_CLASSES for base in cls.__mro__ for name in vars(base)}

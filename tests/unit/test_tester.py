# SPDX-License-Identifier: BSD-3-Clause
"""SimpleStageTester: what stages see and return, and what the tester refuses."""

import importlib
from pathlib import Path

import numpy
import pytest
from harness import tester
from harness.clipboard import Clipboard
from harness.log import Log, getDefaultLog
from harness.policy import Policy, PolicyFile
from harness.properties import PropertySet
from harness.stage import ParallelProcessing, SerialProcessing, Stage
from harness.tester import SimpleStageTester

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture(autouse=True)
def fresh_default_log():
    yield
    Log.closeDefaultLog()


@pytest.fixture
def warp_stage(monkeypatch):
    """The sample module, importable under its name."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    monkeypatch.setenv("WARP_SAMPLE_DIR", str(SAMPLES))
    return importlib.import_module("warp_stage")


class Tracing(SerialProcessing):
    def setup(self):
        self.calls = []

    def preprocess(self, clipboard):
        clipboard.put("trace", [*clipboard.get("trace", []), f"pre {self.getName()}"])
        clipboard.put("half", self)

    def postprocess(self, clipboard):
        clipboard.put("trace", [*clipboard.get("trace", []), f"post {self.getName()}"])


class TracingParallel(ParallelProcessing):
    def process(self, clipboard):
        clipboard.put("trace", [*clipboard.get("trace", []), f"process {self.getName()}"])
        clipboard.put("half", self)

    def shutdown(self):
        self.released = True


class TracingStage(Stage):
    serialClass = Tracing
    parallelClass = TracingParallel


class AreaParallel(ParallelProcessing):
    def process(self, clipboard):
        clipboard.put("area", clipboard.get("width") * clipboard.get("height"))


class Area(Stage):
    parallelClass = AreaParallel


def seen_by(half):
    return (half.rank, half.stageId, half.name, half.runId, half.universeSize)


@pytest.mark.contract("9.example")
def test_the_contracts_example_works():
    sut = SimpleStageTester(Area(Policy()))
    sut.addStage(TracingStage(Policy()), "report")
    out = sut.runWorker({"width": 2.0, "height": 3.0})
    assert out.get("area") == 6.0
    assert out.get("trace") == ["process report"]


@pytest.mark.contract("9.run")
def test_the_master_runs_both_methods_of_each_stage_in_order():
    sut = SimpleStageTester(TracingStage(Policy()), "a")
    sut.addStage(TracingStage(Policy()), "b")
    assert sut.runMaster({}).get("trace") == ["pre a", "post a", "pre b", "post b"]


@pytest.mark.contract("9.run")
def test_a_worker_runs_process_of_each_stage_in_order():
    sut = SimpleStageTester(TracingStage(Policy()), "a")
    sut.addStage(TracingStage(Policy()), "b")
    assert sut.runWorker({}).get("trace") == ["process a", "process b"]


@pytest.mark.contract("9.addStage")
def test_stages_are_named_by_their_number_by_default():
    sut = SimpleStageTester(TracingStage(Policy()))
    sut.addStage(TracingStage(Policy()))
    sut.addStage(TracingStage(Policy()), "named")
    assert sut.runWorker({}).get("trace") == ["process 1", "process 2", "process named"]


@pytest.mark.contract("9.identity")
@pytest.mark.parametrize("sliceID", [0, 5, -3])
def test_the_master_has_rank_minus_one_whatever_the_slice_id(sliceID):
    sut = SimpleStageTester(TracingStage(Policy()), "a", "r7", 4)
    assert seen_by(sut.runMaster({}, sliceID).get("half")) == (-1, 1, "a", "r7", 4)


@pytest.mark.contract("9.identity")
def test_a_worker_has_the_slice_id_as_rank():
    sut = SimpleStageTester(Area(Policy()), "area", "r7", 4)
    sut.addStage(TracingStage(Policy()), "trace")
    out = sut.runWorker({"width": 1, "height": 1}, numpy.int64(2))
    assert seen_by(out.get("half")) == (2, 2, "trace", "r7", 4)
    assert seen_by(SimpleStageTester(TracingStage(Policy())).runWorker({}).get("half"))[0] == 1


@pytest.mark.contract("9.run")
def test_run_chooses_master_or_worker_by_the_sign():
    sut = SimpleStageTester(TracingStage(Policy()))
    assert sut.run({}, -1).get("trace") == ["pre 1", "post 1"]
    assert sut.run({}, 0).get("trace") == ["process 1"]
    assert sut.run({}, 3).get("half").rank == 3


@pytest.mark.contract("9.identity")
def test_defaults_are_those_of_the_contract():
    half = SimpleStageTester(TracingStage(Policy())).runWorker({}).get("half")
    assert (half.runId, half.universeSize) == ("simpleTest", 1)


@pytest.mark.contract("9.new")
def test_components_are_new_at_every_run_and_shut_down_after_it():
    sut = SimpleStageTester(TracingStage(Policy()))
    first, second = (sut.runWorker({}).get("half") for _ in range(2))
    assert first is not second
    assert first.released is True


@pytest.mark.contract("9.new")
def test_stages_get_the_testers_log():
    half = SimpleStageTester(TracingStage(Policy())).runWorker({}).get("half")
    assert half.log.getName() == "SimpleStageTester"


@pytest.mark.contract("9.clipboard")
def test_a_clipboard_comes_back_as_the_same_object():
    clipboard = Clipboard()
    out = SimpleStageTester(TracingStage(Policy())).runWorker(clipboard)
    assert out is clipboard
    assert clipboard.contains("trace")


@pytest.mark.contract("9.clipboard")
def test_a_dict_is_not_modified():
    given = {"width": 2, "height": 3}
    SimpleStageTester(Area(Policy())).runWorker(given)
    assert given == {"width": 2, "height": 3}


def test_without_stages_the_clipboard_comes_back():
    clipboard = Clipboard()
    assert SimpleStageTester().runMaster(clipboard) is clipboard


@pytest.mark.contract("9.clipboard")
@pytest.mark.parametrize("data", [None, [("a", 1)], "text", PropertySet()])
@pytest.mark.parametrize("method", ["runMaster", "runWorker"])
def test_other_data_is_a_type_error(method, data):
    with pytest.raises(TypeError, match="the tester runs on a Clipboard or a dict, not on "):
        getattr(SimpleStageTester(Area(Policy())), method)(data)


@pytest.mark.parametrize("rank", ["1", None, 1.5])
def test_a_slice_id_that_is_no_integer_is_a_type_error(rank):
    sut = SimpleStageTester(Area(Policy()))
    with pytest.raises(TypeError, match="slice id must be an integer"):
        sut.runWorker({}, rank)
    with pytest.raises(TypeError, match="slice id must be an integer"):
        sut.run({}, rank)


@pytest.mark.contract("9.errors")
def test_exceptions_of_stages_reach_the_caller():
    with pytest.raises(TypeError, match="NoneType"):
        SimpleStageTester(Area(Policy())).runWorker({})


@pytest.mark.parametrize(
    ("stage", "hint"),
    [
        (Area, "pass an instance"),
        (AreaParallel, "create.policy, SerialClass, ParallelClass. wraps"),
        (AreaParallel(), "name their classes in one"),
        ("warp.Stage", "must be a Stage instance"),
    ],
)
def test_what_is_no_stage_is_a_type_error_with_the_way_out(stage, hint):
    with pytest.raises(TypeError, match=hint):
        SimpleStageTester(stage)
    with pytest.raises(TypeError, match=hint):
        SimpleStageTester().addStage(stage)


@pytest.mark.contract("9.broker", "17.22")
def test_the_broker_reaches_stages_added_before_and_after():
    before, after = TracingStage(Policy()), TracingStage(Policy())
    sut = SimpleStageTester(before)
    assert sut.getEventBroker() == (None, None)
    sut.setEventBroker("broker.example.org")
    assert sut.getEventBroker() == ("broker.example.org", None)
    sut.addStage(after)
    sut.setEventBroker("other.example.org", 61617)
    assert sut.getEventBroker() == ("other.example.org", 61617)
    assert before.eventBroker == after.eventBroker == "other.example.org"
    assert sut.runWorker({}).get("half").getEventBrokerHost() == "other.example.org"


def test_a_stages_own_broker_stays_when_the_tester_has_none():
    sut = SimpleStageTester(TracingStage(Policy(), None, -1, "own.example.org"))
    assert sut.runWorker({}).get("half").getEventBrokerHost() == "own.example.org"


@pytest.mark.contract("7.2.tester", "9.setEvent", "17.22")
@pytest.mark.parametrize("method", ["runMaster", "runWorker"])
def test_event_data_is_on_the_clipboard_before_the_stages_run(method):
    class Watching(Stage):
        class serialClass(SerialProcessing):
            def preprocess(self, clipboard):
                clipboard.put("seen", clipboard.get("newFrame").getInt("visit"))

        class parallelClass(ParallelProcessing):
            def process(self, clipboard):
                clipboard.put("seen", clipboard.get("newFrame").getInt("visit"))

    sut = SimpleStageTester(Watching(Policy()))
    sut.setEvent("newFrame", {"visit": 85, "filter": "r"})
    assert getattr(sut, method)({}).get("seen") == 85
    assert getattr(sut, method)({}).get("newFrame").getString("filter") == "r"


@pytest.mark.contract("9.setEvent")
def test_event_data_may_be_a_property_set():
    payload = PropertySet()
    payload.set("many", [1, 2])
    sut = SimpleStageTester()
    sut.setEvent("newFrame", payload)
    assert sut.runMaster({}).get("newFrame").getArray("many") == [1, 2]


@pytest.mark.contract("9.setEvent")
@pytest.mark.parametrize("array", [[1, 2], (1,), numpy.zeros(2)])
def test_arrays_in_event_dicts_are_type_errors(array):
    with pytest.raises(TypeError, match="event 'newFrame': 'many' is an array"):
        SimpleStageTester().setEvent("newFrame", {"many": array})


def test_other_event_data_is_a_type_error():
    with pytest.raises(TypeError, match="event 'newFrame' must be a PropertySet or a dict, not int"):
        SimpleStageTester().setEvent("newFrame", 3)


@pytest.mark.contract("9.toClipboard")
def test_to_clipboard_takes_every_entry():
    clipboard = SimpleStageTester().toClipboard({"a": 1, "b": None})
    assert sorted(clipboard.getKeys()) == ["a", "b"]
    assert clipboard.getSharedKeys() == []


@pytest.mark.contract("9.log")
def test_log_settings_go_to_the_default_log():
    sut = SimpleStageTester()
    sut.setDebugVerbosity(4)
    assert getDefaultLog().getThreshold() == -4
    sut.setLogThreshold(7)
    assert getDefaultLog().getThreshold() == 7
    sut.showAllLogProperties(True)
    assert sut.willShowAllLogProperties() is True
    sut.showAllLogProperties(False)
    assert sut.willShowAllLogProperties() is False


@pytest.mark.contract("9.log")
@pytest.mark.parametrize(("verbosity", "shown"), [(5, True), (4, False)])
def test_entering_and_leaving_is_told_at_verbosity_five(capfd, verbosity, shown):
    sut = SimpleStageTester(TracingStage(Policy()), "a")
    sut.setDebugVerbosity(verbosity)
    sut.runMaster({})
    text = capfd.readouterr().err
    for line in ("entering preprocess() of stage 1 'a' (Tracing)", "leaving postprocess() of stage 1 'a'"):
        assert (line in text) is shown


@pytest.fixture
def area_policy(tmp_path):
    path = tmp_path / "area.paf"
    path.write_text("inner: @inner.paf\nscale: 2.0\n")
    (tmp_path / "inner.paf").write_text("deep: 3\n")
    return path


class PolicyReading(ParallelProcessing):
    def process(self, clipboard):
        clipboard.put("scale", self.policy.getDouble("scale"))
        clipboard.put("deep", self.policy.getInt("inner.deep"))


@pytest.mark.contract("9.create")
@pytest.mark.parametrize("form", [str, Path, lambda path: PolicyFile(str(path))], ids=["str", "Path", "file"])
def test_create_reads_policy_files_with_their_includes(area_policy, form):
    out = tester.create(form(area_policy), None, PolicyReading).runWorker({})
    assert (out.get("scale"), out.get("deep")) == (2.0, 3)


@pytest.mark.contract("9.create", "17.21")
def test_create_takes_classes_and_hands_on_run_id_and_universe_size():
    sut = tester.create(Policy(), Tracing, TracingParallel, "r7", 9)
    assert seen_by(sut.runMaster({}).get("half")) == (-1, 1, "1", "r7", 9)
    assert seen_by(sut.runWorker({}, 4).get("half")) == (4, 1, "1", "r7", 9)


def test_create_without_classes_runs_the_noop_halves_and_leaves_stage_alone():
    tester.create(Policy(), Tracing, TracingParallel)
    sut = tester.create(Policy())
    assert sut.runMaster({"a": 1}).getKeys() == ["a"]
    assert sut.runWorker({"a": 1}).getKeys() == ["a"]


@pytest.mark.contract("9.create")
@pytest.mark.parametrize("policy", [None, 3, {"a": 1}])
def test_create_refuses_other_policies(policy):
    with pytest.raises(TypeError, match="must be a Policy, a PolicyFile or a path, not"):
        tester.create(policy)


@pytest.mark.parametrize("serial", [TracingParallel, TracingStage, Tracing(), "warp_stage.WarpParallel", 3])
def test_create_refuses_the_wrong_serial_class(warp_stage, serial):
    with pytest.raises(TypeError, match="SerialProcessing"):
        tester.create(Policy(), serial)


@pytest.mark.parametrize("parallel", [Tracing, TracingStage, "warp_stage.WarpSerial", 3])
def test_create_refuses_the_wrong_parallel_class(warp_stage, parallel):
    with pytest.raises(TypeError, match="ParallelProcessing"):
        tester.create(Policy(), None, parallel)


def test_create_lets_import_errors_through():
    with pytest.raises(ImportError, match="no_such_package"):
        tester.create(Policy(), "no_such_package.Stage")


@pytest.mark.contract("9.test", "17.21")
def test_test_makes_a_tester_for_a_ready_stage():
    sut = tester.test(TracingStage(Policy()), "r7", 3)
    assert seen_by(sut.runWorker({}, 2).get("half")) == (2, 1, "1", "r7", 3)
    with pytest.raises(TypeError, match="Stage instance"):
        tester.test(None)


def test_the_old_import_path_leads_to_the_same_names():
    import lsst.pex.harness.simpleStageTester as old

    assert old.SimpleStageTester is SimpleStageTester
    assert (old.create, old.test) == (tester.create, tester.test)

# SPDX-License-Identifier: BSD-3-Clause
"""Stage, makeStage and makeStageFromPolicy: what the created halves get, and what is refused."""

import sys

import harness.log
import lsst.pex.policy as pexPolicy
import pytest
from harness.policy import Policy, PolicyString
from harness.stage import (
    NoOpParallelProcessing,
    NoOpSerialProcessing,
    ParallelProcessing,
    SerialProcessing,
    Stage,
    makeStage,
    makeStageFromPolicy,
)

SERIAL = "factory_sample.Before"
PARALLEL = "factory_sample.Work"


class Before(SerialProcessing):
    def preprocess(self, clipboard):
        pass


class Work(ParallelProcessing):
    def process(self, clipboard):
        pass


class WorkStage(Stage):
    serialClass = Before
    parallelClass = Work


@pytest.fixture(autouse=True)
def sample_stages(tmp_path, monkeypatch):
    """A module with both halves of a stage, to be found by name."""
    (tmp_path / "factory_sample.py").write_text(
        "from harness.stage import ParallelProcessing, SerialProcessing\n"
        "class Before(SerialProcessing):\n    def preprocess(self, clipboard): pass\n"
        "class Work(ParallelProcessing):\n    def process(self, clipboard): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("factory_sample", None)


def parsed(text):
    return Policy(PolicyString(text))


@pytest.mark.contract("2.6.factory")
def test_defaults_are_the_noop_halves():
    sut = Stage(Policy())
    assert type(sut.createSerialProcessing()) is NoOpSerialProcessing
    assert type(sut.createParallelProcessing()) is NoOpParallelProcessing


@pytest.mark.contract("2.6.factory", "17.17")
def test_both_halves_get_the_policy_log_and_broker_of_the_stage():
    policy, log = Policy(), harness.log.Log(harness.log.Log.getDefaultLog(), "mine")
    sut = WorkStage(policy, log, 4, "broker.example.org", {"name": "work", "runId": "r1", "universeSize": 3})
    serial, parallel = sut.createSerialProcessing(), sut.createParallelProcessing(2)
    assert (type(serial), type(parallel)) == (Before, Work)
    for half, rank in ((serial, -1), (parallel, 2)):
        assert half.policy is policy
        assert half.log is log
        assert half.eventBroker == "broker.example.org"
        assert (half.name, half.runId, half.universeSize, half.stageId) == ("work", "r1", 3, 4)
        assert half.rank == rank
        assert half.sysdata["rank"] == rank


@pytest.mark.contract("2.6.log")
def test_without_a_log_the_halves_get_a_child_of_the_default_log_named_stage():
    assert WorkStage(Policy()).createSerialProcessing().log.getName() == "stage"


def test_a_log_given_at_creation_wins_for_that_half_only():
    sut = WorkStage(Policy())
    mine = harness.log.Log(harness.log.Log.getDefaultLog(), "mine")
    assert sut.createParallelProcessing(0, mine).log is mine
    assert sut.createParallelProcessing(0).log is sut.log


@pytest.mark.contract("2.6.setters", "17.20")
def test_setters_apply_to_halves_created_later():
    sut = WorkStage(Policy())
    mine = harness.log.Log(harness.log.Log.getDefaultLog(), "mine")
    sut.setLog(mine)
    sut.setEventBroker("other.example.org")
    half = sut.createSerialProcessing()
    assert half.log is mine
    assert half.getEventBrokerHost() == "other.example.org"


@pytest.mark.contract("2.6.setters")
def test_sysdata_is_kept_by_reference_and_can_be_updated():
    context = {"name": "a"}
    sut = WorkStage(Policy(), sysdata=context)
    context["site"] = "x"
    sut.updateSysProperty({"name": "b"})
    sut.updateSysProperty(None)
    sut.updateSysProperty({})
    assert sut.getSysProperty("site") == "x"
    assert sut.getSysProperty("name") == "b"
    assert context["name"] == "b"
    assert sut.getSysProperty("absent") is None


@pytest.mark.contract("2.6.stageId")
def test_stage_id_is_stored_unless_it_is_minus_one():
    assert WorkStage(Policy(), None, 3).getSysProperty("stageId") == 3
    assert WorkStage(Policy(), None, -1, None, {"stageId": 5}).getSysProperty("stageId") == 5


def test_extra_sysdata_goes_over_the_stages_for_one_half_only():
    sut = WorkStage(Policy(), sysdata={"name": "a", "runId": "r1"})
    half = sut.createParallelProcessing(3, None, {"name": "b", "more": 1})
    assert (half.name, half.runId, half.sysdata["more"]) == ("b", "r1", 1)
    assert sut.createParallelProcessing(3).name == "a"
    assert sut.getSysProperty("more") is None


@pytest.mark.contract("2.6.rank")
def test_rank_argument_wins_over_every_context():
    sut = WorkStage(Policy(), sysdata={"rank": 9})
    assert sut.createSerialProcessing(None, {"rank": 8}).rank == -1
    assert sut.createParallelProcessing(2, None, {"rank": 8}).rank == 2
    assert sut.createParallelProcessing().rank == 1
    assert sut.getSysProperty("rank") == 9


def test_sysdata_of_the_wrong_kind_is_a_type_error():
    with pytest.raises(TypeError, match="WorkStage: sysdata must be a dict .* not str"):
        WorkStage(Policy(), sysdata="broker.example.org")


@pytest.mark.contract("17.20")
@pytest.mark.parametrize(
    "swapped", [{"serialClass": Work}, {"parallelClass": Before}, {"serialClass": "a.B"}]
)
def test_class_attributes_of_the_wrong_kind_are_value_errors_that_name_the_stage(swapped):
    stage = type("Swapped", (Stage,), swapped)(Policy())
    with pytest.raises(ValueError, match="Swapped: expected a subclass of harness.stage.processing"):
        stage.createSerialProcessing() if "serialClass" in swapped else stage.createParallelProcessing()


@pytest.mark.contract("2.6.makeStage", "17.16")
def test_make_stage_imports_both_classes_and_hands_everything_on():
    policy, log = Policy(), harness.log.Log(harness.log.Log.getDefaultLog(), "mine")
    sut = makeStage(policy, SERIAL, PARALLEL, log, "broker.example.org", {"name": "n"})
    serial, parallel = sut.createSerialProcessing(), sut.createParallelProcessing(0)
    assert (type(serial).__name__, type(parallel).__name__) == ("Before", "Work")
    for half in (serial, parallel):
        assert half.policy is policy
        assert half.log is log
        assert half.eventBroker == "broker.example.org"
        assert half.name == "n"
        assert half.stageId == -1


def test_make_stage_without_class_names_uses_the_noop_halves_and_leaves_stage_itself_alone():
    makeStage(None, SERIAL, PARALLEL)
    sut = makeStage()
    assert type(sut.createSerialProcessing()) is NoOpSerialProcessing
    assert type(sut.createParallelProcessing()) is NoOpParallelProcessing
    assert sut.createSerialProcessing().policy is None


@pytest.mark.contract("2.6.makeStage")
def test_make_stage_refuses_the_wrong_half_with_value_error():
    with pytest.raises(ValueError, match="SerialProcessing"):
        makeStage(None, PARALLEL, None)
    with pytest.raises(ValueError, match="ParallelProcessing"):
        makeStage(None, None, SERIAL)


def test_make_stage_lets_import_errors_through():
    with pytest.raises(ImportError, match="no_such_package"):
        makeStage(None, "no_such_package.module.Class")


@pytest.mark.contract("2.6.makeStageFromPolicy")
def test_stage_from_policy_takes_name_classes_and_configuration():
    policy = parsed(f'name: "Warp"\nserialClass: "{SERIAL}"')
    policy.set("parallelClass", f"  {PARALLEL} ")
    policy.set("stagePolicy", parsed("threshold: 5.0"))
    sut = makeStageFromPolicy(policy, None, "broker.example.org", {"runId": "r1"})
    serial, parallel = sut.createSerialProcessing(), sut.createParallelProcessing(1)
    assert (serial.name, parallel.name) == ("Warp", "Warp")
    assert serial.policy is parallel.policy
    assert serial.policy.getDouble("threshold") == 5.0
    assert (serial.eventBroker, serial.runId) == ("broker.example.org", "r1")


def test_stage_from_an_empty_policy_is_a_nameless_noop():
    sut = makeStageFromPolicy(Policy())
    assert sut.getSysProperty("name") == "unknown stage"
    assert type(sut.createSerialProcessing()) is NoOpSerialProcessing
    assert sut.createSerialProcessing().policy is None


def test_name_in_sysdata_wins_and_the_callers_dict_is_not_changed():
    context = {"name": "given"}
    assert makeStageFromPolicy(parsed("name: Warp"), sysdata=context).getSysProperty("name") == "given"
    untouched = {"runId": "r1"}
    makeStageFromPolicy(parsed("name: Warp"), sysdata=untouched)
    assert untouched == {"runId": "r1"}


@pytest.mark.contract("2.6.makeStageFromPolicy", "4.4.none", "17.19")
@pytest.mark.parametrize("text", ['stagePolicy: "None"', "stagePolicy: None", "eventTopic: None"])
def test_the_string_none_and_an_absent_stage_policy_mean_no_policy(text):
    assert makeStageFromPolicy(parsed(text)).createSerialProcessing().policy is None


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("stagePolicy: warp.paf", "warp.paf"),
        ("stagePolicy: 3", "of type int"),
        ("stagePolicy: @warp.paf", "unresolved include @warp.paf"),
    ],
)
def test_a_stage_policy_that_is_none_is_a_policy_type_error_that_names_the_stage(text, seen):
    with pytest.raises(
        pexPolicy.TypeError, match=rf"stage 'Warp': stagePolicy must be a policy, not .*{seen}"
    ):
        makeStageFromPolicy(parsed(f"name: Warp\n{text}"))

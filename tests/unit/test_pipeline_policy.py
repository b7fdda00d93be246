# SPDX-License-Identifier: BSD-3-Clause
"""A pipeline policy is judged as a whole before anything is forked: all problems, in file order."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from harness.errors import ConfigError
from harness.policy import ParserError
from harness.runtime.configuration.config import PipelineConfig, load_config

STAGE = 'appStage: { parallelClass: "some.module.WarpParallel" }\n'


@pytest.fixture
def load(tmp_path: Path):
    def load(text: str, **options) -> PipelineConfig:
        (tmp_path / "night.paf").write_text(text)
        return load_config(tmp_path / "night.paf", **options)

    return load


def refused(load, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return caught.value


@pytest.mark.contract("4.1.defaults", "4.2.name", "17.26")
def test_every_default_is_that_of_the_dictionary(load):
    config = load(STAGE)
    assert config.n_slices == 0 and config.n_workers == 0
    assert not config.one_loop and not config.local_log_mode
    assert config.log_threshold == -1
    assert config.shutdown_topic == "triggerShutdownEvent" and config.exit_topic is None
    assert config.event_timeout == 10_000_000 and config.event_broker is None
    assert config.topology is None and config.failure is None
    assert config.short_name == "night" and config.pipeline_name == "night"
    (stage,) = config.stages
    assert (stage.number, stage.name, stage.where) == (1, "WarpParallel", "appStage[0]")
    assert stage.serial_class is None and stage.policy is None and not stage.share_data
    assert config.warnings == ()


@pytest.mark.contract("4.0.execute", "4.3.failureStage")
def test_what_the_policy_says_wins(load):
    config = load(
        'execute: { nSlices: 6\nnWorkers: 2\nexecutionMode: "oneloop"\nlogThreshold: 3\nshareDataOn: true\n'
        'topology: { type: "focalplane"\nparam1: 2\nparam2: 3 }\narenaSize: "3 MiB"\n'
        'appStage: { name: "a"\nserialClass: " x.A "\nshareData: true\nstagePolicy: { k: 1 } }\n'
        'failureStage: { parallelClass: "x.F"\nstagePolicy: "None" }\n}\nnSlices: 9\n'
    )
    assert (config.n_slices, config.n_workers, config.log_threshold) == (6, 2, 3)
    assert config.one_loop and config.arena_bytes == 3 << 20
    assert config.topology is not None and config.topology.receives_from(0) == (3, 2, 1)
    assert config.stages[0].share_data and config.stages[0].serial_class == "x.A"
    assert config.stages[0].policy is not None and config.stages[0].policy.getInt("k") == 1
    assert config.failure is not None and config.failure.number == -1 and config.failure.policy is None


@pytest.mark.contract("4.3.failureStage")
def test_a_failure_stage_without_class_is_none(load):
    assert load(STAGE + 'failureStage: { name: "f" }\n').failure is None


@pytest.mark.contract("4.1.types", "4.2.stagePolicy")
def test_all_problems_are_told_at_once_in_the_order_of_the_file(load):
    error = refused(
        load,
        'nSlices: 2.0\nlocalLogMode: "true"\nappStage: { parallelClass: "Bare"\n  stagePolicy: 5 }\n'
        'appStage: { name: 3 }\narenaSize: true\nbarrierDelay: 1\n'
        'appStage: { eventTopic: 4\n serialClass: "a.B" }\n',
    )
    spots = [(problem.line, problem.breadcrumb) for problem in error.problems]
    assert spots == [
        (1, "nSlices"),
        (2, "localLogMode"),
        (3, "appStage[0].parallelClass"),
        (4, "appStage[0].stagePolicy"),
        (5, "appStage[1].name"),
        (6, "arenaSize"),
        (7, "barrierDelay"),
        (8, "appStage[2].eventTopic"),
    ]
    text = str(error)
    assert text.startswith("the pipeline policy has 8 problems:\n")
    assert 'nSlices: 2.0\n             ^\n' in text
    assert "expected true or false; saw string" in text
    assert pickle.loads(pickle.dumps(error)) == error


def test_the_only_stage_has_its_number_too(load):
    (problem,) = refused(load, "execute: {\nappStage: { name: 3 }\n}\n").problems
    assert problem.breadcrumb == "execute.appStage[0].name"


@pytest.mark.contract("4.1.unknown")
def test_an_unknown_key_is_a_warning_with_place_and_nearest_name(load):
    (warning,) = load("nSlice: 2\n" + STAGE).warnings
    assert "night.paf:1:1: warning:" in warning and "nSlices" in warning


def test_an_unknown_key_does_not_hide_an_error(load):
    error = refused(load, "nSlice: 2\nnSlices: -2\n" + STAGE)
    assert [problem.line for problem in error.problems] == [2]


@pytest.mark.parametrize("key", ["eventTopic", "shareData", "serialClass"])
def test_a_stage_key_with_two_values_is_refused(load, key):
    error = refused(load, f'appStage: {{ {key}: "a.B" "c.D" }}\n')
    assert error.problems[0].breadcrumb.startswith(f"appStage[0].{key}")


def test_every_missing_include_is_told(load):
    error = refused(
        load,
        'appStage: { serialClass: "a.B"\n stagePolicy: @one.paf }\n'
        'appStage: { serialClass: "a.B"\n stagePolicy: @two.paf }\n'
        "dir: @three.paf\n",
    )
    assert [problem.line for problem in error.problems] == [2, 4, 5]
    for name in ("one.paf", "two.paf", "three.paf"):
        assert name in str(error)


def test_a_missing_include_of_all_stages_is_told_once(load):
    error = refused(load, "appStage: @stages.paf\n")
    assert [problem.line for problem in error.problems] == [1]


@pytest.mark.contract("4.0.includes")
def test_includes_are_looked_up_beside_the_policy(load, tmp_path, monkeypatch):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "warp.paf").write_text("gain: 2.5\n")
    monkeypatch.chdir("/")
    config = load('appStage: { serialClass: "a.B"\n stagePolicy: @policy/warp.paf }\n')
    assert config.stages[0].policy is not None and config.stages[0].policy.getDouble("gain") == 2.5


def test_an_included_problem_names_the_include(load, tmp_path):
    (tmp_path / "stage.paf").write_text('serialClass: "a.B"\nname: 5\n')
    (problem,) = refused(load, "appStage: @stage.paf\n").problems
    assert problem.file == str(tmp_path / "stage.paf") and problem.line == 2
    assert problem.chain[0][1] == 1


@pytest.mark.parametrize(
    ("text", "breadcrumb", "words"),
    [
        ('topology: { type: "rings" }\n', "topology.type", ['did you mean "ring"?']),
        ("topology: { param1: 3 }\n", "topology.type", ["missing"]),
        ('topology: { type: "focalplane"\nparam1: 2\nparam2: 2 }\n', "topology.param1", ["nSlices = 3"]),
    ],
)
def test_a_bad_topology_is_an_error_where_slices_share_and_a_warning_else(load, text, breadcrumb, words):
    (problem,) = refused(load, f"nSlices: 3\nshareDataOn: true\n{text}{STAGE}").problems
    assert problem.breadcrumb == breadcrumb
    (warning,) = load(f"nSlices: 3\n{text}{STAGE}").warnings
    for word in words:
        assert word in str(problem) and word in warning


def test_an_exchange_without_topology_is_refused(load):
    asking = 'appStage: { parallelClass: "a.B"\n shareData: true }\n'
    (problem,) = refused(load, "nSlices: 2\nshareDataOn: true\n" + STAGE + asking).problems
    assert (problem.line, problem.breadcrumb) == (5, "appStage[1].shareData")
    assert "topology" in problem.expected
    load("nSlices: 2\n" + asking)
    load("nSlices: 2\nshareDataOn: true\n" + STAGE)


def test_directories_that_cannot_be_worked_out_are_refused(load):
    directories = 'dir: { defaultRoot: .\nupdate: u\nrunDirPattern: "%(runnid)s" }\n'
    (problem,) = refused(load, STAGE + directories).problems
    assert "%(runid)s" in str(problem) and (problem.line, problem.breadcrumb) == (2, "dir")


LISTS = 'appStages: "lsst.dps.IOStage.InputStage" " mypipe.Warp.WarpStage "\n'


@pytest.mark.contract("15.2.lists")
def test_the_parallel_lists_of_dc3a_are_stages_whose_classes_have_both_halves(load, tmp_path, monkeypatch):
    (tmp_path / "in.paf").write_text("k: 7\n")
    monkeypatch.chdir(tmp_path)
    config = load("nSlices: 1\n" + LISTS + 'stagePolicies: "in.paf" "None"\n')
    first, second = config.stages
    assert (first.name, second.name) == ("InputStage", "WarpStage") and first.one_class and second.one_class
    assert first.serial_class == first.parallel_class == "lsst.dps.IOStage.InputStage"
    assert second.serial_class == "mypipe.Warp.WarpStage"
    assert first.policy is not None and first.policy.getInt("k") == 7 and second.policy is None
    assert config.warnings == ()


@pytest.mark.contract("15.2.keys")
def test_the_time_limit_and_the_broker_of_dc3a_are_translated(load):
    config = load("nSlices: 1\neventTimeout: 90500\nactivemqBroker: some.host\n" + LISTS)
    assert config.event_timeout == 91 and config.event_broker == "some.host"


@pytest.mark.contract("15.2.lists")
def test_lists_of_different_lengths_or_kinds_are_told(load):
    error = refused(load, LISTS + 'eventTopics: "newFrame"\nstagePolicies: 1 2\n')
    assert [problem.breadcrumb for problem in error.problems] == ["eventTopics", "stagePolicies"]
    assert "expected 2 values" in str(error) and "missing" not in str(error)


def test_a_topic_in_the_lists_is_that_of_its_stage(load):
    config = load('nSlices: 1\neventTopics: "None" "frames"\n' + LISTS)
    assert [stage.event_topic for stage in config.stages] == [None, "frames"]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("tcp://b:61616", "STOMP by a transportConnector"),
        ("data/events", "a spool is named"),
        ("stomp://me:secret@b", "holds a login"),
    ],
)
def test_a_host_that_names_nothing_is_a_problem(load, host, words):
    error = refused(load, f'eventBrokerHost: "{host}"\n' + STAGE)
    (problem,) = error.problems
    assert (problem.line, problem.breadcrumb) == (1, "eventBrokerHost")
    assert words in problem.message and "secret" not in str(error)


@pytest.mark.contract("4.1.broker")
def test_what_a_broker_needs_is_read_and_its_password_is_not_in_what_is_kept(load, tmp_path):
    config = load(
        'eventBrokerHost: "stomp+ssl://b"\neventBroker: { user: "night"\n password: "k3y"\n wait: 5.0\n'
        ' caFile: "ca.pem"\n name: "warp" }\n' + STAGE
    )
    broker = config.events.broker
    assert (broker.user, broker.password, broker.wait_s) == ("night", "k3y", 5.0)
    assert broker.ca_file == str(tmp_path / "ca.pem") and config.events.name == "warp"
    assert config.events.log_events
    assert "k3y" not in config.policy_text() + repr(config) and "(not shown)" in config.policy_text()


def test_a_password_under_a_key_that_is_misspelt_is_not_shown_either(load):
    config = load('eventBrokerHost: "b"\neventBroker: { pasword: "k3y" }\n' + STAGE)
    (warning,) = config.warnings
    assert "eventBroker.pasword" in warning and "k3y" not in warning + config.policy_text()


def test_a_password_of_digits_is_one_and_not_shown(load):
    config = load('eventBrokerHost: "b"\neventBroker: { password: 4711 }\n' + STAGE)
    assert config.events.broker.password == "4711" and "4711" not in config.policy_text() + repr(config)


def test_the_size_and_the_days_of_a_spool_and_whether_log_records_are_events(load):
    config = load('eventSpoolSize: "64 MiB"\neventSpoolDays: 2.5\nlogEvents: true\n' + STAGE)
    events = config.events
    assert (events.spool_bytes, events.spool_days, events.log_events) == (64 << 20, 2.5, True)
    assert not load(STAGE).events.log_events
    error = refused(load, 'eventSpoolSize: "1 kB"\neventSpoolDays: 0.0\nlogEvents: 1\n' + STAGE)
    assert [problem.breadcrumb for problem in error.problems] == [
        "eventSpoolSize", "eventSpoolDays", "logEvents"
    ]  # fmt: skip
    assert "at least 1 MiB" in str(error)


@pytest.mark.parametrize("host", ["None", "", " spool:/data/events "])
def test_a_spool_or_no_broker_serves_a_stage_that_waits(load, host):
    config = load(f'eventBrokerHost: "{host}"\nappStage: {{ serialClass: "a.B"\n eventTopic: "frames" }}\n')
    assert config.stages[0].event_topic == "frames"
    assert config.event_broker == (host.strip() if "spool" in host else None)


@pytest.mark.contract("15.2.lists")
def test_a_path_that_lies_beside_the_policy_only_is_told(load, tmp_path):
    (tmp_path / "in.paf").write_text("k: 7\n")
    (problem,) = refused(load, "nSlices: 1\n" + LISTS + 'stagePolicies: "in.paf" "None"\n').problems
    assert (problem.line, problem.breadcrumb) == (3, "stagePolicies[0]")
    assert "there is one beside" in problem.hint


def test_a_stage_name_stands_for_both_classes_and_beside_none(load):
    (stage,) = load('nSlices: 0\nappStage: { stageName: "mypipe.Warp"\n stagePolicy: "None" }\n').stages
    assert stage.one_class and stage.serial_class == stage.parallel_class == "mypipe.Warp"
    error = refused(load, 'nSlices: 0\nappStage: { stageName: "Warp"\n serialClass: "a.B" }\n')
    where = [problem.breadcrumb for problem in error.problems]
    assert where == ["appStage[0].stageName", "appStage[0].serialClass"]


@pytest.mark.parametrize("workers", [0, 251])
def test_a_number_of_workers_that_cannot_be_is_refused(load, workers):
    with pytest.raises(ConfigError, match=f"--workers: expected 1 to 250 worker processes, saw {workers}"):
        load("nSlices: 2\n" + STAGE, workers=workers)


def test_the_number_of_workers_of_the_command_line_wins(load):
    assert load("nSlices: 9\nnWorkers: 5\n" + STAGE, workers=3).n_workers == 3
    assert load("nSlices: 2\nnWorkers: 5\n" + STAGE).n_workers == 2


def test_text_that_is_no_policy_is_refused_by_the_parser(load):
    with pytest.raises(ParserError):
        load("nSlices 3\n")


def test_reading_a_policy_imports_no_numpy(tmp_path):
    (tmp_path / "night.paf").write_text("nSlices: 2.0\ndir: { defaultRoot: .\n}\n" + STAGE)
    code = (
        "import sys\nfrom harness.runtime.configuration.config import load_config\n"
        "try:\n load_config('night.paf')\nexcept Exception as error:\n print(error)\n"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stdout + done.stderr

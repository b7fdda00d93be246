# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness check`: all problems of a pipeline and its stages at once, whatever the stages do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness.examples.ccd_night.layout import NightLayout
from harness.examples.ccd_night.pipeline_policy import night_policy

DOCS = Path(__file__).parents[2] / "docs" / "checking.md"
STAGES = """
    from pathlib import Path
    from lsst.pex.policy import DefaultPolicyFile, Policy
    os.environ["MY_WARP_DIR"] = os.path.dirname(os.path.abspath(__file__))

    class Merging:
        def setup(self):
            source = DefaultPolicyFile("my_warp", "WarpDictionary.paf", "policy")
            defaults = Policy.createPolicy(source, source.getRepositoryPath(), True)
            own = self.policy if self.policy is not None else Policy()
            own.mergeDefaults(defaults.getDictionary())
            self.policy = own
            assert self.log is not None and self.getRun() == "check"

    class WarpSerial(Merging, SerialProcessing):
        def preprocess(self, clipboard):
            pass

    class WarpParallel(Merging, ParallelProcessing):
        def process(self, clipboard):
            pass

    class Declared(ParallelProcessing):
        policy_dictionary = ("my_warp", "WarpDictionary.paf", "policy")
        def setup(self):
            Path("setup_ran").touch()
        def process(self, clipboard):
            pass

    class Raising(SerialProcessing):
        def setup(self):
            self.limit = 1 / 0

    class Reading(SerialProcessing):
        def setup(self):
            self.gain = self.policy.getDouble("shift")

    class Exiting(SerialProcessing):
        def setup(self):
            sys.exit("I leave")

    class Hanging(SerialProcessing):
        def setup(self):
            while True:
                time.sleep(0.1)

    class Crashing(SerialProcessing):
        def setup(self):
            os.kill(os.getpid(), signal.SIGSEGV)

    class Printing(SerialProcessing):
        def setup(self):
            print("noise")
            os.write(1, b"more noise")

    class Forking(SerialProcessing):
        def setup(self):
            import subprocess
            child = subprocess.Popen(["sleep", "1000"])
            Path("grandchild").write_text(str(child.pid))
"""
DICTIONARY = """
definitions: {
    shift: { type: int
             default: 3 }
    gain: { type: double
            allowed: { min: 0.0 } }
}
"""


class Checker:
    def __init__(self, bench) -> None:
        self.bench = bench
        (bench.folder / "policy").mkdir()
        (bench.folder / "policy" / "WarpDictionary.paf").write_text(DICTIONARY)
        bench.module(STAGES)

    def run(self, text: str | None, *options: str, policy: str = "night.paf"):
        if text is not None:
            (self.bench.folder / policy).write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli.main", "check", policy, *options],
            cwd=self.bench.folder, env=self.bench.environment(), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert "Traceback (most recent" not in done.stdout + done.stderr, done.stderr
        return done

    def problems(self, text: str | None, *options: str, policy: str = "night.paf") -> list[dict]:
        done = self.run(text, "--json", *options, policy=policy)
        found = json.loads(done.stdout)
        assert done.stderr == ""
        assert done.returncode == (1 if any(one["severity"] == "error" for one in found) else 0)
        return found


@pytest.fixture
def check(bench):
    return Checker(bench)


def stage(name: str, policy: str = "", key: str = "serialClass") -> str:
    return f'appStage: {{ {key}: "stages_here.{name}"\n {policy}\n}}\n'


def test_a_clean_pipeline_says_so(check):
    text = "nSlices: 2\n" + stage("WarpSerial") + stage("WarpParallel", key="parallelClass")
    done = check.run(text)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "night.paf: no problems (2 stages, 2 slices)\n"
    assert check.problems(text) == []


def test_copies_that_are_asked_for_and_forbidden_are_told_beside_the_rest(check):
    found = check.problems(
        'execute: {\nsharePolicy: "snapshot"\ncopyPolicy: "strict"\n' + stage("Nothing") + "}\n"
    )
    assert [(one["line"], one["breadcrumb"]) for one in found] == [
        (3, "execute.copyPolicy"),
        (4, "execute.appStage[0].serialClass"),
    ]
    assert "forbids the copies that sharePolicy" in found[0]["message"]


def test_the_problems_of_all_stages_are_told_at_once_in_the_order_of_the_file(check):
    found = check.problems(
        "nSlices: 2\nnSlises: 3\n"
        + stage("WarpSerial", "stagePolicy: { shift: 2.5\n gian: 3.0 }")
        + stage("Nothing")
        + stage("WarpParallel", "stagePolicy: { gain: -1.0 }", key="parallelClass")
        + stage("Raising")
        + "logThreshold: true\n"
    )
    assert [(one["line"], one["breadcrumb"]) for one in found] == [
        (2, "nSlises"),
        (4, "appStage[0].stagePolicy.shift"),
        (5, "appStage[0].stagePolicy.gian"),
        (7, "appStage[1].serialClass"),
        (11, "appStage[2].stagePolicy.gain"),
        (13, "appStage[3].serialClass"),
        (16, "logThreshold"),
    ]
    assert {one["severity"] for one in found} == {"error"}
    assert found[0]["suggestion"] == "nSlices"
    assert found[1]["expected"].startswith("int") and "WarpDictionary.paf:3" in found[1]["expected"]
    assert found[2]["suggestion"] == "gain"
    assert "ZeroDivisionError" in found[5]["message"] and "self.limit = 1 / 0" in found[5]["seen"]


def test_problems_are_shown_with_line_and_caret(check):
    done = check.run(stage("WarpSerial", "stagePolicy: { shift: 2.5 }"))
    assert done.returncode == 1
    assert 'night.paf:2:24: parameter "shift": value has the wrong type\n' in done.stdout
    assert "     stagePolicy: { shift: 2.5 }\n                           ^\n" in done.stdout
    assert done.stdout.endswith("night.paf: 1 error (1 stage, no slices)\n")


def test_a_stage_policy_in_a_file_is_placed_in_that_file(check):
    (check.bench.folder / "policy" / "warp.paf").write_text("\nshift: true\n")
    (found,) = check.problems(stage("WarpSerial", "stagePolicy: @policy/warp.paf"))
    assert (found["file"], found["line"]) == ("policy/warp.paf", 2)


def test_a_problem_of_both_halves_is_told_once(check):
    text = (
        'nSlices: 1\nappStage: { serialClass: "stages_here.WarpSerial"\n'
        ' parallelClass: "stages_here.WarpParallel"\n stagePolicy: { gain: -1.0 } }\n'
    )
    assert len(check.problems(text)) == 1


def test_unknown_keys_are_warnings_where_they_are_allowed(check):
    text = "nSlises: 3\n" + stage("WarpSerial")
    (found,) = check.problems(text, "--allow-unknown")
    assert found["severity"] == "warning"
    assert "night.paf: 1 warning" in check.run(text, "--allow-unknown").stdout


def test_a_type_error_of_setup_is_placed_where_the_value_stands(check):
    (found,) = check.problems(stage("Reading", "stagePolicy: { shift: 2 }"))
    assert (found["line"], found["breadcrumb"]) == (2, "appStage[0].stagePolicy.shift")
    assert found["expected"] == "double" and found["seen"] == "int 2"


def test_a_class_that_names_its_dictionary_is_judged_without_setup(check):
    text = "nSlices: 1\n" + stage("Declared", "stagePolicy: { shift: 2.5 }", key="parallelClass")
    for options in ([], ["--no-setup"]):
        (found,) = check.problems(text, *options)
        assert found["breadcrumb"] == "appStage[0].stagePolicy.shift"
    assert not (check.bench.folder / "setup_ran").exists()


def test_unknown_keys_of_a_stage_that_ignores_them_may_be_allowed(check):
    text = (
        'appStage: { serialClass: "lsst.pex.harness.SymLinkStage.SymLinkStageSerial"\n'
        " stagePolicy: { RunMode: preprocess\n runMode: preprocess\n Links: { sourcePath: a } } }\n"
    )
    for options, severity in (([], "error"), (["--allow-unknown"], "warning")):
        unknown, missing = check.problems(text, *options)
        assert (unknown["line"], unknown["severity"]) == (3, severity)
        assert (missing["line"], missing["severity"]) == (4, "error") and "destPath" in missing["message"]


def test_a_dictionary_that_a_class_names_wrongly_is_told(check):
    check.bench.module(
        """
        class Wrong(SerialProcessing):
            policy_dictionary = "WarpDictionary.paf"
        class Lost(SerialProcessing):
            policy_dictionary = ("my_lost", "Lost.paf")
        """,
        "more_stages",
    )
    wrong, lost = check.problems(
        'appStage: { serialClass: "more_stages.Wrong" }\nappStage: { serialClass: "more_stages.Lost" }\n'
    )
    assert (wrong["line"], lost["line"]) == (1, 2)
    assert "(product, file)" in wrong["expected"] and wrong["seen"] == "'WarpDictionary.paf'"
    assert "my_lost" in lost["message"] and "MY_LOST_DIR" in lost["message"]


def test_without_setup_no_stage_is_made(check):
    text = "nSlices: 1\n" + stage("Raising") + stage("Crashing") + stage("NoSuch")
    (found,) = [one for one in check.problems(text, "--no-setup") if one["severity"] == "error"]
    assert "NoSuch" in found["message"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Exiting", ["SystemExit", "I leave", 'sys.exit("I leave")']),
        ("Crashing", ["setup() of stages_here.Crashing", "SIGSEGV"]),
        ("Hanging", ["setup() of stages_here.Hanging", "did not end within 5 s", "in setup", "--no-setup"]),
    ],
)
def test_a_setup_that_does_not_come_back_is_named_and_the_others_are_checked(check, name, words):
    text = stage("Raising") + stage(name) + stage("WarpSerial", "stagePolicy: { shift: true }")
    found = check.problems(text, *(["--timeout", "5"] if name == "Hanging" else []))
    assert [one["breadcrumb"] for one in found] == [
        "appStage[0].serialClass", "appStage[1].serialClass", "appStage[2].stagePolicy.shift",
    ]  # fmt: skip
    for word in words:
        assert word in " ".join(map(str, found[1].values()))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("import sys\nsys.exit(3)\n", ["SystemExit", "line 2", "sys.exit(3)"]),
        ("import os\nos._exit(0)\n", ["importing bad.A ended the process", "exit code 0"]),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", ["SIGKILL"]),
        ("def f(:\n", ["SyntaxError", "bad.py", "line 1"]),
        ("x = 1\nraise KeyError('deep')\n", ["KeyError", "line 2", "raise KeyError('deep')"]),
        ("import not_there_at_all\n", ["not_there_at_all", "line 1"]),
        ("class A: pass\n", ["SerialProcessing"]),
        ("A = 5\n", ["no class"]),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_its_line(check, module, words):
    (check.bench.folder / "bad.py").write_text(module)
    text = 'appStage: { serialClass: "bad.A" }\n' + stage("Raising")
    found = check.problems(text)
    assert [one["breadcrumb"] for one in found] == ["appStage[0].serialClass", "appStage[1].serialClass"]
    for word in words:
        assert word in found[0]["message"] + found[0]["expected"] + found[0]["seen"]


def test_what_stages_print_does_not_mix_with_the_answer(check):
    assert check.problems(stage("Printing")) == []
    assert "noise" not in check.run(stage("Printing")).stdout


def test_modules_beside_the_policy_do_not_stand_in_for_those_of_python(check):
    for name in ("json", "harness", "signal"):
        (check.bench.folder / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    (check.bench.folder / "night.paf").write_text(stage("Raising", "").replace("stages_here", "far.stages"))
    far = check.bench.folder / "elsewhere" / "far"
    far.mkdir(parents=True)
    (check.bench.folder / "stages_here.py").rename(far / "stages.py")
    command = Path(sys.executable).parent / "pex-harness"
    done = subprocess.run(
        [command, "check", "night.paf", "--json"],
        cwd=check.bench.folder, capture_output=True, text=True, timeout=60,
        env={**check.bench.environment(), "PYTHONPATH": str(far.parent)},
    )  # fmt: skip
    (found,) = json.loads(done.stdout)
    assert "ZeroDivisionError" in found["message"]


def test_what_stages_start_is_ended(check):
    assert check.problems(stage("Forking")) == []
    pid = int((check.bench.folder / "grandchild").read_text())

    def is_gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    check.bench.wait_until(is_gone, "the stage's child to end")


def test_stages_see_a_copy_of_their_policy_and_the_run_is_unchanged(check):
    text = 'executionMode: "oneloop"\n' + stage("WarpSerial", "stagePolicy: { shift: 2 }")
    assert check.problems(text) == []
    assert (check.bench.folder / "night.paf").read_text() == text


def test_a_stage_whose_include_is_missing_hides_no_other(check):
    text = (
        stage("Reading", "stagePolicy: @policy/nope.paf")
        + stage("WarpSerial", "stagePolicy: { shift: true }")
        + stage("NoSuch", "stagePolicy: @policy/nope2.paf")
    )
    found = check.problems(text)
    assert [one["line"] for one in found] == [2, 5, 7, 8]
    assert "policy/nope.paf" in found[0]["message"] and "policy/nope2.paf" in found[3]["message"]


def test_slice_counts_that_make_no_sense_are_warnings(check):
    (found,) = check.problems(stage("WarpParallel", key="parallelClass"))
    assert found["severity"] == "warning" and "nSlices is 0" in found["message"]
    (found,) = check.problems("nSlices: 3\n" + stage("WarpSerial"))
    assert found["severity"] == "warning" and "nothing to do" in found["message"]


def test_a_failure_stage_is_checked_too(check):
    text = stage("WarpSerial") + 'failureStage: { serialClass: "stages_here.Raising" }\n'
    (found,) = check.problems(text)
    assert found["breadcrumb"] == "failureStage.serialClass"


def test_the_dc3a_form_is_checked_and_its_problems_are_told_where_the_lists_stand(check):
    text = 'nSlices: 1\nappStages: "stages_here.Nope" "stages_here.WarpSerial"\n'
    first, second = check.problems(text)
    assert (first["line"], first["breadcrumb"]) == (2, "appStages[0]") and "no attribute" in first["message"]
    assert second["breadcrumb"] == "appStages[1]" and "Dc3aStage" in second["expected"]


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "directory"),
        (lambda path: path.write_bytes(bytes(range(256)) * 10), "bad parameter name"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00{" * 1000), "bad parameter name"),
        (lambda path: path.write_text("appStage: {\n"), "night.paf:1"),
        (lambda path: path.symlink_to(path), "no such file"),
    ],
)
def test_a_file_that_is_no_policy_is_one_problem(check, make, word):
    make(check.bench.folder / "night.paf")
    (found,) = check.problems(None)
    assert word in f"{found['file']}:{found['line']} {found['message']}"
    assert check.run(None).returncode == 1


def test_an_empty_file_lacks_its_stages(check):
    (found,) = check.problems("")
    assert "appStage" in found["message"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_one_problem(check):
    (check.bench.folder / "night.paf").touch(mode=0)
    (found,) = check.problems(None)
    assert "not readable" in found["message"]


@pytest.mark.parametrize(
    "options", [["--timeout", "0"], ["--timeout", "soon"], ["--timeout", "nan"], ["--jsn"]]
)
def test_a_wrong_option_is_refused_with_code_2(check, options):
    done = check.run(stage("WarpSerial"), *options)
    assert done.returncode == 2 and options[-1] in done.stderr


def test_a_dictionary_file_is_checked_as_a_dictionary(check):
    text = "definitions: {\n a: { type: int\n defualt: 3 }\n}\n"
    (found,) = check.problems(text, policy="SomeDictionary.paf")
    assert found["line"] == 3 and "defualt" in found["message"]


def test_any_policy_can_be_checked_against_any_dictionary(check):
    (found,) = check.problems("shift: 1\nother: 2\n", "--dictionary", "policy/WarpDictionary.paf")
    assert (found["line"], found["severity"]) == (2, "error")
    assert check.problems("shift: 1\n", "--dictionary", "policy/WarpDictionary.paf") == []
    (found,) = check.problems("shift: 1\n", "--dictionary", "nope.paf")
    assert "nope.paf: no such file" in found["message"]


def test_an_answer_that_cannot_be_written_is_told(check):
    with open("/dev/full", "w") as full:
        (check.bench.folder / "night.paf").write_text("nothing: 1\n")
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli.main", "check", "night.paf"],
            cwd=check.bench.folder, env=check.bench.environment(), text=True, stdout=full,
            stderr=subprocess.PIPE,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "pex-harness check: writing standard output: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error(check, unbuffered):
    (check.bench.folder / "night.paf").write_text("nothing: 1\n" * 5000)
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli.main", "check", "night.paf"],
        cwd=check.bench.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**check.bench.environment(), "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 1
    process.stderr.close()


def test_an_interrupt_ends_the_check_and_what_it_started(check):
    (check.bench.folder / "night.paf").write_text(stage("Hanging"))
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli.main", "check", "night.paf"],
        cwd=check.bench.folder, env=check.bench.environment(), stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def started() -> list[str]:
        return children.read_text().split()

    check.bench.wait_until(started, "the checking process")
    (child,) = started()
    time.sleep(0.3)
    process.send_signal(2)
    assert process.wait(timeout=20) == 130
    assert process.stderr.read() == b""
    process.stderr.close()
    assert not os.path.exists(f"/proc/{child}")


def test_the_pipeline_of_the_example_is_clean(check):
    layout = NightLayout(check.bench.folder / "night")
    assert check.problems(night_policy(layout, visits=2, amps=4)) == []


def sample(heading: str) -> str:
    """The first block without a language below a heading of the page."""
    below = DOCS.read_text().partition(f"\n{heading}\n")[2]
    return re.search(r"```\n(.*?)```", below, re.DOTALL).group(1)


def test_the_sample_in_the_documentation_is_what_check_prints(check):
    package = check.bench.folder / "mypipe"
    package.mkdir()
    (package / "warp.py").write_text(
        "from lsst.pex.harness.stage import ParallelProcessing\n"
        "class WarpParallel(ParallelProcessing):\n"
        "    policy_dictionary = ('mypipe', 'WarpDictionary.paf', 'policy')\n"
        "    def process(self, clipboard): pass\n"
    )
    (package / "__init__.py").touch()
    (package / "policy").mkdir()
    definition = "definitions: {\n threshold: { type: double }\n}\n"
    (package / "policy" / "WarpDictionary.paf").write_text(definition)
    (check.bench.folder / "policy" / "warp.paf").write_text("\n\ntreshold: 5.0\n")
    done = check.run(
        'nSlices: 2.0\nappStage: {\n    name: "first"\n    parallelClass: "mypipe.warp.WrapParallel"\n}\n'
        'appStage: {\n    name: "second"\n    parallelClass: "mypipe.warp.WarpParallel"\n'
        "    stagePolicy: @policy/warp.paf\n}\n"
    )
    assert done.stdout.replace(str(check.bench.folder), "/home/me") == sample("## Checking a pipeline")


def test_the_sample_in_the_documentation_is_what_show_prints(check):
    (check.bench.folder / "policy" / "warp.paf").write_text("threshold: 5.0\n")
    (check.bench.folder / "night.paf").write_text(
        'nSlices: 2\nappStage: {\n    parallelClass: "mypipe.warp.WarpParallel"\n'
        "    stagePolicy: @policy/warp.paf\n}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "policy", "show", "night.paf"],
        cwd=check.bench.folder, env=check.bench.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith(sample("## Looking into a policy"))


def test_an_include_of_the_only_stage_is_missing_from_the_stage_with_its_number(check):
    (found,) = check.problems(stage("WarpSerial", "stagePolicy: @none.paf"))
    assert found["breadcrumb"] == "appStage[0].stagePolicy"
    assert "where all includes are looked up" in found["expected"]


ITEMS = """
nSlices: 2
appStage: {
    name: "in"
    parallelClass: "lsst.pex.harness.IOStage.InputStageParallel"
    stagePolicy: { parameters: { inputItems: {
        raw: {
            pythonType: "TYPE"
            storagePolicy: { storage: "NpyStorage"
                             location: "RAW" }
        }
    } } }
}
appStage: {
    name: "link"
    serialClass: "lsst.pex.harness.SymLinkStage.SymLinkStageSerial"
    stagePolicy: { RunMode: "preprocess"
        Links: { sourcePath: "a%03d.npy"
                 destPath: "b%03d(visit).npy" }
    }
}
"""


def checked_items(bench, location, python_type):
    (bench.folder / "night.paf").write_text(ITEMS.replace("RAW", location).replace("TYPE", python_type))
    done = bench.command_line("check", "night.paf", "--json")
    return done.code, [one for one in json.loads(done.out) if "[1]" not in one["breadcrumb"]]


@pytest.mark.parametrize(("location", "meant"), [
    ("raw/v%03d.npy", "%03d(visit)"), ("raw/v%06d_c%02d(ccd).npy", "%06d(visit)"),
    ("raw/v%(visit)03d.npy", "%03d(visit)"),
])  # fmt: skip
def test_a_format_that_no_name_stands_behind_is_told_with_what_may_be_meant(bench, location, meant):
    code, (problem,) = checked_items(bench, location, "ndarray")
    # It is a template all the same.
    assert code == 0 and problem["severity"] == "warning" and problem["seen"] == location
    assert "is plain text in every location" in problem["message"] and problem["hint"].endswith(meant)
    assert problem["breadcrumb"] == "appStage[0].stagePolicy.parameters.inputItems.raw.storagePolicy.location"
    assert problem["line"] == 10


@pytest.mark.parametrize("location", [
    "raw/v%03d(visit).npy", "%(input)/%(filt)_v%d(visit)/50%/100%dust.npy",
    "raw/v%-4d(visit)x%5.1f(airmass).npy",
])  # fmt: skip
def test_templates_that_say_what_they_mean_are_left_alone(bench, location):
    assert checked_items(bench, location, "numpy.ndarray") == (0, [])


@pytest.mark.parametrize(("python_type", "suggestion", "said"), [
    ("ndaray", "ndarray", "the name must be a module, a dot and a class"),
    ("harness.storage.image.Imag", "harness.storage.image.Image", "has no attribute 'Imag'"),
    ("nosuch.module.Thing", "", "there is no module 'nosuch'"),
])  # fmt: skip
def test_a_class_to_make_that_is_not_there_is_an_error_with_the_near_name(
    bench, python_type, suggestion, said
):
    code, (problem,) = checked_items(bench, "raw/v%03d(visit).npy", python_type)
    assert code != 0 and problem["severity"] == "error" and said in problem["message"]
    assert problem["suggestion"] == suggestion and problem["seen"] == f'"{python_type}"'
    assert problem["breadcrumb"].endswith("inputItems.raw.pythonType")


def test_templates_of_links_are_looked_at_too(bench):
    (bench.folder / "night.paf").write_text(ITEMS.replace("RAW", "a.npy").replace("TYPE", "ndarray"))
    done = bench.command_line("check", "night.paf", "--json")
    (problem,) = json.loads(done.out)
    assert problem["breadcrumb"] == "appStage[1].stagePolicy.Links.sourcePath" and done.code == 0

# SPDX-License-Identifier: BSD-3-Clause
"""Bad input is refused before anything runs: what, where, expected, seen, and what to do."""

import pytest

STAGES = """
    class WarpSerial(SerialProcessing):
        def preprocess(self, clipboard):
            pass

    class WarpParallel(ParallelProcessing):
        def process(self, clipboard):
            pass

    class Plain:
        pass
"""


def policy_of(bench, text: str) -> str:
    """Writes a policy as it is."""
    (bench.folder / "night.paf").write_text(text)
    return "night.paf"


STAGE = 'appStage: { name: "warp"\n parallelClass: "stages_here.WarpParallel" }\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nSlices: 2\n", ["appStage", "at least one stage", "saw none"]),
        ("nSlices: -1\n" + STAGE, ["nSlices", "expected 0", "saw -1"]),
        ("nSlices: 1000000\n" + STAGE, ["nSlices", "at most 4096", "1000000"]),
        ("nSlices: 2.0\n" + STAGE, ["nSlices", "expected an integer", "double"]),
        ('nSlices: "two"\n' + STAGE, ["nSlices", "expected an integer", "string"]),
        ("nSlices: 2\nnWorkers: 0\n" + STAGE, ["nWorkers", "expected 1 to 250", "saw 0"]),
        ("nSlices: 2\narenaSize: 5000\n" + STAGE, ["arenaSize", "at least 1 MiB", "5000"]),
        ('nSlices: 2\narenaSize: "4 bananas"\n' + STAGE, ["arenaSize", '"4 GiB"', "bananas"]),
        ("nSlices: 2\narenaThreshold: 10\n" + STAGE, ["arenaThreshold", "at least 64 KiB", "10 bytes"]),
        ('nSlices: 2\narenaThreshold: "few"\n' + STAGE, ["arenaThreshold", '"4 GiB"', "few"]),
        ("nSlices: 2\narenaSize: true\n" + STAGE, ["arenaSize", "expected bytes", "true"]),
        ("nSlices: 2\narenaSize: -4096\n" + STAGE, ["arenaSize", "at least 1 MiB", "-4096"]),
        ('nSlices: 2\narenaSize: "-4 GiB"\n' + STAGE, ["arenaSize", '"4 GiB"', "-4 GiB"]),
        ('nSlices: 2\narenaSize: "900 GiB"\n' + STAGE, ["night.paf:2:12", "at most 512 GiB", "900 GiB"]),
        ('nSlices: 2\narenaSize: "9999999 TiB"\n' + STAGE, ["arenaSize", "at most 512 GiB", "9999999 TiB"]),
        (f'nSlices: 2\narenaSize: "{"9" * 400} GiB"\n' + STAGE, ["arenaSize", "at most 512 GiB", "99999"]),
        ('nSlices: 2\narenaWarm: "9999999 TiB"\n' + STAGE, ["arenaWarm", "at most 1 EiB", "9999999 TiB"]),
        ("nSlices: 2\narenaWarm: -1\n" + STAGE, ["arenaWarm", "0 bytes or more", "-1"]),
        ('nSlices: 2\narenaWarm: "a lot"\n' + STAGE, ["arenaWarm", '"4 GiB"', "a lot"]),
        ("nSlices: 2\nappStage: 5\n", ["appStage", "braces", "5"]),
        (
            STAGE.replace("}", '\n  stagePolicy: "policy/x.paf" }'),
            ["appStage[0].stagePolicy", "@policy", "policy/x.paf"],
        ),
        (
            'eventBrokerHost: "tcp://broker:61616"\n' + STAGE,
            ["eventBrokerHost", '"stomp://host:port"', "the scheme 'tcp'"],
        ),
        (STAGE.replace("stages_here.WarpParallel", "WarpParallel"), ["appStage[0].parallelClass", "dotted"]),
        (
            "nSlices: 2\n" + STAGE.replace("WarpParallel", "WarpParalel"),
            ["appStage[0].parallelClass", "stages_here", "WarpParalel", "WarpParallel"],
        ),
        (
            "nSlices: 2\n" + STAGE.replace("stages_here", "stages_her"),
            ["appStage[0].parallelClass", "stages_her", "stages_here"],
        ),
        (
            "nSlices: 2\n" + STAGE.replace("WarpParallel", "Plain"),
            ["appStage[0].parallelClass", "ParallelProcessing"],
        ),
        (
            "nSlices: 2\n" + STAGE.replace("parallelClass", "serialClass"),
            ["appStage[0].serialClass", "WarpParallel", "SerialProcessing"],
        ),
        ("nSlices: 2\n" + STAGE + "appStage: {\n", ["night.paf", "4"]),
        ("nSlices 2\n" + STAGE, ["night.paf", "1"]),
    ],
)
def test_a_bad_policy_is_refused_with_place_and_reason(bench, text, words):
    bench.module(STAGES)
    done = bench.run(policy=policy_of(bench, text))
    assert done.code == 2, (done.out, done.err)
    for word in words:
        assert word in done.err, done.err
    assert "Traceback (most recent" not in done.err


def test_a_missing_policy_is_named_with_what_is_there(bench):
    bench.module(STAGES)
    bench.policy("warp - WarpParallel")
    done = bench.run(policy="nigth.paf")
    assert done.code == 2
    assert "nigth.paf" in done.err and "no such file" in done.err and "night.paf" in done.err


def test_a_folder_is_no_policy(bench):
    done = bench.run(policy=".")
    assert done.code == 2
    assert "directory" in done.err


def test_a_missing_include_is_named(bench):
    bench.module(STAGES)
    done = bench.run(policy=policy_of(bench, STAGE.replace("}", "\n  stagePolicy: @policy/warp.paf }")))
    assert done.code == 2
    assert "policy/warp.paf" in done.err


def test_a_module_that_fails_to_import_is_shown_with_its_own_error(bench):
    bench.module("import no_such_module_anywhere\n")
    bench.policy("warp - WarpParallel")
    done = bench.run()
    assert done.code == 2
    assert "no_such_module_anywhere" in done.err and "appStage[0].parallelClass" in done.err


def test_a_run_directory_that_cannot_be_made_is_named(bench):
    bench.module(STAGES)
    bench.policy("warp - WarpParallel")
    (bench.folder / "file").touch()
    done = bench.run("--run-dir", str(bench.folder / "file" / "run"))
    assert done.code == 2
    assert "file/run" in done.err and "--run-dir" in done.err


@pytest.mark.parametrize(
    "options", [["--workers", "0"], ["--workers", "100000"], ["--visits", "0"], ["-L", "loud"]]
)
def test_a_bad_option_is_refused(bench, options):
    bench.module(STAGES)
    bench.policy("warp - WarpParallel")
    done = bench.run(*options)
    assert done.code == 2
    assert options[1] in done.err


def test_an_arena_larger_than_the_machine_is_refused_or_served_sparsely(bench):
    bench.module(STAGES)
    done = bench.run(
        policy=policy_of(bench, 'executionMode: "oneloop"\nnSlices: 1\narenaSize: "1000000 TiB"\n' + STAGE)
    )
    assert done.code == 2
    assert "arenaSize" in done.err


@pytest.mark.contract("5.1.start")
def test_every_class_that_a_run_cannot_find_is_shown_where_the_policy_names_it(bench):
    bench.module(STAGES)
    wrong = [STAGE.replace("WarpParallel", name) for name in ("WarpParalel", "Plain")]
    text = "nSlices: 1\n" + "".join(wrong)
    done = bench.run(policy=policy_of(bench, text))
    assert done.code == 2
    for line, where in ((3, "appStage[0]"), (5, "appStage[1]")):
        assert f"night.paf:{line}:17: " in done.err and f"in {where}.parallelClass" in done.err
    assert "did you mean 'stages_here.WarpParallel'?" in done.err
    assert "Traceback" not in done.err

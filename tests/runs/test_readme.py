# SPDX-License-Identifier: BSD-3-Clause
"""Examples that work as printed: classes, policy and tester of the README, the first stage of bench.md."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README, BENCH = ROOT / "README.md", ROOT / "docs" / "bench.md"
SMALL = "--shape 64x64 --rounds 1 --visits 2 --warm-up 1"


def blocks_of(page):
    return re.findall(r"```(\w*)\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.fixture
def classes(bench):
    """The stages of the README, where its policy and other pages look for them."""
    text = next(text for kind, text in blocks_of(README) if kind == "python")
    package = bench.folder / "mypipe"
    package.mkdir()
    (package / "background.py").write_text(text)


@pytest.mark.contract("17.27")
def test_the_example_runs_as_printed(bench, classes):
    _, tester = [text for kind, text in blocks_of(README) if kind == "python"]
    (policy,) = [text for kind, text in blocks_of(README) if kind == ""]
    (bench.folder / "night.paf").write_text(policy)
    (bench.folder / "try_it.py").write_text(tester)
    done = bench.run()
    assert done.code == 0, done.err
    assert "sky level 7.0" in done.log()
    assert done.row("background", "preprocess")["bytes_copied"] == 0
    subprocess.run(
        [sys.executable, "try_it.py"], cwd=bench.folder, env=bench.environment(), check=True, timeout=60
    )


def shell(bench, command):
    program = f"pex-harness() {{ {sys.executable} -m harness.cli.main \"$@\"; }}\n{command}"
    return subprocess.run(
        ["bash", "-e", "-c", program], cwd=bench.folder, env=bench.environment(), capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


def test_the_first_stage_of_the_page_on_bench_is_measured_as_printed(bench, classes):
    makes, measures = re.findall(r"^    (.+)$", BENCH.read_text(), re.MULTILINE)[:2]
    done = shell(bench, f"{makes}\n{measures} {SMALL}")
    assert done.returncode == 0, done.stderr
    assert "BackgroundStage" in done.stdout
    text = next(text for kind, text in blocks_of(BENCH) if kind == "python")
    text = text.replace("(4096, 4096)", "(64, 64)")
    text = text.replace("compare=", "rounds=1, visits=2, warm_up=1, compare=")
    (bench.folder / "measures.py").write_text(text)
    done = shell(bench, f"{sys.executable} measures.py")
    assert done.returncode == 0, done.stderr
    assert "multiprocessing.Pool 2" in done.stdout


@pytest.mark.parametrize("stage", ["BackgroundStage", "BackgroundParallel"])
def test_a_stage_that_is_measured_without_the_policy_it_reads_is_told_what_to_do(bench, classes, stage):
    done = shell(bench, f"pex-harness bench mypipe.background.{stage} {SMALL}")
    assert done.returncode == 2
    assert f"mypipe.background.{stage} was measured without a policy" in done.stderr
    assert "name its file with --policy" in done.stderr
    (bench.folder / "other.paf").write_text("size: 3")
    done = shell(bench, f"pex-harness bench mypipe.background.{stage} --policy other.paf {SMALL}")
    assert done.returncode == 2 and "without a policy" not in done.stderr

# SPDX-License-Identifier: BSD-3-Clause
"""A whole small night through the command line: files to files, over real processes."""

import shutil
import subprocess
import sys

import pytest
from harness.cli.main import main
from harness.examples.ccd_night.layout import NightLayout

VISITS, AMPS = 2, 2
PLAN = ["--visits", str(VISITS), "--amps", str(AMPS), "--size", "256x800"]


def pex_harness(*arguments):
    """The command line in a fresh process; the time limit is there to fail, not to measure."""
    command = [sys.executable, "-m", "harness.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    # The name has blanks and signs that mean something to policies, formats and shells.
    root = tmp_path_factory.mktemp("nights") / "a night, 100% dark"
    return NightLayout(root), pex_harness("demo", "--dir", root, *PLAN, "--workers", "2")


def outputs(layout):
    folder = layout.root / "output"
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.fits"))}


def test_demo_agrees_with_the_truth(demo):
    layout, result = demo
    assert result.returncode == 0, result.stdout + result.stderr
    assert "the result agrees with the truth" in result.stdout
    assert result.stderr == ""
    assert len(outputs(layout)) == VISITS * (2 * AMPS + 1)


def test_demo_draws_a_picture(demo):
    from matplotlib.image import imread

    pixels = imread(demo[0].picture(0, 0))
    assert pixels.shape[0] > 600
    assert pixels.shape[1] > 600
    assert pixels[..., :3].std() > 0.1


def test_calibrated_file_tells_what_was_found(demo):
    from astropy.io import fits

    layout, _ = demo
    with fits.open(layout.calibrated(1, 1)) as units:
        header, image = units[0].header, units[0].data
        assert image.shape == (800, 256)
        assert header["BUNIT"] == "electron"
        assert (header["VISIT"], header["AMP"]) == (1, 1)
        assert 27 < header["ZEROPT"] < 29
        assert "TRIMSEC" not in header
    with fits.open(layout.summary(1)) as units:
        assert units[1].data["visit"].tolist() == [1]
        assert units[1].data["amps"].tolist() == [AMPS]


def test_run_ends_by_itself_and_gives_the_same_files_on_one_worker(demo, tmp_path):
    layout, _ = demo
    expected = outputs(layout)
    shutil.rmtree(layout.root / "output")
    result = pex_harness("run", layout.policy_file, "again", "--workers", "1", "--run-dir", tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{VISITS} visits" in result.stdout
    assert outputs(layout) == expected


def test_damaged_raw_file_costs_its_amplifier_only_and_the_demo_says_so(demo, capsys):
    layout, _ = demo
    whole = layout.raw(0, 1).read_bytes()
    layout.raw(0, 1).write_bytes(whole[: len(whole) // 2])
    try:
        code = main(["demo", "--dir", str(layout.root), *PLAN, "--keep"])
    finally:
        layout.raw(0, 1).write_bytes(whole)
    assert code == 5
    assert f"did not write {layout.catalogue(0, 1)}" in capsys.readouterr().err
    assert layout.calibrated(0, 0).exists()
    assert layout.calibrated(1, 1).exists()
    assert not layout.calibrated(0, 1).exists()


def test_exit_code_of_a_run_that_refuses_to_start_is_handed_on(demo, capsys):
    layout, _ = demo
    code = main(["demo", "--dir", str(layout.root), *PLAN, "--keep", "--workers", "1000000"])
    assert code == 2
    assert "the pipeline ended with exit code 2" in capsys.readouterr().err

# SPDX-License-Identifier: BSD-3-Clause
"""The night of the demo, small: reduced whole, and with files missing, torn, misshapen or unwritable."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("astropy", reason="the demo reads FITS files with astropy")

VISITS, AMPS = 2, 2


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """A night of two visits and two small amplifiers; tests work on copies."""
    folder = tmp_path_factory.mktemp("night") / "night"
    demo(folder, "--simulate-only")
    return folder


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess:
    """Runs `pex-harness demo` for this size of night."""
    size = ["--visits", str(VISITS), "--amps", str(AMPS), "--size", "400x512"]
    command = [sys.executable, "-m", "harness.cli.main", "demo", "--dir", str(folder), *size, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


class Night:
    """A copy of the simulated night, and its runs."""

    def __init__(self, original: Path, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["cp", "-r", str(original), str(folder)], check=True)
        self.policy = folder / next(path.name for path in folder.glob("*.paf"))
        self.edit(lambda text: text.replace(str(original.parent), str(folder.parent)))

    def edit(self, change) -> None:
        """Changes the text of the pipeline policy."""
        text = self.policy.read_text()
        self.policy.write_text(change(text))

    def run(self, *options: str) -> subprocess.CompletedProcess:
        """Runs the pipeline."""
        command = [sys.executable, "-m", "harness.cli.main", "run", str(self.policy), "r1", *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=self.folder.parent)

    @property
    def summary(self) -> dict:
        """`summary.json` of the run."""
        return json.loads((self.folder / "summary.json").read_text())

    def outputs(self) -> set[str]:
        """Names of what was written, below the output directory."""
        root = self.folder / "output"
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}

    def raw(self, visit: int, amp: int) -> Path:
        """A raw file."""
        return self.folder / "input" / "raw" / f"visit{visit:04d}" / f"amp{amp:02d}.fits"


@pytest.fixture
def night(simulated, tmp_path) -> Night:
    """A night of one's own to spoil."""
    return Night(simulated, tmp_path / "night")


def expected_outputs(*without: tuple[int, int]) -> set[str]:
    """What a run writes when the given (visit, amp) failed."""
    files = {f"visit{visit:04d}/summary.fits" for visit in range(VISITS)}
    for visit in range(VISITS):
        for amp in range(AMPS):
            if (visit, amp) not in without:
                for kind in ("calibrated", "catalogue"):
                    files.add(f"visit{visit:04d}/{kind}_amp{amp:02d}.fits")
    return files


def test_the_demo_reduces_its_night_and_draws_it(tmp_path):
    done = demo(tmp_path / "night", "--workers", "2")
    assert re.search(r"Isr\s+process\s+4\b", done.stdout)
    pictures = list((tmp_path / "night").rglob("*.png"))
    assert pictures and pictures[0].read_bytes().startswith(b"\x89PNG")


def test_the_whole_night_is_reduced_whatever_the_number_of_workers(night):
    written = []
    for workers in ("1", "2"):
        done = night.run("--workers", workers)
        assert done.returncode == 0, done.stderr
        assert night.outputs() == expected_outputs()
        root = night.folder / "output"
        written.append({name: (root / name).read_bytes() for name in sorted(night.outputs())})
    assert written[0] == written[1]


def test_a_missing_raw_file_costs_its_slice_that_visit_only(night):
    night.raw(0, 1).unlink()
    night.edit(lambda text: text.replace("raw: {", "raw: {\n timeout: 0.2", 1))
    done = night.run()
    assert done.returncode == 0, done.stderr
    assert night.outputs() == expected_outputs((0, 1))
    assert "slice 1 failed in visit 1: stage 'Input'" in done.stderr
    assert str(night.raw(0, 1)) in done.stderr and "'raw'" in done.stderr


def test_a_truncated_raw_file_is_named_with_its_sizes(night):
    whole = night.raw(1, 0).stat().st_size
    os.truncate(night.raw(1, 0), whole // 2)
    done = night.run()
    assert done.returncode == 0, done.stderr
    assert night.outputs() == expected_outputs((1, 0))
    assert str(night.raw(1, 0)) in done.stderr
    assert str(whole) in done.stderr.replace(",", "") and str(whole // 2) in done.stderr.replace(",", "")


def test_a_calibration_of_another_shape_is_refused_with_both_shapes(night):
    from astropy.io import fits

    flat = night.folder / "input" / "calib" / "flat_amp00.fits"
    with fits.open(flat) as hdus:
        data, header = hdus[0].data[:-3], hdus[0].header
        fits.writeto(flat, data, header, overwrite=True)
        shape = data.shape
    done = night.run()
    assert done.returncode == 0, done.stderr
    assert night.outputs() == expected_outputs((0, 0), (1, 0))
    assert f"{shape[0]}" in done.stderr and "flat" in done.stderr
    assert "slice 0 failed in visit 1: stage 'Isr'" in done.stderr


def test_an_output_directory_that_cannot_be_written_is_named_and_nothing_half_written_is_left(night):
    (night.folder / "output").write_text("in the way")
    done = night.run()
    assert done.returncode == 0, done.stderr
    assert "stage 'Output'" in done.stderr and "output/visit0000" in done.stderr
    assert len([row for row in night.summary["failures"] if row["rank"] >= 0]) == VISITS * AMPS


def test_a_full_disk_leaves_no_partial_file(night):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    output = night.folder / "output"
    output.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(output)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        done = night.run()
        assert done.returncode == 0, done.stderr
        assert "No space left on device" in done.stderr and "stage 'Output'" in done.stderr
        for path in output.rglob("*"):
            if path.is_file():
                assert path.suffix == ".fits" and path.stat().st_size % 2880 == 0 and path.stat().st_size > 0
    finally:
        subprocess.run(["umount", str(output)], check=True)

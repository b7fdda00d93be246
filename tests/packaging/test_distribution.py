# SPDX-License-Identifier: BSD-3-Clause
"""What is shipped: wheel and sdist hold what they should, and live beside the other lsst distributions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NEIGHBOURS = ("lsst-pex-config", "lsst-utils")

pytest.importorskip("scikit_build_core", reason="building the distribution needs scikit-build-core here")


def run(*command: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """Runs a command and returns it, whatever its exit code."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this tree; compiles only what changed since the package was installed."""
    folder = tmp_path_factory.mktemp("wheel")
    tools = ("--no-build-isolation", "--no-deps", "--disable-pip-version-check", "-q")
    done = run(sys.executable, "-m", "pip", "wheel", *tools, "-w", folder, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def sdist(tmp_path_factory) -> Path:
    """The source distribution of this tree."""
    folder = tmp_path_factory.mktemp("sdist")
    code = f"from scikit_build_core.build import build_sdist; build_sdist({str(folder)!r})"
    done = run(sys.executable, "-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.tar.gz")
    return path


def tracked_files() -> set[str]:
    """What belongs to the tree: what git tracks, or would if it were added."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this tree is no git checkout: there is no list to compare with")
    done = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


def test_the_version_stands_in_one_place():
    project = re.search(r"project\(\s*\w+\s+VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())
    version = project.group(1)
    import harness

    assert harness.__version__ == version
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert f'"{version}"' not in pyproject and 'dynamic = ["version"]' in pyproject


def test_the_sdist_holds_the_sources_and_nothing_else(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names - {"PKG-INFO", ""} == tracked_files()


def test_the_wheel_holds_modules_stubs_declarations_and_policies(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = tracked_files()
    for name in tracked:
        if name.startswith("python/"):
            assert name.removeprefix("python/") in names
        if name.startswith("policy/") and name.endswith(".paf"):
            assert f"harness/share/{name}" in names
        if name.startswith("examples/"):
            assert f"harness/{name}" in names
    for stub in (
        "harness/_core.pyi",
        "harness/_clipboard.pyi",
        "harness/_crossing.pyi",
        "harness/_steps.pyi",
        "harness/_clipboard.pxd",
        "harness/py.typed",
    ):
        assert stub in names
    assert "lsst/__init__.py" not in names and "lsst/pex/__init__.py" not in names
    (entry_points,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
    told = zipfile.ZipFile(wheel).read(entry_points).decode()
    programs = ("launchPipeline.py", "launchPipeline.sh", "runPipeline.py", "runSlice.py", "validate.py",
                "EventListener.py", "logwatcher.py")  # fmt: skip
    for name in programs:
        assert name in told
    assert "pex-harness = harness.pytest_plugin" in told
    kinds = {Path(name).suffix for name in names if ".dist-info/" not in name}
    expected = {".py", ".pyi", ".pyx", ".pxd", ".so", ".typed", ".paf", ".json", ".toml", ".template", ".md"}
    assert kinds == expected | ({""} if "" in kinds else set())


def test_without_its_core_the_package_says_what_to_do(tmp_path):
    shutil.copytree(ROOT / "python" / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("*.so"))
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import harness"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "harness._core cannot be loaded" in done.stderr and "pip install ." in done.stderr


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory) -> Path:
    """The Python of a fresh environment with the other distributions in it."""
    place = tmp_path_factory.mktemp("neighbours")
    assert run(sys.executable, "-m", "venv", place).returncode == 0
    python = place / "bin" / "python"
    reachable = pip(python, "install", *NEIGHBOURS)
    if reachable.returncode != 0:
        pytest.skip(f"the package index cannot be reached: {reachable.stderr.strip()[-200:]}")
    return python


def pip(python: Path, command: str, *arguments: object) -> subprocess.CompletedProcess:
    """Runs pip, which compiles nothing ahead: most modules of these packages are never imported here."""
    options = ["--no-compile"] if command == "install" else ["-y"]
    return run(python, "-m", "pip", "--disable-pip-version-check", "-q", command, *options, *arguments)


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "theirs first"])
def test_it_lives_beside_the_other_lsst_distributions(wheel, neighbours, tmp_path, ours_first):
    if ours_first:
        assert pip(neighbours, "uninstall", *NEIGHBOURS).returncode == 0
    done = pip(neighbours, "install", wheel)
    assert done.returncode == 0, done.stderr
    if ours_first:
        done = pip(neighbours, "install", *NEIGHBOURS)
        assert done.returncode == 0, done.stderr
    both = (
        "import lsst.pex.config, lsst.utils, lsst.pex.harness.stage, lsst.pex.policy, lsst.pex.logging;"
        "import lsst.daf.base, lsst.pex.exceptions, harness.stage;"
        "assert lsst.pex.harness.stage.Stage is harness.stage.Stage"
    )
    done = run(neighbours, "-c", both, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert pip(neighbours, "uninstall", "pex-harness").returncode == 0
    done = run(neighbours, "-c", "import lsst.pex.config, lsst.utils", cwd=tmp_path)
    assert done.returncode == 0, done.stderr

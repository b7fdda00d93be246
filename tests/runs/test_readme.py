# SPDX-License-Identifier: BSD-3-Clause
"""The README's example works as printed: the classes, the policy, the tester."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent.parent / "README.md"


@pytest.mark.contract("17.27")
def test_the_example_runs_as_printed(bench):
    blocks = re.findall(r"```(\w*)\n(.*?)```", README.read_text(), re.DOTALL)
    classes, tester = [text for kind, text in blocks if kind == "python"]
    (policy,) = [text for kind, text in blocks if kind == ""]
    package = bench.folder / "mypipe"
    package.mkdir()
    (package / "background.py").write_text(classes)
    (bench.folder / "night.paf").write_text(policy)
    (bench.folder / "try_it.py").write_text(tester)
    done = bench.run()
    assert done.code == 0, done.err
    assert "sky level 7.0" in done.log()
    assert done.row("background", "preprocess")["bytes_copied"] == 0
    subprocess.run(
        [sys.executable, "try_it.py"], cwd=bench.folder, env=bench.environment(), check=True, timeout=60
    )

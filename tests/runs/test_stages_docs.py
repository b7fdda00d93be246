# SPDX-License-Identifier: BSD-3-Clause
"""docs/stages.md: its stage and its policy run as printed, and stages have what it says."""

import re
from pathlib import Path

import numpy as np
from harness.clipboard import Clipboard
from harness.stage import ParallelProcessing, SerialProcessing

PAGE = (Path(__file__).parents[2] / "docs" / "stages.md").read_text()
STAGE = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
POLICY = re.search(r"```\n(nSlices.*?)```", PAGE, re.DOTALL)[1]


def test_the_pipeline_that_reads_files_runs_as_printed(bench):
    package = bench.folder / "mypipe"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "scale.py").write_text(STAGE)
    raw = bench.folder / "raw"
    raw.mkdir()
    for visit in (1, 2):
        for rank in range(4):
            np.save(raw / f"v{visit:03d}-s{rank}.npy", np.full((8, 8), float(10 * visit + rank)))
    path = bench.folder / "night.paf"
    path.write_text(POLICY.replace("/data/night7", str(raw)))
    checked = bench.command_line("check", str(path))
    assert "no problems" in checked.out, checked.out + checked.err
    done = bench.run("--visits", "2")
    assert done.code == 0, done.err
    assert "means [20.0, 22.0, 24.0, 26.0]" in done.log() and "means [40.0, 42.0, 44.0, 46.0]" in done.log()


def test_every_name_in_its_tables_is_there():
    section = {title: text for title, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)}
    made = ParallelProcessing()
    for name in re.findall(r"`self\.(\w+)`", section["What a stage has"]):
        assert hasattr(type(made), name) or name in vars(made), name
    for name in re.findall(r"^\| `(\w+)`", section["What a stage has"], re.M):
        assert hasattr(ParallelProcessing, name), name
    calls = re.findall(r"`(\w+)\(", section["The clipboard"])
    assert {"put", "get", "gather"} < set(calls)
    for name in set(calls) - {"len"}:
        assert hasattr(Clipboard, name), name
    for name in re.findall(r"^\| `(\w+)\(self", section["Methods that the harness calls"], re.M):
        assert hasattr(SerialProcessing, name) or hasattr(ParallelProcessing, name), name

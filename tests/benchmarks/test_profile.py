# SPDX-License-Identifier: BSD-3-Clause
"""The programs that say where the time of an empty step, and of a hand-over, goes."""

from __future__ import annotations

import importlib.util
import json

import pytest


def test_every_part_of_an_empty_step_has_a_time(programs):
    done = programs.run("profile/empty_run.py", "2", "1", "160", "10")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.split("\n")[-2])
    assert found["steps"] == 120
    parts = ("preprocess", "slices", "postprocess")
    for name in (*parts, "process", "step"):
        figures = found[name]
        assert 0 < figures["fastest"] <= figures["median"] <= figures["p99"], name
    assert found["step"]["fastest"] >= sum(found[name]["fastest"] for name in parts)
    assert found["master_cpu"] > 0 and found["workers_cpu"] > 0


@pytest.mark.parametrize("way", [[], ["--foreign", "--faults"]])
def test_the_parts_of_a_hand_over_are_its_time(programs, library, way):
    done = programs.run("profile/image_run.py", "2", "1", "1", "8", *way)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.split("\n")[-2])
    faults = [name for name in found if name.startswith("page faults")]
    assert len(faults) == (2 if way else 0)
    for whole in ("there", "back"):
        parts = {name: found[name] for name in found if name.startswith(f"{whole}: ")}
        assert len(parts) == 8
        for fastest, median in parts.values():
            assert 0 <= fastest <= median and fastest < found[whole][0]


def test_samples_belong_to_the_innermost_part_that_is_named(programs):
    spec = importlib.util.spec_from_file_location("where", programs.folder / "profile" / "where.py")
    where = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(where)
    master = "process 1;run (x.py:1);Pipeline._run_stages (pipeline.py:1);0x1 (harness/_core.so)"
    end = "MasterHalf.end_visit (harness/runtime/halves/master.py:1)"
    worker = f"{master};_live (harness/runtime/processes/worker.py:155);0x1 (harness/_core.so)"
    lines = [
        "process 1;<module> (x.py:1) 90",
        f"{master} 1",
        f"{master};sched_yield (libc.so.6) 7",
        f"{master};{end};f (harness/ledger/writer.py:1) 5",
        f"{master};{end};malloc (libc.so.6) 3",
        f"{master};f (elsewhere.py:3);0x1 (libc.so.6) 2",
        "",
    ]
    assert where.parts_of(lines)["master"] == {
        "C++ loops, bindings": 3, "waiting": 7, "ledger": 5, "MasterHalf": 3,
    }  # fmt: skip
    found = where.parts_of([f"{worker.replace('Pipeline._run_stages', 'f')};process (empty_stages.py:9) 4"])
    assert found["workers"] == {"stage code": 4} and not found["master"]


def test_without_py_spy_it_is_said_what_to_do(programs, monkeypatch):
    monkeypatch.setenv("PATH", str(programs.folder))
    done = programs.run("profile/where.py")
    assert done.returncode == 1 and "pip install py-spy" in done.stderr

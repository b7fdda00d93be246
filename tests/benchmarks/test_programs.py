# SPDX-License-Identifier: BSD-3-Clause
"""Every benchmark program prints the rows that it promises, and fails when what it measures is wrong."""

from __future__ import annotations

import re

import pytest

from .conftest import ROOT


def rows(text: str) -> dict[str, list[str]]:
    """The lines of Markdown tables by their first cell."""
    lines = [line.strip("|") for line in text.split("\n") if line.startswith("|")]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells if not row[0].startswith("-")}


def test_the_calls_of_the_clipboard_stand_beside_those_of_a_dict(programs):
    done = programs.run("handover/calls.py", "--rounds", "2")
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    pairs = {"clipboard.get(key)": "dict d[key]", "clipboard.put(key, value)": "dict d[key] = value"}
    for call, beside in pairs.items():
        assert found[call][-1].endswith(f"x {beside}") and float(found[call][0]) > 0


def test_a_clipboard_that_does_not_hold_what_was_put_is_noticed(programs):
    programs.spoil("handover/calls.py", '("c.put(key, value)",', '("c.put(key, None)",')
    programs.spoil("handover/calls.py", '("c[key] = value",', '("c[key] = None",')
    programs.spoil("handover/calls.py", '("c.put(key, value, True)",', '("c.put(key, None, True)",')
    done = programs.run("handover/calls.py", "--rounds", "1")
    assert done.returncode == 1 and "does not hold what was put" in done.stderr


def test_the_arena_s_births_stand_beside_plain_numpy(programs):
    done = programs.run("born_shared.py", "--rounds", "1", "--sizes", "1", "--repetitions", "3")
    assert done.returncode == 0, done.stderr
    for words in (
        "four passes over 1 MiB", "plain NumPy ", "glibc keeps memory", "arena ", "arena, the first",
        "single calls, median ns", "empty of 64 KiB", "fork and wait",
    ):  # fmt: skip
        assert words in done.stdout


def test_passes_with_a_wrong_result_are_noticed(programs):
    programs.spoil("born_shared.py", "z = x - y", "z = x + y")
    done = programs.run("born_shared.py", "--rounds", "1", "--sizes", "1", "--repetitions", "1")
    assert done.returncode == 1 and "CalledProcessError" in done.stderr


def test_both_ways_of_a_snapshot_are_measured(programs):
    done = programs.run("snapshot.py", "1", "2")
    assert done.returncode == 0, done.stderr
    for what in ("nothing", "a read", "a write"):
        assert re.search(rf"and {what} +copy +[\d.]+ +remap +[\d.]+", done.stdout), done.stdout


@pytest.mark.parametrize(
    ("way", "right", "wrong"),
    [("copy", "np.copyto(target, source)", "None"), ("remap", "size, MAP_PRIVATE |", "size, MAP_SHARED |")],
)
def test_a_snapshot_that_its_producer_changes_is_noticed(programs, way, right, wrong):
    programs.spoil("snapshot.py", right, wrong)
    done = programs.run("snapshot.py", "1", "1")
    assert done.returncode == 1 and f"{way} and " in done.stderr and "expected 1.0, saw" in done.stderr


def test_starting_a_run_stands_beside_importing_numpy_and_visits_are_counted(programs):
    done = programs.run("startup.py", "--rounds", "1", "--visits", "3", "--slices", "1")
    assert done.returncode == 0, done.stderr
    for words in (
        "'import numpy'", "'import harness'", "pex-harness run, 1 visit, 1 slices, fork", "the first visit",
        "forking the workers", "PSS of a worker", "arena high-water", "default logs (TRACE)",
    ):  # fmt: skip
        assert words in done.stdout
    assert len(re.findall(r"slices, (?:nursery|workers) by exec: [\d.]+ x fork", done.stdout)) == 2
    assert len(re.findall(r"preprocess +median +[\d.]+ us", done.stdout)) == 2
    programs.spoil("startup.py", 'run_command(arguments.visits, *options)', 'run_command(1, *options)')
    done = programs.run("startup.py", "--rounds", "1", "--visits", "3", "--slices", "1")
    assert done.returncode == 1 and "expected 3 visits, saw" in done.stderr


def test_a_replacement_stands_beside_a_bare_death_and_every_death_is_counted(programs):
    done = programs.run("replacement.py", "--deaths", "2")
    assert done.returncode == 0, done.stderr
    for words in ("floor: fork, kill, pidfd", "death seen", "death to the fresh worker's process()"):
        assert re.search(rf"^{re.escape(words)} +median +[\d.]+ ms", done.stdout, re.MULTILINE), done.stdout
    kills = "os.kill(os.getpid(), signal.SIGKILL)\n        with"
    programs.spoil("replacement.py", kills, "pass\n        with")
    done = programs.run("replacement.py", "--deaths", "2")
    assert done.returncode == 1 and "2 deaths expected, 0 seen" in done.stderr


def test_a_span_stands_beside_two_looks_at_the_clock(programs, tmp_path):
    if not (ROOT / "build" / "cpp" / "benchmarks" / "spans").exists():
        pytest.skip("build/cpp/benchmarks/spans is not built: make test-cpp builds it")
    done = programs.run("spans.py", "--rounds", "3", "--spans", "10000")
    assert done.returncode == 0, done.stderr
    for words in ("a span", "two looks at the clock from Python"):
        assert re.search(rf"^{words} +median +[\d.]+ ns", done.stdout, re.MULTILINE), done.stdout
    done = programs.run("spans.py", "--program", str(tmp_path / "none"))
    assert done.returncode == 1 and "none is not built: " in done.stderr


def test_policies_are_read_beside_json_and_alike(programs):
    options = ["--rounds", "1", "--size", "3000"]
    core = ROOT / "build" / "cpp" / "benchmarks" / "parse_paf"
    promised = ["PAF from a file", "PAF from a string", "PAF to nested dicts", "json.loads"]
    if core.exists():
        options += ["--core", str(core)]
        promised += ["core alone, C++", "core, memory kept"]
    done = programs.run("policy/read_policies.py", *options)
    assert done.returncode == 0, done.stderr
    for name in promised:
        # The core has its turn among the others, in each of the two tables.
        lines = re.findall(rf"^  {re.escape(name)} +median +[\d.]+ us", done.stdout, re.MULTILINE)
        assert len(lines) == 2, done.stdout
    programs.spoil("policy/read_policies.py", 'lambda: json.loads(texts["json"])', "dict")
    done = programs.run("policy/read_policies.py", *options)
    assert done.returncode == 1 and "json.loads read something else than the others" in done.stderr


def test_all_programs_are_run_and_one_that_fails_is_named_with_its_output(programs):
    text = (programs.folder / "run_all.py").read_text()
    listed = set(re.findall(r'"([\w/]+\.py)"', text))
    ours = {
        str(path.relative_to(programs.folder)) for path in programs.folder.rglob("*.py")
        if "argparse.ArgumentParser" in path.read_text()
    }  # fmt: skip
    assert listed == ours - {"run_all.py", "handover/contest.py", "profile/where.py"}
    for name in listed:
        code = int(name == "startup.py")
        (programs.folder / name).write_text(f"import sys; print('ran', sys.argv[1:]); sys.exit({code})")
    report = programs.folder / "made" / "report.md"
    done = programs.run("run_all.py", str(report), "--core", "parser", "--peers", "pipe")
    assert done.returncode == 1 and done.stderr == "startup.py ended with exit code 1\n"
    written = report.read_text()
    assert written.count("ran [") == len(listed)
    assert "No program has found anything that a goal is about." in written
    assert "**startup.py ended with exit code 1**" in written
    own = ("'thin', 'harness', 'default'", "'harness', 'default', 'copy', 'foreign'")
    for names in own:
        assert written.count(f"'--peers', {names}, 'pipe']") == 1
    # The whole job has no such peer.
    assert written.count("'--peers']") == 1 and written.count("'--core', 'parser'") == 1


def test_a_test_of_a_stage_stands_beside_a_bare_fork(programs):
    done = programs.run("stage_test.py", "--rounds", "2", "--slices", "1")
    assert done.returncode == 0, done.stderr
    for words in ("bare fork and wait", "runWorker", "runSlices, the first", "runSlices, 1 slices"):
        assert re.search(rf"^{words} +[\d.]+ +[\d.]+ +[\d.]+ ", done.stdout, re.MULTILINE), done.stdout


def test_a_stage_that_has_not_done_its_work_is_noticed(programs):
    programs.spoil("stage_test.py", 'clipboard.put("level", float(', 'clipboard.put("level", 1 + float(')
    done = programs.run("stage_test.py", "--rounds", "1", "--slices", "1")
    assert done.returncode == 1 and "AssertionError" in done.stderr


def many_visits(programs, visits: int):
    """Runs million.py; skips where so many visits take too long."""
    done = programs.run("million.py", "--visits", str(visits), "--seconds", "60", timeout=110)
    if done.returncode == 3:
        pytest.skip(f"this machine is too busy: {done.stderr.strip()}")
    return done


def test_visits_leave_no_memory_files_or_blocks_behind(programs):
    done = many_visits(programs, 20_000)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing has grown" in done.stdout and re.search(r"^ +1\d000 +\d+ ", done.stdout, re.MULTILINE)


def test_a_stage_that_keeps_something_in_every_visit_is_noticed(programs):
    programs.spoil("million.py", "SETTLED_VISITS = 0.2, 10_000", "SETTLED_VISITS = 0.2, 500")
    programs.spoil("million.py", "class Give(SerialProcessing):", "KEPT = []\nclass Give(SerialProcessing):")
    keeping = "KEPT.append(bytes(100_000))\n        visit = harness"
    programs.spoil("million.py", "visit = harness", keeping)
    done = many_visits(programs, 1500)
    assert done.returncode == 1, done.stderr
    grown = re.search(r"it grows: private memory of process 0: (\d+) KiB, then (\d+) KiB", done.stderr)
    # More than records of fixed size, which are still being filled after so few visits, could explain.
    assert grown and int(grown[2]) - int(grown[1]) > 500 * 100_000 // 1024


def test_fits_images_are_read_beside_astropy_and_every_pixel_is_compared(programs):
    pytest.importorskip("astropy")
    done = programs.run("files/read_fits.py", "--rounds", "1", "--sizes", "200")
    assert done.returncode == 0, done.stderr
    for dtype in ("float32", "uint16"):
        for kind in ("plain", "checksum", "compressed"):
            assert f"200 x 200 {dtype}, {kind}" in done.stdout
    assert len(re.findall(r"^  harness +[\d.]+ +[\d.]+ +\d+ +[\d.]+ \(", done.stdout, re.MULTILINE)) == 6
    programs.spoil("files/read_fits.py", "return image.array\n", "return image.array + 1\n")
    done = programs.run("files/read_fits.py", "--rounds", "1", "--sizes", "200")
    assert done.returncode == 1 and "harness read something else than was written" in done.stderr


def test_visits_read_ahead_stand_beside_visits_that_are_not(programs):
    pytest.importorskip("astropy")
    options = ["--rounds", "1", "--visits", "4", "--side", "200"]
    done = programs.run("files/read_ahead.py", *options)
    assert done.returncode == 0, done.stderr
    for kind in ("plain", "gzipped", "compressed"):
        figures = r"(?: +[\d.]+){5} +-?\d+%"
        assert re.search(rf"^{kind}{figures}", done.stdout, re.MULTILINE)
    programs.spoil("files/read_ahead.py", "noise[0, 0] = noise[-1, -1] = visit", "noise[0, 0] = visit")
    done = programs.run("files/read_ahead.py", *options)
    assert done.returncode == 1 and "a visit has failed" in done.stderr


def test_an_event_through_the_spool_stands_beside_the_disk_and_a_lost_one_is_noticed(programs):
    done = programs.run("events.py", "--rounds", "1", "--events", "3")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^write \+ fsync \+ pipe +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$", done.stdout, re.MULTILINE)
    assert re.search(r"^spool +[\d.]+ +[\d.]+ +\([\d.]+x", done.stdout, re.MULTILINE), done.stdout
    programs.spoil("events.py", "transmitter.publish(payload)", "None")
    programs.spoil("events.py", "receiveEvent(60_000)", "receiveEvent(100)")
    assert programs.run("events.py", "--rounds", "1", "--events", "3").returncode == 1

# SPDX-License-Identifier: BSD-3-Clause
"""The progress bar: on a terminal, and nowhere else."""

import os
import pty
import subprocess

STAGES = """
    class Slow(ParallelProcessing):
        def process(self, clipboard):
            time.sleep(0.1)
"""


def run_on_a_terminal(bench, *options: str) -> str:
    """What a run shows on a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        bench.command("--visits", "4", *options),
        cwd=bench.folder,
        env={**bench.environment(), "TERM": "xterm", "COLUMNS": "120"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    assert process.wait(timeout=60) == 0
    return shown.decode("utf-8", "replace")


def test_a_terminal_shows_visits_done_and_the_stage(bench):
    bench.module(STAGES)
    bench.policy("slowly - Slow", head="")
    shown = run_on_a_terminal(bench)
    assert "3/4" in shown and "visit 2" in shown and "slowly" in shown
    assert shown.index("3/4") < shown.index("median ms")


def test_no_bar_where_it_is_not_wanted(bench):
    bench.module(STAGES)
    bench.policy("slowly - Slow", head="")
    assert "3/4" not in run_on_a_terminal(bench, "--no-progress")


def test_no_bar_where_nobody_looks(bench):
    bench.module(STAGES)
    bench.policy("slowly - Slow", head="")
    done = bench.run("--visits", "4")
    assert done.code == 0 and done.err == ""
    assert "\x1b" not in done.out

# SPDX-License-Identifier: BSD-3-Clause
"""Pinned workers, the memory they use, and workers with more threads than their share of the cores."""

import os

import pytest
from harness.runtime.processes.cores import THREAD_VARIABLES, nodes

STAGES = """
    import threading
    class Where(ParallelProcessing):
        def process(self, clipboard):
            open(f"cores-{self.rank}", "w").write(f"{sorted(os.sched_getaffinity(0))}")

    class Threads(ParallelProcessing):
        def setup(self):
            self.end = threading.Event()
            self.threads = [threading.Thread(target=self.end.wait) for _ in range(3)]
            for thread in self.threads:
                thread.start()
        def process(self, clipboard):
            pass
        def shutdown(self):
            self.end.set()
"""


def test_pinned_workers_keep_to_one_core_each_in_turn(bench):
    bench.module(STAGES)
    bench.policy("where - Where", slices=3, head='executionMode: "oneloop"\npinWorkers: true')
    done = bench.run("--workers", "3")
    assert done.code == 0, done.err
    cores = sorted(os.sched_getaffinity(0))
    for rank in range(3):
        core = cores[rank % len(cores)]
        assert (bench.folder / f"cores-{rank}").read_text() == f"[{core}]"
        assert f"worker {rank} keeps to core {core}" in done.log(f"Slice{rank}")


def test_a_worker_with_more_threads_than_its_share_is_named_once(bench, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    bench.module(STAGES)
    bench.policy("threads - Threads", "where - Where", slices=2, head="")
    done = bench.run("--workers", "1", "--visits", "2")
    assert done.code == 0, done.err
    logs = done.log("Slice0") + done.log("Slice1")
    assert logs.count("worker 0 has ") == 1
    # Two slices with three threads each, and the main thread.
    assert "worker 0 has 7 threads after its first visit, and its share of the cores is 2" in logs


def test_a_worker_that_keeps_to_its_share_is_not_named_and_may_use_every_core(bench, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    bench.module(STAGES)
    bench.policy("threads - Threads", "where - Where", slices=2)
    done = bench.run("--workers", "1")
    assert done.code == 0, done.err
    assert "threads after its first visit" not in done.log("Slice0") + done.log("Slice1")
    assert (bench.folder / "cores-0").read_text() == f"{sorted(os.sched_getaffinity(0))}"


def test_explain_tells_where_workers_run(bench):
    bench.module(STAGES)
    bench.policy("where - Where", slices=3, head='executionMode: "oneloop"\npinWorkers: true')
    out = bench.run("--explain", "--workers", "3").out
    cores = len(os.sched_getaffinity(0))
    assert f"3 workers on {cores} usable core" in out
    assert f"worker 0: core {min(os.sched_getaffinity(0))}, memory node " in out


def test_explain_tells_the_threads_that_workers_then_have(bench, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for name in set(THREAD_VARIABLES) - {"OMP_NUM_THREADS"}:
        monkeypatch.delenv(name, raising=False)
    bench.module("""
    class Tell(ParallelProcessing):
        def process(self, clipboard):
            open("threads", "w").write(os.environ["OMP_NUM_THREADS"] + os.environ["MKL_NUM_THREADS"])
    """)
    bench.policy("tell - Tell", slices=8)
    workers = str(len(os.sched_getaffinity(0)))
    told = bench.run("--explain", "--workers", workers).out
    assert "1 for the threads of each, as set: OMP_NUM_THREADS=7\n" in told
    assert bench.run("--workers", workers).code == 0
    assert (bench.folder / "threads").read_text() == "71"


@pytest.mark.skipif(len(nodes()) < 2, reason="this machine has one memory node")
def test_blocks_lie_in_the_memory_of_the_worker_that_makes_them(bench):
    bench.module("""
    class Makes(ParallelProcessing):
        def process(self, clipboard):
            array = harness.zeros((4 << 20,), np.uint8)
            array[:] = 1
            pages = {}
            for line in open("/proc/self/numa_maps"):
                if "pex" in line or "shmem" in line or "memfd" in line:
                    for word in line.split():
                        if word[0] == "N" and "=" in word:
                            node, count = word[1:].split("=")
                            pages[int(node)] = pages.get(int(node), 0) + int(count)
            clipboard.put("pages", (sorted(os.sched_getaffinity(0)), pages), True)

    class Look(SerialProcessing):
        def postprocess(self, clipboard):
            open("found", "w").write(repr(clipboard.gather("pages")))
    """)
    bench.policy("makes Look Makes", slices=2)
    assert bench.run("--workers", "2").code == 0
    for cores, pages in eval((bench.folder / "found").read_text()):
        (node,) = [node for node, of_node in nodes().items() if set(cores) <= set(of_node)]
        assert pages.get(node, 0) > sum(pages.values()) / 2

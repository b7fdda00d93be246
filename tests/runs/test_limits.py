# SPDX-License-Identifier: BSD-3-Clause
"""Machines that refuse descriptors or processes; stages that leave processes, threads and pools behind."""

import contextlib
import os
import resource
import subprocess
import time
import uuid
from pathlib import Path

import pytest

QUICK = """
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            open(f"ran-{self.rank}", "w").close()
"""


def run_with(bench, prepare):
    """A run whose process calls `prepare` before it starts."""
    process = subprocess.Popen(
        bench.command(), cwd=bench.folder, env=bench.environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=prepare,
    )  # fmt: skip
    return bench.finish(process)


@pytest.mark.parametrize("method", ["fork", "exec"])
@pytest.mark.parametrize("descriptors", [8, 10, 18, 28])
def test_a_process_without_descriptors_ends_with_a_reason_or_does_its_work(bench, descriptors, method):
    bench.module(QUICK)
    bench.policy("quick - Slice", slices=3, head=f'executionMode: "oneloop"\nstartMethod: "{method}"')
    done = run_with(
        bench, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    )
    if done.code == 0:
        assert all((bench.folder / f"ran-{rank}").exists() for rank in range(3))
    else:
        assert done.code > 0 and "Too many open files" in done.err, (done.code, done.err)


LEAKS = """
    kept = []
    def leak(visit):
        open(f"leaks-{visit}", "w").close()
        try:
            while True:
                kept.append(open("night.paf"))
        except OSError:
            pass
"""


def test_a_master_whose_stages_have_opened_too_many_files_ends_with_a_reason(bench):
    bench.module(LEAKS + """
    class Leaks(SerialProcessing):
        visit = 0
        def preprocess(self, clipboard):
            self.visit += 1
            if self.visit == 3 and not os.path.exists("leaks-3"):
                leak(self.visit)
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            path = f"out-{self.rank}-{clipboard.get('visit', 0)}"
            open(path, "a").close()
            harness.record_output(path)
    """)
    bench.policy("leaks Leaks Slice", head="")
    process = subprocess.Popen(
        bench.command("--visits", "6"), cwd=bench.folder, env=bench.environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)),
    )  # fmt: skip
    done = bench.finish(process)
    assert done.code == 2, (done.code, done.err)
    text = done.err.splitlines()[-1]
    assert "Too many open files" in text and f"most are {bench.folder}/night.paf (1" in text, done.err
    assert "raise the limit (ulimit -n)" in text and "unexpected" not in done.err
    again = bench.run("--resume", "--visits", "6")
    assert again.code == 0, again.err
    assert "resuming: 2 visits are complete and left out" in again.log()


def test_a_slice_that_has_opened_too_many_files_fails_that_clipboard_alone(bench):
    bench.module(LEAKS + """
    class Leaks(ParallelProcessing):
        visit = 0
        def process(self, clipboard):
            self.visit += 1
            if self.visit == 2 and self.rank == 0:
                leak(self.visit)
                open("one-more")
            open(f"done-{self.rank}-{self.visit}", "w").close()
            kept.clear()
    """)
    bench.policy("leaks - Leaks", head="")
    process = subprocess.Popen(
        bench.command("--visits", "3", "--workers", "2"), cwd=bench.folder, env=bench.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)),
    )  # fmt: skip
    done = bench.finish(process)
    assert done.code == 0, (done.code, done.err)
    assert done.summary["failures"] == [
        {"visit": 2, "stage": 1, "rank": 0}, {"visit": 3, "stage": 1, "rank": 0},
    ]  # fmt: skip
    assert "Too many open files" in done.err
    assert [(bench.folder / f"done-1-{visit}").exists() for visit in (1, 2, 3)] == [True] * 3


class Group:
    """A control group: called by a process, it takes that in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self) -> None:
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    def allow(self, count: int) -> None:
        """Changes how many processes and threads there may be; those that are there stay."""
        (self._folder / "pids.max").write_text(str(count))


@pytest.fixture
def few_processes():
    """Makes control groups that allow so many processes; a function that a process calls to enter one."""
    made = []

    def make(count):
        places = [Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")]
        for place in places:
            folder = place / f"pex-test-{uuid.uuid4().hex}"
            with contextlib.suppress(OSError):
                folder.mkdir()
                made.append(folder)
                (folder / "pids.max").write_text(str(count))
                return Group(folder)
        pytest.skip("no control group for processes can be made here")

    yield make
    for folder in made:
        folder.rmdir()


@pytest.mark.parametrize("processes", [1, 3, 5, 7])
def test_a_machine_that_forks_no_more_ends_the_run_with_a_reason(bench, few_processes, processes):
    bench.module(QUICK)
    bench.policy("quick - Slice", slices=3)
    done = run_with(bench, few_processes(processes))
    if done.code == 0:
        assert all((bench.folder / f"ran-{rank}").exists() for rank in range(3))
    else:
        assert done.code > 0, (done.code, done.err)
        assert "Resource temporarily unavailable" in done.err or "start new thread" in done.err, done.err


@pytest.mark.parametrize("lasting", [False, True], ids=["for a moment", "for good"])
def test_a_replacement_that_cannot_be_forked_is_tried_again_and_its_lack_told(bench, few_processes, lasting):
    bench.module("""
    class Dies(ParallelProcessing):
        def process(self, clipboard):
            open(f"in-{self.rank}", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.005)
            if self.rank == 0 and not os.path.exists("died"):
                open("died", "w").close()
                os._exit(7)
    """)
    bench.policy("dies - Dies")
    group = few_processes(500)
    process = subprocess.Popen(
        bench.command(), cwd=bench.folder, env=bench.environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=group,
    )  # fmt: skip
    bench.wait_until((bench.folder / "in-1").exists, "the slices to run")
    group.allow(1)
    (bench.folder / "go").touch()
    if not lasting:
        bench.wait_until((bench.folder / "died").exists, "the death")
        time.sleep(0.3)
        group.allow(500)
    done = bench.finish(process)
    if lasting:
        assert done.code == 3, done.err
        assert "forking worker 0" in done.err and "Resource temporarily unavailable" in done.err
        assert "look at the limits on processes" in done.err
    else:
        assert done.code == 0, done.err
        assert len(done.summary["deaths"]) == 1


def test_what_stages_leave_behind_ends_with_the_run(bench):
    bench.module("""
    import multiprocessing, subprocess, threading
    class Leaves(ParallelProcessing):
        def process(self, clipboard):
            self.pool = multiprocessing.get_context("fork").Pool(2)
            assert self.pool.map(abs, [-1]) == [1]
            self.child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", os.getcwd()])
            threading.Thread(target=time.sleep, args=(600,)).start()
            multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)).start()
            if os.fork() == 0:
                time.sleep(600)
    """)
    bench.policy("leaves - Leaves")
    done = bench.run()
    assert done.code == 0 and "did not leave" not in done.err, done.err

    def left():
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(bench.folder).encode() in (entry / "cmdline").read_bytes():
                    found.append(entry.name)
        return found

    bench.wait_until(lambda: not left(), "what the stages left to end", timeout=5.0)


def test_a_pool_of_joblib_that_is_left_behind_ends_with_the_run(bench):
    pytest.importorskip("joblib")
    bench.module("""
    import joblib
    def double(array):
        return array * 2.0
    class Pools(ParallelProcessing):
        def process(self, clipboard):
            images = [np.full((600, 600), float(number)) for number in range(4)]
            # Large arguments go through files that the pool keeps.
            work = [joblib.delayed(double)(image) for image in images]
            doubled = joblib.Parallel(n_jobs=2, max_nbytes="1M")(work)
            assert [one[0, 0] for one in doubled] == [0.0, 2.0, 4.0, 6.0]
            open(f"done-{self.rank}", "a").write("x")
    """)
    bench.policy("pools - Pools", head="")
    before = set(os.listdir("/dev/shm"))
    done = bench.run("--visits", "2", "--workers", "2")
    assert done.code == 0, done.err
    assert (bench.folder / "done-0").read_text() == "xx" == (bench.folder / "done-1").read_text()

    def left() -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(bench.folder).encode() in (entry / "environ").read_bytes():
                    found.append(entry.name)
        return found

    bench.wait_until(lambda: not left(), "the pools to end", timeout=10.0)
    theirs = [name for name in set(os.listdir("/dev/shm")) - before if "joblib" in name or "loky" in name]
    assert theirs == []


def test_a_worker_does_at_its_end_what_its_stages_asked_for_and_nothing_that_it_inherited(bench):
    bench.module("""
    import atexit, tempfile, weakref
    def note(what):
        open("ended", "a").write(f"{what} ")
    class Thing:
        pass
    THING = Thing()
    weakref.finalize(THING, note, "finalizer of the module")
    atexit.register(note, "handler of the module")

    class Asks(ParallelProcessing):
        def setup(self):
            atexit.register(note, f"handler-{self.rank}")
            weakref.finalize(self, note, f"finalizer-{self.rank}")
            self.folder = tempfile.TemporaryDirectory(dir=".", prefix="temporary-")
            self.replaced = os.path.exists("died")
        def process(self, clipboard):
            if self.rank == 0 and not self.replaced:
                open("died", "w").close()
                os._exit(1)
        def shutdown(self):
            note(f"shutdown-{self.rank}")
    """)
    bench.policy("asks - Asks")
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    ended = (bench.folder / "ended").read_text().split()
    asked_for = [f"{what}-{rank}" for what in ("finalizer", "handler", "shutdown") for rank in (0, 1)]
    assert sorted(ended) == asked_for
    # What the one that died had made is there.
    assert len(list(bench.folder.glob("temporary-*"))) == 1

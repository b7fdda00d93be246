# SPDX-License-Identifier: BSD-3-Clause
"""Little or no /dev/shm, no memfd, a small control group, a process that will not die."""

import contextlib
import ctypes
import json
import os
import platform
import struct
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

MIB = 1 << 20
GROUP = 256 * MIB

CROSSING = """
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("image", np.arange(1 << 20, dtype=np.float64) + 1.0, True)
        def postprocess(self, clipboard):
            print("sums", [float(value) for value in clipboard.gather("sum")])

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            print("segments", os.listdir("/dev/shm") if os.path.exists("/dev/shm") else "none")
            clipboard.put("sum", clipboard.get("image")[:3].sum(), True)
            clipboard.put("back", clipboard.get("image") * 2.0, True)
"""

SMALL_SHM = "mount -t tmpfs -o size=1m tmpfs /dev/shm"
NO_SHM = """
    new=$PWD/dev && mkdir -p $new && mount -t tmpfs tmpfs $new || exit 77
    for node in null zero full random urandom; do
        touch $new/$node && mount --bind /dev/$node $new/$node || exit 77
    done
    ln -s /proc/self/fd $new/fd && mount --rbind $new /dev && test ! -e /dev/shm"""


def in_namespace(bench, setup: str, *options: str, **more) -> subprocess.CompletedProcess:
    """Runs the pipeline where `setup` has changed what is mounted; skips where that is not allowed."""
    script = f"{setup}\n[ $? = 0 ] || exit 77\nexec \"$@\""
    for way in (["unshare", "-m"], ["unshare", "-Urm"]):
        try:
            done = subprocess.run(
                [*way, "sh", "-c", script, "sh", *bench.command(*options)],
                cwd=bench.folder, env=bench.environment(), capture_output=True, text=True, timeout=60, **more,
            )  # fmt: skip
        except FileNotFoundError:
            pytest.skip("this machine has no unshare command")
        if done.returncode != 77 and "unshare failed" not in done.stderr:
            return done
    pytest.skip(f"a mount namespace is not permitted here: {done.stderr.strip()}")


@pytest.mark.parametrize("setup", [SMALL_SHM, NO_SHM], ids=["1 MiB", "none"])
def test_a_run_does_not_need_dev_shm(bench, setup):
    bench.module(CROSSING)
    bench.policy("cross Master Slice", slices=2)
    done = in_namespace(bench, setup)
    assert done.returncode == 0, done.stderr
    assert "sums [6.0, 6.0]" in done.stdout
    row = bench_row(bench, "process")
    assert (row["raised"], row["bytes_copied"], row["bytes_shared"]) == (0, 0, 2 * 8 * MIB)


def bench_row(bench, step: str) -> dict:
    summary = json.loads((bench.run_dir / "summary.json").read_text())
    return next(row for row in summary["stages"] if row["step"] == step)


def run_after(bench, prepare) -> subprocess.CompletedProcess:
    """Runs the pipeline in a process that calls `prepare` first."""
    return subprocess.run(
        bench.command(), cwd=bench.folder, env=bench.environment(), preexec_fn=prepare,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def refuse_memfd() -> None:
    """In a child: memfd_create answers ENOSYS from here on, as on an old kernel or in a strict container."""
    number = {"x86_64": 319, "aarch64": 279}[platform.machine()]
    program = b"".join(
        struct.pack("HBBI", *step)
        for step in (
            (0x20, 0, 0, 0),  # load the call's number
            (0x15, 0, 1, number),  # is it memfd_create?
            (0x06, 0, 0, 0x00050000 | 38),  # answer ENOSYS
            (0x06, 0, 0, 0x7FFF0000),  # allow
        )
    )
    text = ctypes.create_string_buffer(program, len(program))
    filtering = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    refused = libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(set_seccomp, filter_mode, filtering)
    if refused:
        os._exit(77)


needs_filter = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="the number of memfd_create is not known here"
)


@needs_filter
def test_without_memfd_a_run_uses_dev_shm_and_no_name_is_ever_left_there(bench):
    bench.module(CROSSING)
    bench.policy("cross Master Slice", slices=2)
    before = sorted(os.listdir("/dev/shm"))
    done = run_after(bench, refuse_memfd)
    if done.returncode == 77:
        pytest.skip("a system call filter is not permitted here")
    assert done.returncode == 0, done.stderr
    assert "sums [6.0, 6.0]" in done.stdout
    # Seen while the run was on: the segments have no name even then.
    assert "/pex-" not in done.stdout and "'pex-" not in done.stdout and "segments" in done.stdout
    assert [name for name in os.listdir("/dev/shm") if name not in before and name.startswith("pex-")] == []


@needs_filter
@pytest.mark.parametrize(
    ("setup", "words"),
    [(SMALL_SHM, ["/dev/shm has", "enlarge it (docker: --shm-size) or permit memfd_create"]),
     (NO_SHM, ["shm_open", "neither memfd_create nor /dev/shm can be used"])],
    ids=["1 MiB", "none"],
)  # fmt: skip
def test_without_memfd_a_dev_shm_that_does_not_do_is_told_with_the_cure(bench, setup, words):
    bench.module(CROSSING)
    bench.policy("cross Master Slice", slices=2)
    # The filter comes after the mounts: a process that has it may gain no privileges.
    (bench.folder / "filtered.py").write_text(
        "import os, sys\nsys.path.insert(0, sys.argv[1])\nimport test_machines as here\nhere.refuse_memfd()\n"
        "os.execv(sys.argv[2], sys.argv[2:])\n"
    )
    command = bench.command
    bench.command = lambda *options, **more: [
        sys.executable, str(bench.folder / "filtered.py"), str(Path(__file__).parent),
        *command(*options, **more),
    ]  # fmt: skip
    done = in_namespace(bench, setup)
    assert done.returncode == 2, (done.returncode, done.stderr)
    for word in [*words, "arenaSize"]:
        assert word in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def make_group() -> Path | None:
    """A memory control group of `GROUP` bytes below this process's own, version 1 or 2."""
    limits = {"memory": "memory.limit_in_bytes", "": "memory.max"}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in limits:
            continue
        folder = Path("/sys/fs/cgroup") / controllers / path.lstrip("/") / f"pex-test-{uuid.uuid4().hex}"
        with contextlib.suppress(OSError):
            folder.mkdir()
            limit = folder / limits[controllers]
            if limit.exists() and os.access(limit, os.W_OK):
                limit.write_text(str(GROUP))
                return folder
            folder.rmdir()
    return None


@pytest.fixture
def group():
    """Enters, when called, a memory control group made for the test."""
    folder = make_group()
    if folder is None:
        pytest.skip("no memory control group can be made here")
    yield lambda: (folder / "cgroup.procs").write_text(str(os.getpid()))
    folder.rmdir()


def test_an_arena_larger_than_the_control_group_is_refused_with_the_group_s_size(bench, group):
    bench.module(CROSSING)
    path = bench.policy("cross Master Slice", slices=1)
    path.write_text(path.read_text().replace("256 MiB", "257 MiB"))
    done = run_after(bench, group)
    assert done.returncode == 2, done.stderr
    assert "arenaSize" in done.stderr and f"{GROUP} bytes in all" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_control_group_that_fills_up_fails_a_clipboard_and_ends_no_process(bench, group):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            for number in range(12):
                clipboard.put(f"image{number}", np.ones(2 << 20), True)
    """)
    path = bench.policy("fill - Slice", slices=1)
    path.write_text(path.read_text().replace("256 MiB", "255 MiB"))
    done = run_after(bench, group)
    assert done.returncode == 0, done.stderr
    assert "available memory is the limit" in (bench.run_dir / "log" / "Slice0.log").read_text()


def test_a_worker_that_the_oom_killer_ends_is_told_from_one_that_somebody_kills(bench, group):
    bench.module("""
    class Eats(ParallelProcessing):
        def process(self, clipboard):
            self.kept = [bytearray(b"x") * (16 << 20) for _ in range(64)]
    """)
    path = bench.policy("eats - Eats", slices=1)
    path.write_text(path.read_text().replace("256 MiB", "16 MiB"))
    done = run_after(bench, group)
    if done.returncode == -9:
        pytest.skip("the kernel chose the master")
    assert done.returncode == 6, done.stderr
    assert "died of SIGKILL (signal 9) from the OOM killer, for want of memory, while it ran" in done.stderr


def test_a_worker_that_somebody_kills_is_not_said_to_be_out_of_memory(bench):
    bench.module("""
    class Dies(ParallelProcessing):
        def process(self, clipboard):
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    bench.policy("dies - Dies", slices=1)
    done = bench.run()
    assert done.code == 6
    assert "died of SIGKILL (signal 9) while it ran" in done.err


TRACER = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
seize = 0x4206
answer = "traced" if libc.ptrace(seize, int(sys.argv[1]), None, None) == 0 else "refused"
open("tracer", "w").write(f"{answer} {os.getpid()}")
while not os.path.exists("let go"):
    time.sleep(0.01)
"""


UNDEAD = """
    import subprocess, threading

    class Hold(ParallelProcessing):
        def process(self, clipboard):
            if self.rank != 1:
                return
            self.image = harness.zeros((256, 1024))
            ready = threading.Event()
            def linger():
                self.thread = threading.get_native_id()
                ready.set()
                time.sleep(60)
            threading.Thread(target=linger, daemon=True).start()
            ready.wait()
            subprocess.Popen([sys.executable, "tracer.py", str(self.thread)], start_new_session=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while not os.path.exists("tracer"):
                time.sleep(0.01)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 1 and os.environ["DIES"]:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.rank == 1 or os.environ["DIES"]:
                time.sleep(30)
"""
"""A thread that a tracer has not buried keeps its process from ending, as a sleep in the kernel would."""


@pytest.fixture
def undead(bench, monkeypatch):
    """`undead(dies, end)`: a run whose worker 1 outlives its death, or is late; `end(process)` comes then."""

    def run(dies: bool, end):
        monkeypatch.setenv("DIES", "1" if dies else "")
        bench.module(UNDEAD)
        (bench.folder / "tracer.py").write_text(TRACER)
        path = bench.policy("hold - Hold", "undead - Slice", slices=2)
        if not dies:
            path.write_text(path.read_text().replace('.Slice"', '.Slice"\n    stageTimeout: 1.0'))
        process = bench.start("--workers", "2")
        tracer = bench.folder / "tracer"
        try:
            bench.wait_until(
                lambda: tracer.exists() and tracer.read_text(), "the tracer to hold the thread", timeout=60.0
            )
            if tracer.read_text().startswith("refused"):
                process.kill()
                process.communicate()
                pytest.skip("tracing is not permitted here")
            end(process)
            return bench.finish(process)
        finally:
            (bench.folder / "let go").touch()

    return run


def require_quarantine(log: str) -> None:
    for words in ("worker 1 (pid", "ranks 1) has not ended 5 s after SIGKILL", "Its 1 blocks (2097152 bytes)",
                  "in quarantine"):  # fmt: skip
        assert words in log, log


def test_a_worker_that_does_not_die_is_reported_with_what_it_holds(bench, undead):
    done = undead(True, bench.end_at_once)
    assert done.code == 143, done.err
    require_quarantine(done.log())


def test_a_late_worker_that_does_not_end_when_it_is_killed_ends_the_run(bench, undead):
    done = undead(False, lambda process: None)
    assert done.code == 3, done.err
    assert "died of a stageTimeout of 1 s, after which it was killed, while it ran stage 'undead'" in done.err
    assert "the run ends: it has not ended yet, so what it holds can't be given away" in done.err
    assert "is late in visit 1: it has run stage 'undead' for rank 1 for more than 1 s" in done.log()
    require_quarantine(done.log())

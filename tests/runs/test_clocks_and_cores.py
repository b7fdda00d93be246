# SPDX-License-Identifier: BSD-3-Clause
"""A wall clock that jumps, core dumps, and limits on a worker's memory."""

import mmap
import resource
import struct
import subprocess
from pathlib import Path

import pytest

JUMPING_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static const volatile long *jump;

__attribute__((constructor)) static void look_for_it(void) {
    int fd = open(getenv("CLOCK_JUMP"), O_RDONLY);
    void *place = mmap(0, sizeof *jump, PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || place == MAP_FAILED) abort();
    jump = place;
}
int clock_gettime(clockid_t which, struct timespec *told) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, told);
    if (!failed && jump && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) told->tv_sec += *jump;
    return failed;
}
time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict told, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    told->tv_sec = now.tv_sec;
    told->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


@pytest.fixture
def wall_clock(tmp_path, monkeypatch):
    """Lets the wall clock of all processes that are started from here on be set: `wall_clock(seconds)`."""
    source, library, place = tmp_path / "clock.c", tmp_path / "clock.so", tmp_path / "jump"
    source.write_text(JUMPING_CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    place.write_bytes(bytes(8))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("CLOCK_JUMP", str(place))

    def jump(seconds: int) -> None:
        with place.open("r+b") as file:
            file.write(struct.pack("l", seconds))

    yield jump
    monkeypatch.undo()


DAY = 86_400


@pytest.mark.parametrize("jumps", [(DAY, -DAY), (-DAY, DAY)], ids=["forward first", "backward first"])
def test_a_wall_clock_that_jumps_makes_nobody_late_and_no_deadline_pass_unseen(bench, wall_clock, jumps):
    bench.module("""
    def wait_for(name):
        while not os.path.exists(name):
            time.sleep(0.005)
    class Steady(ParallelProcessing):
        def process(self, clipboard):
            visit = harness.current_visit()
            open(f"in-{visit}-{self.rank}", "w").close()
            wait_for(f"go-{visit}")
            print(f"visit {visit} at {time.time():.0f}")
            if visit == 3 and self.rank == 0 and not os.path.exists("hung"):
                open("hung", "w").close()
                time.sleep(600)
    """)
    bench.policy("steady - Steady", head="stageTimeout: 3.0")
    process = bench.start("--visits", "3")
    for visit, jump in enumerate((*jumps, 0), 1):
        bench.wait_until((bench.folder / f"in-{visit}-1").exists, f"visit {visit}")
        if jump:
            wall_clock(jump)
        (bench.folder / f"go-{visit}").touch()
    done = bench.finish(process)
    assert done.code == 0, done.err
    (death,) = done.summary["deaths"]
    assert death["visit"] == 3 and "stageTimeout" in death["cause"]
    told = sorted({int(line.split()[-1]) for line in done.out.splitlines() if line.startswith("visit ")})
    assert told[-1] - told[0] > 1.5 * DAY, "the clock did jump"
    checked = bench.command_line("status", str(bench.run_dir), "--check")
    assert checked.code == 0 and "no contradictions" in checked.out, checked.out


PATTERN = {"arena": b"\xa5arena\xa5\x01", "shared": b"\xa5share\xa5\x02", "private": b"\xa5alone\xa5\x03"}


def test_a_core_dump_has_the_worker_s_own_memory_and_not_the_arena(bench):
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "|" in pattern or "/" in pattern or "%" in pattern:
        pytest.skip(f"core dumps of this machine go elsewhere: core_pattern is {pattern!r}")
    bench.module(f"""
    import mmap
    PATTERN = {PATTERN!r}
    class Dumps(ParallelProcessing):
        def process(self, clipboard):
            count = 2 << 20
            word = {{name: np.frombuffer(text, np.uint64)[0] for name, text in PATTERN.items()}}
            image = harness.zeros(count, np.uint64)
            image[:] = word["arena"]
            memory = mmap.mmap(-1, count * 8)
            shared = np.frombuffer(memory, np.uint64)
            shared[:] = word["shared"]
            private = np.frombuffer(bytearray(count * 8), np.uint64)
            private[:] = word["private"]
            clipboard.put("image", image, True)
            if self.rank == 0 and not os.path.exists("dumped"):
                open("dumped", "w").close()
                os.abort()
    """)
    bench.policy("dumps - Dumps")
    process = subprocess.Popen(
        bench.command(), cwd=bench.folder, env=bench.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=allow_core_dumps,
    )  # fmt: skip
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert "died of SIGABRT" in done.log()
    cores = sorted(bench.folder.glob("core*"))
    if not cores:
        pytest.skip("the kernel wrote no core dump here")
    with cores[0].open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as core:
        found = {name: core.find(text * 512) >= 0 for name, text in PATTERN.items()}
    # Shared memory of other makes is dumped: it is not the kernel's habit that keeps the arena out.
    assert found == {"arena": False, "shared": True, "private": True}
    cores[0].unlink()


def allow_core_dumps() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def test_a_worker_that_may_have_no_more_address_space_fails_that_clipboard_alone(bench):
    bench.module("""
    import resource
    class Limited(ParallelProcessing):
        def setup(self):
            if self.rank == 1:
                pages = int(open("/proc/self/statm").read().split()[0])
                limit = pages * os.sysconf("SC_PAGE_SIZE") + (64 << 20)
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        def process(self, clipboard):
            # Past the largest block of the arena, so that it is private memory.
            self.table = bytearray(512 << 20)
            open(f"done-{self.rank}", "a").write("x")
            del self.table
    class Next(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("image", harness.zeros((300, 300)), True)
            open(f"next-{self.rank}", "a").write("x")
    """)
    bench.policy("limited - Limited", "next - Next", head="")
    done = bench.run("--visits", "2", "--workers", "2")
    assert done.code == 0, done.err
    assert done.summary["deaths"] == []
    assert done.summary["failures"] == [{"visit": visit, "stage": 1, "rank": 1} for visit in (1, 2)]
    assert "MemoryError" in done.log("Slice1")
    assert (bench.folder / "done-0").read_text() == "xx" == (bench.folder / "next-0").read_text()
    assert not (bench.folder / "next-1").exists()

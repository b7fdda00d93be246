# SPDX-License-Identifier: BSD-3-Clause
"""How processes of a run get their interpreters: by fork, by exec, or as threads demand."""

import os
import random
import textwrap
import time

import pytest
from starts import SAYS_WHICH, THREADED

FORK, EXEC = 'startMethod: "fork"', 'startMethod: "exec"'

NIGHT = """
    import hashlib

    class Load(SerialProcessing):
        def preprocess(self, clipboard):
            raw = self.rng.normal(size=(512, 256))
            clipboard.put("image", raw - raw.mean(), True)

    class Scale(ParallelProcessing):
        def setup(self):
            self.gain = np.random.normal()
        def process(self, clipboard):
            image = clipboard.get("image")
            assert harness.current_visit() is not None
            clipboard.put("scaled", image * (self.gain + np.random.uniform() + self.rng.uniform()), True)

    class Blend(ParallelProcessing):
        def process(self, clipboard):
            images = [clipboard.get(key) for key in sorted(clipboard) if "scaled" in key]
            clipboard.put("blended", self.rank + sum(images), True)

    class Save(SerialProcessing):
        def postprocess(self, clipboard):
            with open(os.environ["RESULT"], "a") as out:
                for blended in clipboard.gather("blended"):
                    print(hashlib.sha256(blended.tobytes()).hexdigest(), file=out)
"""
RING = 'shareDataOn: true\ntopology: {\n    type: "ring"\n    param1: "clockwise"\n}'


def night(bench, monkeypatch, name, head, slices, module=NIGHT):
    monkeypatch.setenv("RESULT", name)
    bench.module(module)
    bench.policy(
        "load Load -", "scale - Scale", "blend - Blend:share", "save Save -", slices=slices,
        head=f"randomSeed: 11\n{head}", tail=RING if slices > 1 else "",
    )  # fmt: skip
    done = bench.run("--visits", "2", "--workers", "2" if slices > 1 else "1")
    assert done.code == 0, done.err
    assert done.row("load", "preprocess")["bytes_shared"] == 2 * 512 * 256 * 8
    assert all(row["bytes_copied"] == 0 for row in done.summary["stages"])
    return (bench.folder / name).read_text()


@pytest.mark.parametrize("slices", [1, 2, 5])
def test_fork_and_exec_give_the_same_bytes_and_copy_none(bench, monkeypatch, slices):
    forked = night(bench, monkeypatch, "forked", FORK, slices)
    assert len(set(forked.split())) == 2 * slices
    assert night(bench, monkeypatch, "executed", EXEC, slices) == forked
    if slices == 2:
        module = textwrap.dedent(THREADED) + textwrap.dedent(NIGHT)
        assert night(bench, monkeypatch, "each", EXEC, slices, module) == forked


DYING = SAYS_WHICH + """
    class Dies(ParallelProcessing):
        def process(self, clipboard):
            with open(f"ran-{self.rank}", "a") as out:
                out.write(starts() + " ")
            if self.rank == 1 and not os.path.exists("died"):
                open("died", "w").close()
                if KILL_NURSERY:
                    os.kill(nursery(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
            clipboard.put("result", np.full((300, 300), self.rank + 1.0), True)

    class Sum(SerialProcessing):
        def postprocess(self, clipboard):
            print("sum", sum(float(result[5, 5]) for result in clipboard.gather("result")))

    def nursery():
        from harness.runtime.processes import stacks
        own = f"PPid:\\t{os.getppid()}\\n"
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
        return next(pid for pid in pids if own in status(pid) and stacks.who(pid) == "nursery")

    def status(pid):
        try:
            return open(f"/proc/{pid}/status").read()
        except OSError:
            return ""
"""


@pytest.mark.parametrize(
    ("threads", "nursery_too", "runs_in"),
    [("", False, "nursery"), ("", True, "nursery"), (THREADED, False, "worker"), (THREADED, True, "worker")],
    ids=["forked by an exec'd nursery", "its nursery dies too", "exec'd", "exec'd, and the nursery dies too"],
)
def test_a_dead_worker_is_replaced_and_its_slice_run_again(bench, threads, nursery_too, runs_in):
    bench.module(textwrap.dedent(threads) + textwrap.dedent(DYING).replace("KILL_NURSERY", str(nursery_too)))
    bench.policy("one - Dies", "sum Sum -", slices=3, head=f'executionMode: "oneloop"\n{EXEC}')
    done = bench.run("--workers", "3")
    assert done.code == 0, done.err
    assert "sum 6.0" in done.out
    assert [(bench.folder / f"ran-{rank}").read_text().split() for rank in range(3)] == [
        [runs_in], [runs_in] * 2, [runs_in],
    ]  # fmt: skip
    assert "a fresh worker" in done.log() and "(retry 1 of 1)" in done.log()
    assert [death["worker"] for death in done.summary["deaths"]] == [1]


def test_a_wrong_start_method_is_refused_with_what_is_allowed(bench):
    bench.module(NIGHT)
    bench.policy("load Load -", head='startMethod: "spawn"')
    done = bench.run()
    assert done.code == 2
    assert "startMethod" in done.err and "spawn" in done.err
    assert all(f'"{word}"' in done.err for word in ("auto", "fork", "exec"))


@pytest.mark.parametrize(("method", "words"), [("fork", "workers are forked"), ("exec", "by exec")])
def test_explain_says_how_processes_start(bench, method, words):
    bench.module(NIGHT)
    bench.policy("load Load -", head=f'startMethod: "{method}"')
    assert f"startMethod {method}: " in (out := bench.run("--explain").out) and words in out


def test_what_a_class_lacks_is_told_as_by_a_forked_nursery(bench):
    bench.module(NIGHT)
    told = []
    for head in (FORK, EXEC):
        bench.policy("load Load -", "scale - Scal", head=head)
        done = bench.run()
        assert done.code == 2
        told.append(done.err)
    assert told[0] == told[1] and "did you mean 'stages_here.Scale'?" in told[0]


@pytest.mark.parametrize("threads", ["", THREADED], ids=["forked by an exec'd nursery", "exec'd each"])
def test_a_master_that_is_killed_at_any_moment_of_its_start_leaves_nothing(bench, threads):
    bench.module(textwrap.dedent(threads) + textwrap.dedent(NIGHT))
    bench.policy("load Load -", "scale - Scale", slices=4, head=EXEC)
    began = time.monotonic()
    assert bench.run("--workers", "4", "--visits", "1").code == 0
    whole = time.monotonic() - began
    seed = int.from_bytes(os.urandom(2), "big")
    moments = random.Random(seed)
    enough = time.monotonic() + 6.0
    for turn in range(8):
        if turn >= 3 and time.monotonic() > enough:
            break
        process = bench.start("--workers", "4")
        time.sleep(moments.uniform(0.0, whole))
        process.kill()
        process.communicate(timeout=20)
        which = f"seed {seed}, turn {turn}"
        bench.wait_until(lambda: not bench.processes(), f"all to end ({which})", timeout=20.0)


WAITS = """
    class Master(SerialProcessing):
        def setup(self):
            # Workers may be there; until they are admitted none of them has a log, nor a stage.
            time.sleep(1.0)
            open("master", "w").close()
            if os.path.exists("fails"):
                raise ValueError("no sky")

    class Slice(ParallelProcessing):
        def setup(self):
            with open(f"slice-{self.rank}", "w") as out:
                out.write(str(os.path.exists("master")))
"""


@pytest.mark.parametrize("method", [FORK, EXEC])
def test_slices_are_set_up_after_the_master_however_long_that_takes(bench, method):
    bench.module(WAITS)
    bench.policy("one Master Slice", head=f'executionMode: "oneloop"\n{method}')
    done = bench.run()
    assert done.code == 0, done.err
    assert [(bench.folder / f"slice-{rank}").read_text() for rank in (0, 1)] == ["True", "True"]


@pytest.mark.parametrize("method", [FORK, EXEC])
def test_a_master_that_cannot_be_set_up_leaves_no_worker_behind(bench, method):
    bench.module(WAITS)
    bench.policy("one Master Slice", head=f'executionMode: "oneloop"\n{method}')
    (bench.folder / "fails").touch()
    done = bench.run()
    assert done.code == 2
    assert "no sky" in done.err
    assert not list(bench.folder.glob("slice-*"))
    assert bench.processes() == []

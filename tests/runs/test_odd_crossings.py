# SPDX-License-Identifier: BSD-3-Clause
"""Crossings that are easily half right: relayed, aliased, failed half-way, counted."""

import textwrap

import numpy as np
import pytest

from .conftest import NO_BIRTHS


def keys_of(done, column="bytes_copied"):
    return {(row["name"], row["direction"], row["key"]): row[column] for row in done.summary["keys"]}


@pytest.mark.parametrize("relay", ["image", "[image]"])
def test_what_was_sent_on_under_another_key_is_not_handed_over(bench, relay):
    bench.module(f"""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            if self.stageId == 2:
                image = clipboard.get("image-0")
                clipboard.put("sent on", {relay}, True)
        def postprocess(self, clipboard):
            if self.stageId == 2:
                clipboard.put("sent on", None)
                taken = clipboard.take("image-0")
                taken += 1

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.stageId == 1:
                clipboard.put("image", np.full((400, 400), 5.0), True)
            elif self.stageId == 2:
                del clipboard["image"]
            else:
                print("sees", np.max(clipboard.get("sent on")))
    """)
    bench.policy("one Master Slice", "two Master Slice", "three - Slice", slices=1)
    done = bench.run()
    assert done.summary["failures"] == [], done.err
    assert "sees 5.0" in done.out


def test_another_name_for_a_taken_array_does_not_change_with_it(bench):
    bench.module("""
    class Master(SerialProcessing):
        def postprocess(self, clipboard):
            if self.stageId == 2:
                clipboard.put("backup", clipboard.get("image-0")[10:])
                taken = clipboard.take("image-0")
                taken += 1
                print("backup", clipboard.get("backup").max(), "taken", taken.max())

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.stageId == 1:
                clipboard.put("image", np.full((400, 400), 5.0), True)
            else:
                del clipboard["image"]
    """)
    bench.policy("one Master Slice", "two Master Slice", slices=1)
    assert "backup 5.0 taken 6.0" in bench.run().out


def test_a_canvas_stays_writeable_though_it_crosses_under_a_second_key(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            mosaic = harness.zeros((300, 300))
            clipboard.put("mosaic", mosaic, True, writeable=True)
            clipboard.put("same", mosaic, True)
        def postprocess(self, clipboard):
            clipboard.get("mosaic")[0, 0] = 3
            print("wrote", clipboard.get("same")[0, 0])
    """)
    bench.policy("one Master -", slices=1)
    done = bench.run()
    assert "wrote 3.0" in done.out, done.err


def test_one_canvas_under_two_keys_is_one_array(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            mosaic = np.zeros((300, 300))
            clipboard.put("one", mosaic, True, writeable=True)
            clipboard.put("two", mosaic, True, writeable=True)
        def postprocess(self, clipboard):
            print("two", clipboard.get("two")[0, 0])

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.get("one")[0, 0] = 3
    """)
    bench.policy("one Master Slice", slices=1, tail=NO_BIRTHS)
    done = bench.run()
    assert "two 3.0" in done.out, done.err


@pytest.mark.parametrize("shape", ["(0, 5)", "()"])
@pytest.mark.parametrize("make", ["np", "harness"])
def test_an_empty_canvas_crosses(bench, shape, make):
    bench.module(f"""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("canvas", {make}.zeros({shape}), True, writeable=True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.get("canvas")[...] = 1
            print("shape", clipboard.get("canvas").shape)
    """)
    bench.policy("one Master Slice", slices=1)
    done = bench.run()
    assert f"shape {shape}" in done.out, done.err


EXCHANGE = """
shareDataOn: true
topology: {
    type: "ring"
    param1: "clockwise"
}
"""


def test_an_exchange_shows_what_a_view_holds_then(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.stageId == 1:
                self.__class__.base = np.zeros((400, 400))
                clipboard.put("view", self.base[::2], True)
            else:
                print(f"stage {self.stageId} {clipboard.gather('view')[0].max()}")
                self.base += 1
    """)
    stages = "one - Slice", "two - Slice:share", "three - Slice:share"
    bench.policy(*stages, slices=1, tail=EXCHANGE + NO_BIRTHS)
    done = bench.run()
    assert "stage 2 0.0" in done.out and "stage 3 1.0" in done.out, done.out + done.err


def test_a_neighbour_that_failed_leaves_nothing_stale(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("edge", self.stageId, True)
            if self.stageId == 3:
                print(f"slice {self.rank} has {clipboard.gather('edge')}")
            if self.stageId == 2 and self.rank == 0:
                raise RuntimeError("out of luck")
    """)
    bench.policy("one - Slice", "two - Slice:share", "three - Slice:share", slices=3, tail=EXCHANGE)
    done = bench.run()
    assert "slice 2 has [2]" in done.out
    assert "slice 1 has []" in done.out


def test_strict_counts_from_64_kib_on_for_every_class(bench):
    bench.module("""
    class Own(np.ndarray):
        def __reduce__(self):
            return Own.of, (self.tolist(),)
        @staticmethod
        def of(values):
            return np.array(values).view(Own)

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("own", np.zeros(10).view(Own), True)
            clipboard.put("canvas", np.zeros(10), True, writeable=True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            print("own", clipboard.get("own").shape, clipboard.get("canvas").shape)
    """)
    bench.policy("one Master Slice", slices=1, tail='copyPolicy: "strict"')
    done = bench.run()
    assert "own (10,) (10,)" in done.out, done.err


def test_a_class_that_pickles_its_bytes_is_counted_once(bench):
    bench.module("""
    class Own(np.ndarray):
        def __reduce__(self):
            return Own.of, (self.tobytes(),)
        @staticmethod
        def of(data):
            return np.frombuffer(data).view(Own)

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("own", np.zeros(100_000).view(Own), True)
    """)
    bench.policy("one Master -", slices=1)
    done = bench.run()
    assert 800_000 <= keys_of(done)["one", "down", "own"] < 900_000


def test_an_array_class_without_attributes_crosses(bench):
    bench.module("""
    class Slim(np.ndarray):
        __slots__ = ()

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("slim", np.zeros(100_000).view(Slim), True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            print("got", type(clipboard.get("slim")).__name__)
    """)
    bench.policy("one Master Slice", slices=1)
    done = bench.run()
    assert "got Slim" in done.out, done.err


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 2 has strings of any length")
@pytest.mark.parametrize("count", [5, 50_000])
def test_strings_of_any_length_cross(bench, count):
    bench.module(f"""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            names = np.array(["a name that is longer than a pointer " + str(n) for n in range({count})],
                             dtype=np.dtypes.StringDType())
            clipboard.put("names", names, True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            print("got", clipboard.get("names")[-1])
    """)
    bench.policy("one Master Slice", slices=1)
    done = bench.run()
    assert f"got a name that is longer than a pointer {count - 1}" in done.out, done.err


def test_a_taken_copy_of_an_object_is_counted_whole(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("table", {"flux": harness.zeros(100_000)}, True)
        def postprocess(self, clipboard):
            clipboard.take("table")

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.take("table")
    """)
    bench.policy("one Master Slice", slices=1)
    done = bench.run()
    assert keys_of(done) == {("one", "down", "table"): 0, ("one", "up", "table"): 1_600_000}
    assert done.row("one", "process")["bytes_copied"] == 800_000
    assert done.row("one", "postprocess")["bytes_copied"] == 800_000


def test_bytes_of_a_crossing_that_failed_are_told_by_key(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("big", np.zeros(100_000), True)
            clipboard.put("bad", lambda: 1, True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.stageId == 2:
                clipboard.put("mine", np.zeros(100_000), True)
                clipboard.put("bad", lambda: 1, True)
    """)
    bench.policy("one Master -", "two - Slice", slices=1, tail=NO_BIRTHS)
    done = bench.run()
    assert keys_of(done) == {("one", "down", "big"): 800_000, ("two", "up", "mine"): 800_000}
    assert keys_of(done, "items") == {("one", "down", "big"): 0, ("two", "up", "mine"): 0}


def test_a_crossing_that_failed_keeps_no_memory(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            print("live", self.visit_number(), self.live())
            clipboard.put("image", harness.zeros(1_000_000), True)
            clipboard.put("bad", lambda: 1, True)
        seen = 0
        def visit_number(self):
            Slice.seen += 1
            return Slice.seen
        def live(self):
            from harness import arrays
            return arrays._arena.stats()["live_bytes"]
    """)
    bench.policy("one - Slice", slices=1, head="")
    done = bench.run("--visits", "3")
    assert "live 3 0" in done.out


def test_a_crossing_whose_list_does_not_fit_leaves_the_maker_what_it_had(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("image", harness.zeros(100_000), True)
            clipboard.put("text", "x" * 5_000_000, True)

    class Failure(ParallelProcessing):
        def process(self, clipboard):
            print("writeable", clipboard.get("image").flags.writeable)
    """)
    failure = 'failureStage: {\n name: "f"\n parallelClass: "stages_here.Failure"\n}'
    policy = bench.policy("one - Slice", slices=1, tail=failure)
    policy.write_text(policy.read_text().replace("256 MiB", "2 MiB"))
    done = bench.run()
    assert "ArenaFull: no shared memory for the list of what crosses" in done.err
    assert "writeable True" in done.out


def test_a_key_that_is_no_proper_text_is_named(bench):
    bench.module(r"""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("\udc80", 1, True)
    """)
    bench.policy("one - Slice", slices=1)
    assert r"clipboard key '\udc80': it cannot cross" in bench.run().err


def test_a_repeated_view_counts_and_keeps_what_it_covers(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            row = harness.zeros(100_000)
            clipboard.put("rows", np.broadcast_to(row, (100, 100_000)), True)
            frame = harness.zeros((100, 100_000))
            clipboard.put("one row", np.broadcast_to(frame[3], (100, 100_000)), True)
    """)
    bench.policy("one Master -", slices=1)
    done = bench.run()
    assert keys_of(done) == {("one", "down", "rows"): 0, ("one", "down", "one row"): 800_000}
    assert keys_of(done, "bytes_shared") == {("one", "down", "rows"): 800_000, ("one", "down", "one row"): 0}


def test_a_large_array_that_cannot_cross_is_blamed_without_a_look_at_its_elements(bench):
    bench.module("""
    import threading
    class Locked(np.ndarray):
        pass

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            array = np.zeros(1_000_000).view(Locked)
            array.lock = threading.Lock()
            clipboard.put("locked", array, True)
    """)
    bench.policy("one Master -", slices=1)
    done = bench.run()
    assert "attribute .lock of stages_here.Locked is a _thread.lock" in done.log() + done.err, done.err


def test_bytes_that_the_last_postprocess_takes_are_told_by_key(bench):
    bench.module("""
    class Master(SerialProcessing):
        def postprocess(self, clipboard):
            clipboard.take("image-0")
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("image", harness.zeros(100_000), True)
    """)
    bench.policy("one Master Slice", slices=1)
    done = bench.run()
    assert keys_of(done) == {("one", "up", "image"): 800_000}


FORKS_IN_REDUCE = """
    class Forks:
        def __init__(self, text):
            self.text = text
        def __reduce__(self):
            pid = os.fork()
            self.follow(pid)
            return Forks, (f"{self.text} {'parent' if pid else 'child'}",)
        def follow(self, pid):
            FOLLOW
"""


def test_a_process_forked_while_an_item_of_the_master_is_pickled_publishes_nothing(bench):
    follow = "if pid: open('code', 'w').write(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))"
    bench.module(textwrap.dedent(FORKS_IN_REDUCE.replace("FOLLOW", follow)) + textwrap.dedent("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("down", Forks("down"), True)
        def postprocess(self, clipboard):
            print(*clipboard.gather("up"), flush=True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("up", f"after {clipboard.get('down').text}", True)
    """))
    bench.policy("one Master Slice", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert (bench.folder / "code").read_text() == "83"
    assert "after down parent" in done.out.splitlines()


def test_a_process_forked_while_an_item_of_a_slice_is_pickled_takes_back_nothing(bench):
    # It comes back when its parent has published, and before the master has gathered.
    follow = "time.sleep(0 if pid else 0.3)"
    bench.module(textwrap.dedent(FORKS_IN_REDUCE.replace("FOLLOW", follow)) + textwrap.dedent("""
    class Master(SerialProcessing):
        def postprocess(self, clipboard):
            print(sorted(clipboard), clipboard.get("up-0").text, flush=True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 0:
                clipboard.put("up", Forks("up"), True)
            else:
                time.sleep(1.5)
    """))
    bench.policy("one Master Slice", slices=2)
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    assert "['up-0'] up parent" in done.out.splitlines()

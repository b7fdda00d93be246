# SPDX-License-Identifier: BSD-3-Clause
"""Shared memory that is full, held for ever, or used a hundred thousand times."""

import pytest

SMALL_ARENA = 'arenaSize: "24 MiB"\n'


@pytest.fixture
def small(bench):
    """Writes a policy for an arena of 24 MiB."""

    def policy(*stages: str, **options) -> None:
        path = bench.policy(*stages, **options)
        path.write_text(path.read_text().replace('arenaSize: "256 MiB"\n', SMALL_ARENA))

    return policy


def test_a_full_arena_at_the_crossing_fails_that_clipboard_and_says_all(bench, small):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("sky", harness.zeros((1024, 1024)), True)
        def postprocess(self, clipboard):
            print("master goes on with", len(clipboard.gather("fine")), "of", self.universeSize - 1)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 1:
                clipboard.put("image", np.zeros((2048, 2048)), True)
            clipboard.put("fine", self.rank, True)

    class Sweep(ParallelProcessing):
        def process(self, clipboard):
            print("MESSAGE", clipboard.get("failureMessage"), "TYPE", clipboard.get("failureType"))
    """)
    sweep = 'failureStage: {\nname: "sweep"\nparallelClass: "stages_here.Sweep"\n}'
    small("fill Master Slice", slices=3, tail=sweep)
    done = bench.run("--workers", "2")
    assert done.code == 0
    assert [(failure["stage"], failure["rank"]) for failure in done.summary["failures"]] == [(1, 1)]
    assert "master goes on with 2 of 3" in done.out
    (message,) = [line for line in done.out.splitlines() if line.startswith("MESSAGE")]
    for part in (
        "clipboard key 'image'", "33554432 bytes (32.0 MiB)", "the arena's own size is the limit",
        "The arena has 24.0 MiB", "8.0 MiB are held in", "are not in use", "most is held by the",
        "the visit in progress with", "Raise arenaSize in the pipeline policy", "ArenaFull",
    ):  # fmt: skip
        assert part in message, part


def test_the_visit_after_a_full_arena_has_all_of_it_again(bench, small):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            self.visit = getattr(self, "visit", 0) + 1
            count = 5 if self.visit == 2 else 2
            for n in range(count):
                clipboard.put(f"image{n}", np.zeros((1024, 1024)), True)
    """)
    small("fill - Slice", slices=1, head="")
    done = bench.run("--visits", "4")
    assert done.code == 0
    assert [failure["visit"] for failure in done.summary["failures"]] == [2]
    assert done.summary["arena"]["live_blocks"] == 0


def test_a_full_arena_in_the_master_fails_its_clipboard_and_slices_go_on(bench, small):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("image", np.zeros((2048, 2048)), True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            os.write(1, f"slice {self.rank} has {len(clipboard)} items\\n".encode())
    """)
    small("fill Master Slice", slices=2)
    done = bench.run()
    assert done.code == 0 and done.out.count("has 0 items") == 2
    assert "fill.preprocess raised" in done.log() and "Raise arenaSize" in done.log()


def test_arrays_in_reference_cycles_do_not_fill_the_arena(bench, small):
    bench.module("""
    import gc

    class Cycle:
        def __init__(self, image):
            self.image = image
            self.me = self

    class Slice(ParallelProcessing):
        def setup(self):
            gc.set_threshold(10**9)
        def process(self, clipboard):
            clipboard.put("object", Cycle(np.zeros((1024, 1024))), True)
            Cycle(harness.zeros((512, 512)))
    """)
    small("cycle - Slice", slices=1, head="")
    done = bench.run("--visits", "30")
    assert done.code == 0 and done.summary["failures"] == [], done.err


def test_a_visit_of_many_slices_and_stages_takes_no_more_blocks_than_one_of_few(bench, small):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("number", self.stageId * 100 + self.rank, True)

    class Check(SerialProcessing):
        def postprocess(self, clipboard):
            count = self.universeSize - 1
            assert clipboard.gather("number") == [self.stageId * 100 + rank for rank in range(count)]
    """)
    # 60 slices x 10 stages x 2 manifests: more than the 384 blocks of 64 KiB that an arena of 24 MiB has.
    ring = 'shareDataOn: true\ntopology: {\ntype: "ring"\nparam1: "clockwise"\n}'
    stages = [f"s{number} Check Slice:share" for number in range(10)]
    small(*stages, slices=60, head="", tail=ring)
    done = bench.run("--visits", "2")
    assert done.code == 0 and done.summary["failures"] == [], done.err
    assert "FATAL" not in done.log()
    assert done.summary["arena"]["live_blocks"] == 0


def test_who_keeps_arrays_for_ever_is_reported_by_key_and_stage(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("flat", harness.zeros((400, 400)), True)

    class Hoard(ParallelProcessing):
        kept = []
        def process(self, clipboard):
            if self.rank == 1:
                Hoard.kept.append(clipboard.get("flat")[:10])

    class Cache(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("bias", harness.zeros((300, 300)), True)
            self.bias = clipboard.get("bias")

    class Use(ParallelProcessing):
        def process(self, clipboard):
            assert clipboard.get("bias").sum() == 0
    """)
    bench.policy("one Master Hoard", "two Cache Use", slices=3, head="")
    done = bench.run("--visits", "4", "--workers", "2")
    assert done.code == 0
    kept = {row["key"]: row for row in done.summary["kept"]}
    assert set(kept) == {"flat", "bias"}
    flat, bias = kept["flat"], kept["bias"]
    told = ("name", "direction", "blocks", "bytes", "held_by", "visits")
    hoarder = "worker 1 (ranks 1)"
    assert [flat[figure] for figure in told] == ["one", "down", 4, 5_120_000, hoarder, [1, 2, 3, 4]]
    assert [bias[figure] for figure in told] == ["two", "down", 1, 720_000, "the master", [4]]
    warnings = [line for line in done.log().splitlines() if "kept past the end of its visit" in line]
    # What does not grow may be a cache: it is in the summary alone.
    assert len(warnings) == 1 and "4 blocks, 5120000 bytes of clipboard key 'flat' of stage 1" in warnings[0]


def test_nothing_is_reported_where_nothing_is_kept(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("image", harness.zeros((400, 400)), True)
            self.name_of_last = float(clipboard.get("image").sum())
    """)
    bench.policy("one - Slice", slices=2, head="")
    done = bench.run("--visits", "3")
    assert done.summary["kept"] == [] and "kept past" not in done.log()


def test_a_hundred_thousand_items_leave_no_trace(bench, small):
    bench.module("""
    def tell(who, visit):
        with open("/proc/self/status") as status:
            private = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
        os.write(1, f"{who} {visit} {private} {len(os.listdir('/proc/self/fd'))}\\n".encode())

    class Master(SerialProcessing):
        visit = 0
        def preprocess(self, clipboard):
            self.visit += 1
            for n in range(25):
                clipboard.put(f"down{n}", harness.zeros(10_000), True)
        def postprocess(self, clipboard):
            for n in range(25):
                clipboard.take(f"up{n}-0")
            if self.visit in (100, 2000):
                tell("master", self.visit)

    class Slice(ParallelProcessing):
        visit = 0
        def process(self, clipboard):
            self.visit += 1
            for n in range(25):
                clipboard.put(f"up{n}", {"image": harness.zeros(10_000)}, True)
                assert clipboard.get(f"down{n}")[5] == 0
            if self.visit in (100, 2000):
                tell("slice", self.visit)
    """)
    small("cycle Master Slice", slices=1, head="")
    done = bench.run("--visits", "2000")
    assert done.code == 0 and done.summary["failures"] == [], done.err
    figures = {tuple(line.split()[:2]): line.split()[2:] for line in done.out.splitlines()
               if line.split()[:1] in (["master"], ["slice"]) and len(line.split()) == 4}  # fmt: skip
    for who in ("master", "slice"):
        (early, early_files), (late, late_files) = figures[who, "100"], figures[who, "2000"]
        assert int(late) - int(early) < 2048, f"{who} grew by {int(late) - int(early)} KiB"
        assert late_files == early_files
    arena = done.summary["arena"]
    assert arena["live_blocks"] == 0
    assert arena["committed_bytes"] <= 20 << 20
    assert done.summary["kept"] == []
    items = sum(row["items"] for row in done.summary["keys"])
    assert items == 100_000


def test_an_array_beyond_4_gib_rides_uncopied(bench):
    needed = 10
    with open("/proc/meminfo", encoding="ascii") as table:
        available = next(int(line.split()[1]) << 10 for line in table if line.startswith("MemAvailable"))
    if available < needed << 30:
        pytest.skip(f"needs {needed} GiB of available memory, there are {available / 2**30:.1f}")
    bench.module("""
    SIZE = (4 << 30) + (128 << 20)

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            cube = harness.empty(SIZE, np.uint8)
            cube[0], cube[SIZE // 2], cube[-1] = 1, 2, 3
            clipboard.put("cube", cube.reshape(-1, 1 << 20), True)
            clipboard.put("end", {"tail": cube[: -(1 << 30) : -1]}, True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            cube = clipboard.get("cube")
            assert cube.nbytes == SIZE and (cube[0, 0], cube[-1, -1]) == (1, 3)
            assert cube.ravel()[SIZE // 2] == 2
            assert clipboard.get("end")["tail"][0] == 3
    """)
    path = bench.policy("big Master Slice", slices=2)
    path.write_text(path.read_text().replace("256 MiB", "5 GiB"))
    done = bench.run()
    assert done.code == 0 and done.summary["failures"] == [], done.err
    assert "FATAL" not in done.log(), done.log()
    assert done.row("big", "preprocess")["bytes_copied"] == 0


SPENDS = """
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            images = [harness.zeros((256, 1024)) for _ in range(8)]
            clipboard.put("image", images[0], True)
"""


@pytest.mark.parametrize(("warm", "most"), [("0", 0), ('"5 MiB"', 5 << 20)])
def test_freed_memory_beyond_the_policy_s_wish_goes_back_after_every_visit(bench, small, warm, most):
    bench.module(SPENDS)
    small("spend - Slice", slices=2, head=f"arenaWarm: {warm}")
    done = bench.run("--visits", "3", "--workers", "2")
    assert done.code == 0 and done.summary["failures"] == [], done.err
    arena = done.summary["arena"]
    assert arena["live_blocks"] == 0 and arena["committed_bytes"] == arena["warm_bytes"]
    assert arena["blocks_trimmed"] > 0
    # What a worker lets go of while it leaves is not looked at: the run is over then.
    assert arena["warm_bytes"] <= most + (2 << 20)


def test_without_a_wish_freed_memory_stays_for_the_next_visit(bench, small):
    bench.module(SPENDS)
    small("spend - Slice", slices=1, head="")
    done = bench.run("--visits", "3")
    arena = done.summary["arena"]
    assert arena["blocks_trimmed"] == 0 and arena["warm_bytes"] >= 8 * (2 << 20)

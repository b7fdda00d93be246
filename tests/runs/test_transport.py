# SPDX-License-Identifier: BSD-3-Clause
"""What is marked shareable crosses: read-only, uncopied where it was born shared, whatever the mapping."""

import pytest

SHARING = """
    SHAPE = (2048, 2048)

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            image = harness.zeros(SHAPE, np.float32)
            image[:] = np.arange(2048)
            clipboard.put("image", image, True)
            clipboard.put("private", image)
            del image
        def postprocess(self, clipboard):
            for rank in range(self.universeSize - 1):
                print(rank, clipboard.get(f"seen-{rank}"))
            print("gathered", clipboard.gather("seen"))

    class Reader(ParallelProcessing):
        def process(self, clipboard):
            image = clipboard.get("image")
            try:
                image[0, 0] = 1
                writeable = True
            except ValueError:
                writeable = False
            seen = (float(image.sum()), image.dtype.str, image.shape, writeable, "private" in clipboard)
            clipboard.put("seen", seen, True)
            clipboard.put("own", 1)
"""


def test_a_16_mib_array_reaches_every_slice_with_no_byte_copied(bench):
    bench.module(SHARING)
    bench.policy("share Master Reader", slices=5)
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    expected = (float(2048 * sum(range(2048))), "<f4", (2048, 2048), False, False)
    for rank in range(5):
        assert f"{rank} {expected}" in done.out
    assert f"gathered {[expected] * 5}" in done.out
    down = done.row("share", "preprocess")
    assert down["bytes_copied"] == 0
    assert down["bytes_shared"] == 2048 * 2048 * 4
    assert done.row("share", "process")["bytes_copied"] == 0


def test_an_array_from_outside_is_copied_once_and_counted(bench):
    # Memory that no NumPy allocated: a file's, a library's.
    foreign = "np.frombuffer(bytearray(4 << 22), np.float32).reshape(SHAPE)"
    bench.module(SHARING.replace("harness.zeros(SHAPE, np.float32)", foreign))
    bench.policy("share Master Reader", slices=5)
    done = bench.run()
    assert done.code == 0, done.err
    assert done.row("share", "preprocess")["bytes_copied"] == 2048 * 2048 * 4
    assert done.row("share", "process")["bytes_copied"] == 0


def test_a_slice_s_array_reaches_the_master_with_no_byte_copied(bench):
    bench.module("""
    class Maker(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("image", harness.full((512, 1024), self.rank + 0.5), True)

    class Master(SerialProcessing):
        def postprocess(self, clipboard):
            images = clipboard.gather("image")
            print([float(image.mean()) for image in images], [image.flags.writeable for image in images])
    """)
    bench.policy("up Master Maker", slices=3)
    done = bench.run("--workers", "2")
    assert "[0.5, 1.5, 2.5] [False, False, False]" in done.out
    assert done.row("up", "process")["bytes_copied"] == 0
    assert done.row("up", "process")["bytes_shared"] == 3 * 512 * 1024 * 8


def test_the_writer_s_own_array_becomes_read_only_at_the_crossing(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("image", harness.zeros((512, 512)), True)
        def postprocess(self, clipboard):
            print("writeable", clipboard.get("image").flags.writeable)
    """)
    bench.policy("one Master -")
    assert "writeable False" in bench.run().out


def test_views_strides_and_any_object_cross_intact(bench):
    bench.module("""
    from dataclasses import dataclass

    @dataclass
    class Found:
        label: str
        pixels: np.ndarray

    def things():
        base = np.arange(200_000, dtype=">f8").reshape(400, 500)
        return {
            "strided": base[::2, ::5], "reversed": base[::-1], "transposed": base.T, "big": base,
            "scalar": np.array(3.5), "empty": np.zeros((0, 4)), "structured": np.zeros(30_000, "i4,f8"),
            "dates": np.array(["2026-11-23"], "M8[D]"), "objects": np.array([1, "x", None], dtype=object),
            "found": Found("star", base), "text": "a" * 100_000, "number": 7, "nothing": None,
        }

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            for key, value in things().items():
                clipboard.put(key, value, True)

    class Check(ParallelProcessing):
        def process(self, clipboard):
            for key, value in things().items():
                got = clipboard.getItem(key)
                if isinstance(value, Found):
                    value, got = value.pixels, got.pixels
                assert type(got) is type(value), key
                if isinstance(value, np.ndarray):
                    assert got.dtype == value.dtype and got.shape == value.shape, key
                    assert np.array_equal(got, value), key
                else:
                    assert got == value, key
    """)
    bench.policy("all Master Check", slices=2)
    done = bench.run()
    assert done.code == 0
    assert done.row("all", "process")["raised"] == 0, done.log("Slice0")


def test_an_item_crosses_once_per_put_and_a_slice_s_later_value_wins(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            if self.stageId == 1:
                clipboard.put("item", "from the master", True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.stageId == 1:
                assert clipboard.get("item") == "from the master"
                clipboard.put("item", "my own")
            else:
                assert clipboard.get("item") == "my own"
    """)
    bench.policy("one Master Slice", "two Master Slice")
    done = bench.run()
    assert done.row("two", "process")["raised"] == 0, done.log("Slice0")


def test_what_is_changed_between_put_and_the_end_of_the_method_crosses_as_it_is_then(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            image, small, found = harness.zeros((300, 300)), np.zeros(10), []
            for key, value in (("image", image), ("small", small), ("found", found)):
                clipboard.put(key, value, True)
            image += 7
            small += 8
            found.append("star")

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            image, small = clipboard.get("image"), clipboard.get("small")
            print("saw", image.min(), image.max(), small.min(), clipboard.get("found"))
    """)
    bench.policy("late Master Slice", slices=1)
    done = bench.run()
    assert "saw 7.0 7.0 8.0 ['star']" in done.out, done.err


def test_what_cannot_be_sent_fails_the_stage_and_names_key_and_type(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("handle", open(os.devnull), True)
    """)
    bench.policy("send - Slice")
    done = bench.run()
    assert done.code == 0
    assert done.row("send", "process")["raised"] == 2
    assert "'handle'" in done.err and "TextIOWrapper" in done.err


def test_a_full_arena_fails_the_stage_with_the_cure(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 0:
                clipboard.put("image", np.zeros((40, 1024, 1024)), True)
    """)
    bench.policy("fill - Slice")
    done = bench.run()
    assert done.code == 0
    assert done.row("fill", "process")["raised"] == 1
    assert "ArenaFull" in done.err and "arenaSize" in done.err and "'image'" in done.err


def test_blocks_of_a_visit_are_free_in_the_next(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("image", harness.zeros((1024, 1024)), True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("answer", clipboard.get("image") + 1.0, True)
    """)
    bench.policy("one Master Slice", slices=3, head="")
    done = bench.run("--visits", "60", "--workers", "2")
    assert done.code == 0, done.err
    assert done.row("one", "process")["raised"] == 0
    arena = done.summary["arena"]
    assert arena["live_blocks"] == 0
    assert arena["committed_bytes"] < 12 * 8 * 1024 * 1024


@pytest.mark.parametrize("slices", [1, 2, 5])
def test_the_same_bytes_come_out_whatever_the_mapping(bench, slices):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("scale", np.linspace(0, 1, 100_000), True)
        def postprocess(self, clipboard):
            parts = clipboard.gather("part")
            clipboard.put("sum", sum(parts))
            with open(os.environ["RESULT"], "ab") as out:
                out.write(clipboard.get("sum").tobytes())
                for part in parts:
                    out.write(part.tobytes())

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            self.count = getattr(self, "count", 0) + 1
            clipboard.put("part", np.sin(clipboard.get("scale") * (self.rank + 1) + self.count), True)
    """)
    bench.policy("sum Master Slice", slices=slices, head="")
    results = []
    for workers in (1, 2, 5):
        result = bench.folder / f"result-{workers}"
        environment = bench.environment()
        bench.environment = lambda result=result, environment=environment: {
            **environment,
            "RESULT": str(result),
        }
        done = bench.run("--visits", "3", "--workers", str(workers))
        assert done.code == 0, done.err
        results.append(result.read_bytes())
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == 3 * (slices + 1) * 800_000


@pytest.mark.parametrize("make", ["harness.zeros((300, 300))", "harness.zeros((300, 300)).T"])
def test_an_array_inside_a_published_object_becomes_read_only_for_its_maker_too(bench, make):
    bench.module(f"""
    class Makes(ParallelProcessing):
        def process(self, clipboard):
            self.array = {make}
            clipboard.put("found", {{"sky": self.array}}, True)

    class Receives(SerialProcessing):
        def postprocess(self, clipboard):
            clipboard.put("sky", clipboard.get("found-0")["sky"])

    class Changes(ParallelProcessing):
        def process(self, clipboard):
            clipboard.get("found")["sky"][:] = 77

    class Looks(SerialProcessing):
        def postprocess(self, clipboard):
            print("highest", clipboard.get("sky").max())
    """)
    bench.policy("make Receives Makes", "change Looks Changes", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert done.row("make", "process")["bytes_copied"] == 0
    assert "highest 0.0" in done.out
    assert "read-only" in done.err

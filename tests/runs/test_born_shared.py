# SPDX-License-Identifier: BSD-3-Clause
"""Unchanged NumPy stages: what they compute is born shared, and crosses with no byte copied."""

import sys

import pytest

CALIBRATE = """
    SIDE = 2048  # 16 MiB of float32

    class Load(SerialProcessing):
        def preprocess(self, clipboard):
            raw = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
            bias = np.full((SIDE, SIDE), 3, np.float32)
            clipboard.put("image", raw - bias, True)

    class Flatten(ParallelProcessing):
        def process(self, clipboard):
            image = clipboard.get("image")
            clipboard.put("flat", (image - image.mean()) / np.float32(2 + self.rank), True)

    class Save(SerialProcessing):
        def postprocess(self, clipboard):
            for flat in clipboard.gather("flat") or [clipboard.get("flat")]:
                flat.tofile(os.environ.get("RESULT", "result"))
"""
STAGES = ("load Load -", "flatten - Flatten", "save Save -")


def test_an_unchanged_stage_s_image_crosses_down_and_up_with_no_byte_copied(bench):
    bench.module(CALIBRATE)
    bench.policy(*STAGES, slices=3)
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    image = 2048 * 2048 * 4
    down, up = done.row("load", "preprocess"), done.row("flatten", "process")
    assert (down["bytes_copied"], down["bytes_shared"]) == (0, image)
    assert (up["bytes_copied"], up["bytes_shared"]) == (0, 3 * image)
    arena = done.summary["arena"]
    assert arena["births_shared"] >= 1 + 3 and arena["births_refused"] == 0
    assert arena["live_blocks"] == 0


@pytest.mark.parametrize(("threshold", "copied"), [("16 MiB", 0), ("16.1 MiB", 1), ("1 TiB", 1)])
def test_arrays_below_the_threshold_of_the_policy_are_private_and_copied_once(bench, threshold, copied):
    bench.module(CALIBRATE)
    bench.policy(*STAGES, slices=3, head=f'executionMode: "oneloop"\narenaThreshold: "{threshold}"')
    done = bench.run()
    assert done.code == 0, done.err
    image = 2048 * 2048 * 4
    assert done.row("load", "preprocess")["bytes_copied"] == copied * image
    assert done.row("flatten", "process")["bytes_copied"] == copied * 3 * image


def test_the_results_are_those_of_the_stages_run_in_one_process(bench, monkeypatch):
    bench.module(CALIBRATE)
    bench.policy(*STAGES, slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    alone = bench.folder / "alone"
    monkeypatch.syspath_prepend(bench.folder)
    monkeypatch.setenv("RESULT", str(alone))
    monkeypatch.delitem(sys.modules, "stages_here", raising=False)
    from harness.policy import Policy
    from harness.tester import create

    clipboard = create(Policy(), "stages_here.Load").runMaster({})
    clipboard = create(Policy(), None, "stages_here.Flatten").runWorker(clipboard, 0)
    create(Policy(), "stages_here.Save").runMaster(clipboard)
    monkeypatch.delitem(sys.modules, "stages_here")
    assert alone.stat().st_size == 2048 * 2048 * 4
    assert alone.read_bytes() == (bench.folder / "result").read_bytes()


def test_a_stage_that_imports_numpy_late_is_covered_from_the_next_visit_on(bench):
    (bench.folder / "late.py").write_text(
        "from lsst.pex.harness.stage import SerialProcessing, ParallelProcessing\n"
        "class Late(ParallelProcessing):\n"
        "    def process(self, clipboard):\n"
        "        import numpy as np\n"
        "        clipboard.put('image', np.ones(1 << 20) + 1, True)\n"
    )
    path = bench.policy("late - Late", slices=1, head="")
    path.write_text(path.read_text().replace("stages_here.", "late."))
    done = bench.run("--visits", "3")
    assert done.code == 0, done.err
    row = done.row("late", "process")
    assert (row["bytes_copied"], row["bytes_shared"]) == (8 << 20, 2 * (8 << 20))


def test_setup_and_import_make_private_arrays_and_shared_arrays_makes_setup_share(bench):
    bench.module("""
    TABLE = np.ones(1 << 20, np.uint8)

    def shared(array):
        from harness import _core
        return _core.is_birth(array.ctypes.data)

    class Slice(ParallelProcessing):
        def setup(self):
            self.private = np.ones(1 << 20, np.uint8)
            with harness.shared_arrays():
                self.shared = np.ones(1 << 20, np.uint8)
        def process(self, clipboard):
            print([shared(array) for array in (TABLE, self.private, self.shared, np.ones(1 << 20, np.uint8))])
            clipboard.put("table", self.shared, True)
    """)
    bench.policy("look - Slice", slices=1)
    done = bench.run()
    assert "[False, False, True, True]" in done.out
    assert done.row("look", "process")["bytes_copied"] == 0


def test_what_does_not_fit_the_arena_stays_private_and_the_run_says_so(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            self.kept = [np.full(4 << 20, number, np.uint8) for number in range(80)]
            clipboard.put("sum", sum(int(array[-1]) for array in self.kept), True)

    class Master(SerialProcessing):
        def postprocess(self, clipboard):
            print("sum", clipboard.get("sum-0"))
    """)
    bench.policy("fill Master Slice", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert f"sum {sum(range(80))}" in done.out
    arena = done.summary["arena"]
    assert arena["births_refused"] == 80 - 56
    assert arena["births_refused_bytes"] == 24 * (4 << 20)
    assert arena["live_blocks"] == 0
    assert "24 arrays of stage code" in done.log() and "arenaSize" in done.log()


def test_an_array_kept_by_a_stage_stays_as_it_was_visit_after_visit(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def setup(self):
            self.kept = []
        def process(self, clipboard):
            fresh = np.full(1 << 20, len(self.kept), np.uint8) + np.uint8(0)
            self.kept.append(fresh)
            clipboard.put("fresh", fresh, True)
            assert all((array == number).all() for number, array in enumerate(self.kept))

    class Master(SerialProcessing):
        def postprocess(self, clipboard):
            self.kept = getattr(self, "kept", []) + clipboard.gather("fresh")
            assert all((array == number // 3).all() for number, array in enumerate(self.kept))
    """)
    bench.policy("keep Master Slice", slices=3, head="")
    done = bench.run("--visits", "9", "--workers", "2")
    assert done.code == 0, done.err
    assert done.row("keep", "process")["raised"] == done.row("keep", "postprocess")["raised"] == 0, done.err
    assert done.row("keep", "process")["bytes_copied"] == 0


def test_objects_cross_as_a_pickle_though_their_array_was_born_in_the_arena(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("names", np.array([f"star {n}" for n in range(20_000)], dtype=object) + "!", True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            names = clipboard.get("names")
            assert names.dtype == object and names[19_999] == "star 19999!"
    """)
    bench.policy("names Master Slice")
    done = bench.run()
    assert done.row("names", "process")["raised"] == 0, done.err
    assert done.row("names", "preprocess")["bytes_shared"] == 0


# --- forks made by stage code

FORKING = """
    import multiprocessing, subprocess

    def work(number):
        IMAGE[number] += np.uint8(number)   # into the worker's own copy
        return int(IMAGE[number].sum()) + int(np.ones(1 << 20, np.uint8).sum())

    def pooled(image):
        global IMAGE
        IMAGE = image
        with multiprocessing.get_context("fork").Pool(2) as pool:
            answer = pool.map(work, range(4))
        del IMAGE
        return answer

    def forked(image):
        pid = os.fork()
        if pid == 0:
            image[:] = 77
            os._exit(int(image[3, 3]))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def executed(image):
        return subprocess.run([sys.executable, "-c", "print(42)"], capture_output=True, text=True).stdout

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            image = np.zeros((4, 1 << 20), np.uint8) + np.uint8(1)
            print("master", WAY(image), int(image.sum()))
            clipboard.put("image", image, True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            image = clipboard.get("image") + np.uint8(1)
            answer = WAY(image)
            sums = int(image.sum()), int(clipboard.get("image").sum())
            os.write(1, f"slice {self.rank} {answer} {sums}\\n".encode())
            clipboard.put("seen", image, True)
            # Blocks that children used must not have come back to life in new arrays.
            assert (np.zeros((4, 1 << 20), np.uint8) + np.uint8(5) == 5).all()
"""

ANSWERS = {
    "pooled": ([(1 << 20) * 2 + number * (1 << 20) for number in range(4)],
               [(1 << 20) * 3 + number * (1 << 20) for number in range(4)]),
    "forked": (77, 77),
    "executed": ("42\n", "42\n"),
}


@pytest.mark.parametrize("way", ["pooled", "forked", "executed"])
def test_forks_of_a_stage_leave_the_arrays_of_the_run_alone(bench, way):
    bench.module(FORKING.replace("WAY", way))
    bench.policy("fork Master Slice", slices=3)
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    assert done.row("fork", "process")["raised"] == 0, done.err
    by_master, by_slice = ANSWERS[way]
    size = 4 << 20
    if way == "executed":
        assert "master 42" in done.out
    else:
        assert f"master {by_master} {size}" in done.out
        for rank in range(3):
            assert f"slice {rank} {by_slice} {(2 * size, size)}" in done.out
    assert done.row("fork", "preprocess")["bytes_copied"] == done.row("fork", "process")["bytes_copied"] == 0
    assert done.summary["arena"]["live_blocks"] == 0

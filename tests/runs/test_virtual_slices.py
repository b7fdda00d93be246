# SPDX-License-Identifier: BSD-3-Clause
"""Many ranks on few processes give the bytes that a process per rank gives."""

RANKS = 189
STAGES = """
    import random
    from concurrent.futures import ThreadPoolExecutor

    class Expose(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("bias", np.full((16, 16), 100.0) + self.rng.normal(size=(16, 16)), True)

    class Simulate(ParallelProcessing):
        def setup(self):
            self.offset = [self.rng.random(), random.random(), np.random.random()]

        def process(self, clipboard):
            os.makedirs(f"rank{self.rank}", exist_ok=True)
            os.chdir(f"rank{self.rank}")
            os.umask(0o077)
            raw = clipboard.get("bias") + np.random.poisson(50.0, (16, 16)) + self.rng.normal(size=(16, 16))
            raw[random.randrange(16)] += sum(self.offset)
            np.save(f"raw{harness.current_visit()}.npy", raw)
            clipboard.put("edge", raw[:, -1].copy(), True)
            clipboard.put("raw", raw)

    class Smooth(ParallelProcessing):
        def process(self, clipboard):
            raw, (edge,) = clipboard.get("raw"), clipboard.gather("edge")
            with ThreadPoolExecutor(3) as pool:
                rows = list(pool.map(lambda row: np.convolve(np.append(edge[row], raw[row]), np.ones(3) / 3),
                                     range(16)))
            with open(f"smooth{self.rank}.{harness.current_visit()}", "wb") as file:
                file.write(np.array(rows).tobytes())
            clipboard.put("level", float(np.median(rows)) + random.random(), True)

    class Combine(SerialProcessing):
        def postprocess(self, clipboard):
            levels = np.array(clipboard.gather("level"))
            with open("levels", "ab") as file:
                file.write(levels.tobytes())
"""


def everything(folder):
    """Every file below a folder with its mode and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_many_ranks_on_two_workers_give_the_bytes_of_a_process_for_each(bench):
    bench.module(STAGES)
    found = []
    for workers, schedule in ((2, "fused"), (RANKS, "lockstep")):
        policy = bench.policy(
            "expose Expose Simulate", "smooth - Smooth:share", "combine Combine -", slices=RANKS,
            head=f'randomSeed: 5\nschedule: "{schedule}"',
            tail='shareDataOn: true\ntopology: { type: "ring"\nparam1: "clockwise" }',
        )
        place = bench.folder / f"on{workers}"
        place.mkdir()
        command = bench.command("--workers", str(workers), "--visits", "2", "-q", policy=str(policy))
        done = bench.finish(bench.start_in(place, command), timeout=300)
        assert done.code == 0 and done.summary["failures"] == [], done.err
        assert done.summary["workers"] == workers
        found.append(everything(place))
    assert found[0] == found[1]
    assert len(found[0]) == 2 * 2 * RANKS + 1 and len(found[0]["levels"][1]) == 2 * RANKS * 8

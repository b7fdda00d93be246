# SPDX-License-Identifier: BSD-3-Clause
"""Stages written without a thought of sharing: the same results however slices are spread over workers."""

import pytest

STAGES = """
    from concurrent.futures import ThreadPoolExecutor
    import zlib

    def frame(seed, shape=(200, 300)):
        return np.random.default_rng(seed).normal(size=shape)

    def told(rank, word, *arrays):
        sums = [zlib.crc32(np.ascontiguousarray(array).tobytes()) for array in arrays]
        with open("results.txt", "a") as results:
            results.write(f"{word} {rank} {sums}\\n")

    class Pooled(ParallelProcessing):
        "Smooths strips in a pool of threads."
        def process(self, clipboard):
            image = frame(self.rank)
            def smooth(rows):
                part = np.pad(image, 1, mode="edge")[rows.start : rows.stop + 2]
                return (part[:-2] + part[1:-1] + part[2:])[:, 1:-1] / 3
            with ThreadPoolExecutor(3) as pool:
                parts = list(pool.map(smooth, [range(n, n + 50) for n in range(0, 200, 50)]))
            clipboard.put("smooth", np.concatenate(parts), True)
            clipboard.put("parts", parts, True)

    class Last3(ParallelProcessing):
        "Keeps the last three images as attributes."
        def setup(self):
            self.last = []
        def process(self, clipboard):
            self.last = [*self.last, frame(100 * len(self.last) + self.rank)][-3:]
            clipboard.put("median", np.median(self.last, axis=0), True)
            clipboard.put("newest", self.last[-1], True)
            clipboard.put("oldest", self.last[0], True)
            told(self.rank, "last", *self.last)

    class Twice(ParallelProcessing):
        "The same array under two keys."
        def process(self, clipboard):
            image = frame(self.rank + 7)
            clipboard.put("one", image, True)
            clipboard.put("other", image, True)

    class Based(ParallelProcessing):
        "A view crosses; its base is changed after it was put, and before it crosses."
        def process(self, clipboard):
            base = frame(self.rank + 9)
            clipboard.put("view", base[10:150], True)
            base[:] = base * 2

    class Dict(ParallelProcessing):
        "A dictionary with images inside, and CCDData where astropy is there."
        def process(self, clipboard):
            image = frame(self.rank + 11)
            value = {"image": image, "mask": image > 1, "rows": [image[5], image[::2]]}
            try:
                from astropy.nddata import CCDData, StdDevUncertainty
            except ImportError:
                pass
            else:
                uncertainty = StdDevUncertainty(np.abs(image))
                value["ccd"] = CCDData(image, unit="adu", mask=image > 1, uncertainty=uncertainty)
            clipboard.put("dict", value, True)

    class Look(SerialProcessing):
        def postprocess(self, clipboard):
            for key in ("smooth", "parts", "median", "newest", "oldest", "one", "other", "view", "dict"):
                for rank in range(self.getUniverseSize() - 1):
                    told(rank, key, *flat(clipboard.get(f"{key}-{rank}")))
                taken = clipboard.take(f"{key}-0") if clipboard.contains(f"{key}-0") else None
                for array in flat(taken):
                    array += 1

    def flat(value):
        if value is None:
            return []
        if isinstance(value, dict):
            found = [*flat(value["image"]), *(value["rows"])]
            ccd = value.get("ccd")
            return found if ccd is None else [*found, ccd.data, ccd.uncertainty.array]
        return [value] if isinstance(value, np.ndarray) else list(value)
"""
IMAGE_BYTES = 200 * 300 * 8
NAMES = ["Pooled", "Last3", "Twice", "Based", "Dict"]


def results(bench, slices, workers, tail):
    bench.module(STAGES)
    bench.policy(*(f"{name} Look {name}" for name in NAMES), slices=slices, head="", tail=tail)
    done = bench.run("--workers", str(workers), "--visits", "4")
    assert done.code == 0 and done.summary["failures"] == [] and "FATAL" not in done.log(), done.err
    path = bench.folder / "results.txt"
    lines = sorted(path.read_text().splitlines())
    path.unlink()
    return lines, done.summary


def bytes_of(run):
    return {
        (row["name"], row["key"]): (row["items"], row["bytes_copied"], row["bytes_shared"])
        for row in run["keys"]
    }


@pytest.mark.parametrize("slices", [1, 2, 5])
def test_odd_stages_give_the_same_on_any_number_of_workers(bench, slices):
    alone, summary = results(bench, slices, 1, "")
    spread, again = results(bench, slices, 2, "")
    copies, snapshot = results(bench, slices, 2, 'sharePolicy: "snapshot"')
    assert alone == spread == copies
    assert {line.split()[1] for line in alone} == {str(rank) for rank in range(slices)}
    assert bytes_of(summary) == bytes_of(again)
    # What the master takes of slice 0 is a copy: another key shows the same memory.
    assert bytes_of(summary)["Twice", "one"] == (4 * slices, 4 * IMAGE_BYTES, 4 * slices * IMAGE_BYTES)
    # A snapshot is made for the master alone: what it takes is no second copy.
    assert bytes_of(snapshot)["Last3", "newest"][1:] == (4 * slices * IMAGE_BYTES, 0)
    for run in (summary, again, snapshot):
        for column in ("bytes_copied", "bytes_shared"):
            by_stage = sum(row[column] for row in run["stages"])
            assert by_stage == sum(row[column] for row in run["keys"])

# SPDX-License-Identifier: BSD-3-Clause
"""Copies: counted by key and stage, an error under copyPolicy "strict", the rule under "snapshot"."""

import pytest

from .conftest import NO_BIRTHS

MIXED = """
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("born", harness.zeros((500, 500)), True)
            clipboard.put("outside", np.zeros((500, 400)), True)
            clipboard.put("text", "x" * 100_000, True)
            clipboard.put("small", np.zeros(10), True)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("result", harness.zeros(30_000), True)
            clipboard.put("borrowed", clipboard.get("born"), True)
"""


def test_bytes_are_counted_by_stage_way_and_key_and_shown_at_the_end(bench):
    bench.module(MIXED)
    bench.policy("mix Master Slice", slices=3, head="", tail=NO_BIRTHS)
    done = bench.run("--visits", "2")
    rows = {(row["direction"], row["key"]): row for row in done.summary["keys"]}
    figures = {key: (row["items"], row["bytes_copied"], row["bytes_shared"]) for key, row in rows.items()}
    text = figures.pop(("down", "text"))
    assert text[0] == 2 and 200_000 <= text[1] < 201_000 and text[2] == 0
    assert figures == {
        ("down", "born"): (2, 0, 4_000_000),
        ("down", "outside"): (2, 3_200_000, 0),
        ("down", "small"): (2, 0, 0),
        ("up", "result"): (6, 0, 1_440_000),
        ("up", "borrowed"): (6, 0, 12_000_000),
    }
    assert all(row["stage"] == 1 and row["name"] == "mix" for row in rows.values())
    table = [line.split() for line in done.out.splitlines()]
    assert ["mix", "down", "outside", "2", "3.20", "0"] in table
    assert ["mix", "up", "borrowed", "6", "0", "12.00"] in table
    assert not any("small" in line for line in table)


def test_the_sums_by_key_are_those_by_stage(bench):
    bench.module(MIXED)
    bench.policy("mix Master Slice", slices=3, tail=NO_BIRTHS)
    done = bench.run()
    for figure in ("bytes_copied", "bytes_shared"):
        by_key = sum(row[figure] for row in done.summary["keys"])
        assert by_key == sum(row[figure] for row in done.summary["stages"]) > 0


PRIVATE = "it lies in private memory"
STRICT = {
    "private memory": ("np.zeros((500, 400))", 1_600_000, PRIVATE, "`with harness.shared_arrays():`"),
    "in an object": ("{'a': np.zeros((500, 400))}", 1_600_000, PRIVATE, "harness.empty"),
    "a cut-out": ("harness.zeros((2000, 1000))[:20]", 160_000, "small part of a block of", "harness.asarray"),
    "a class of its own": ("harness.zeros((500, 400)).view(Own)", 1_600_000, "Own pickles itself", "one"),
    "a canvas": ("np.zeros((500, 400)), writeable", 1_600_000, PRIVATE, "harness.zeros"),
}


@pytest.mark.parametrize("case", list(STRICT))
def test_strict_makes_a_silent_copy_an_error_of_that_clipboard(bench, case):
    value, size, why, cure = STRICT[case]
    put = f"{value.removesuffix(', writeable')}, True" + (", writeable=True" if "writeable" in value else "")
    bench.module(f"""
    class Own(np.ndarray):
        def __reduce__(self):
            return np.zeros, (self.shape,)

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 0:
                clipboard.put("image", {put})
            clipboard.put("fine", harness.zeros(30_000), True)
    """)
    bench.policy("one - Slice", slices=2, tail=NO_BIRTHS + 'copyPolicy: "strict"')
    done = bench.run()
    assert done.code == 0
    assert [(f["stage"], f["rank"]) for f in done.summary["failures"]] == [(1, 0)]
    for part in ("clipboard key 'image'", f"{size} array bytes", '"strict"', why, "Cure: ", cure):
        assert part in done.err, part


def test_strict_lets_pass_what_is_shared_or_small(bench):
    bench.module(MIXED.replace('np.zeros((500, 400))', 'harness.zeros((500, 400))'))
    bench.policy("mix Master Slice", slices=2, tail='copyPolicy: "strict"')
    done = bench.run()
    assert done.summary["failures"] == [] and "FATAL" not in done.log(), done.err


@pytest.mark.parametrize("make", ["np.zeros((400, 400))", "harness.zeros((400, 400))"])
def test_a_snapshot_is_not_touched_by_what_its_producer_does_later(bench, make):
    bench.module(f"""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            if self.stageId == 1:
                self.image = {make}
                self.view = self.image[:1]
                self.inside = {make}
                clipboard.put("image", self.image, True)
                clipboard.put("object", dict(image=self.inside), True)
        def postprocess(self, clipboard):
            self.image += 5
            self.view += 5
            self.inside += 5
            print("mine", clipboard.get("image").max())

    class Look(ParallelProcessing):
        def process(self, clipboard):
            image, inside = clipboard.get("image"), clipboard.get("object")["image"]
            print("seen", image.max(), inside.max(), image.flags.writeable, inside.flags.writeable)
    """)
    tail = NO_BIRTHS + 'sharePolicy: "snapshot"'
    bench.policy("one Master Look", "two - Look", slices=1, tail=tail)
    done = bench.run()
    assert done.summary["failures"] == [] and "FATAL" not in done.log(), done.err
    assert "mine 10.0" in done.out
    assert done.out.count("seen 0.0 0.0 False False") == 2
    assert done.row("one", "preprocess")["bytes_copied"] == 2 * 1_280_000


def test_a_canvas_stays_one_memory_under_snapshot(bench):
    bench.module("""
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("canvas", harness.zeros((400, 400)), True, writeable=True)
        def postprocess(self, clipboard):
            print("filled", clipboard.get("canvas").max())

    class Fill(ParallelProcessing):
        def process(self, clipboard):
            clipboard.get("canvas")[self.rank] = 1 + self.rank
    """)
    bench.policy("one Master Fill", slices=2, tail='sharePolicy: "snapshot"')
    assert "filled 2.0" in bench.run().out


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('sharePolicy: "copy"', ['"sharePolicy": value is none of those allowed', "seal", "snapshot"]),
        ('copyPolicy: "never"', ['"copyPolicy": value is none of those allowed', "count", "strict"]),
        ("copyPolicy: true", ['"copyPolicy": value has the wrong type']),
        ('copyPolicy: "strict"\nsharePolicy: "snapshot"', ["forbids the copies that sharePolicy"]),
    ],
)
def test_a_wrong_policy_is_refused_before_the_run(bench, lines, expected):
    bench.module(MIXED)
    bench.policy("mix Master Slice", tail=lines)
    done = bench.run()
    assert done.code == 2
    for part in expected:
        assert part in done.err

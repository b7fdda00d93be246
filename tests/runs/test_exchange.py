# SPDX-License-Identifier: BSD-3-Clause
"""Slices exchange what they mark shareable: the worked examples of the topologies, and what may go wrong."""

import pytest

from .conftest import NO_BIRTHS

EDGE = """
    class Mark(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("edge", {"from": self.rank, "pixels": np.full(20_000, float(self.rank))}, True)

    class Take(ParallelProcessing):
        def process(self, clipboard):
            mine = sorted((key for key in clipboard if key.startswith("edge-")), key=lambda key: int(key[5:]))
            for key in mine:
                value = clipboard.get(key)
                assert value["from"] == int(key[5:]) and value["pixels"][7] == value["from"]
                assert not value["pixels"].flags.writeable
                assert key not in clipboard.getSharedKeys()
            assert clipboard.get("edge")["from"] == self.rank
            os.write(1, f"slice {self.rank}: {' '.join(mine) or 'nothing'}\\n".encode())
"""


def topology(kind: str, first: object, second: object = None) -> str:
    quoted = f'"{first}"' if isinstance(first, str) else first
    lines = ["shareDataOn: true", "topology: {", f'type: "{kind}"', f"param1: {quoted}"]
    return "\n".join([*lines, f"param2: {second}" if second else "", "}"])


def keys(*ranks: int) -> str:
    return " ".join(f"edge-{rank}" for rank in sorted(ranks))


def on_grid(rows: int, columns: int) -> dict[int, str]:
    """Left and right in both directions, around the edges."""
    out = {}
    for rank in range(rows * columns):
        x, y = divmod(rank, columns)
        near = {(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)}
        out[rank] = keys(*{i % rows * columns + j % columns for i, j in near})
    return out


EXAMPLES = {
    "ring clockwise": (5, topology("ring", "clockwise"), {r: keys((r - 1) % 5) for r in range(5)}),
    "ring counterclockwise": (
        5, topology("ring", "counterclockwise"), {r: keys((r + 1) % 5) for r in range(5)},
    ),
    "ring of one": (1, topology("ring", "clockwise"), {0: "edge-0"}),
    "leaders 8/4": (
        8, topology("sliceleaders", 4),
        {0: keys(1, 2, 3), 4: keys(5, 6, 7), **dict.fromkeys([1, 2, 3, 5, 6, 7], "nothing")},
    ),
    "leaders 6/4": (
        6, topology("sliceleaders", 4),
        {0: keys(1, 2, 3), 4: keys(5), **dict.fromkeys([1, 2, 3, 5], "nothing")},
    ),
    "focal plane 4x4": (16, topology("focalplane", 4, 4), on_grid(4, 4)),
    "focal plane 2x3": (6, topology("focalplane", 2, 3), on_grid(2, 3)),
}  # fmt: skip


@pytest.mark.contract("6.3.arrives", "6.5.examples")
@pytest.mark.parametrize("example", list(EXAMPLES))
def test_worked_example(bench, example):
    slices, tail, expected = EXAMPLES[example]
    bench.module(EDGE)
    bench.policy("mark - Mark", "take - Take:share", slices=slices, tail=tail)
    done = bench.run("--workers", "2")
    assert done.summary["failures"] == [], done.err
    lines = [line.removeprefix("slice ") for line in done.out.splitlines() if line.startswith("slice ")]
    said = dict(line.split(": ") for line in lines)
    assert {int(rank): what for rank, what in said.items()} == expected


@pytest.mark.contract("6.5.examples")
def test_the_examples_of_the_contract_are_what_the_tests_expect():
    plane = EXAMPLES["focal plane 4x4"][2]
    assert plane[5] == keys(1, 9, 4, 6) and plane[0] == keys(12, 4, 3, 1) and plane[15] == keys(11, 3, 14, 12)
    assert EXAMPLES["focal plane 2x3"][2][0] == keys(3, 2, 1)


@pytest.mark.contract("6.2.when")
@pytest.mark.parametrize("workers", [1, 2, 7])
def test_every_stage_exchanges_anew_whatever_the_mapping_and_speed(bench, workers):
    bench.module("""
    class Pass(ParallelProcessing):
        def process(self, clipboard):
            count = self.universeSize - 1
            before = (self.rank - 1) % count
            if self.stageId > 1:
                got = clipboard.get(f"value-{before}")
                assert got == (self.visit, self.stageId - 1, before), got
                assert clipboard.gather("value") == [got]
            else:
                self.visit = getattr(self, "visit", 0) + 1
                self.setVisit(self.visit)
            if self.rank % 3 == 0:
                time.sleep(0.002)
            clipboard.put("value", (self.visit, self.stageId, self.rank), True)

        def setVisit(self, visit):
            for stage in Pass.all:
                if stage.rank == self.rank:
                    stage.visit = visit

        all = []

        def setup(self):
            Pass.all.append(self)
    """)
    stages = ["s1 - Pass", *(f"s{n} - Pass:share" for n in range(2, 6))]
    bench.policy(*stages, slices=7, head="", tail=topology("ring", "clockwise"))
    done = bench.run("--visits", "5", "--workers", str(workers))
    assert done.code == 0 and done.summary["failures"] == [], done.err
    rows = {row["stage"]: row["items"] for row in done.summary["keys"] if row["direction"] == "across"}
    assert rows == {2: 35, 3: 35, 4: 35, 5: 35}


@pytest.mark.contract("6.1.marks")
def test_a_mark_exchanges_again_at_every_later_stage_with_the_value_of_that_time(bench):
    bench.module("""
    class Keep(ParallelProcessing):
        def process(self, clipboard):
            if self.stageId == 1:
                clipboard.put("log", [self.rank], True)
                clipboard.put("image", np.full(20_000, 1.5), True)
            else:
                (log,) = clipboard.gather("log")
                os.write(1, f"stage {self.stageId} slice {self.rank}: {log}\\n".encode())
                assert clipboard.gather("image")[0].max() == 1.5
                clipboard.get("log").append(self.stageId)
            if self.stageId == 3:
                clipboard.setShared("log", False)
                clipboard.setShared("image", False)

    class Last(ParallelProcessing):
        def process(self, clipboard):
            assert clipboard.getSharedKeys() == []
    """)
    bench.policy("one - Keep", "two - Keep:share", "three - Keep:share", "four - Last:share", slices=2,
                 tail=NO_BIRTHS + topology("ring", "clockwise"))  # fmt: skip
    done = bench.run()
    assert done.summary["failures"] == [], done.err
    for line in ("2 slice 0: [1]", "2 slice 1: [0]", "3 slice 0: [1, 2]", "3 slice 1: [0, 2]"):
        assert f"stage {line}\n" in done.out
    copied = {(row["stage"], row["direction"]): row["bytes_copied"] for row in done.summary["keys"]
              if row["key"] == "image"}  # fmt: skip
    assert copied == {(1, "up"): 2 * 160_000, (2, "across"): 0, (3, "across"): 0}


@pytest.mark.contract("17.32")
def test_many_keys_and_empty_property_sets_cross(bench):
    bench.module("""
    import lsst.daf.base as dafBase

    class Mark(ParallelProcessing):
        def process(self, clipboard):
            for n in range(40):
                ps = dafBase.PropertySet()
                if n % 2:
                    ps.set("n", n + self.rank)
                clipboard.put(f"key{n}", ps, True)

    class Take(ParallelProcessing):
        def process(self, clipboard):
            other = 1 - self.rank
            for n in range(40):
                ps = clipboard.get(f"key{n}-{other}")
                assert ps.nameCount() == n % 2
                if n % 2:
                    assert ps.get("n") == n + other
    """)
    bench.policy("mark - Mark", "take - Take:share", slices=2, tail=topology("ring", "clockwise"))
    assert bench.run().summary["failures"] == []


@pytest.mark.contract("6.3.mismatch")
def test_different_marks_fail_the_slices_concerned_and_nobody_else(bench):
    bench.module("""
    class Mark(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("edge", self.rank, True)
            if self.rank == 5:
                clipboard.put("sky", 1.0, True)

    class Take(ParallelProcessing):
        def process(self, clipboard):
            os.write(1, f"slice {self.rank} went on\\n".encode())
    """)
    bench.policy("mark - Mark", "take - Take:share", slices=8, tail=topology("ring", "clockwise"))
    done = bench.run("--workers", "2")
    assert done.code == 0
    assert sorted(failure["rank"] for failure in done.summary["failures"]) == [4, 5, 6]
    assert "the exchange before stage 2 (take)" in done.err
    assert "slice 5 marks 'edge', 'sky'" in done.err and "slice 4 marks 'edge'" in done.err
    went = {line for line in done.out.splitlines() if line.endswith("went on")}
    assert went == {f"slice {rank} went on" for rank in (0, 1, 2, 3, 7)}


@pytest.mark.contract("6.3.failed")
def test_a_slice_that_marks_nothing_is_told_from_one_that_failed(bench):
    bench.module("""
    class Mark(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 2:
                raise ValueError("this slice is out")
            if self.rank != 5:
                clipboard.put("edge", self.rank, True)

    class Take(ParallelProcessing):
        def process(self, clipboard):
            os.write(1, f"slice {self.rank}: {sorted(k for k in clipboard if '-' in k)}\\n".encode())
    """)
    bench.policy("mark - Mark", "take - Take:share", slices=8, tail=topology("ring", "clockwise"))
    done = bench.run("--workers", "3")
    failed = sorted((failure["stage"], failure["rank"]) for failure in done.summary["failures"])
    assert failed == [(1, 2), (2, 4), (2, 5), (2, 6)]
    assert "slice 5 marks none" in done.err
    # Slice 3 is a neighbour of the one that failed: it lacks its key, and goes on.
    for line in ("slice 3: []", "slice 0: ['edge-7']", "slice 1: ['edge-0']", "slice 7: ['edge-6']"):
        assert line in done.out


def test_what_a_slice_offered_in_the_last_visit_is_gone_when_it_fails_in_this_one(bench):
    bench.module("""
    class Mark(ParallelProcessing):
        visit = 0
        def process(self, clipboard):
            self.visit += 1
            if self.stageId == 1 and self.visit == 2 and self.rank == 0:
                raise ValueError("out")
            clipboard.put("edge", (self.visit, self.rank), True)

    class Take(ParallelProcessing):
        def process(self, clipboard):
            os.write(1, f"slice {self.rank}: {clipboard.gather('edge')}\\n".encode())
    """)
    bench.policy("mark - Mark", "take - Take:share", slices=2, head="", tail=topology("ring", "clockwise"))
    done = bench.run("--visits", "2")
    said = sorted(line for line in done.out.splitlines() if line.startswith("slice "))
    assert said == ["slice 0: [(1, 1)]", "slice 1: [(1, 0)]", "slice 1: []"]


@pytest.mark.contract("6.1.switches")
def test_no_exchange_without_the_switch_or_the_stage_s_wish(bench):
    bench.module("""
    class Mark(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("edge", 1, True)

    class Look(ParallelProcessing):
        def process(self, clipboard):
            assert not any("-" in key for key in clipboard), clipboard
    """)
    ring = topology("ring", "clockwise")
    for tail, stage in ((ring.replace("true", "false"), "Look:share"), (ring, "Look"), ("", "Look:share")):
        bench.policy("mark - Mark", f"look - {stage}", slices=2, tail=tail)
        done = bench.run()
        assert done.code == 0 and done.summary["failures"] == [], done.err


def test_explain_shows_the_exchange_and_why_nobody_waits(bench):
    bench.module(EDGE)
    bench.policy("mark - Mark", "take - Take:share", slices=4, tail=topology("ring", "clockwise"))
    lines = bench.run("--explain").out.splitlines()
    (exchange,) = [number for number, line in enumerate(lines) if "exchange" in line]
    assert "stage 2 (take)" in lines[exchange]
    assert "ring: every slice receives from the one before it" in lines[exchange]
    assert "release" in lines[exchange - 1] and "process in every slice" in lines[exchange + 1]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("shareDataOn: true", "nothing says which slices exchange data"),
        ('shareDataOn: true\ntopology: "ring"', '"topology": value has the wrong type'),
        (topology("rings", "clockwise"), "topology.type"),
        (topology("focalplane", 3, 2), "topology.param1"),
        ('shareDataOn: "yes"', '"shareDataOn": value has the wrong type'),
    ],
)
def test_a_wrong_policy_is_refused_before_the_run(bench, tail, expected):
    bench.module(EDGE)
    bench.policy("mark - Mark", "take - Take:share", slices=4, tail=tail)
    done = bench.run()
    assert done.code == 2 and expected in done.err


def test_an_exchange_before_the_first_stage_is_warned_about(bench):
    bench.module(EDGE)
    bench.policy("mark - Mark:share", "take - Take:share", slices=2, tail=topology("ring", "clockwise"))
    done = bench.run()
    assert done.summary["failures"] == [] and "appStage[0].shareData has no effect" in done.log()

# SPDX-License-Identifier: BSD-3-Clause
"""Keys that are no text cross as text; two that would arrive as one are refused."""

import pytest

REFUSED = "clipboard keys 1 (int) and '1' (str): both are marked shareable and would arrive as '1'"
ORDERS = {
    "together": ['clipboard.put(1, "one", True); clipboard.put("1", "text", True)', "pass"],
    "one after the other": ['clipboard.put(1, "one", True)', 'clipboard.put("1", harness.zeros(9999), True)'],
}


@pytest.mark.parametrize("acts", ORDERS.values(), ids=ORDERS)
def test_two_keys_of_one_name_fail_the_stage_at_whose_end_the_second_would_cross(bench, acts):
    bench.module(f"""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            if self.stageId == 1:
                {acts[0]}
            else:
                {acts[1]}

    class Master(SerialProcessing):
        def postprocess(self, clipboard):
            print("arrived", {{key: str(clipboard.get(key))[:20] for key in clipboard}})
    """)
    bench.policy("first Master Slice", "second Master Slice", slices=1)
    done = bench.run()
    assert done.code == 0
    assert REFUSED in done.err and "rename one of them" in done.err, done.err
    failed = "first" if acts[1] == "pass" else "second"
    assert done.row(failed, "process")["raised"] == 1
    arrived = [line for line in done.out.splitlines() if line.startswith("arrived")]
    assert not [line for line in arrived if "text" in line or "[" in line], "nothing took the other's place"


def test_a_key_that_is_no_text_arrives_as_text_and_a_private_one_of_its_name_is_no_matter(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put(1, "one", True)
            clipboard.put("1", "private")

    class Master(SerialProcessing):
        def postprocess(self, clipboard):
            print("arrived", clipboard.get("1-0"))
    """)
    bench.policy("first Master Slice", slices=1)
    done = bench.run()
    assert done.summary["failures"] == [], done.err
    assert "arrived one" in done.out


def test_two_keys_of_one_name_are_not_offered_to_neighbours(bench):
    bench.module("""
    class First(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put(1, "one")
            clipboard.put("1", "text")
            clipboard.setShared(1, True)
            clipboard.setShared("1", True)

    class Second(ParallelProcessing):
        def process(self, clipboard):
            print("arrived", sorted(map(str, clipboard)))
    """)
    sharing = 'shareDataOn: true\ntopology: { type: "ring"\nparam1: "clockwise" }'
    bench.policy("first - First", "second - Second:share", slices=2, tail=sharing)
    done = bench.run()
    assert REFUSED in done.err
    assert done.row("first", "process")["raised"] == 2 and "arrived" not in done.out

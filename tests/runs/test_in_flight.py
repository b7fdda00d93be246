# SPDX-License-Identifier: BSD-3-Clause
"""Several visits in flight: the results are those of one by one; what overlaps; failures and ends."""

import contextlib
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.shared.random_pipelines import draw_plan, ledger, make_stages, results, write_policy


@pytest.mark.parametrize("seed", range(4))
def test_a_random_pipeline_finds_the_same_with_visits_in_flight(bench, monkeypatch, seed):
    make_stages(bench, monkeypatch)
    drawn = draw_plan(random.Random(100 + seed), visits=6)
    write_policy(bench, drawn, "lockstep")
    expected = results(bench, 6)
    for in_flight, schedule in ((2, "lockstep"), (4, "fused")):
        write_policy(bench, drawn, schedule, in_flight)
        assert results(bench, 6) == expected


OVERLAP = """
    def wait_for(name):
        until = time.monotonic() + 60
        while not os.path.exists(name):
            if time.monotonic() > until:
                raise TimeoutError(name)
            time.sleep(0.002)

    class Give(SerialProcessing):
        def preprocess(self, clipboard):
            open(f"given{harness.current_visit()}", "w").close()
            clipboard.put("n", harness.current_visit(), True)

    class Slow(ParallelProcessing):
        def process(self, clipboard):
            if clipboard.get("n") == 2:
                wait_for("given3")
            clipboard.put("m", clipboard.get("n") * 10, True)

    class Sum(SerialProcessing):
        visits = []
        def postprocess(self, clipboard):
            self.visits.append((harness.current_visit(), sum(clipboard.gather("m"))))
            with open("sums", "w") as file:
                file.write(repr(self.visits))
"""


def test_the_next_visit_is_prepared_while_slices_work(bench):
    bench.module(OVERLAP)
    bench.policy("give Give -", "slow - Slow", "sum Sum -", slices=2, head="visitsInFlight: 2")
    done = bench.run("--workers", "2", "--visits", "5")
    assert done.code == 0, done.err
    assert (bench.folder / "sums").read_text() == repr([(n, 20 * n) for n in range(1, 6)])
    assert done.summary["visits_in_flight"]["most"] == 2


def test_without_visits_in_flight_they_come_one_after_the_other(bench):
    bench.module(OVERLAP.replace('wait_for("given3")', 'assert not os.path.exists("given3")'))
    bench.policy("give Give -", "slow - Slow", "sum Sum -", slices=2, head="visitsInFlight: 1")
    done = bench.run("--workers", "2", "--visits", "5")
    assert done.code == 0 and done.summary["failures"] == [], done.err
    assert done.summary["visits_in_flight"]["most"] == 1


HOLD = """
    class Hold(SerialProcessing):
        def setup(self):
            self.held = None
        def preprocess(self, clipboard):
            if self.held is not None:
                raise ValueError(f"visit {self.held} is still here")
            self.held = harness.current_visit()
            clipboard.put("n", self.held, True)
        def postprocess(self, clipboard):
            if self.held != harness.current_visit():
                raise ValueError(f"visit {self.held} is here")
            self.held = None

    class Count(ParallelProcessing):
        def setup(self):
            self.seen = 0
        def process(self, clipboard):
            self.seen += 1
            if clipboard.get("n") != self.seen:
                raise ValueError(f"{self.seen}th: visit {clipboard.get('n')}")
"""


def test_one_instance_with_both_serial_halves_holds_one_visit_at_a_time(bench):
    bench.module(HOLD)
    bench.policy("hold Hold Count", "more - Count", "last Hold Count", slices=3, head="visitsInFlight: 3")
    done = bench.run("--workers", "2", "--visits", "40")
    assert done.code == 0 and done.summary["failures"] == [], done.err
    assert done.summary["partial_visits"] == []
    assert done.summary["visits_in_flight"]["most"] > 1
    told = bench.run("--explain").out
    assert "up to 3 visits in flight" in told
    assert "stage 1 (hold) takes the next visit after its postprocess" in told


DEATHS = """
    class Give(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("image", np.full(20_000, float(harness.current_visit())), True)

    class One(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("one", clipboard.get("image") + self.rank, True)

    class Two(ParallelProcessing):
        def process(self, clipboard):
            visit = harness.current_visit()
            mark = f"died{self.rank}.{visit}"
            if visit % 3 == 0 and (ALWAYS or not os.path.exists(mark)):
                open(mark, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            clipboard.put("two", float(clipboard.get("one")[5]) + self.rng.random(), True)

    class Look(SerialProcessing):
        def postprocess(self, clipboard):
            with open("found", "a") as file:
                file.write(repr((harness.current_visit(), clipboard.gather("two"))) + chr(10))
"""
VISITS = 12


def found_after_deaths(bench, in_flight, always, *options):
    bench.module(DEATHS.replace("ALWAYS", str(always)))
    bench.policy("one Give One", "two - Two", "look Look -", slices=3,
                 head=f"visitsInFlight: {in_flight}\nrandomSeed: 3\n" + "\n".join(options))  # fmt: skip
    found = bench.folder / "found"
    found.unlink(missing_ok=True)
    for mark in bench.folder.glob("died*"):
        mark.unlink()
    done = bench.run("--workers", "2", "--visits", str(VISITS))
    outcomes, visits = ledger(bench)
    return done, found.read_text(), outcomes, [visit[:2] for visit in visits]


@pytest.mark.parametrize("always", [False, True])
def test_workers_that_die_with_several_visits_in_flight_cost_what_they_cost_with_one(bench, always):
    _, *expected = found_after_deaths(bench, 1, always)
    done, *found = found_after_deaths(bench, 3, always)
    assert found == expected
    assert len(found[1]) == VISITS * 3 * 4
    assert done.code == (6 if always else 0), done.err
    deaths = done.summary["deaths"]
    assert {death["visit"] for death in deaths} == {3, 6, 9, 12}
    # Nobody has to answer for what a slice of another visit did.
    assert not any(one["failed"] for death in deaths for one in death["elsewhere"])


def workers_of(master):
    """Its children but for the first two, which are the nursery and the keeper."""
    found = []
    for entry in Path(f"/proc/{master}/task").glob("*/children"):
        found += map(int, entry.read_text().split())
    return sorted(found)[2:]


def test_random_kills_with_several_visits_in_flight_lose_nothing(bench):
    bench.module(DEATHS.replace("visit % 3 == 0", "False").replace("ALWAYS", "False").replace(
        'clipboard.put("two"', 'time.sleep(0.01); clipboard.put("two"'))  # fmt: skip
    bench.policy("one Give One", "two - Two", "look Look -", slices=4,
                 head="visitsInFlight: 3\nrandomSeed: 3\nsliceRetries: 50")  # fmt: skip
    assert bench.run("--workers", "2", "--visits", "60").code == 0
    expected = (bench.folder / "found").read_text()
    (bench.folder / "found").unlink()
    process = bench.start("--workers", "2", "--visits", "60")
    draw = random.Random(5)
    killed = 0
    while process.poll() is None and killed < 12:
        pids = workers_of(process.pid)
        if pids and (bench.folder / "found").exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(draw.choice(pids), signal.SIGKILL)
                killed += 1
        time.sleep(draw.uniform(0.02, 0.2))
    done = bench.finish(process, timeout=120)
    assert done.code == 0, done.err
    assert killed > 3
    assert (bench.folder / "found").read_text() == expected


MORE = """
    class Input(SerialProcessing):
        def preprocess(self, clipboard):
            with open(f"input{harness.current_visit()}", "w") as file:
                file.write("")

    class Read(ParallelProcessing):
        def process(self, clipboard):
            if harness.current_visit() >= 5:
                clipboard.put("noMoreDatasets", True)

    class Work(ParallelProcessing):
        def process(self, clipboard):
            with open(f"work{self.rank}.{harness.current_visit()}", "w") as file:
                file.write("")

    class Done(SerialProcessing):
        def postprocess(self, clipboard):
            with open("done", "a") as file:
                file.write(f"{harness.current_visit()} ")
"""


def test_visits_that_began_ahead_of_the_end_of_the_data_are_left_and_say_so(bench):
    bench.module(MORE)
    bench.policy("input Input Read", "work - Work", "done Done -", head="visitsInFlight: 3")
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    assert (bench.folder / "done").read_text() == "1 2 3 4 "
    assert not list(bench.folder.glob("work*.6"))
    visits = ledger(bench)[1]
    states = {visit: state for visit, state, _ in visits}
    reasons = {visit: reason for visit, _, reason in visits}
    assert [states[visit] for visit in range(1, 6)] == ["complete"] * 5
    assert reasons[5] == "no more data sets after stage 1"
    for visit in set(states) - set(range(1, 6)):
        assert states[visit] == "partial"
        assert "visit 5 had said that there are no more data sets" in reasons[visit]

    # They are no work that is left to do: neither for who looks nor for who goes on.
    for options in ((), ("--resume",)):
        if options:
            (bench.folder / "done").unlink()
            again = bench.run("--workers", "2", *options)
            assert again.code == 0, again.err
            assert not (bench.folder / "done").exists() and not (bench.folder / "input8").exists()
            assert "run again" not in again.log() and "5 visits are complete and left out" in again.log()
        told = bench.command_line("status", str(bench.run_dir), "--check")
        assert told.code == 0 and "visits: 5 complete\n" in told.out, told.out


def test_the_visit_that_says_that_data_end_is_done_again_where_something_failed_in_it(bench):
    bench.module(MORE + """
    class Fails(ParallelProcessing):
        def process(self, clipboard):
            if harness.current_visit() == 5 and self.rank == 1 and not os.path.exists("mended"):
                raise ValueError("on purpose")
    """)
    bench.policy("fails - Fails", "input Input Read", "done Done -", head="visitsInFlight: 3")
    assert bench.run("--workers", "2").code == 0
    (bench.folder / "mended").touch()
    (bench.folder / "done").unlink()
    done = bench.run("--workers", "2", "--resume")
    assert done.code == 0, done.err
    states = {visit: state for visit, state, _ in ledger(bench)[1]}
    assert "4 visits are complete and left out" in done.log() and states[5] == "complete"
    told = bench.command_line("status", str(bench.run_dir), "--check")
    assert told.code == 0 and "visits: 5 complete\n" in told.out, told.out


def test_status_tells_every_visit_in_flight(bench):
    bench.module(OVERLAP.replace("given3", "go"))
    bench.policy("give Give -", "slow - Slow", "sum Sum -", slices=2, head="visitsInFlight: 3")
    process = bench.start("--workers", "2", "--visits", "4")
    # Visit 2 waits in its slices, and those behind it have begun.
    bench.wait_until(lambda: (bench.folder / "given4").exists(), "the fourth visit's beginning")
    told = bench.command_line("status", str(bench.run_dir))
    status = json.loads(bench.command_line("status", str(bench.run_dir), "--json").out)
    (bench.folder / "go").touch()
    assert bench.finish(process).code == 0
    assert [place["visit"] for place in status["in_flight"]] == [2, 3, 4]
    assert status["now"] == status["in_flight"][0] == {"visit": 2, "stage": 2, "name": "slow"}
    assert "visit 2, stage 2 (slow), visit 3, stage" in told.out, told.out
    assert "running in process" not in bench.command_line("status", str(bench.run_dir)).out


def start_counting(bench, visits, seconds):
    """Starts a run, three visits in flight, that notes each in "sums" at its end; slices take so long."""
    bench.module(OVERLAP.replace('wait_for("given3")', "pass").replace(
        'clipboard.put("m"', f"time.sleep({seconds}); clipboard.put('m'").replace(
        'with open("sums", "w")', 'with open("sums", "a")').replace(
        "file.write(repr(self.visits))", 'file.write(f"{harness.current_visit()} ")'))  # fmt: skip
    bench.policy("give Give -", "slow - Slow", "sum Sum -", slices=2, head="visitsInFlight: 3")
    return bench.start("--workers", "2", "--visits", str(visits))


def test_a_stop_after_the_visit_completes_all_that_have_begun_and_resume_goes_on(bench):
    process = start_counting(bench, 40, 0.02)
    bench.wait_until(lambda: (bench.folder / "sums").exists(), "the first visit's end")
    stopped = bench.command_line("stop", str(bench.run_dir), "--level", "4")
    assert stopped.code == 0, stopped.err
    done = bench.finish(process)
    visits = ledger(bench)[1]
    assert {state for _, state, _ in visits} == {"complete"}, (visits, done.err)
    begun = len(list(bench.folder.glob("given*")))
    assert begun == len(visits) < 40
    assert bench.run("--workers", "2", "--visits", "40", "--resume").code == 0
    assert (bench.folder / "sums").read_text().split() == [str(n) for n in range(1, 41)]


def test_a_master_that_is_killed_leaves_nothing_lost_to_resume(bench):
    process = start_counting(bench, 30, 0.01)
    sums = bench.folder / "sums"
    bench.wait_until(lambda: sums.exists() and len(sums.read_text().split()) > 5, "some visits' end")
    process.kill()
    bench.finish(process)
    assert bench.run("--workers", "2", "--visits", "30", "--resume").code == 0
    found = sums.read_text().split()
    assert sorted(set(map(int, found))) == list(range(1, 31))
    # At most those in flight were run again.
    assert len(found) <= 30 + 3


FULL = """
    SIZE = 1 << 20

    class Give(SerialProcessing):
        def preprocess(self, clipboard):
            pieces = 60 if harness.current_visit() == 8 else 10
            for piece in range(pieces):
                clipboard.put(f"piece{piece}", np.full(SIZE // 8, float(harness.current_visit())), True)

    class Add(ParallelProcessing):
        def process(self, clipboard):
            pieces = [key for key in sorted(clipboard) if key.startswith("piece")]
            total = sum(float(clipboard.get(key).sum()) for key in pieces)
            time.sleep(0.005)
            clipboard.put("total", total, True)

    class Keep(SerialProcessing):
        def postprocess(self, clipboard):
            with open("totals", "a") as file:
                file.write(repr(clipboard.gather("total")) + chr(10))
"""


def totals(bench, in_flight):
    head = f"visitsInFlight: {in_flight}"
    policy = bench.policy("give Give -", "add - Add", "more - Add", "keep Keep -", slices=2, head=head)
    policy.write_text(policy.read_text().replace("256 MiB", "64 MiB"))
    found = bench.folder / "totals"
    found.unlink(missing_ok=True)
    done = bench.run("--workers", "2", "--visits", "16")
    assert done.code == 0 and done.summary["failures"] == [], done.err
    return done.summary, found.read_text()


def test_a_nearly_full_arena_holds_visits_back_and_a_large_one_has_room_all_the_same(bench):
    bench.module(FULL)
    alone, expected = totals(bench, 1)
    summary, found = totals(bench, 4)
    assert found == expected
    flight = summary["visits_in_flight"]
    assert 1 < flight["most"] <= 4
    # The eighth visit needs nearly all of the arena, so that those after it come alone.
    assert flight["largest_visit_bytes"] > 32 << 20 and flight["held"] > 0
    assert summary["arena"]["lent_bytes"] == 0


def test_an_instance_that_gets_its_serial_half_from_setup_is_refused_with_visits_in_flight(bench):
    bench.module("""
    class Odd(SerialProcessing):
        def preprocess(self, clipboard):
            pass
        def setup(self):
            self.postprocess = lambda clipboard: None
    """)
    bench.policy("one Odd -", slices=1, head='schedule: "lockstep"\nvisitsInFlight: 2')
    done = bench.run("--visits", "2")
    assert done.code == 2 and "define postprocess in Odd" in done.err

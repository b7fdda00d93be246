# SPDX-License-Identifier: BSD-3-Clause
"""The goals of the harness, held against what one run of all benchmark programs has found.

Usage: goals.py REPORT, a file that run_all.py has written. What no program has found is listed. Times are of
that machine and moment; goals that are ratios compare with a limit, or a peer, of the same round. Beside what
was found stands the limit of the same run, where there is one: bare C, memory that glibc keeps, importing
NumPy. Where there are more slices than cores, two runs of the harness are held against a goal: one with a
worker for every slice, as the peers have, and one with as many workers as cores, as it runs by itself.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "handover")]

from causes import UNNAMED, Seen, cause, cause_of_win  # noqa: E402
from figures import short, table  # noqa: E402

NUMBER = r"-?[\d,]+(?:\.\d+)?"


def unknown(report: Report) -> None:
    """Finds nothing."""


@dataclass(frozen=True)
class Goal:
    """One goal. `value` finds what was measured, None if it was not; `most` or `least` is the bound.

    `limit` finds the same of what nothing can be faster than on that machine, in that run. `otherwise` finds
    the same of the harness with as many workers as cores, or by its quickest way. Where `value` is a ratio to
    the limit, `ratio_of` finds what the ratio is of. `rounds` finds in how many rounds it was measured.
    """

    what: str
    unit: str
    value: Callable[[Report], float | None]
    most: float | None = None
    least: float | None = None
    limit: Callable[[Report], float | None] = unknown
    otherwise: Callable[[Report], float | None] = unknown
    ratio_of: Callable[[Report], float | None] | None = None
    rounds: Callable[[Report], float | None] = unknown

    def seen(self, report: Report) -> Seen:
        """What a cause is held against."""
        return Seen((self.ratio_of or self.value)(report), self.limit(report), self.otherwise(report))

    def bound(self) -> str:
        """The bound in words."""
        return f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"

    def met(self, found: float) -> bool:
        """Whether a value keeps the bound."""
        return found <= self.most if self.most is not None else found >= (self.least or 0)


class Report:
    """The text of a report, by program."""

    def __init__(self, text: str) -> None:
        pieces = re.split(r"^## (\S+\.py).*$", text, flags=re.MULTILINE)
        self._sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))

    def section(self, program: str) -> str:
        """What a program printed; empty if it did not run."""
        return self._sections.get(program, "")

    def tables(self, program: str) -> Iterator[tuple[list[str], dict[str, list[str]]]]:
        """The Markdown tables of a program: heads, and rows by their first cell."""
        head: list[str] = []
        rows: dict[str, list[str]] = {}
        for line in [*self.section(program).splitlines(), ""]:
            if line.startswith("|"):
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                if not head:
                    head = cells
                elif not cells[0].startswith("---"):
                    rows[cells[0]] = cells[1:]
            elif head:
                yield head, rows
                head, rows = [], {}

    def cell(self, program: str, label: str, column: str, head: str = "") -> str:
        """The cell of the first row whose label begins so, in a table whose first head begins with `head`."""
        for heads, rows in self.tables(program):
            if column not in heads or not heads[0].startswith(head):
                continue
            for name, cells in rows.items():
                if name.startswith(label):
                    return cells[heads.index(column) - 1]
        return ""

    def line(self, program: str, start: str, pattern: str) -> float | None:
        """The number that a pattern finds in the first line that begins so, blanks aside."""
        for text in self.section(program).splitlines():
            if text.strip().startswith(start) and (found := re.search(pattern, text)):
                return number(found[1])
        return None


def number(text: str) -> float | None:
    """The first number of a text."""
    found = re.search(NUMBER, text)
    return float(found[0].replace(",", "")) if found else None


def ratio_in(text: str) -> float | None:
    """The ratio in `median / p99 (ratiox, ...)`."""
    found = re.search(rf"\(({NUMBER})x", text)
    return float(found[1].replace(",", "")) if found else None


def over(one: float | None, other: float | None) -> float | None:
    """A quotient, None where a part is missing."""
    return one / other if one is not None and other else None


STEP, HANDOVER, JOB = "handover/step.py", "handover/handover.py", "whole_job/whole_job.py"
BIRTHS, CALLS = "born_shared.py", "handover/calls.py"
POLICY, DEATHS, TESTS = "policy/read_policies.py", "replacement.py", "stage_test.py"
EMPTY_RUN = "pex-harness run, 1 visit, 2 slices, fork"
THIN = "the same from Python"
OURS, COMPUTED, FOREIGN = "**harness**, N workers", "**harness**, computed", "**harness**, array"
AS_CORES = {OURS: "**harness**, as many workers", COMPUTED: "**harness**, the same"}
"""The rows of the same with as many workers as cores."""
MANY = 4
"""From so many slices on there may be more of them than cores."""
BORN_SHARED = "iceoryx2, computed"
"""The peer whose images are computed in shared memory, as the harness's are."""
OURS_IN_JOB, MPI_IN_JOB = "**harness**, ordinary stages, 2 workers", "Open MPI"
FEWEST_ROUNDS = 3
"""What is measured in fewer is not established where rounds differ by as much as ways do."""
KEPT = "glibc keeps memory"
NUMPY = "python -c 'import numpy'"
BARE, DESCRIPTOR, COPY = "limit: bare C, yield", "limit: descriptor", "limit: one copy"

Cell = Callable[["Report"], float | None]


def in_cell(program: str, label: str, column: str, head: str = "", read: Callable = number) -> Cell:
    """A function that reads a cell of a report: its first number, or what `read` finds in it."""
    return lambda report: read(report.cell(program, label, column, head))


def rows_of(label: str, slices: int) -> Iterator[tuple[str, str]]:
    """The rows of the harness that are held against a goal, and what is said of their workers."""
    alike = AS_CORES.get(label)
    yield label, ", N workers" if slices >= MANY else ""
    if slices >= MANY and alike is not None:
        yield alike, ", workers as cores"


def steps() -> list[Goal]:
    """An empty step."""
    goals = []
    for slices, most in ((1, 2), (2, 10), (4, 18), (8, 32)):
        column = f"N={slices}"
        thin, limit = in_cell(STEP, THIN, column), in_cell(STEP, BARE, column)
        by_cores = in_cell(STEP, AS_CORES[OURS], column)
        for label, workers in rows_of(OURS, slices):
            value, beside = in_cell(STEP, label, column), by_cores if label == OURS else unknown
            goals.append(Goal(f"empty step, {column}{workers}", "us", value, most, limit=limit,
                              otherwise=beside))  # fmt: skip
            goals.append(Goal(
                f"empty step, {column}{workers}, over the thin binding", "x",
                lambda r, v=value, t=thin: over(v(r), t(r)), 1.3, limit=limit, otherwise=beside,
                ratio_of=value,
            ))  # fmt: skip
    return goals


def hand_overs() -> list[Goal]:
    """An image to the slices, and back."""
    goals = []
    cells = ((2, 1, 0.06, 0.15), (2, 16, 0.25, 2.6), (2, 64, 0.6, 10.0), (8, 64, 1.7, 13.0))
    for slices, size, computed, foreign in cells:
        column = f"N={slices}, {size} MiB"
        for way in ("there", "back"):
            limit = in_cell(HANDOVER, DESCRIPTOR, column, way)
            by_cores = in_cell(HANDOVER, AS_CORES[COMPUTED], column, way)
            for label, workers in rows_of(COMPUTED, slices):
                value = in_cell(HANDOVER, label, column, way)
                beside = by_cores if label == COMPUTED else unknown
                goals.append(Goal(f"{way}, {column}, computed in a stage{workers}", "ms", value, computed,
                                  limit=limit, otherwise=beside))  # fmt: skip
                if size >= 16:
                    ratio = in_cell(HANDOVER, label, column, way, ratio_in)
                    goals.append(Goal(f"{way}, {column}, over a descriptor in C{workers}", "x", ratio, 1.4,
                                      limit=limit, otherwise=beside, ratio_of=value))  # fmt: skip
            for label, workers in rows_of(FOREIGN, slices):
                goals.append(Goal(
                    f"{way}, {column}, from elsewhere{workers}", "ms",
                    in_cell(HANDOVER, label, column, way), foreign,
                    limit=in_cell(HANDOVER, COPY, column, way),
                ))  # fmt: skip
    goals.append(Goal(
        "bytes copied of what stages compute", "bytes",
        lambda r: r.line(HANDOVER, "bytes in all runs, **harness**, comp", rf"stage: ({NUMBER}) copied"), 0,
    ))  # fmt: skip
    return goals


def whole_job() -> list[Goal]:
    """The job of 24 visits, and what nothing costs."""

    def memory(report: Report) -> float | None:
        ours, theirs = (in_cell(JOB, name, "peak PSS, MiB") for name in (OURS_IN_JOB, MPI_IN_JOB))
        return over(ours(report), theirs(report))

    def furthest(report: Report) -> float | None:
        ways = [
            cells[heads.index("of the ceiling") - 1] for heads, rows in report.tables(JOB)
            for name, cells in rows.items() if name.startswith("**harness")
        ]  # fmt: skip
        return max(filter(None, map(number, ways)), default=None)

    rounds = in_cell(JOB, OURS_IN_JOB, "rounds")
    return [
        Goal("whole job, of two processes that share nothing", "%",
             in_cell(JOB, OURS_IN_JOB, "of the ceiling"), least=100, rounds=rounds,
             otherwise=furthest),
        Goal("whole job, memory over Open MPI's", "x", memory, 1.0, rounds=rounds),
        Goal("a stage on a slice that does nothing", "ms",
             in_cell("pipetask/pipetask.py", "**harness**", "median"), 0.05),
    ]  # fmt: skip


def code_and_calls() -> list[Goal]:
    """Unchanged NumPy code, calls, policies."""

    def chain(report: Report, size: int, way: str = "arena") -> float | None:
        parts = re.split(r"four passes over (\d+) MiB", report.section(BIRTHS))
        texts = dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))
        found = re.search(rf"^ *{way}  .*?wall +({NUMBER})", texts.get(size, ""), re.MULTILINE)
        return number(found[1]) if found else None

    def policy(report: Report, name: str, pattern: str) -> float | None:
        return report.line(POLICY, name, pattern)

    def small(report: Report) -> float | None:
        # The second table is of a small policy.
        *_, text = re.split(r"\d+ bytes of PAF", report.section(POLICY))
        found = re.search(rf"^ *PAF from a string +median +({NUMBER})", text, re.MULTILINE)
        return number(found[1]) if found else None

    rate, times = rf"({NUMBER}) MB/s", rf"MB/s +({NUMBER}) x"
    return [
        Goal("four passes over 64 MiB, over plain NumPy", "x", lambda r: chain(r, 64), 0.6,
             limit=lambda r: chain(r, 64, KEPT)),
        Goal("four passes over 4 MiB, over plain NumPy", "x", lambda r: chain(r, 4), 1.05,
             limit=lambda r: chain(r, 4, KEPT)),
        Goal("clipboard.get", "ns", lambda r: number(r.cell(CALLS, "clipboard.get(key)", "median")), 70),
        Goal("clipboard.put", "ns",
             lambda r: number(r.cell(CALLS, "clipboard.put(key, value)", "median")), 100),
        Goal("policy of 5 MB, the core alone", "MB/s", lambda r: policy(r, "core alone", rate), least=200,
             limit=lambda r: policy(r, "core, memory kept", rate)),
        Goal("policy of 5 MB from Python", "MB/s", lambda r: policy(r, "PAF from a file", rate), least=216),
        Goal("PyYAML's C loader over a policy of 5 MB", "x", lambda r: policy(r, "yaml", times), least=50),
        Goal("tomllib over a policy of 5 MB", "x", lambda r: policy(r, "tomllib", times), least=1),
        Goal("json over a policy of 5 MB", "x", lambda r: policy(r, "json.loads", times), least=0.5),
        Goal("policy of 2 KB, its text in memory", "us", small, 15),
    ]  # fmt: skip


def growing(report: Report) -> float | None:
    """How many kinds of things grow from visit to visit."""
    if "nothing has grown" in report.section("million.py"):
        return 0.0
    for line in report.section("million.py").splitlines():
        if " have grown since caches were full" in line:
            return number(line)
    return None


def processes() -> list[Goal]:
    """Deaths, starts, tests of stages, spans, log calls, many visits."""

    def wall(label: str) -> Callable[[Report], float | None]:
        return lambda r: r.line(TESTS, label, rf"{label} +({NUMBER})")

    return [
        Goal("death to the fresh worker at work", "ms",
             lambda r: r.line(DEATHS, "death to the fresh", rf"median +({NUMBER})"), 50),
        Goal("death seen, p99", "ms", lambda r: r.line(DEATHS, "death seen", rf"p99 +({NUMBER})"), 10),
        Goal("pex-harness run, one empty visit", "ms",
             lambda r: r.line("startup.py", EMPTY_RUN, rf"median +({NUMBER})"), 250,
             limit=lambda r: r.line("startup.py", NUMPY, rf"median +({NUMBER})")),
        Goal("a test of a stage, runWorker", "ms", wall("runWorker"), 50),
        Goal("a test of a stage, runSlices", "ms", wall("runSlices, 2 slices"), 50,
             limit=wall("bare fork and wait")),
        Goal("a span", "ns", lambda r: r.line("spans.py", "a span", rf"median +({NUMBER})"), 1000),
        Goal("suppressed log call, in a run", "ns",
             lambda r: r.line("log_records.py", "ours, indented, ring", rf"ring +({NUMBER})"), 100),
        Goal("memory, open files, blocks that grow with visits", "kinds", growing, 0),
    ]  # fmt: skip


GOALS = (steps, hand_overs, whole_job, code_and_calls, processes)


def winners(report: Report) -> list[str]:
    """A line for each place where a peer is ahead of the harness with as many processes, with the cause."""
    ahead = []
    for program, own, around in ((STEP, OURS, THIN), (HANDOVER, FOREIGN, COMPUTED)):
        for heads, rows in report.tables(program):
            for name, cells in rows.items():
                if name.startswith(("limit", "the same from", "**harness", "harness")):
                    continue
                for head, theirs in zip(heads[1:], cells, strict=False):
                    alike = COMPUTED if name.startswith(BORN_SHARED) else own
                    mine = in_cell(program, alike, head, heads[0])(report)
                    faster = over(mine, number(theirs))
                    if faster is None or faster <= 1:
                        continue
                    kind = heads[0].partition(",")[0] if program == HANDOVER else "a step"
                    beside = in_cell(program, around, head, heads[0])(report) if alike == own else None
                    bare = in_cell(HANDOVER, DESCRIPTOR, head, heads[0])(report) if alike != own else None
                    why = cause_of_win(kind, mine, number(theirs), beside, bare)
                    ahead.append(f"{name}: {kind}, {head} ({short(faster)} times as fast): {why}")
    for _, rows in report.tables(JOB):
        ours = next((number(cells[0]) for name, cells in rows.items() if name.startswith(OURS_IN_JOB)), None)
        for name, cells in rows.items():
            faster = over(number(cells[0]), ours)
            if not name.startswith(("ceiling", "**harness")) and faster is not None and faster > 1:
                ahead.append(f"{name}: the whole job ({faster:.2f} times as fast): {UNNAMED}")
    return [f"* {line}" for line in ahead]


def summary(text: str) -> str:
    """A table of all goals that the report says something of, why which are missed, and where a peer wins."""
    report = Report(text)
    rows, missing, met = [], [], 0
    for goal in [goal for group in GOALS for goal in group()]:
        found = goal.value(report)
        if found is None:
            missing.append(goal.what)
            continue
        met += goal.met(found)
        what, is_met, limit = f"{goal.what}, {goal.unit}", goal.met(found), goal.limit(report)
        shown = short(found) if found else "0"
        beside = short(limit) if limit is not None and goal.ratio_of is None else ""
        verdict = "met" if is_met else "**missed**"
        rounds = goal.rounds(report)
        if rounds is not None and rounds < FEWEST_ROUNDS:
            verdict += f" in {rounds:.0f} round{'s' * (rounds > 1)}: not established"
        why = "" if is_met else cause(what, goal.seen(report))
        rows.append([what, goal.bound(), shown, beside, verdict, why])
    if not rows:
        return "No program has found anything that a goal is about.\n"
    head = ["what", "goal", "found", "limit", "", "cause"]
    told = f"{met} of {len(rows)} goals are met.\n\n{table(head, rows)}"
    if missing:
        told += f"\nNot measured: {'; '.join(missing)}.\n"
    if found := winners(report):
        told += "\nPeers that are ahead of the harness, both with a process for every slice; where images are"
        told += " copied, of arrays from elsewhere:\n\n"
        told += "\n".join(found) + "\n"
    return told


if __name__ == "__main__":
    print(summary(Path(sys.argv[1]).read_text()))

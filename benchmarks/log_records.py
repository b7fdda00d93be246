# SPDX-License-Identifier: BSD-3-Clause
"""What a log record costs who sends it: suppressed and written, here, in logging and in structlog.

    python benchmarks/log_records.py [--rounds N]

Suppressed: a call with a constant text whose level is too low. Written: a text and the context of a run
(six properties) as one JSON line, and for us also as a run's default layout. `ring` is the way of a run: the
record goes to shared memory, and what the master's thread does then, appending it to the file, is done
between the rounds here; `file` is one write per record, as in logging and structlog. The lines are read back
and counted. The second table has suppressed calls of every kind that stages make. Nanoseconds of the calling
thread's processor time per call, for others use the machine, too: the median of the rounds, and the fastest.
structlog is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import _core
from harness.log import Log, LogRec, Prop, Trace, endr, open_run_log, set_default_log
from harness.log.run_logs import run_files
from harness.log.stage_log import StageLog
from harness.runtime.logs.log_drain import LogDrain
from harness.runtime.logs.run_log import LogSettings

CALLS = 300
SUPPRESSED_CALLS = 100_000
TEXT = "fit converged"
CONTEXT = {"PIPELINE": "night", "workerid": "-1", "RUNID": "r1", "SLICEID": 0, "LOOPNUM": 7, "STAGEID": 3}


def per_call(call: Callable[[], object], calls: int) -> float:
    """Nanoseconds of this thread's processor time per call, without those of the loop."""
    start = time.thread_time_ns()
    for _ in range(calls):
        call()
    return (time.thread_time_ns() - start) / calls - LOOP_NS


def loop_ns(calls: int = 100_000) -> float:
    """The same for a turn of an empty loop, the fastest of several: what disturbs makes it longer only."""
    least = float("inf")
    for _ in range(9):
        start = time.thread_time_ns()
        for _ in range(calls):
            pass
        least = min(least, (time.thread_time_ns() - start) / calls)
    return least


LOOP_NS = loop_ns()


class Ours:
    """A slice's log, as a run opens it."""

    def __init__(self, folder: Path, layout: str, ring: bool) -> None:
        self.path = folder / "Slice0.log"
        self._log: Log = open_run_log(
            kind="slice", rank=0, run_id="r1", pipeline_name="night", threshold=0, logdir=folder,
            screen_threshold=None, layout=layout,
        )  # fmt: skip
        self._log.context.set("LOOPNUM", 7)
        self._log.context.set("STAGEID", 3)
        self._drain: LogDrain | None = None
        if ring:
            self._run = _core.Run(16 << 20, 1, 1, 1)
            self._drain = LogDrain(self._run, LogSettings("r1", "night", "-1", 0, folder), 1)
            for file in run_files(self._log):
                file.use_ring(self._run.log_ring(1), self._drain.wake)

    def write(self) -> None:
        self._log.info(TEXT)

    def suppressed(self) -> None:
        self._log.log(-5, TEXT)

    def settle(self) -> None:
        if self._drain is not None:
            self._drain.drain()


class Standard:
    """logging with a formatter that writes one JSON object per line."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "standard.log"

        class Json(logging.Formatter):
            def format(self, record: logging.LogRecord) -> str:
                line = {"time": record.created, "level": record.levelname, "log": record.name}
                return json.dumps(line | {"message": record.getMessage()} | CONTEXT)

        self._logger = logging.getLogger("standard")
        self._logger.propagate = False
        self._logger.setLevel(logging.INFO)
        handler = logging.FileHandler(self.path)
        handler.setFormatter(Json())
        self._logger.addHandler(handler)

    def write(self) -> None:
        self._logger.info(TEXT)

    def suppressed(self) -> None:
        self._logger.debug(TEXT)

    def settle(self) -> None:
        """Every record was written when it was sent."""


class Structlog:
    """structlog as it advises for speed: a filtering logger, bytes, one JSON object per line."""

    def __init__(self, folder: Path) -> None:
        import structlog

        self.path = folder / "structlog.log"
        self._stream = open(self.path, "wb", buffering=0)  # noqa: SIM115
        self._log = structlog.wrap_logger(
            structlog.BytesLogger(self._stream),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=lambda event, **_: json.dumps(event).encode()),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        ).bind(**CONTEXT)

    def write(self) -> None:
        self._log.info(TEXT)

    def suppressed(self) -> None:
        self._log.debug(TEXT)

    def settle(self) -> None:
        """Every record was written when it was sent."""


def measure(name: str, writer: Ours | Standard | Structlog, rounds: int) -> str:
    """One row; AssertionError when the writer has not written."""
    suppressed, written = [], []
    for _ in range(rounds + 1):
        suppressed.append(per_call(writer.suppressed, SUPPRESSED_CALLS))
        written.append(per_call(writer.write, CALLS))
        writer.settle()
    text = writer.path.read_text()
    assert text.count(TEXT) == (rounds + 1) * CALLS, f"{name}: {text.count(TEXT)} records"
    assert "RUNID" in text or '"run": "r1"' in text
    least, median = min, statistics.median
    rows = [f"{median(times[1:]):>8.0f} {least(times[1:]):>8.0f}" for times in (suppressed, written)]
    return f"{name:<28} {rows[0]}   {rows[1]}"


def suppressed_calls(log: StageLog) -> dict[str, Callable[[], object]]:
    """Calls that do not pass the threshold of a stage's log, as they are written."""
    return {
        'log(-5, "text")': lambda: log.log(-5, TEXT),
        'logdebug("text")': lambda: log.logdebug(TEXT),
        "sends(-5)": lambda: log.sends(-5),
        'debug(5, "text")': lambda: log.debug(5, TEXT),
        'log(-5, "text", {"rms": 0.03})': lambda: log.log(-5, TEXT, {"rms": 0.03}),
        'format(-5, "residual %g", x)': lambda: log.format(-5, "residual %g", 0.03),
        'debugf("residual %g", x)': lambda: log.debugf("residual %g", 0.03),
        'Trace("fit", 5, "text")': lambda: Trace("fit", 5, TEXT),
        'LogRec(log, -5) << "text" << endr': lambda: LogRec(log, -5) << TEXT << endr,
        'LogRec(...) << "text" << Prop(...) << {...} << endr': lambda: (
            LogRec(log, -5) << TEXT << Prop("iterations", 12) << {"rms": 0.03} << endr
        ),
        "timeBlock and done": lambda: log.timeBlock("warp").done(),
    }


def print_suppressed(rounds: int) -> None:
    """One row per call, without what it costs to call a function that has it."""
    log = open_run_log(
        kind="slice", rank=0, run_id="r1", pipeline_name="night", threshold=0, logdir=None,
        screen_threshold=None,
    )  # fmt: skip
    set_default_log(log.root)
    calls = suppressed_calls(log)
    times: dict[str, list[float]] = {name: [] for name in calls}
    empty: list[float] = []
    for _ in range(rounds + 1):
        empty.append(per_call(lambda: TEXT, SUPPRESSED_CALLS))
        for name, call in calls.items():
            times[name].append(per_call(call, SUPPRESSED_CALLS // 10))
    print(f"\n{'suppressed':<52} {'median':>8} {'least':>8}")
    for name, found in times.items():
        median, least = statistics.median(found[1:]) - statistics.median(empty), min(found[1:]) - min(empty)
        print(f"{name:<52} {median:>8.0f} {least:>8.0f}")


def main() -> None:
    """Prints one row per way to log."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    load = os.getloadavg()[0]
    print(f"{'ns per call':<28} {'suppressed':>17}   {'written':>17}\n{'':<28} {'median':>8} {'least':>8}   "
          f"{'median':>8} {'least':>8}")
    ways: list[tuple[str, Callable[[Path], Ours | Standard | Structlog]]] = [
        ("ours, indented, ring", lambda folder: Ours(folder, "indented", True)),
        ("ours, indented, file", lambda folder: Ours(folder, "indented", False)),
        ("ours, JSON, ring", lambda folder: Ours(folder, "json", True)),
        ("ours, JSON, file", lambda folder: Ours(folder, "json", False)),
        ("logging, JSON, file", Standard),
        ("structlog, JSON, file", Structlog),
    ]
    for name, make in ways:
        with tempfile.TemporaryDirectory() as folder:
            try:
                writer = make(Path(folder))
            except ImportError as error:
                print(f"{name:<28} left out: {error}")
                continue
            print(measure(name, writer, rounds))
    print_suppressed(rounds)
    print(f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()

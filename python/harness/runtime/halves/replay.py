# SPDX-License-Identifier: BSD-3-Clause
"""One slice's visit again: the stages of its rank in this process, fed with what the slice had received."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import current, streams
from harness.clipboard import Clipboard
from harness.dc3a import find_half
from harness.errors import ConfigError, LedgerError, StageFailed
from harness.ledger.inputs import load_inputs
from harness.ledger.post_mortem import FOLDER, name_of
from harness.ledger.schema import LEDGER_NAME, describe, open_for_reading
from harness.log import Log, ScreenDestination, set_default_log
from harness.log.formats import IndentedFormatter
from harness.log.stage_log import StageLog
from harness.queue import Queue
from harness.runtime.configuration.config import PipelineConfig, load_config
from harness.runtime.configuration.places import set_location_map
from harness.runtime.halves.failure import describe_failure, format_failure
from harness.runtime.halves.isolation import isolate
from harness.stage import ParallelProcessing


@dataclass(frozen=True)
class FailedAgain:
    """The stage (from 1) that raised, with what it raised and the traceback as text."""

    number: int
    name: str
    error: BaseException
    text: str


class Replay:
    """The replay of one slice's visit. Call `set_up`, then `run`.

    Attributes: `visit`, `rank`, and `stage_number` of the stage that runs (from 1); `config` and
    `random_seed` are the run's, so that random numbers are, too.
    """

    def __init__(self, run_dir: Path, visit: int, rank: int) -> None:
        """Reads what the run has left.

        Raises:
            LedgerError: the ledger or the kept input is missing or cannot be used.
            ConfigError: there is no such visit or rank; the run's directory or policy cannot be used.
        """
        self.visit = visit
        self.rank = rank
        self.stage_number = 0
        row = _run_of(run_dir / LEDGER_NAME, visit)
        if not 0 <= rank < row["slices"]:
            raise ConfigError(
                f"replaying visit {visit}: expected a rank from 0 to {row['slices'] - 1}, saw {rank}"
            )
        # Loading the input imports the modules of its classes, which may look at the current directory.
        inputs = (run_dir / FOLDER / f"{name_of(visit, rank)}.inputs.pickle").absolute()
        try:
            os.chdir(row["directory"])
        except OSError as error:
            raise ConfigError(
                f"replaying visit {visit}: the run's current directory {row['directory']}: {error.strerror}"
            ) from error
        self._run_id = row["run_id"]
        self.config = _config_of(row)
        seed = self.config.random_seed
        self.random_seed = seed if seed is not None else streams.seed_of(self._run_id)
        self._received = load_inputs(inputs)
        self._stages: list[tuple[str, ParallelProcessing | None]] = []

    def set_up(self) -> None:
        """Creates the stages of the rank, as a worker does. Raises `StageFailed`, or as `find_class`."""
        set_location_map(self.config, self._run_id)
        streams.use_seed(self.random_seed)
        root = Log(0)
        root.addDestination(ScreenDestination(IndentedFormatter(), 0))
        set_default_log(root)
        log = StageLog(root, "harness.slice")
        for stage in self.config.stages:
            instance = None
            if stage.parallel_class is not None:
                sysdata = {
                    "name": stage.name,
                    "rank": self.rank,
                    "stageId": stage.number,
                    "universeSize": self.config.n_slices + 1,
                    "runId": self._run_id,
                }
                try:
                    streams.reseed(self.random_seed, 0, self.rank, stage.number)
                    cls = find_half(
                        stage.parallel_class,
                        ParallelProcessing,
                        one_class=stage.one_class,
                        topic=stage.event_topic,
                    )
                    instance = cls(stage.policy, log, self.config.event_broker, sysdata)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    raise StageFailed(
                        f"stage {stage.name!r} could not be set up: {describe_failure(error)}",
                        rank=self.rank,
                        details=format_failure(error),
                    ) from error
                isolate(instance, self, stage.number)
            self._stages.append((stage.name, instance))

    def run(self) -> FailedAgain | None:
        """Runs stage after stage until one raises; returns that one."""
        clipboard = Clipboard()
        current.work_for(self)
        for number, (name, stage) in enumerate(self._stages, 1):
            self.stage_number = number
            for item in self._received:
                if item.stage == number:
                    clipboard._receive(item.key, _as_received(item.value))
            if stage is None:
                continue
            before, after = Queue(), Queue()
            before.addDataset(clipboard)
            stage.initialize(after, before)
            try:
                stage.applyProcess()
            except KeyboardInterrupt:
                # Whoever has asked for the replay wants it to end.
                raise
            except BaseException as error:
                return FailedAgain(number, name, error, format_failure(error))
        return None


def _as_received(value: Any) -> Any:
    """Arrays that have crossed are read-only."""
    flags = getattr(value, "flags", None)
    if flags is not None and hasattr(flags, "writeable"):
        flags.writeable = False
    return value


def _run_of(path: Path, visit: int) -> sqlite3.Row:
    """The run that tried a visit last."""
    connection = open_for_reading(path)
    try:
        connection.row_factory = sqlite3.Row
        row = connection.execute(
            "SELECT r.* FROM runs r JOIN visits v ON v.run = r.run WHERE v.visit = ?"
            " ORDER BY r.run DESC LIMIT 1",
            (visit,),
        ).fetchone()
        last = connection.execute("SELECT max(visit) FROM visits").fetchone()[0]
    except sqlite3.Error as error:
        raise describe(error, path, "looking for the visit") from error
    finally:
        connection.close()
    if row is None:
        raise LedgerError(f"ledger {path}: expected a visit from 1 to {last or 0}, saw {visit}")
    return row  # type: ignore[no-any-return]  # fetchone() is untyped


def _config_of(row: sqlite3.Row) -> PipelineConfig:
    """The run's own policy, as it was, whatever has become of its file."""
    with _as_file(row["policy"]) as path:
        config = load_config(path, pipeline_name=row["pipeline"])
    original = Path(row["policy_file"])
    short_name = config.short_name if config.dir_policy is not None else original.name.split(".")[0]
    return config._replace(path=original, short_name=short_name)


@contextlib.contextmanager
def _as_file(text: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pex-harness-") as folder:
        path = Path(folder) / "policy.json"
        path.write_text(text, encoding="utf-8")
        yield path

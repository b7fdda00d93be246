# SPDX-License-Identifier: BSD-3-Clause
"""A pipeline made of a tester's stages, run by a child process so that nothing of it stays in the test's."""

from __future__ import annotations

import importlib
import io
import os
import pickle
import sys
import tempfile
import traceback
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from harness.clipboard import Clipboard
from harness.errors import StageFailed
from harness.tester.child import run_child
from harness.tester.halves import MASTER, Failure, Script, load_clipboard, parallel_half, serial_half
from harness.tester.visits import Visit, not_a_clipboard

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.properties import PropertySet
    from harness.stage import Stage
    from harness.tester.visits import Data

__all__ = ["OtherProcess", "SliceRun"]

MODULE = "harness_tested_stages"
"""Where the pipeline finds the classes; it exists in the child only."""


class OtherProcess(Exception):
    """The traceback of an exception, as the process that raised it saw it."""


class SliceRun:
    """One run of `SimpleStageTester.runVisits`."""

    def __init__(
        self,
        stages: Sequence[tuple[str, Stage]],
        sharing: set[int],
        events: dict[str, PropertySet],
        run_id: str,
        topology: Policy | Mapping[str, Any] | None,
        workers: int | None,
        timeout: float | None,
        log_threshold: int,
    ) -> None:
        """`sharing` holds the 1-based numbers of stages that begin with an exchange."""
        self._log_threshold = log_threshold
        self._stages = stages
        self._sharing = sharing
        self._events = events
        self._run_id = run_id
        self._topology = topology
        self._workers = workers
        self._timeout = timeout

    def run(self, visits: Sequence[Visit], n: int | None) -> list[Visit]:
        """Runs the visits with n slices. Raises as `SimpleStageTester.runVisits` says."""
        given = _given(visits, n)
        if not given:
            return []
        _prepare()
        n_slices = len(given[0]) - 1
        topology = self._checked_topology(n_slices)
        with tempfile.TemporaryDirectory(prefix="stage-test-") as name:
            folder = Path(name)
            script = Script(folder, given, self._events)
            policy = folder / "test.paf"
            self._write_policy(policy, n_slices, topology)
            status = run_child(lambda: self._host(script, policy, len(given)), self._timeout)
            _raise_failure(script.first_failure())
            _raise_outcome(folder, status)
            return [_result(script, visit, n_slices) for visit in range(1, len(given) + 1)]

    def _checked_topology(self, n_slices: int) -> Policy | None:
        from harness.policy import Policy
        from harness.runtime.configuration.topology import Topology

        if (self._topology is None) != (not self._sharing):
            missing = "no topology" if self._topology is None else "no stage was added with shareData=True"
            raise ValueError(
                f"an exchange needs a topology, and a stage added with shareData=True: there is {missing}"
            )
        if self._topology is None:
            return None
        given = self._topology
        policy = given if isinstance(given, Policy) else Policy.fromDict(given)
        Topology.from_policy(policy, n_slices)
        return policy

    def _write_policy(self, path: Path, n_slices: int, topology: Policy | None) -> None:
        from harness.policy import PAFWriter, Policy

        policy = Policy()
        policy.set("nSlices", n_slices)
        policy.set("sliceRetries", 0)
        # What stages print and log belongs to the test.
        policy.set("stageOutput", "terminal")
        policy.set("logThreshold", self._log_threshold)
        if topology is not None:
            policy.set("shareDataOn", True)
            policy.set("topology", topology)
        for number, (name, _) in enumerate(self._stages, 1):
            block = Policy()
            block.set("name", name)
            block.set("serialClass", f"{MODULE}.Serial{number}")
            block.set("parallelClass", f"{MODULE}.Parallel{number}")
            block.set("shareData", number in self._sharing)
            policy.add("appStage", block)
        with PAFWriter(str(path)) as writer:
            writer.write(policy)

    def _host(self, script: Script, policy: Path, visits: int) -> None:
        """Runs the pipeline in this process, a child of the test's, and leaves how it ended."""
        from harness.log import BriefFormatter, Log, LogDestination
        from harness.runtime.pipeline.pipeline import Pipeline

        module: Any = types.ModuleType(MODULE)
        for number, (_, stage) in enumerate(self._stages, 1):
            last = number == len(self._stages)
            setattr(module, f"Serial{number}", serial_half(stage, number, script, last))
            setattr(module, f"Parallel{number}", parallel_half(stage, number, script, last))
        sys.modules[MODULE] = module
        folder = policy.parent / "run"
        pipeline = Pipeline(
            self._run_id, policy, "test", workers=self._workers, run_dir=folder, max_visits=visits
        )
        pipeline.be_brief()
        told = io.StringIO()
        pipeline.add_log_destination(LogDestination(told, BriefFormatter(), Log.WARN))
        outcome: Failure | None = None
        try:
            pipeline.run()
            # What was contained although no stage raised it, such as an item that cannot cross.
            if pipeline.statistics is not None and pipeline.statistics.failures:
                raise StageFailed(told.getvalue().strip())
        except BaseException as error:
            outcome = _pickled(error)
        (policy.parent / "outcome").write_bytes(pickle.dumps(outcome))


def _prepare() -> None:
    """Has this process know what every child needs, so that only the first test pays for it."""
    for name in ("pipeline.pipeline", "halves.master", "halves.slice", "configuration.places",
                 "configuration.policy_check", "configuration.sizes"):
        importlib.import_module(f"harness.runtime.{name}")
    importlib.import_module("harness.locations")
    if "numpy" in sys.modules:
        # What the random streams of slices need.
        importlib.import_module("numpy.random")
    dictionary = importlib.import_module("harness.runtime.configuration.dictionary")
    dictionary.merge_pipeline_defaults(importlib.import_module("harness.policy").Policy())


def _given(visits: Sequence[Visit], n: int | None) -> list[dict[int, Data]]:
    found: list[dict[int, Data]] = []
    for visit in visits:
        if not isinstance(visit, Visit):
            raise TypeError(f"expected Visit(slices, master), saw {type(visit).__name__}: {visit!r:.80}")
        if not isinstance(visit.master, (Clipboard, Mapping)):
            raise not_a_clipboard(visit.master)
        slices = visit.of_slices(n)
        n = len(slices)
        found.append({MASTER: visit.master, **dict(enumerate(slices))})
    return found


def _pickled(error: BaseException) -> Failure:
    text = "".join(traceback.format_exception(error))
    try:
        return Failure(pickle.dumps(error), text)
    except Exception:
        return Failure(None, text)


def _raise_failure(failure: Failure | None) -> None:
    if failure is None:
        return
    cause = OtherProcess(f"\n{failure.text}")
    if failure.pickled is None:
        head = f"{failure.text.rstrip().splitlines()[-1]} (this exception does not pickle)"
        raise StageFailed(head, rank=MASTER, details=failure.text) from cause
    _reraise(pickle.loads(failure.pickled), cause)


def _reraise(error: BaseException, cause: BaseException) -> NoReturn:
    raise error from cause


def _raise_outcome(folder: Path, status: int) -> None:
    path = folder / "outcome"
    if not path.exists():
        how = os.waitstatus_to_exitcode(status)
        raise StageFailed(f"the master of the tested slices died with exit code {how}", rank=MASTER)
    _raise_failure(pickle.loads(path.read_bytes()))


def _result(script: Script, visit: int, n_slices: int) -> Visit:
    slices: Any = [load_clipboard(script.path(visit, rank)) for rank in range(n_slices)]
    master: Any = load_clipboard(script.path(visit, MASTER))
    return Visit(slices, master)

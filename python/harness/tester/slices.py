# SPDX-License-Identifier: BSD-3-Clause
"""A pipeline made of a tester's stages, run by a child process so that nothing of it stays in the test's."""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import sys
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from harness import births
from harness.clipboard import Clipboard
from harness.errors import StageFailed
from harness.runtime.pipeline.brief import BriefPipeline, brief_logs
from harness.tester.channel import Channel, Parcel
from harness.tester.child import run_child
from harness.tester.halves import Script, parallel_half, serial_half
from harness.tester.messages import (
    MASTER,
    Ended,
    Failure,
    PackedClipboard,
    Told,
    pack_error,
    unpack_clipboard,
)
from harness.tester.telling import Teller, forget_handlers, lines_of_the_run, log_of_stages, tell
from harness.tester.visits import Visit, not_a_clipboard

if TYPE_CHECKING:
    from harness.log import Log
    from harness.policy import Policy
    from harness.properties import PropertySet
    from harness.runtime.configuration.config import PipelineConfig
    from harness.stage import Stage
    from harness.tester.visits import Data

__all__ = ["OtherProcess", "SliceRun"]

MODULE = "harness_tested_stages"
"""Where the pipeline finds the classes; it exists in the child only."""
NO_FILE = Path("test.paf")
"""What the policy of a test would be called if it were a file; the pipeline has its name from it."""


_coverage: births.Coverage | None = None
"""What the master of the last run has found out about NumPy's allocations."""


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
        log: Log,
    ) -> None:
        """`sharing` holds the 1-based numbers of stages that begin with an exchange.

        `log` gets what the stages log, if it passes its threshold, and what the run itself warns of.
        """
        self._log = log
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
        config = self._config(n_slices, self._checked_topology(n_slices))
        parcels: list[Parcel] = []
        raised = True
        try:
            with contextlib.closing(Channel(n_slices)) as channel:
                work = self._work(channel, config, given)
                try:
                    status = run_child(work, self._timeout)
                finally:
                    parcels += channel.received()
            _raise_what_went_wrong([message for message, _ in parcels], status)
            raised = False
        finally:
            told = [message for message, _ in parcels if isinstance(message, Told)]
            tell(self._log, told, raised=raised)
        return _results(parcels, len(given), n_slices)

    def _checked_topology(self, n_slices: int) -> Policy | None:
        from harness.policy import Policy
        from harness.runtime.configuration.topology import Topology

        if (self._topology is None) != (not self._sharing):
            missing = (
                "there is no topology"
                if self._topology is None
                else "no stage was added so: addStage(stage, shareData=True)"
            )
            raise ValueError(
                f"an exchange needs a topology, and a stage added with shareData=True; {missing}"
            )
        if self._topology is None:
            return None
        given = self._topology
        policy = given if isinstance(given, Policy) else Policy.fromDict(given)
        Topology.from_policy(policy, n_slices)
        return policy

    def _config(self, n_slices: int, topology: Policy | None) -> PipelineConfig:
        """What a policy of these stages says."""
        from harness.policy import Policy
        from harness.runtime.configuration.config import check_config
        from harness.runtime.configuration.policy_file import PolicyText

        policy = Policy()
        policy.set("nSlices", n_slices)
        policy.set("sliceRetries", 0)
        # What stages print belongs to the test.
        policy.set("stageOutput", "terminal")
        policy.set("logThreshold", self._log.getThreshold())
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
        return check_config(PolicyText(NO_FILE, policy, ""), workers=self._workers)

    def _module(self, script: Script) -> types.ModuleType:
        """The classes that the policy names."""
        from harness.runtime.halves.isolation import touches

        module: Any = types.ModuleType(MODULE)
        for number, (_, stage) in enumerate(self._stages, 1):
            last = number == len(self._stages)
            halves = serial_half(stage, number, script, last), parallel_half(stage, number, script, last)
            for name, half in zip(("Serial", "Parallel"), halves, strict=True):
                setattr(module, f"{name}{number}", half)
                # Asked here once, and not in every process.
                touches(half)
        return module

    def _work(
        self, channel: Channel, config: PipelineConfig, given: list[dict[int, Data]]
    ) -> Callable[[], None]:
        """What the child of the test's process does. All that can be made before the fork is made here."""
        logs = brief_logs(self._run_id, config, lambda rank: Teller(channel, rank))
        of_stages = {rank: log_of_stages(log) for rank, log in logs.ready.items()}
        module = self._module(Script(channel, given, self._events, of_stages))

        def work() -> None:
            sys.modules[MODULE] = module
            births.believe(_coverage)
            forget_handlers()
            channel.send(MASTER, _ended(BriefPipeline(self._run_id, config, logs, len(given))))

        return work


def _ended(pipeline: BriefPipeline) -> Ended:
    """Runs a pipeline in this process; how it ended."""
    try:
        pipeline.run()
    except BaseException as error:
        text = "".join(traceback.format_exception(error))
        return Ended(pack_error(error, text, (0, 0, MASTER)))
    # What was contained although no stage raised it, such as an item that cannot cross.
    contained = pipeline.statistics is not None and bool(pipeline.statistics.failures)
    return Ended(None, contained, births.coverage)


def _prepare() -> None:
    """Has this process know what every child needs, so that only the first test pays for it."""
    for name in ("pipeline.brief", "halves.master", "halves.slice", "configuration.declared",
                 "configuration.places", "configuration.policy_check", "configuration.sizes"):
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


def _raise_what_went_wrong(messages: list[Any], status: int) -> None:
    """What a stage raised first; else what the pipeline did; else nothing."""
    failures = [message for message in messages if isinstance(message, Failure)]
    _raise_failure(min(failures, key=lambda failure: failure.order, default=None))
    ends = [message for message in messages if isinstance(message, Ended)]
    if not ends:
        how = os.waitstatus_to_exitcode(status)
        raise StageFailed(f"the master of the tested slices died with exit code {how}", rank=MASTER)
    global _coverage
    _coverage = ends[0].coverage
    _raise_failure(ends[0].failure)
    if ends[0].contained:
        raise StageFailed("\n".join(lines_of_the_run(messages)))


def _results(parcels: list[Parcel], visits: int, n_slices: int) -> list[Visit]:
    clipboards: dict[tuple[int, int], Any] = {
        (message.visit, message.rank): unpack_clipboard(message, buffers)
        for message, buffers in parcels
        if isinstance(message, PackedClipboard)
    }
    return [
        Visit([clipboards[visit, rank] for rank in range(n_slices)], clipboards[visit, MASTER])
        for visit in range(1, visits + 1)
    ]

# SPDX-License-Identifier: BSD-3-Clause
"""The pipeline policy, read and checked once, before anything is mapped or forked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import ConfigError
from harness.runtime.configuration.event_settings import EventSettings, read_event_settings, redacted
from harness.runtime.configuration.policy_file import DEFAULT_POLICY_FILE
from harness.transport.policy import SharePolicy

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.runtime.configuration.policy_file import PolicyText
    from harness.runtime.configuration.topology import Topology

UPCOMING_VISITS = "upcomingVisits"
"""Clipboard key of a list of dicts: what the clipboards of the next visits will hold, as far as is known."""


class StageConfig(NamedTuple):
    """One `appStage`, or the `failureStage` (number -1)."""

    number: int
    name: str
    serial_class: str | None
    parallel_class: str | None
    policy: Policy | None
    where: str
    share_data: bool = False
    one_class: bool = False
    """Both classes are one of 2007 or 2008 that has both halves."""
    event_topic: str | None = None
    """The topic of the event that the stage waits for."""
    timeout: float | None = None
    """Seconds that `process()` may take on a slice; `None`: for ever."""


class PipelineConfig(NamedTuple):
    """What a pipeline policy says, with the defaults of its dictionary.

    `topology` is `None` unless slices are to exchange data.
    """

    path: Path
    pipeline_name: str
    n_slices: int
    n_workers: int
    stages: tuple[StageConfig, ...]
    failure: StageConfig | None
    one_loop: bool
    local_log_mode: bool
    log_threshold: int
    arena_bytes: int
    arena_threshold: int
    arena_warm: int | None
    event_broker: str | None
    exit_topic: str | None
    shutdown_topic: str
    event_timeout: int
    dir_policy: Policy | None
    short_name: str
    merged_policy: Policy
    """All of the policy with its defaults."""
    keep_inputs: str = "failed"
    database_url: str | None = None
    random_seed: int | None = None
    isolate_stages: str = "auto"
    pin_workers: bool = False
    start_method: str = "auto"
    """`"auto"`, `"fork"` or `"exec"`: how processes get their interpreter."""
    log_flood: int = 0
    log_format: str = "indented"
    stage_output: str = "file"
    output_limit: int = 0
    share: SharePolicy = SharePolicy()
    topology: Topology | None = None
    exchanges: frozenset[int] = frozenset()
    """Stages before whose `process()` slices exchange. None before the first: clipboards are empty there."""
    warnings: tuple[str, ...] = ()
    slice_retries: int = 1
    visits_in_flight: int = 1
    schedule: str | None = None
    """`"lockstep"`, `"fused"`; `None`: as the stages declare."""
    failure_ends_run: bool = False
    """Whether a slice whose worker died too often ends the run, and not only its own visit."""
    timeout: float | None = None
    """Seconds that a slice may take to close a visit; `None`: for ever."""
    events: EventSettings = EventSettings()

    def policy_text(self) -> str:
        """All of the policy as JSON with sorted keys: what the ledger records and compares.

        To be asked for before stages are set up, which may complete the policies they are given.
        """
        return _canonical(self.merged_policy)

    @property
    def reads_ahead(self) -> int:
        """The most visits that a stage wants to know ahead: `parameters.readAhead` of its policy."""
        return max((reads_ahead(stage.policy) for stage in self.stages), default=0)


def reads_ahead(policy: Policy | None) -> int:
    """How many visits ahead a stage of that policy reads files; 0 without policy or key."""
    key = "parameters.readAhead"
    return policy.getInt(key) if policy is not None and policy.exists(key) and policy.isInt(key) else 0


def usable_cores() -> int:
    """How many cores this process may run on."""
    return max(1, len(os.sched_getaffinity(0)))


def load_config(
    path: str | os.PathLike[str] | None, *, pipeline_name: str | None = None, workers: int | None = None
) -> PipelineConfig:
    """Reads a pipeline policy file.

    Args:
        path: the policy file; `None` means `pipeline_policy.paf` in the current directory.
        pipeline_name: name of the pipeline; by default the file's base name without extension.
        workers: number of worker processes; overrides the policy's `nWorkers`.

    Raises:
        ConfigError: the file is missing or unreadable, or the policy is wrong; the message has every problem
            with its place.
        harness.policy.ParserError: the file is no policy.
    """
    from harness.runtime.configuration.policy_file import read_policy_text

    text = read_policy_text(Path(path if path is not None else DEFAULT_POLICY_FILE))
    return check_config(text, pipeline_name=pipeline_name, workers=workers)


def check_config(
    text: PolicyText, *, pipeline_name: str | None = None, workers: int | None = None
) -> PipelineConfig:
    """What a policy says that was read, or made. Arguments and errors as those of `load_config`."""
    from harness.policy.problems import ERROR
    from harness.runtime.configuration.policy_check import config_error, policy_problems

    problems = policy_problems(text)
    errors = [problem for problem in problems if problem.severity == ERROR]
    if errors:
        raise config_error(errors)
    return _config(text, tuple(map(str, problems)), pipeline_name, workers)


def _config(
    text: PolicyText, warnings: tuple[str, ...], pipeline_name: str | None, workers: int | None
) -> PipelineConfig:
    """The values of a policy that has been found to be right."""
    from harness.policy import Policy
    from harness.runtime.configuration.dictionary import merge_pipeline_defaults
    from harness.runtime.configuration.sizes import arena_bytes, arena_threshold, arena_warm, output_limit
    from harness.runtime.configuration.topology import Topology

    policy = Policy(text.policy, True)
    merge_pipeline_defaults(policy)
    n_slices = policy.getInt("nSlices")
    broker = _optional(policy, "eventBrokerHost")
    directories = policy.getPolicy("dir") if policy.exists("dir") else None
    short_name = _optional(directories, "shortName") if directories is not None else None
    shares = n_slices > 0 and policy.getBool("shareDataOn") and policy.exists("topology")
    timeout = _seconds(policy, None)
    stages, failure = _stages(policy, timeout)
    return PipelineConfig(
        path=text.file,
        pipeline_name=str(pipeline_name) if pipeline_name not in (None, "None") else text.file.stem,
        n_slices=n_slices,
        n_workers=_n_workers(policy, n_slices, workers),
        stages=stages,
        failure=failure,
        one_loop=_optional(policy, "executionMode") == "oneloop",
        local_log_mode=policy.getBool("localLogMode"),
        log_threshold=policy.getInt("logThreshold"),
        arena_bytes=arena_bytes(policy),
        arena_threshold=arena_threshold(policy),
        arena_warm=arena_warm(policy),
        event_broker=None if broker is None or broker.strip() in ("", "None") else broker.strip(),
        exit_topic=_optional(policy, "exitTopic"),
        shutdown_topic=policy.getString("shutdownTopic"),
        event_timeout=policy.getInt("eventTimeout"),
        dir_policy=directories,
        merged_policy=policy,
        keep_inputs=policy.getString("keepInputs"),
        short_name=short_name if short_name is not None else text.file.name.split(".")[0],
        database_url=_optional(policy, "database.url"),
        random_seed=policy.getInt("randomSeed") if policy.exists("randomSeed") else None,
        isolate_stages=policy.getString("isolateStages"),
        pin_workers=policy.getBool("pinWorkers"),
        start_method=policy.getString("startMethod"),
        log_flood=policy.getInt("logFlood"),
        log_format=policy.getString("logFormat"),
        stage_output=policy.getString("stageOutput"),
        output_limit=output_limit(policy),
        share=_share_policy(policy),
        topology=Topology.from_policy(policy.getPolicy("topology"), n_slices) if shares else None,
        exchanges=frozenset(stage.number for stage in stages[1:] if shares and stage.share_data),
        warnings=(*warnings, *_shared_too_early(stages if shares else ())),
        slice_retries=policy.getInt("sliceRetries"),
        visits_in_flight=policy.getInt("visitsInFlight"),
        schedule=_optional(policy, "schedule"),
        failure_ends_run=policy.getString("onSliceFailure") == "run",
        timeout=timeout,
        events=read_event_settings(policy, broker, text.file.parent),
    )


def _seconds(policy: Policy, default: float | None) -> float | None:
    """`stageTimeout` of a pipeline or a stage."""
    return policy.getDouble("stageTimeout") if policy.exists("stageTimeout") else default


def _canonical(policy: Policy) -> str:
    """One text for one meaning: neither comments nor the order of keys count. It shows no password."""
    from harness.policy import to_json

    return json.dumps(json.loads(to_json(redacted(policy))), indent=1, sort_keys=True, ensure_ascii=False)


def _share_policy(policy: Policy) -> SharePolicy:
    return SharePolicy(
        snapshot=policy.getString("sharePolicy") == "snapshot",
        strict=policy.getString("copyPolicy") == "strict",
    )


def _shared_too_early(stages: tuple[StageConfig, ...]) -> list[str]:
    if not stages or not stages[0].share_data:
        return []
    return [
        "appStage[0].shareData has no effect: clipboards are empty when a visit starts, so that slices have"
        " nothing to exchange before the first stage"
    ]


def _optional(policy: Policy, key: str) -> str | None:
    return policy.getString(key) if policy.exists(key) else None


def _n_workers(policy: Policy, n_slices: int, override: int | None) -> int:
    from harness.runtime.configuration.dictionary import bounds

    least, most = bounds("nWorkers")
    if override is not None and not least <= override <= most:
        raise ConfigError(f"--workers: expected {least} to {most} worker processes, saw {override}")
    if override is None and policy.exists("nWorkers"):
        override = policy.getInt("nWorkers")
    return min(n_slices, override if override is not None else min(usable_cores(), most))


def _stages(policy: Policy, timeout: float | None) -> tuple[tuple[StageConfig, ...], StageConfig | None]:
    from harness.runtime.configuration.policy_file import stage_blocks

    blocks = enumerate(stage_blocks(policy), 1)
    stages = [_stage(block, where, number, timeout) for number, (where, block) in blocks]
    failure = stages.pop() if policy.exists("failureStage") else None
    if failure is not None and not (failure.serial_class or failure.parallel_class):
        failure = None
    return tuple(stages), failure


def _stage(block: Policy, where: str, number: int, timeout: float | None) -> StageConfig:
    serial, parallel = (_class_name(block, key) for key in ("serialClass", "parallelClass"))
    one_class = block.exists("stageName")
    if one_class:
        serial = parallel = _class_name(block, "stageName")
    known = serial or parallel
    name = _optional(block, "name")
    if name is None:
        name = known.rpartition(".")[2] if known else f"stage {number}"
    return StageConfig(
        number=number if where != "failureStage" else -1,
        name=name,
        serial_class=serial,
        parallel_class=parallel,
        policy=block.getPolicy("stagePolicy") if block.isPolicy("stagePolicy") else None,
        where=where,
        share_data=block.getBool("shareData"),
        one_class=one_class,
        event_topic=_topic(block),
        timeout=_seconds(block, timeout),
    )


def _topic(block: Policy) -> str | None:
    topic = block.getString("eventTopic").strip()
    return None if topic in ("", "None") else topic


def _class_name(block: Policy, key: str) -> str | None:
    name = _optional(block, key)
    return None if name is None else name.strip()

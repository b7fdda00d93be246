# SPDX-License-Identifier: BSD-3-Clause
"""The pipeline policy, read and checked once, before anything is mapped or forked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.policy import Policy

DEFAULT_POLICY_FILE = "pipeline_policy.paf"
MAX_SLICES = 4096
MAX_WORKERS = 250
SMALLEST_ARENA = 1 << 20
UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
         "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True)
class StageConfig:
    """One `appStage`, or the `failureStage` (number -1)."""

    number: int
    name: str
    serial_class: str | None
    parallel_class: str | None
    policy: Policy | None
    where: str


@dataclass(frozen=True)
class PipelineConfig:
    """What a pipeline policy says, with the defaults of the contract."""

    path: Path
    pipeline_name: str
    n_slices: int
    n_workers: int
    stages: tuple[StageConfig, ...]
    failure: StageConfig | None
    one_loop: bool
    local_log_mode: bool
    log_threshold: int | None
    arena_bytes: int
    event_broker: str | None
    exit_topic: str | None
    shutdown_topic: str
    event_timeout: int
    dir_policy: Policy | None
    short_name: str
    database_url: str | None = None
    warnings: tuple[str, ...] = field(default=())


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
        ConfigError: the file is missing or unreadable, or a value is wrong; the message says which and why.
        harness.policy.ParserError: the file is no policy.
    """
    from harness.policy import Policy

    file = Path(path if path is not None else DEFAULT_POLICY_FILE)
    _require_readable(file)
    whole = Policy.createPolicy(str(file), True, False)
    policy = whole.getPolicy("execute") if whole.exists("execute") else whole
    return _Reader(file, policy).config(pipeline_name, workers)


def _require_readable(file: Path) -> None:
    if not file.exists():
        near = sorted(str(other) for other in file.parent.glob("*.paf")) if file.parent.is_dir() else []
        hint = f"; policy files there: {', '.join(near[:5])}" if near else ""
        raise ConfigError(f"pipeline policy {file}: no such file (looked in {file.parent.resolve()}){hint}")
    if file.is_dir():
        raise ConfigError(f"pipeline policy {file}: expected a file, saw a directory")
    if not os.access(file, os.R_OK):
        raise ConfigError(f"pipeline policy {file}: not readable by this user; check its permissions")


class _Reader:
    """Reads one policy; every message starts with the file and the key."""

    def __init__(self, file: Path, policy: Policy) -> None:
        self._file = file
        self._policy = policy

    def _fail(self, key: str, text: str) -> ConfigError:
        return ConfigError(f"pipeline policy {self._file}: {key}: {text}")

    def _value(self, policy: Policy, key: str, getter: str, expected: str, default: Any) -> Any:
        if not policy.exists(key):
            return default
        read: Callable[[str], Any] = getattr(policy, getter)
        try:
            return read(key)
        except (TypeError, LookupError) as error:
            seen = policy.getTypeName(key)
            raise self._fail(key, f"expected {expected}, saw {seen} ({policy.str(key)})") from error

    def config(self, pipeline_name: str | None, workers: int | None) -> PipelineConfig:
        policy = self._policy
        name = pipeline_name if pipeline_name not in (None, "None") else self._file.stem
        stages = self._stages()
        n_slices = self._n_slices()
        warnings: list[str] = []
        broker = self._value(policy, "eventBrokerHost", "getString", "a host name in quotes", None)
        exit_topic = self._value(policy, "exitTopic", "getString", "a topic name", None)
        if broker not in (None, "", "None"):
            warnings.append(
                f"eventBrokerHost {broker!r} is not used: events are not transported in this version"
            )
        if exit_topic is not None:
            warnings.append(
                f"exitTopic {exit_topic!r} is not used: events are not transported in this version"
            )
        if self._asks_for_sharing(policy):
            warnings.append("shareDataOn is not used: slices do not exchange data in this version")
        directories = policy.getPolicy("dir") if policy.exists("dir") else None
        short_name = self._file.name.split(".")[0]
        if directories is not None:
            short_name = self._value(directories, "shortName", "getString", "a name", short_name)
        return PipelineConfig(
            path=self._file,
            pipeline_name=str(name),
            n_slices=n_slices,
            n_workers=self._n_workers(n_slices, workers),
            stages=stages,
            failure=self._failure_stage(),
            one_loop=self._value(policy, "executionMode", "getString", "a string", "") == "oneloop",
            local_log_mode=self._value(policy, "localLogMode", "getBool", "true or false", False),
            log_threshold=self._value(policy, "logThreshold", "getInt", "an integer", None),
            arena_bytes=self._arena_bytes(),
            event_broker=None if broker in ("", "None") else broker,
            exit_topic=exit_topic,
            shutdown_topic=self._value(
                policy, "shutdownTopic", "getString", "a topic name", "triggerShutdownEvent"
            ),
            event_timeout=self._value(policy, "eventTimeout", "getInt", "an integer", 10_000_000),
            dir_policy=directories,
            short_name=short_name,
            database_url=self._value(policy, "database.url", "getString", "a string", None),
            warnings=tuple(warnings),
        )

    def _asks_for_sharing(self, policy: Policy) -> bool:
        asked: bool = self._value(policy, "shareDataOn", "getBool", "true or false", False)
        return asked

    def _n_slices(self) -> int:
        count = self._value(self._policy, "nSlices", "getInt", "an integer", 0)
        if count < 0:
            raise self._fail("nSlices", f"expected 0 (serial parts only) or more, saw {count}")
        if count > MAX_SLICES:
            raise self._fail("nSlices", f"expected at most {MAX_SLICES} slices on one node, saw {count}")
        return count

    def _n_workers(self, n_slices: int, override: int | None) -> int:
        key = "nWorkers" if override is None else "--workers"
        count = (
            override
            if override is not None
            else self._value(self._policy, "nWorkers", "getInt", "an integer", None)
        )
        if n_slices == 0:
            return 0
        if count is None:
            return min(n_slices, usable_cores(), MAX_WORKERS)
        if not 1 <= count <= MAX_WORKERS:
            raise self._fail(key, f"expected 1 to {MAX_WORKERS} worker processes, saw {count}")
        return min(count, n_slices)

    def _arena_bytes(self) -> int:
        policy = self._policy
        if not policy.exists("arenaSize"):
            return default_arena_bytes()
        if policy.isInt("arenaSize"):
            size = policy.getInt("arenaSize")
        elif policy.isString("arenaSize"):
            size = self._size_from_text(policy.getString("arenaSize"))
        else:
            raise self._fail(
                "arenaSize", f'expected bytes or a size such as "4 GiB", saw {policy.str("arenaSize")}'
            )
        if size < SMALLEST_ARENA:
            raise self._fail("arenaSize", f"expected at least 1 MiB, saw {size} bytes; a few images must fit")
        return size

    def _size_from_text(self, text: str) -> int:
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
        if match is None or match.group(2) not in UNITS:
            raise self._fail("arenaSize", f"expected a size such as \"4 GiB\" or \"512 MiB\", saw {text!r}")
        return int(float(match.group(1)) * UNITS[match.group(2)])

    def _stages(self) -> tuple[StageConfig, ...]:
        policy = self._policy
        if not policy.exists("appStage"):
            raise self._fail("appStage", "expected at least one stage, saw none")
        if not policy.isPolicy("appStage"):
            raise self._fail("appStage", f"expected blocks in braces, saw {policy.str('appStage')}")
        entries = policy.getPolicyArray("appStage")
        return tuple(
            self._stage(entry, number, f"appStage[{number - 1}]") for number, entry in enumerate(entries, 1)
        )

    def _failure_stage(self) -> StageConfig | None:
        if not self._policy.exists("failureStage"):
            return None
        entry = self._policy.getPolicy("failureStage")
        stage = self._stage(entry, -1, "failureStage")
        return stage if stage.serial_class or stage.parallel_class else None

    def _stage(self, entry: Policy, number: int, where: str) -> StageConfig:
        serial = self._class_name(entry, "serialClass", where)
        parallel = self._class_name(entry, "parallelClass", where)
        topic = self._value(entry, "eventTopic", "getString", "a topic name or \"None\"", "None").strip()
        if topic != "None" and number > 0:
            raise self._fail(
                f"{where}.eventTopic",
                f"this version transports no events, so nothing would ever arrive on topic {topic!r};"
                ' use eventTopic: "None"',
            )
        known = serial or parallel
        default = known.rpartition(".")[2] if known else f"stage {number}"
        return StageConfig(
            number=number,
            name=self._value(entry, "name", "getString", "a name", default),
            serial_class=serial,
            parallel_class=parallel,
            policy=self._stage_policy(entry, where),
            where=where,
        )

    def _class_name(self, entry: Policy, key: str, where: str) -> str | None:
        text = self._value(entry, key, "getString", "a dotted class name", None)
        if text is None:
            return None
        text = text.strip()
        if "." not in text:
            raise self._fail(
                f"{where}.{key}", f"expected a dotted class name such as package.module.Class, saw {text!r}"
            )
        return text

    def _stage_policy(self, entry: Policy, where: str) -> Policy | None:
        if not entry.exists("stagePolicy"):
            return None
        if entry.isPolicy("stagePolicy"):
            return entry.getPolicy("stagePolicy")
        seen = entry.str("stagePolicy")
        if entry.isString("stagePolicy") and entry.getString("stagePolicy") == "None":
            return None
        raise self._fail(
            f"{where}.stagePolicy",
            f'expected a policy in braces, an include such as @policy/stage.paf, or "None"; saw {seen}',
        )


def default_arena_bytes() -> int:
    """Half of what this machine, or its control group, has left for us."""
    from harness import _core

    return max(SMALLEST_ARENA, _core.default_arena_bytes())

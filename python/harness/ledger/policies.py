# SPDX-License-Identifier: BSD-3-Clause
"""How two policies of one pipeline differ, key by key, and which keys a resumed run may change.

A key may change where no result depends on it: what the visits that are done have found then stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["BOUND", "FREE", "Changes", "compare_policies"]

FREE = frozenset({
    # Who does the work, and where it is kept meanwhile.
    "schedule", "visitsInFlight", "nWorkers", "pinWorkers", "startMethod", "arenaSize", "arenaThreshold",
    "arenaWarm", "copyPolicy",
    # What follows when something goes wrong.
    "sliceRetries", "onSliceFailure", "stageTimeout", "keepInputs",
    # What is written about a run.
    "logThreshold", "logFormat", "logFlood", "localLogMode", "stageOutput", "outputLimit",
    # When a run ends, and who is told.
    "executionMode", "eventTimeout", "shutdownTopic", "exitTopic", "barrierDelay",
    # How events are carried and kept.
    "eventBroker", "eventSpoolSize", "eventSpoolDays", "logEvents",
})  # fmt: skip
"""Keys of a pipeline policy, and of its stages, that may differ between the runs of one series."""

BOUND = frozenset({
    "nSlices", "appStage", "failureStage", "randomSeed", "isolateStages", "sharePolicy", "shareDataOn",
    "topology", "dir", "database", "eventBrokerHost",
    "name", "serialClass", "parallelClass", "stageName", "eventTopic", "stagePolicy", "shareData",
})  # fmt: skip
"""Those that results depend on. A key that is in neither set, such as one nobody knows, counts as bound."""

STAGE_BLOCKS = ("appStage", "failureStage")
LONGEST_VALUE = 60
ABSENT = object()


class Changes(NamedTuple):
    """Texts such as `nSlices: 3, was 2`: those that results depend on, and those that they do not."""

    bound: list[str]
    free: list[str]


def compare_policies(before: str, now: str) -> Changes:
    """Where two policies differ, in JSON as the ledger keeps them; all in the order of the names."""
    changes = Changes([], [])
    for path, new, old in _differences("", json.loads(now), json.loads(before)):
        kind = changes.free if _is_free(path) else changes.bound
        kind.append(f"{path}: {_shown(new)}, was {_shown(old)}")
    return changes


def _differences(path: str, now: Any, before: Any) -> Iterator[tuple[str, Any, Any]]:
    """(path, value now, value before) of every leaf that differs."""
    if isinstance(now, dict) and isinstance(before, dict):
        for name in sorted({*now, *before}):
            inner = f"{path}.{name}" if path else name
            values = (part.get(name, ABSENT) for part in (now, before))
            if not path and name == "appStage":
                # One stage is no list in JSON.
                values = ([value] if isinstance(value, dict) else value for value in values)
            yield from _differences(inner, *values)
    elif _are_blocks(now) and _are_blocks(before):
        for number in range(max(len(now), len(before))):
            pair = (part[number] if number < len(part) else ABSENT for part in (now, before))
            yield from _differences(f"{path}[{number}]", *pair)
    # 2 and 2.0 and True are three values of a policy.
    elif type(now) is not type(before) or repr(now) != repr(before):
        yield path, now, before


def _are_blocks(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_free(path: str) -> bool:
    names = re.sub(r"\[\d+\]", "", path).split(".")
    if names[0] in STAGE_BLOCKS:
        return len(names) == 2 and names[1] in FREE
    return names[0] in FREE


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."

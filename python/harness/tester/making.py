# SPDX-License-Identifier: BSD-3-Clause
"""Testers made from a policy and classes, or from a ready stage."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from harness.stage import (
    NoOpParallelProcessing,
    NoOpSerialProcessing,
    ParallelProcessing,
    SerialProcessing,
    Stage,
    WrongClassError,
    find_class,
)
from harness.tester.simple import SimpleStageTester

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = ["create", "test"]


def create(
    policy: Any,
    stageSerial: type[SerialProcessing] | str | None = None,
    stageParallel: type[ParallelProcessing] | str | None = None,
    runID: str = "simpleTest",
    universeSize: int = 1,
) -> SimpleStageTester:
    """A tester for one stage, made from its policy and its classes.

    Args:
        policy: a Policy, a PolicyFile, or the path of a policy file.
        stageSerial: class or dotted class name; None for the no-op class.
        stageParallel: class or dotted class name; None for the no-op class.
        runID: run id that the stage sees.
        universeSize: number of slices plus one that the stage sees.

    Raises:
        TypeError: an argument is of the wrong kind, or a name leads to the wrong kind of class.
        ImportError: a class name leads nowhere.
    """
    stage = Stage(_as_policy(policy))
    # Attributes of the instance, so that Stage itself keeps its defaults.
    stage.serialClass = _as_class(stageSerial, SerialProcessing, NoOpSerialProcessing)
    stage.parallelClass = _as_class(stageParallel, ParallelProcessing, NoOpParallelProcessing)
    return SimpleStageTester(stage, runID=runID, universeSize=universeSize)


def test(stage: Stage, runID: str = "simpleTest", universeSize: int = 1) -> SimpleStageTester:
    """A tester for a ready `Stage`; TypeError if it is something else."""
    if stage is None:
        raise TypeError("a tester needs a Stage instance, not None")
    return SimpleStageTester(stage, runID=runID, universeSize=universeSize)


# Test runners collect functions by this name; the contract gave it.
test.__test__ = False  # type: ignore[attr-defined]  # mypy knows no attributes of functions


def _as_policy(policy: Any) -> Policy:
    from harness.policy import Policy as PolicyClass
    from harness.policy import PolicyFile

    if isinstance(policy, PolicyClass):
        return policy
    if isinstance(policy, PolicyFile):
        return PolicyClass.createPolicy(policy, os.path.dirname(policy.getPath()), True)
    if isinstance(policy, (str, os.PathLike)):
        return PolicyClass.createPolicy(os.fspath(policy), True)
    raise TypeError(
        f"the policy must be a Policy, a PolicyFile or a path, not {type(policy).__name__}: {policy!r:.80};"
        " Policy() is an empty one"
    )


def _as_class(given: Any, base: type, default: type) -> Any:
    if given is None:
        return default
    if isinstance(given, str):
        try:
            return find_class(given, base)
        except WrongClassError as error:
            raise TypeError(str(error)) from error
    if isinstance(given, type) and issubclass(given, base):
        return given
    raise TypeError(
        f"expected a subclass of {base.__module__}.{base.__qualname__}, its dotted name or None,"
        f" not {given!r:.100}"
    )

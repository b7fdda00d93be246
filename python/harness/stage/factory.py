# SPDX-License-Identifier: BSD-3-Clause
"""Stage: the factory that builds the serial and the parallel half of a stage, and its makers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from harness.stage.class_lookup import WrongClassError, find_class
from harness.stage.noop import NoOpParallelProcessing, NoOpSerialProcessing
from harness.stage.processing import ParallelProcessing, SerialProcessing, StageProcessing

if TYPE_CHECKING:
    from harness.log import Log
    from harness.policy import Policy

__all__ = ["Stage", "makeStage", "makeStageFromPolicy"]

_Half = TypeVar("_Half", bound=StageProcessing)


class Stage:
    """Builds one serial and any number of parallel instances from one policy.

    Subclasses name their halves in `serialClass` and `parallelClass`.

    Args:
        policy: configuration, the same object for both halves; None for none.
        log: log of the halves; None takes a child named "stage" of the default log.
        stageId: 1-based number in the pipeline, kept as ``sysdata["stageId"]`` unless -1.
        eventBroker: host of the event broker, or None.
        sysdata: execution context of the halves, kept by reference.

    Raises:
        TypeError: `sysdata` is not a dict.
    """

    serialClass: type[SerialProcessing] = NoOpSerialProcessing
    parallelClass: type[ParallelProcessing] = NoOpParallelProcessing

    def __init__(
        self,
        policy: Policy | None = None,
        log: Log | None = None,
        stageId: int = -1,
        eventBroker: str | None = None,
        sysdata: dict[str, Any] | None = None,
    ) -> None:
        if sysdata is not None and not isinstance(sysdata, dict):
            raise TypeError(
                f"{type(self).__name__}: sysdata must be a dict such as {{'name': 'warp'}},"
                f" not {type(sysdata).__name__}: {sysdata!r}"
            )
        if log is None:
            from harness.log import getDefaultLog
            from harness.log.stage_log import StageLog

            log = StageLog(getDefaultLog(), "stage")
        self.stagePolicy = policy
        self.log = log
        self.eventBroker = eventBroker
        self.sysdata: dict[str, Any] = sysdata if sysdata is not None else {}
        if stageId != -1:
            self.sysdata["stageId"] = stageId

    def setLog(self, log: Log) -> None:
        """Set the log of the halves that are created from now on."""
        self.log = log

    def setEventBroker(self, eventBroker: str | None) -> None:
        """Set the broker host of the halves that are created from now on."""
        self.eventBroker = eventBroker

    def updateSysProperty(self, sysdata: Mapping[str, Any] | None) -> None:
        """Merge keys into the execution context; None or an empty dict changes nothing."""
        if sysdata:
            self.sysdata.update(sysdata)

    def getSysProperty(self, name: str) -> Any:
        """A value of the execution context, None if absent."""
        return self.sysdata.get(name)

    def createSerialProcessing(
        self, log: Log | None = None, extraSysdata: Mapping[str, Any] | None = None
    ) -> SerialProcessing:
        """A new serial half. Its rank is -1, whatever the context says.

        Args:
            log: its log; None takes the stage's.
            extraSysdata: keys that go over those of the stage's context, for this half only.

        Raises:
            WrongClassError: (a ValueError) `serialClass` is no SerialProcessing subclass.
        """
        return self._create(self.serialClass, SerialProcessing, -1, log, extraSysdata)

    def createParallelProcessing(
        self, rank: int = 1, log: Log | None = None, extraSysdata: Mapping[str, Any] | None = None
    ) -> ParallelProcessing:
        """A new parallel half with the given rank, whatever the context says.

        Args:
            rank: number of the slice.
            log: its log; None takes the stage's.
            extraSysdata: keys that go over those of the stage's context, for this half only.

        Raises:
            WrongClassError: (a ValueError) `parallelClass` is no ParallelProcessing subclass.
        """
        return self._create(self.parallelClass, ParallelProcessing, rank, log, extraSysdata)

    def _create(
        self,
        cls: type[_Half],
        base: type[_Half],
        rank: int,
        log: Log | None,
        extraSysdata: Mapping[str, Any] | None,
    ) -> _Half:
        _check_class(cls, base, type(self).__qualname__)
        sysdata = dict(self.sysdata)
        if extraSysdata:
            sysdata.update(extraSysdata)
        sysdata["rank"] = rank
        return cls(self.stagePolicy, self.log if log is None else log, self.eventBroker, sysdata)


def makeStage(
    policy: Policy | None = None,
    serClsName: str | None = None,
    paraClsName: str | None = None,
    log: Log | None = None,
    eventBroker: str | None = None,
    sysdata: dict[str, Any] | None = None,
) -> Stage:
    """A `Stage` whose halves are named by dotted class names; None means the no-op half.

    Raises:
        ClassLookupError: (an ImportError) a name leads to no module or no attribute, or the import
            of its module failed.
        WrongClassError: (a ValueError) a name leads to something that is not the right kind of class.
    """
    stage = Stage(policy, log, eventBroker=eventBroker, sysdata=sysdata)
    if serClsName is not None:
        stage.serialClass = find_class(serClsName, SerialProcessing)
    if paraClsName is not None:
        stage.parallelClass = find_class(paraClsName, ParallelProcessing)
    return stage


def makeStageFromPolicy(
    stageDefPolicy: Policy,
    log: Log | None = None,
    eventBroker: str | None = None,
    sysdata: Mapping[str, Any] | None = None,
) -> Stage:
    """A `Stage` from one ``appStage`` policy: ``name``, ``serialClass``, ``parallelClass``, ``stagePolicy``.

    A ``name`` in `sysdata` wins over the policy's; with neither it is "unknown stage". An absent
    ``stagePolicy`` and the string "None" both mean no policy.

    Raises:
        ClassLookupError, WrongClassError: as `makeStage` does.
        harness.policy.errors.TypeError: a value has the wrong type, such as a file name as
            ``stagePolicy`` where a policy or a resolved include is wanted.
    """
    context = dict(sysdata) if sysdata else {}
    if "name" not in context:
        context["name"] = (
            stageDefPolicy.getString("name") if stageDefPolicy.exists("name") else "unknown stage"
        )
    return makeStage(
        _stage_policy(stageDefPolicy, context["name"]),
        _class_name(stageDefPolicy, "serialClass"),
        _class_name(stageDefPolicy, "parallelClass"),
        log,
        eventBroker,
        context,
    )


def _class_name(policy: Policy, key: str) -> str | None:
    return policy.getString(key) if policy.exists(key) else None


def _stage_policy(policy: Policy, stage_name: str) -> Policy | None:
    key = "stagePolicy"
    if not policy.exists(key):
        return None
    if policy.isPolicy(key):
        return policy.getPolicy(key)
    if policy.isString(key) and policy.getString(key).strip() == "None":
        return None
    from harness.policy.errors import TypeError as PolicyTypeError

    if policy.isFile(key):
        seen = f"the unresolved include @{policy.getFile(key).getPath()}"
        cure = "load the policy with its includes: Policy.createPolicy(path, True)"
    else:
        seen = f"{policy.str(key)} of type {policy.getTypeName(key)}"
        cure = f'write {key}: @path/to/file.paf, {key}: {{ ... }} or {key}: "None"'
    raise PolicyTypeError(f"stage '{stage_name}': {key} must be a policy, not {seen}; {cure}")


def _check_class(cls: Any, base: type, owner: str) -> None:
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise WrongClassError(
            f"{owner}: expected a subclass of {base.__module__}.{base.__qualname__}, not {cls!r}"
        )

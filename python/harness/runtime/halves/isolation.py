# SPDX-License-Identifier: BSD-3-Clause
"""Keeps what stages do to their process apart: random state, current directory and umask of a stage call.

Which ranks share a process depends on the number of workers; what a stage computes must not.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from harness import streams

if TYPE_CHECKING:
    from harness.runtime.configuration.config import PipelineConfig
    from harness.stage import StageProcessing

AUTO, ALWAYS, NEVER = "auto", "always", "never"
TELLING_NAMES = frozenset({"random", "chdir", "fchdir", "umask"})
METHODS = ("applyPreprocess", "applyProcess", "applyPostprocess")


class Seeded(Protocol):
    """Whose stages they are: a rank in a visit, with the seed of its run."""

    config: PipelineConfig
    random_seed: int
    rank: int
    visit: int


def isolate(stage: StageProcessing, half: Seeded, number: int) -> None:
    """Makes the calls of a stage isolated, if the policy key `isolateStages` and its code ask for that.

    A stage that is not costs nothing. `number` is its position, -1 for a failure stage.
    """
    wish = half.config.isolate_stages
    if wish == NEVER or (wish == AUTO and not touches(type(stage))):
        return
    for name in METHODS:
        method = getattr(stage, name, None)
        if method is not None:
            setattr(stage, name, _isolated(method, half, number))


def _isolated(method: Callable[..., Any], half: Seeded, number: int) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with _kept_place():
            streams.reseed(half.random_seed, half.visit, half.rank, number)
            return method(*arguments)

    return call


@contextlib.contextmanager
def _kept_place() -> Iterator[None]:
    """Current directory and umask are afterwards what they were before."""
    directory = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mask = os.umask(0o077)
    os.umask(mask)
    pid = os.getpid()
    try:
        yield
    finally:
        # A process that the stage forked, and that comes back here, goes its own ways.
        if os.getpid() == pid:
            os.umask(mask)
            os.fchdir(directory)
        os.close(directory)


_known: WeakKeyDictionary[type, bool] = WeakKeyDictionary()


def touches(cls: type) -> bool:
    """What `touches_process_state` says of a class, found out once: forks know what was found before."""
    known = _known.get(cls)
    if known is None:
        known = _known[cls] = touches_process_state(cls)
    return known


def touches_process_state(cls: type) -> bool:
    """Whether the code of a class's modules, or of modules of their package they import, names such state.

    It looks for the names `random`, `chdir`, `fchdir` and `umask` in the modules of the class and its bases;
    what libraries do unseen it does not find.
    """
    seen: set[str] = set()
    for base in cls.__mro__:
        module = sys.modules.get(base.__module__)
        if module is None or base.__module__.startswith("harness.") or base is object:
            continue
        if _module_touches(module, seen):
            return True
    return False


def _module_touches(module: ModuleType, seen: set[str]) -> bool:
    if module.__name__ in seen:
        return False
    seen.add(module.__name__)
    package = module.__name__.partition(".")[0]
    for name, value in list(vars(module).items()):
        if name in TELLING_NAMES or _origin(value) in ("random", "numpy.random", "numpy.random.mtrand"):
            return True
        if isinstance(value, FunctionType) and _code_touches(value.__code__):
            return True
        if isinstance(value, type) and value.__module__ == module.__name__ and _class_touches(value):
            return True
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] == package and (
            _module_touches(value, seen)
        ):
            return True
    return False


def _origin(value: object) -> str:
    """The module that a module or function is, or comes from; bound methods say it by what they are bound to.

    Other values are not asked: they may answer with code of their own.
    """
    if isinstance(value, ModuleType):
        return value.__name__
    if not isinstance(value, (BuiltinFunctionType, FunctionType, MethodType)):
        return ""
    owner = getattr(value, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType):
        return type(owner).__module__
    return str(value.__module__)


def _class_touches(cls: type) -> bool:
    for value in vars(cls).values():
        function = getattr(value, "__func__", getattr(value, "fget", value))
        if isinstance(function, FunctionType) and _code_touches(function.__code__):
            return True
    return False


def _code_touches(code: CodeType) -> bool:
    if not TELLING_NAMES.isdisjoint(code.co_names):
        return True
    return any(_code_touches(inner) for inner in code.co_consts if isinstance(inner, CodeType))

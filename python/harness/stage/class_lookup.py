# SPDX-License-Identifier: BSD-3-Clause
"""Finding a class by its dotted name, with errors that say which part of the name is wrong."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

__all__ = ["ClassLookupError", "WrongClassError", "find_class"]

_MOST_CANDIDATES = 3


class ClassLookupError(ImportError):
    """A dotted class name leads nowhere: no such module, no such attribute, or the import failed.

    Attributes: `problem` (the message without name, expectation and hint), `expected` and `hint` (classes or
    modules that may be meant).
    """

    problem = expected = hint = ""


class WrongClassError(ValueError):
    """A dotted class name leads to something that is not a subclass of the expected base.

    Attributes: as for `ClassLookupError`.
    """

    problem = expected = hint = ""


def find_class(dotted_name: str, base: type = object) -> type:
    """Import the class that a dotted name means: module before the last dot, class after it.

    Args:
        dotted_name: such as ``mypipe.warp.WarpSerial``; blanks around it do not matter.
        base: the class must be this one or a subclass of it.

    Raises:
        TypeError: the name is not a string.
        ClassLookupError: (an ImportError) the module does not exist, its import failed (the
            original exception is chained), or it has no such attribute.
        WrongClassError: (a ValueError) there is such an attribute, but not a subclass of `base`.
    """
    if not isinstance(dotted_name, str):
        raise TypeError(
            "a class is named by a string such as 'mypipe.warp.WarpSerial',"
            f" not by {type(dotted_name).__name__}: {dotted_name!r}"
        )
    name = dotted_name.strip()
    module_name, _, class_name = name.rpartition(".")
    if not module_name or not class_name or ".." in name or name.startswith("."):
        problem = "the name must be a module, a dot and a class in it, such as 'mypipe.warp.WarpSerial'"
        raise _not_found(name, base, problem)
    module = _import_module(module_name, name, base)
    try:
        found = getattr(module, class_name)
    except AttributeError as error:
        problem = f"module '{module_name}' ({_place(module)}) has no attribute '{class_name}'"
        hint = _class_hint(module, class_name, base)
        lost = _not_found(name, base, problem, hint)
        lost.name, lost.path = module_name, getattr(module, "__file__", None)
        raise lost from error
    if not isinstance(found, type) or not issubclass(found, base):
        hint = _class_hint(module, class_name, base)
        wrong = WrongClassError(f"'{name}'{_expectation(base)} is {_kind(found)}; {hint}")
        wrong.problem, wrong.expected, wrong.hint = f"'{name}' is {_kind(found)}", _wanted(base), hint
        raise wrong
    return found


def _not_found(name: str, base: type, problem: str, hint: str = "") -> ClassLookupError:
    text = f"cannot look up class '{name}'{_expectation(base)}: {problem}{'; ' if hint else ''}{hint}"
    error = ClassLookupError(text, name=name.rpartition(".")[0] or None)
    error.problem, error.expected, error.hint = problem, _wanted(base), hint
    return error


def _import_module(module_name: str, name: str, base: type) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not (module_name == missing or module_name.startswith(missing + ".")):
            raise _import_failed(module_name, name, base, error) from error
        problem = f"there is no module '{missing}'"
        lost = _not_found(name, base, problem, _module_hint(missing))
        lost.name = missing
        raise lost from error
    # Whatever the module's own code raises while it is imported belongs to the class name's owner.
    except Exception as error:
        raise _import_failed(module_name, name, base, error) from error


def _import_failed(module_name: str, name: str, base: type, error: Exception) -> ClassLookupError:
    problem = f"module '{module_name}' exists, but importing it failed with {type(error).__name__}: {error}"
    return _not_found(name, base, problem, "the chained traceback shows the line")


def _wanted(base: type) -> str:
    return "" if base is object else f"a subclass of {base.__module__}.{base.__qualname__}"


def _expectation(base: type) -> str:
    return "" if base is object else f" (expected: {_wanted(base)})"


def _place(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or "built in or a namespace package"


def _kind(found: object) -> str:
    if not isinstance(found, type):
        return f"no class but {type(found).__name__} {found!r:.80}"
    parents = ", ".join(f"{parent.__module__}.{parent.__qualname__}" for parent in found.__mro__[1:])
    return f"a class with other bases ({parents})"


def _class_hint(module: ModuleType, wanted: str, base: type) -> str:
    """The classes of `module` that would do: those named like `wanted`, else some of them."""
    suitable = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value is not base
        and not name.startswith("_")
    ]
    close = _close(wanted, suitable, cutoff=0.5)
    if not suitable:
        return "no class in it would do"
    dotted = [f"{module.__name__}.{name}" for name in close or sorted(suitable)[:_MOST_CANDIDATES]]
    if close:
        return f"did you mean {_or_list(dotted)}?"
    return f"classes in it that would do: {', '.join(dotted)}{', ...' if len(suitable) > len(dotted) else ''}"


def _module_hint(missing: str) -> str:
    """Modules beside the missing one with a similar name, or where modules are looked for."""
    import pkgutil

    parent, _, leaf = missing.rpartition(".")
    if parent:
        path = getattr(sys.modules.get(parent), "__path__", None)
        if path is None:
            return f"'{parent}' is a module, not a package"
        siblings = [info.name for info in pkgutil.iter_modules(path)]
    else:
        siblings = [info.name for info in pkgutil.iter_modules()]
        here = os.getcwd()
        if os.path.isdir(leaf) or os.path.isfile(f"{leaf}.py"):
            return f"there is one in {here}: add that directory to PYTHONPATH"
    close = _close(leaf, siblings, cutoff=0.6 if parent else 0.75)
    if close and not parent:
        return f"did you mean {_or_list(close)}? If not, is the directory that holds '{leaf}' on PYTHONPATH?"
    if close:
        return f"did you mean {_or_list([f'{parent}.{name}' for name in close])}?"
    if parent:
        return f"package '{parent}' holds {', '.join(sorted(siblings)[:10]) or 'no modules'}"
    return f"is the directory that holds '{leaf}' on PYTHONPATH?"


def _close(wanted: str, names: list[str], *, cutoff: float) -> list[str]:
    # As pkgutil: errors alone need it, and every process of a run looks classes up.
    import difflib

    return difflib.get_close_matches(wanted, names, n=_MOST_CANDIDATES, cutoff=cutoff)


def _or_list(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"

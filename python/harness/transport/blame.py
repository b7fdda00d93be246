# SPDX-License-Identifier: BSD-3-Clause
"""Which part of a value cannot cross: found by pickling its parts, one level after the other."""

from __future__ import annotations

import copyreg
import pickle
import sys
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 50
CURE = (
    "Put it without the mark, or leave that part out of its pickle (__getstate__), or put the numbers it"
    " stands for"
)


def name_culprit(key: str, value: Any, error: Exception) -> str:
    """The message for a value that pickle refused with `error`: key, type, and the path to the culprit."""
    path, culprit, cause = _descend(value, error)
    what = _type_name(type(culprit))
    if isinstance(cause, RecursionError):
        return (
            f"clipboard key {key!r}: its value, a {_type_name(type(value))}, is nested too deeply to cross to"
            f" another process. Keep its parts in lists or arrays instead of links from one to the next"
        )
    if callable(culprit) and hasattr(culprit, "__qualname__"):
        what = f"{_kind_of(culprit)} {culprit.__module__}.{culprit.__qualname__}"
    subject = f"its value is a {what}" if not path else f"{path} of {_type_name(type(value))} is a {what}"
    return (
        f"clipboard key {key!r}: {subject}, which cannot cross to another process"
        f" ({type(cause).__name__}: {cause}). {CURE}"
    )


def _descend(value: Any, error: Exception) -> tuple[str, Any, Exception]:
    path = ""
    kind = "attribute"
    seen: set[int] = set()
    for _ in range(MAX_DEPTH):
        seen.add(id(value))
        for label, part in _parts(value):
            if id(part) in seen:
                continue
            refused = _refusal(part)
            if refused is not None:
                if not path:
                    kind = "attribute" if label.startswith(".") else "item"
                path, value, error = path + label, part, refused
                break
        else:
            break
    return (f"{kind} {path.strip()}" if path else ""), value, error


class _Nowhere:
    """A file that forgets what is written to it."""

    def write(self, data: Any) -> int:
        return len(data)


class _DryPickler(pickle.Pickler):
    """Pickles as the transport does, but without the contents of arrays."""

    def __init__(self) -> None:
        super().__init__(_Nowhere(), protocol=5, buffer_callback=lambda buffer: False)

    def reducer_override(self, obj: Any) -> Any:
        if not _is_array(obj) or obj.dtype.hasobject:
            return NotImplemented
        return set, (), getattr(obj, "__dict__", None) or None


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _refusal(part: Any) -> Exception | None:
    try:
        _DryPickler().dump(part)
    except Exception as error:
        return error
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What pickle would visit next, with the words that lead there from `value`."""
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"[{key!r}]", item
            yield f" key {key!r}", key
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, (set, frozenset)):
        for item in value:
            yield " member", item
    elif _is_array(value):
        for index, item in enumerate(value.flat if value.dtype.hasobject else ()):
            yield f"[{index}]", item
        for name, item in getattr(value, "__dict__", {}).items():
            yield f".{name}", item
    elif hasattr(value, "__self__"):
        yield ".__self__", value.__self__
    if isinstance(value, (type, int, float, str, bytes)) or hasattr(value, "__code__"):
        return
    yield from _attributes(value)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        reduced = reduce(value) if reduce is not None else value.__reduce_ex__(5)
    except Exception:
        # The object itself refuses: it is the culprit, not one of its parts.
        return
    if not isinstance(reduced, tuple):
        return
    state = reduced[2] if len(reduced) > 2 else None
    for half in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(half, dict):
            for name, item in half.items():
                yield f".{name}", item
    for position, argument in enumerate(reduced[1]):
        # A class that cannot be found again is the fault of its instance, which says so itself.
        if not isinstance(argument, type):
            yield f" argument {position}", argument


def _type_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _kind_of(culprit: Any) -> str:
    return "class" if isinstance(culprit, type) else "function"

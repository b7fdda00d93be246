# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of code that knows nothing of shared memory, born in it: NumPy's own allocations go to the arena.

They do while stage methods run, and inside `shared_arrays()`. NumPy's default allocation handler is exchanged
for one that asks the arena first, once per process, after NumPy was imported; a test of the result decides
whether it can be relied on, or one of the ways that cover less has to do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from enum import Enum
from functools import partial
from typing import Any

from harness import _core

TEST_BYTES = 128 * 1024
"""Size of the arrays the test makes; the smallest arena gives as much to one array."""


class Coverage(Enum):
    """Which arrays that NumPy allocates can be born shared."""

    EVERYWHERE = "all arrays, of every thread"
    THIS_CONTEXT = "arrays made by the thread that runs the stage, but not by its pools and threads"
    NOTHING = "no arrays but those made by harness.empty, zeros, full and asarray"


coverage: Coverage | None = None
"""What holds in this process; `None` until NumPy was imported and somebody asked."""

_is_proven = False


def believe(found: Coverage | None) -> None:
    """Has this process and its forks do without the test, if one like them has found all arrays covered.

    The test touches so much memory that it is a good part of what a short-lived process costs.
    """
    global _is_proven
    _is_proven = found is Coverage.EVERYWHERE


def prepare() -> str:
    """Exchanges NumPy's handler unless that was tried, NumPy is not imported, or no arena is there.

    Returns a complaint for the log, once, when not all arrays are covered; else an empty text.
    """
    if coverage is not None or "numpy" not in sys.modules or not _core.can_bear():
        return ""
    return _redirect()


@contextmanager
def shared_arrays() -> Iterator[None]:
    """Arrays of 64 KiB or more that NumPy allocates inside the `with` block are born in shared memory.

    This is how stage methods run anyway. Elsewhere, in `setup()` say, it spares the copy when the array
    is put on a clipboard. It acts on all threads of the process. Outside a run it has no effect. Blocks
    may be nested. Imports numpy.
    """
    import numpy  # noqa: F401  # prepare() asks whether it is imported

    prepare()
    _core.enter_births()
    try:
        yield
    finally:
        _core.leave_births()


def _redirect() -> str:
    global coverage
    import numpy as np

    coverage = Coverage.NOTHING
    why = "does not allocate through the default handler, which this version of the harness has exchanged"
    try:
        _core.redirect_numpy()
        # A context without any setting is what a new thread, and a pool's, begins with.
        if _is_proven or (_holds(Context().run) and _holds(_call)):
            coverage = Coverage.EVERYWHERE
            return ""
        _core.redirect_numpy_here()
        if _holds(_call):
            coverage = Coverage.THIS_CONTEXT
    except Exception as error:
        why = f"did not let the harness exchange its allocation handler ({type(error).__name__}: {error})"
    return (
        f"NumPy {np.__version__} {why}. Born shared are {coverage.value};"
        " others are copied once when they cross"
    )


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _holds(run: Callable[..., Any]) -> bool:
    """Whether arrays made through `run(function, *arguments)` come to the arena, or would if it had room.

    The test arrays are written, zeroed, resized and freed, and must show what was written.
    """
    import numpy as np

    threshold = _core.set_birth_threshold(TEST_BYTES)
    _core.enter_births()
    try:
        before = _asked()
        array = run(np.empty, TEST_BYTES, np.uint8)
        zeros = run(np.zeros, TEST_BYTES, np.uint8)
        if _asked() - before != 2:
            return False
        array[:] = 7
        sound = bool((array == 7).all()) and not zeros.any()
        run(partial(array.resize, TEST_BYTES // 4, refcheck=False))
        return sound and array.size == TEST_BYTES // 4 and bool((array == 7).all())
    finally:
        _core.leave_births()
        _core.set_birth_threshold(threshold)


def _asked() -> int:
    shared, refused, *_ = _core.birth_counts()
    return shared + refused

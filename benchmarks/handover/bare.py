# SPDX-License-Identifier: BSD-3-Clause
"""The library built from bare.cpp, for Python: limits, a rendezvous, and how an image is read and checked."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LIBRARY = Path(__file__).parents[2] / "build" / "cpp" / "benchmarks" / "libbare.so"
PAGE = 4096
WARM = 3
"""Rounds that are not counted: their pages are new for everybody."""


@cache
def library() -> ctypes.CDLL:
    """The loaded library. Ends the program when it has not been built."""
    if not LIBRARY.exists():
        sys.exit(
            f"{LIBRARY} is missing: build it with 'make bench', or with"
            " 'cmake --preset cpp && cmake --build --preset cpp --target bare'"
        )
    found = ctypes.CDLL(str(LIBRARY))
    found.bare_meeting.restype = ctypes.c_void_p
    found.bare_meeting.argtypes = [ctypes.c_uint32]
    found.bare_release.argtypes = [ctypes.c_void_p]
    found.bare_wait_all.argtypes = [ctypes.c_void_p]
    found.bare_wait_release.restype = ctypes.c_uint32
    found.bare_wait_release.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    found.bare_arrive.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    found.bare_touch.restype = ctypes.c_uint64
    found.bare_touch.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    found.bare_handover.argtypes = [
        ctypes.c_uint32, ctypes.c_size_t, ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32,
        ctypes.c_void_p, ctypes.c_void_p,
    ]
    return found


def touch(image: np.ndarray) -> int:
    """The sum of the first byte of every page of a contiguous array."""
    return library().bare_touch(image.__array_interface__["data"][0], image.nbytes)


def value_of(number: int) -> int:
    """The pixel value of image `number`: no two in a row are the same; a rank added, it fits a byte."""
    return 1 + number % 100


def check(sum_read: int, mebibytes: int, value: int, who: str) -> None:
    """Raises `RuntimeError` unless `sum_read` is what `touch` finds in an image full of `value`."""
    expected = (mebibytes << 20) // PAGE * value
    if sum_read != expected:
        raise RuntimeError(f"{who} read another image: expected the sum {expected}, saw {sum_read}")


WARM_STEPS = 100


def steps(slices: int, rounds: int, yields: bool = True) -> list[float]:
    """Seconds of empty steps in C, which wait by yielding first, or sleep at once. Raises `MemoryError`."""
    seconds = (ctypes.c_double * rounds)()
    if library().bare_steps(slices, int(yields), WARM_STEPS, rounds, seconds) != 0:
        raise MemoryError("no shared memory for a meeting point")
    return list(seconds)


def barrier_steps(slices: int, rounds: int) -> list[float]:
    """Seconds of empty steps in C by a `pthread_barrier`. Raises `MemoryError`."""
    seconds = (ctypes.c_double * rounds)()
    if library().bare_barrier_steps(slices, WARM_STEPS, rounds, seconds) != 0:
        raise MemoryError("no shared memory for a barrier")
    return list(seconds)


def handover(slices: int, mebibytes: int, rounds: int, copying: bool) -> tuple[list[float], list[float]]:
    """Seconds there and seconds back, in C. Raises `MemoryError`, or `RuntimeError` when pixels are wrong."""
    out, back = (ctypes.c_double * rounds)(), (ctypes.c_double * rounds)()
    wrong = library().bare_handover(slices, mebibytes << 20, int(copying), WARM, rounds, out, back)
    if wrong < 0:
        raise MemoryError(f"no shared memory for {slices + 1} images of {mebibytes} MiB")
    if wrong:
        raise RuntimeError(f"{wrong} images were read wrongly")
    return list(out), list(back)

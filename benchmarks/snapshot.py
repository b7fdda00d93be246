# SPDX-License-Identifier: BSD-3-Clause
"""Two ways to keep later changes of a producer from its readers: a copy, or remapping its pages privately.

    python benchmarks/snapshot.py [MiB [ROUNDS]]

One process, one shared segment with warm pages. `copy` is a memcpy into another warm block. `remap` maps the
producer's range again with MAP_PRIVATE | MAP_FIXED, so that its later writes go to pages of its own. Each is
followed by what a producer does next: nothing, reading all of it, or writing all of it. Medians, in ms.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

PROT_READ, PROT_WRITE = 1, 2
MAP_SHARED, MAP_PRIVATE, MAP_FIXED = 1, 2, 0x10

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]


def map_range(address: int | None, size: int, flags: int, descriptor: int) -> int:
    """Maps the start of the segment; returns the address. Raises `OSError`."""
    mapped: int | None = libc.mmap(address, size, PROT_READ | PROT_WRITE, flags, descriptor, 0)
    if mapped is None or mapped == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return mapped


def view(address: int, size: int) -> np.ndarray:
    """The mapped memory as an array of floats."""
    return np.frombuffer((ctypes.c_char * size).from_address(address), np.float64)


def timed(call: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    mebibytes, rounds = (*map(int, sys.argv[1:]), *(16, 15)[len(sys.argv) - 1 :])
    size = mebibytes << 20
    descriptor = os.memfd_create("snapshot")
    os.ftruncate(descriptor, size)
    address = map_range(None, size, MAP_SHARED, descriptor)
    source, target = view(address, size), np.ones(size // 8)
    shared = view(map_range(None, size, MAP_SHARED, descriptor), size)
    source[:] = 1.0
    after: dict[str, Callable[[], object]] = {
        "and nothing": lambda: None,
        "and a read": lambda: source.sum(),
        "and a write": lambda: np.add(source, 1.0, out=source),
    }
    ways: dict[str, Callable[[], object]] = {
        "copy": lambda: np.copyto(target, source),
        "remap": lambda: map_range(address, size, MAP_PRIVATE | MAP_FIXED, descriptor),
    }
    print(f"{size >> 20} MiB, medians of {rounds}, ms")
    for what, follow in after.items():
        figures: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                follow()
                target[:] = 0.0
                source[:] = expected = 1.0 + len(figures[name])
                figures[name].append(timed(lambda way=way, follow=follow: (way(), follow())))
                seen = target if name == "copy" else shared
                if seen[0] != expected or seen[-1] != expected:
                    raise SystemExit(f"{name} {what}: expected {expected}, saw {seen[0]} and {seen[-1]}")
                # Back to the shared pages, warm, for the next round.
                map_range(address, size, MAP_SHARED | MAP_FIXED, descriptor)
                source[:] = 1.0
        cells = "  ".join(f"{name} {statistics.median(times):8.3f}" for name, times in figures.items())
        print(f"{what:12} {cells}")


if __name__ == "__main__":
    main()

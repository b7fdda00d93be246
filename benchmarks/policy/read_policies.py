# SPDX-License-Identifier: BSD-3-Clause
"""Reading policies, beside json, tomllib and PyYAML's C loader on the same data.

Usage: read_policies.py [--rounds N] [--size BYTES] [--core PROGRAM]. The contenders take turns in one
process, so that a slow moment of the machine meets them all, and every one is held against what the first
read. --core names the program built from parse_paf.cpp (build/cpp/benchmarks/parse_paf): the core alone,
without Python; it has its turn, too, in a process of its own that reads the text once before. It has another
where glibc keeps the memory of the first tree for the second, as a process that has run for long does. PyYAML
and a writer of TOML (tomli-w) are measured where they are installed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness.policy import Policy, PolicyString
from texts import policy_text

ORIGINAL_MB_S = 5.4
"""The original C++ parser on a typical file of 5 MB; the goal is forty times that."""

CORE, CORE_KEPT, CORE_TURNS = "core alone, C++", "core, memory kept", 50
"""What it is called, also where freed memory is kept, and how many turns it has at most."""
KEEP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
"""What makes glibc keep the memory that a program frees."""

Contender = tuple[str, int, Callable[[], Any]]


def contenders(paf: str, folder: Path) -> list[Contender]:
    """Name, size of the text in bytes, and a call that reads it, for everything that can be imported."""
    path = folder / "policy.paf"
    path.write_text(paf)
    data = Policy(PolicyString(paf)).toDict()
    texts = {"json": json.dumps(data)}
    found: list[Contender] = [
        ("PAF from a file", len(paf), lambda: Policy(str(path))),
        ("PAF from a string", len(paf), lambda: Policy(PolicyString(paf))),
        ("PAF to nested dicts", len(paf), lambda: Policy(PolicyString(paf)).toDict()),
        ("json.loads", len(texts["json"]), lambda: json.loads(texts["json"])),
    ]
    tomllib, tomli_w = optional("tomllib"), optional("tomli_w")
    if tomllib is not None and tomli_w is not None:
        texts["toml"] = tomli_w.dumps(data)
        found.append(("tomllib.loads", len(texts["toml"]), lambda: tomllib.loads(texts["toml"])))
    yaml = optional("yaml")
    if yaml is not None and hasattr(yaml, "CSafeLoader"):
        texts["yaml"] = yaml.dump(data, Dumper=yaml.CSafeDumper)
        found.append(("yaml, CSafeLoader", len(texts["yaml"]),
                      lambda: yaml.load(texts["yaml"], Loader=yaml.CSafeLoader)))
    for name, _, read in found:
        seen = read()
        if (seen.toDict() if isinstance(seen, Policy) else seen) != data:
            raise SystemExit(f"{name} read something else than the others")
    return found


def optional(name: str) -> Any:
    """A module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def measure(
    found: list[Contender], rounds: int, core: Callable[[dict[str, str]], float] | None
) -> dict[str, list[float]]:
    """Seconds of every round of every contender, taking turns. Freeing the result is not in them."""
    times: dict[str, list[float]] = {name: [] for name, _, _ in found}
    for number in range(rounds):
        if core is not None and number % max(1, rounds // CORE_TURNS) == 0:
            for name, variables in ((CORE, {}), (CORE_KEPT, KEEP)):
                times.setdefault(name, []).append(core(variables))
        for name, _, read in found:
            start = time.perf_counter()
            result = read()
            times[name].append(time.perf_counter() - start)
            del result
    return times


def quantile(seconds: list[float], share: float) -> float:
    """The value that a share of all lies at or below."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def report(title: str, found: list[Contender], times: dict[str, list[float]]) -> None:
    """A table: median, minimum and p99, throughput, and how many times the file's own time each takes."""
    print(f"\n{title}")
    reference = statistics.median(times[found[0][0]])
    sizes = [(name, size) for name, size, _ in found]
    for name, size in [*sizes, *((name, found[0][1]) for name in (CORE, CORE_KEPT) if name in times)]:
        seconds = times[name]
        median = statistics.median(seconds)
        print(f"  {name:22s} median {median * 1e6:12.1f} us   min {min(seconds) * 1e6:12.1f}"
              f"   p99 {quantile(seconds, 0.99) * 1e6:12.1f}   {size / median / 1e6:7.1f} MB/s"
              f"   {median / reference:7.2f} x")


def measure_core(program: str, path: Path, variables: dict[str, str]) -> float:
    """The core alone: seconds of the second of two turns."""
    done = subprocess.run([program, str(path), "2"], check=True, stdout=subprocess.PIPE, text=True,
                          env=os.environ | variables)  # fmt: skip
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="rounds with the large text (default 9)")
    parser.add_argument("--size", type=int, default=5_000_000, help="bytes of the large text")
    parser.add_argument("--core", help="program built from parse_paf.cpp")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size, rounds in ((arguments.size, arguments.rounds), (2_000, arguments.rounds * 50)):
            paf = policy_text(size)
            found = contenders(paf, folder)
            core = partial(measure_core, arguments.core, folder / "policy.paf") if arguments.core else None
            times = measure(found, rounds, core)
            report(f"{len(paf)} bytes of PAF, {rounds} rounds", found, times)
    print(f"\nThe original parser: {ORIGINAL_MB_S} MB/s; forty times that: {40 * ORIGINAL_MB_S:.0f} MB/s.")


if __name__ == "__main__":
    main()

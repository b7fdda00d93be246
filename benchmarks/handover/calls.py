# SPDX-License-Identifier: BSD-3-Clause
"""What one call of the clipboard costs, beside a dict.

Usage: calls.py [--rounds N]. Every call stands twenty times in the body of a loop, as code would write
it; an empty loop's share is below a nanosecond. The contenders take turns in one process; a round of
each is a batch of 20,000 calls. Values are private ones; what a put shareable costs at the crossing is
measured by handover.py.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from figures import Surroundings, quantile, short, table
from harness.clipboard import Clipboard

UNROLLED = 20
LOOPS = 1000
CALLS = {
    "dict d[key]": ("d[key]", ""),
    "dict d.get(key)": ("d.get(key)", ""),
    "dict d[key] = value": ("d[key] = value", ""),
    "clipboard.get(key)": ("c.get(key)", "dict d[key]"),
    "clipboard[key]": ("c[key]", "dict d[key]"),
    "clipboard.contains(key)": ("c.contains(key)", "dict d[key]"),
    "clipboard.put(key, value)": ("c.put(key, value)", "dict d[key] = value"),
    "clipboard[key] = value": ("c[key] = value", "dict d[key] = value"),
    "clipboard.put(key, value, True)": ("c.put(key, value, True)", "dict d[key] = value"),
}


def batch(call: str) -> Callable[[dict, Clipboard, str, object], float]:
    """A function that makes the calls and returns the nanoseconds of one."""
    lines = ["def run(d, c, key, value):", "    start = clock()", f"    for _ in range({LOOPS}):"]
    lines += [f"        {call}"] * UNROLLED
    lines.append(f"    return (clock() - start) / {UNROLLED * LOOPS}")
    scope: dict = {"clock": time.perf_counter_ns}
    exec("\n".join(lines), scope)
    return scope["run"]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    surroundings = Surroundings()
    value = object()
    table_of_items: dict = {f"key{number}": number for number in range(10)}
    clipboard = Clipboard()
    for key in table_of_items:
        clipboard.put(key, value)
    runs = {name: batch(call) for name, (call, _) in CALLS.items()}
    found: dict[str, list[float]] = {name: [] for name in CALLS}
    for _ in range(arguments.rounds):
        for name, run in runs.items():
            found[name].append(run(table_of_items, clipboard, "key5", value))
    if clipboard.get("key5") is not value or table_of_items["key5"] is not value or len(clipboard) != 10:
        raise SystemExit("the clipboard does not hold what was put")
    rows = []
    for name, (_, reference) in CALLS.items():
        times = found[name]
        median = statistics.median(times)
        ratio = f"{median / statistics.median(found[reference]):.2f}x {reference}" if reference else "-"
        rows.append([name, short(median), short(min(times)), short(quantile(times, 0.99)), ratio])
    print(f"One call, {arguments.rounds} rounds of {UNROLLED * LOOPS}\n\n{surroundings.text()}")
    print(table(["nanoseconds", "median", "least", "p99", "ratio of medians"], rows))


if __name__ == "__main__":
    main()

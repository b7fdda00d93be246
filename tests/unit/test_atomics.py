# SPDX-License-Identifier: BSD-3-Clause
"""Every access to an atomic says why its order is enough, and with what it pairs."""

from __future__ import annotations

import re
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src" / "pexcore"
ACCESS = re.compile(r"(\w+)(?:\(\))?\s*\.\s*(?:load|store|exchange|fetch_\w+|compare_exchange_\w+)\(")
NEAR, NEAR_DECLARATION = 14, 8
"""How many lines above an access, or above a declaration, the word may stand."""


def says(lines: list[str], at: int, near: int) -> bool:
    """Whether a comment of that kind stands in the lines up to and including `at`."""
    return any("ORDER" in line for line in lines[max(0, at - near) : at + 1])


def declared_with_order(path: Path) -> set[str]:
    """The atomics that the file, or the header of its name, declares under such a comment."""
    found: set[str] = set()
    for place in {path, path.with_suffix(".hpp")}:
        lines = place.read_text().splitlines() if place.exists() else []
        for at, line in enumerate(lines):
            name = re.search(r"std::atomic<[^;=]*>\s+(\w+)", line)
            if name and says(lines, at, NEAR_DECLARATION):
                found.add(name[1])
    return found


def silent_accesses(path: Path) -> list[str]:
    """Accesses that say nothing, as `line: code`."""
    text = path.read_text()
    if "throughout this file" in text:
        return []
    lines, declared = text.splitlines(), declared_with_order(path)
    found = []
    for at, line in enumerate(lines):
        code = line.partition("//")[0]
        if "memory_order" not in code or says(lines, at, NEAR):
            continue
        names = {match[1] for match in ACCESS.finditer(code)}
        if not names or not names <= declared:
            found.append(f"{at + 1}: {line.strip()}")
    return found


def test_every_access_names_its_order_and_its_partner():
    sources = sorted([*SOURCES.rglob("*.cpp"), *SOURCES.rglob("*.hpp")])
    accesses = sum(path.read_text().count("memory_order") for path in sources)
    assert len(sources) > 80 and accesses > 200
    silent = {str(path.relative_to(SOURCES)): silent_accesses(path) for path in sources}
    assert {name: lines for name, lines in silent.items() if lines} == {}


def test_one_that_says_nothing_is_found(tmp_path):
    (tmp_path / "x.cpp").write_text(
        "// ORDER relaxed: a figure.\nint a = one.load(std::memory_order_relaxed);\n" + "\n" * 20 +
        "two.store(1, std::memory_order_release);\nthree.store(1, std::memory_order_release);\n"
    )  # fmt: skip
    (tmp_path / "x.hpp").write_text("// ORDER release: pairs with y().\nstd::atomic<int> three{0};\n")
    assert silent_accesses(tmp_path / "x.cpp") == ["23: two.store(1, std::memory_order_release);"]

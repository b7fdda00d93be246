# SPDX-License-Identifier: BSD-3-Clause
"""Which source files the code of a stage is in: its module, and what that imports from its own package.

Nothing is imported and nothing is run: imports are read from the text, not from its syntax tree, which takes
ten times as long. Words in a docstring may pass for an import, which does no harm. A module that is imported
by a name that the code computes is not found, nor is compiled code other than that of the stage's own module.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["own_imports"]

FOREIGN = frozenset({"site-packages", "dist-packages"})
"""Folders of installed distributions: modules that lie there side by side do not belong together."""


def own_imports(module: str, file: str) -> dict[str, str]:
    """Files by module name: those of its package that a module leads to, itself left out.

    Args:
        module: dotted name of the module.
        file: its source file. Modules of no package have those beside them in its stead.
    """
    package = _Package(module, Path(file))
    found: dict[str, str] = {}
    looked_at = {module}
    waiting = [(module, Path(file))]
    while waiting:
        name, path = waiting.pop()
        for imported in _imports(path, name) - looked_at:
            looked_at.add(imported)
            at = package.find(imported)
            if at is not None:
                found[imported] = str(at)
                waiting.append((imported, at))
    return found

_IMPORT = re.compile(
    r"(?:^|[;:])[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#;]*)|import[ \t]+([^\n#;]*))",
    re.MULTILINE,
)


class _Package:
    """The outermost package that a module is in, as a folder; or the folder of a module that is in none."""

    def __init__(self, module: str, file: Path) -> None:
        parts = module.split(".")
        if file.name != "__init__.py":
            parts.pop()
        folder = file.parent
        depth = 0
        while depth < len(parts) and (folder / "__init__.py").exists():
            folder = folder.parent
            depth += 1
        # What a module's name begins with outside of the package: `lsst.` of a namespace, or nothing.
        self._outside = parts[: len(parts) - depth]
        self._name = parts[len(parts) - depth] if depth else None
        self._folder = folder

    def find(self, module: str) -> Path | None:
        """The source file of a module, if it belongs here."""
        parts = module.split(".")
        outside = len(self._outside)
        if parts[:outside] != self._outside or len(parts) == outside:
            return None
        inner = parts[outside:]
        if self._name is None:
            if len(inner) > 1 or self._folder.name in FOREIGN:
                return None
        elif inner[0] != self._name:
            return None
        path = os.path.join(self._folder, *inner)
        # A name that is imported from a module may be a module, or not: only then there is a file.
        if os.path.isfile(f"{path}.py"):
            return Path(f"{path}.py")
        package = os.path.join(path, "__init__.py")
        return Path(package) if self._name is not None and os.path.isfile(package) else None


def _imports(file: Path, module: str) -> set[str]:
    """Every name that may be a module's and is imported in a file, in functions too; with their packages."""
    if file.suffix != ".py":
        return set()
    try:
        text = file.read_bytes().replace(b"\\\n", b" ").decode("utf-8", "replace")
    except OSError:
        # Who imports it will be told.
        return set()
    names: set[str] = set()
    for base, imported, modules in _IMPORT.findall(text):
        names.update(_first_words(modules))
        if base:
            base = _absolute(base, module, is_package=file.name == "__init__.py")
            names.add(base)
            names.update(f"{base}.{name}" for name in _first_words(imported))
    # The packages on the way are run as well.
    names.add(module)
    parents = {name.rsplit(".", up)[0] for name in names for up in range(1, name.count(".") + 1)}
    return names | parents


def _first_words(names: str) -> list[str]:
    """Of `(a, b as c)`, with comments: a and b."""
    lines = [line.partition("#")[0] for line in names.strip("() \t").split("\n")]
    return [item.split()[0] for item in " ".join(lines).split(",") if item.split()]


def _absolute(base: str, module: str, *, is_package: bool) -> str:
    """The full name of what `from BASE import` means in a module."""
    name = base.lstrip(".")
    level = len(base) - len(name)
    if not level:
        return name
    above = module.split(".")
    cut = level - is_package
    above = above[: len(above) - cut] if cut <= len(above) else []
    return ".".join([*above, *([name] if name else [])])

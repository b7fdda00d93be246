# SPDX-License-Identifier: BSD-3-Clause
"""Which source files the code of a stage is in: its module, and what that imports from its own package.

Nothing is imported and nothing is run: imports are read from the text. A module that is imported by a name
that the code computes is not found, nor is compiled code other than that of the stage's own module.
"""

from __future__ import annotations

import ast
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
    waiting = [(module, Path(file))]
    while waiting:
        name, path = waiting.pop()
        for imported in _imports(path, name):
            at = package.find(imported)
            if at is not None and imported != module and imported not in found:
                found[imported] = str(at)
                waiting.append((imported, at))
    return found


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
        path = self._folder.joinpath(*inner)
        # A name that is imported from a module may be a module, or not: only then a file.
        for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
            if file.is_file() and (self._name is not None or file.parent == self._folder):
                return file
        return None


def _imports(file: Path, module: str) -> set[str]:
    """Every name that may be a module's and is imported in a file, in functions too; with their packages."""
    if file.suffix != ".py":
        return set()
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        # Who imports it will be told.
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")
                cut = node.level - (file.name == "__init__.py")
                above = above[: len(above) - cut] if cut <= len(above) else []
                base = ".".join([*above, *([base] if base else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    # The packages on the way are run as well.
    names.add(module)
    parents = {name.rsplit(".", up)[0] for name in names for up in range(1, name.count(".") + 1)}
    return names | parents

# SPDX-License-Identifier: BSD-3-Clause
"""A dictionary as a Markdown page: a table of its parameters, and one for each nested dictionary."""

from __future__ import annotations

from collections.abc import Iterator

from harness._core import Definition, Dictionary, Policy

__all__ = ["describe"]

HEADER = "| name | type | count | default | allowed | meaning |\n|---|---|---|---|---|---|\n"
WILDCARD = "(any other name)"
DEEPEST_HEADING = 6


def describe(dictionary: Dictionary, title: str) -> str:
    """The page.

    Parameters
    ----------
    dictionary : `Dictionary`
        Its files are loaded already.
    title : `str`
        The page's heading.

    Raises
    ------
    DictionaryError
        A definition is malformed.
    """
    parts = [f"# {title}\n"]
    if dictionary.isString("target"):
        parts.append(f"For: {_cell(dictionary.getString('target'))}\n")
    pending = [("", dictionary)]
    while pending:
        path, level = pending.pop()
        if path:
            depth = min(2 + path.count("."), DEEPEST_HEADING)
            parts.append(f"{'#' * depth} {path}\n")
        rows = list(_definitions(level))
        parts.append(HEADER + "".join(_row(name, definition) for name, definition in rows))
        below = [(f"{path}.{name}" if path else name, level.getSubDictionary(_key(name)))
                 for name, _ in rows if level.hasSubDictionary(_key(name))]
        pending += reversed(below)
    return "\n".join(parts)


def _definitions(level: Dictionary) -> Iterator[tuple[str, Definition]]:
    """The definitions in order, with childDefinition last and under a name for people."""
    names = level.definedNames()
    for name in sorted(names, key=lambda name: name == Dictionary.KW_CHILD_DEF):
        definition = level.getDef(name)
        yield (WILDCARD if definition.isWildcard() else name), definition


def _key(name: str) -> str:
    return Dictionary.KW_CHILD_DEF if name == WILDCARD else name


def _row(name: str, definition: Definition) -> str:
    data = definition.getData()
    kind = definition.getTypeName()
    cells = [
        f"*{name[1:-1]}*" if name == WILDCARD else f"`{name}`",
        "any" if kind == "undefined" else "policy" if kind == "Policy" else kind,
        _count(definition),
        _default(data),
        _allowed(data),
        definition.getDescription(),
    ]
    return f"| {' | '.join(_cell(cell) for cell in cells)} |\n"


def _count(definition: Definition) -> str:
    least, most = max(0, definition.getMinOccurs()), definition.getMaxOccurs()
    if definition.isWildcard():
        least = min(least, 1)
    if most == 1:
        return "required" if least == 1 else "optional"
    if least == most:
        return str(least)
    return f"{least} or more" if most < 0 else f"{least} to {most}"


def _default(data: Policy) -> str:
    name = Dictionary.KW_DEFAULT
    if not data.exists(name):
        return ""
    return "a block" if data.isPolicy(name) else f"`{data.str(name)}`"


def _allowed(data: Policy) -> str:
    name = Dictionary.KW_ALLOWED
    if not data.isPolicy(name):
        return ""
    values, bounds = [], {}
    for block in data.getPolicyArray(name):
        if block.exists("value"):
            values.append(f"`{block.str('value')}`")
        bounds.update({bound: block.str(bound) for bound in ("min", "max") if block.exists(bound)})
    if len(bounds) == 2:
        values.append(f"{bounds['min']} to {bounds['max']}")
    elif bounds:
        values.append(f"at least {bounds['min']}" if "min" in bounds else f"at most {bounds['max']}")
    return ", ".join(values)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())

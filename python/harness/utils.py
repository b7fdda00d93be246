# SPDX-License-Identifier: BSD-3-Clause
"""Additional data from a clipboard for location templates, and property sets as dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.clipboard import Clipboard
    from harness.policy import Policy
    from harness.properties import PropertySet
    from harness.stage.processing import StageProcessing

__all__ = ["createAdditionalData", "propertySetToDict", "setProperty"]

_KEY = "parameters.additionalData"


def createAdditionalData(
    stage: StageProcessing, stagePolicy: Policy | None, clipboard: Clipboard
) -> PropertySet:
    """The properties that location templates and storages may use.

    Every entry ``<name>=<clipKey>`` or ``<name>=<clipKey>.<field>`` of the policy's string array
    ``parameters.additionalData`` names one: a clipboard value itself, or a field of a dict or a
    PropertySet on the clipboard. ``runId``, ``sliceId`` (the rank) and ``universeSize`` are added.

    Raises:
        RuntimeError: an entry is malformed, the clipboard lacks the key, or the value has no such field.
        TypeError: the value is nothing a PropertySet can hold.
    """
    from harness.properties import PropertySet

    additional = PropertySet()
    if stagePolicy is not None and stagePolicy.exists(_KEY):
        for entry in stagePolicy.getStringArray(_KEY):
            _add_entry(additional, entry, clipboard)
    additional.set("runId", stage.getRun())
    additional.set("sliceId", stage.getRank())
    additional.set("universeSize", stage.getUniverseSize())
    return additional


def _add_entry(additional: PropertySet, entry: str, clipboard: Clipboard) -> None:
    from harness.properties import PropertySet

    name, _, source = (part.strip() for part in entry.partition("="))
    key, dot, field = source.partition(".")
    if entry.count("=") != 1 or not name or not key or (dot and not field):
        raise RuntimeError(f"{_KEY}: expected 'name=clipKey' or 'name=clipKey.field', saw '{entry}'")
    value = clipboard.get(key)
    if value is None:
        raise RuntimeError(
            f"{_KEY} entry '{entry}': the clipboard has no value under '{key}';"
            f" it holds {', '.join(sorted(map(str, clipboard.getKeys()))) or 'nothing'}"
        )
    if not dot:
        setProperty(additional, name, value, f"{_KEY} entry '{entry}'")
    elif isinstance(value, PropertySet):
        if not value.exists(field):
            raise _no_field(entry, key, field, value.paramNames(False))
        additional.copy(name, value, field)
    elif isinstance(value, Mapping):
        if field not in value:
            raise _no_field(entry, key, field, value)
        setProperty(additional, name, value[field], f"{_KEY} entry '{entry}'")
    else:
        raise RuntimeError(
            f"{_KEY} entry '{entry}': '{key}' on the clipboard must be a dict or a PropertySet to have a"
            f" field '{field}', not {type(value).__name__}"
        )


def _no_field(entry: str, key: str, field: str, names: Any) -> RuntimeError:
    known = ", ".join(sorted(map(str, names))) or "none"
    return RuntimeError(f"{_KEY} entry '{entry}': '{key}' has no field '{field}'; its fields: {known}")


def setProperty(properties: PropertySet, name: str, value: Any, where: str) -> None:
    """Set a property, with an error that tells where a value of the wrong kind came from.

    Args:
        properties: the set to change.
        name: name of the property.
        value: bool, int, float, string, DateTime, property set, or a list of one kind of these.
        where: what is being done, for the error message.

    Raises:
        TypeError: the value is nothing a PropertySet can hold.
    """
    try:
        properties.set(name, value)
    except TypeError as error:
        raise TypeError(
            f"{where}: property '{name}' must be a bool, int, float, string, DateTime or PropertySet,"
            f" not {type(value).__name__}: {value!r:.80}"
        ) from error


def propertySetToDict(ps: PropertySet) -> dict[str, Any]:
    """The top level of a property set as a dict; sub-sets stay property sets, arrays are lists."""
    return {name: ps.get(name) for name in ps.names(True)}

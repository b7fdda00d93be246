# SPDX-License-Identifier: BSD-3-Clause
"""Policies of IO stages up to early 2010: settings at top level, with capitals, read as those of today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = ["is_capitalised", "modern_policy"]

PARAMETERS = {
    "RunMode": "runMode",
    "AdditionalData": "additionalData",
    "Persistence": "persistence",
    "InputItems": "inputItems",
    "OutputItems": "outputItems",
}
ITEMS = ("InputItems", "OutputItems")


def is_capitalised(policy: Policy) -> bool:
    """Whether a stage policy has its items where they were then; ``RunMode`` alone is a mistake of today."""
    return any(policy.exists(name) for name in ITEMS)


def modern_policy(policy: Policy) -> Policy:
    """A new policy that says the same in the names of today.

    ``Type``, ``PythonType``, ``Required`` and ``StoragePolicy`` of an item, and ``Storage`` and ``Location``
    of that, begin with a small letter today. What is not known stays, for the dictionary to tell.
    """
    from harness.policy import Policy as PolicyClass

    modern = PolicyClass()
    for name in policy.names(True):
        target = f"parameters.{PARAMETERS[name]}" if name in PARAMETERS else name
        if name in ITEMS and policy.isPolicy(name):
            items = policy.getPolicy(name)
            for item in items.names(True):
                for value in items.getArray(item):
                    modern.add(f"{target}.{item}", _small(value))
        else:
            for value in policy.getArray(name):
                modern.add(target, value)
    return modern


def _small(value: Any) -> Any:
    """A block with small first letters, at every depth; anything else as it is."""
    from harness.policy import Policy as PolicyClass

    if not isinstance(value, PolicyClass):
        return value
    block = PolicyClass()
    for name in value.names(True):
        for one in value.getArray(name):
            block.add(name[:1].lower() + name[1:], _small(one))
    return block

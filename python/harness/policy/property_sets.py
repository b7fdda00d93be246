# SPDX-License-Identifier: BSD-3-Clause
"""Policies as property sets: a view that shows later changes and makes them, and a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from harness._core import Policy
from harness.policy import errors
from harness.properties import PropertySet
from harness.properties.values import Entry, PropertyType

__all__ = ["PolicyProperties", "to_property_set"]

_KINDS = {
    Policy.BOOL: PropertyType.Bool,
    Policy.INT: PropertyType.Int,
    Policy.DOUBLE: PropertyType.Double,
    Policy.STRING: PropertyType.String,
    Policy.POLICY: PropertyType.PropertySet,
    # Property sets know no files: unresolved ones show as their paths.
    Policy.FILE: PropertyType.String,
}
_STORED = frozenset(_KINDS.values())


class PolicyProperties(PropertySet):
    """A policy as a property set: reads show its later changes, and every change is made in the policy.

    Types are bool, int of 32 bits, double, string and sub-set; unresolved files show as their paths. Changes
    follow the rules of the policy and raise its errors: a type that no policy holds is a
    `harness.policy.TypeError`, and so is adding a value of another type; an attached dictionary is asked, and
    raises `ValidationError`. A property set that is stored here is copied, a view is shared. Deep copies and
    pickles are ordinary property sets.
    """

    _entries: MutableMapping[str, Entry]

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._entries = _PolicyEntries(policy)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Any:
        """A set of its own, no view, with the items of a mapping; nested mappings become sub-sets."""
        return PropertySet.from_mapping(mapping)

    def _replace(self, name: str, entry: Entry) -> None:
        self._policy.set(name, _policy_values(name, entry))

    def _append(self, name: str, entry: Entry) -> None:
        self._policy.add(name, _policy_values(name, entry))

    def remove(self, name: str) -> None:
        """Forget a name and its values in the policy; nothing happens if it is absent."""
        if self._find(name) is not None:
            self._policy.remove(name)

    def deepCopy(self) -> PropertySet:
        """An ordinary property set with the data as it is now."""
        return to_property_set(self._policy)

    def __copy__(self) -> PropertySet:
        twin = PropertySet()
        twin._entries.update(self._entries)
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self.deepCopy(),)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PropertySet) or other._flat:
            return NotImplemented
        return dict(self._entries) == dict(other._entries)

    __hash__ = None  # type: ignore[assignment]


def _itself(properties: PropertySet) -> PropertySet:
    return properties


class _PolicyEntries(MutableMapping[str, Entry]):
    """The top-level parameters of a policy, each made into an entry when somebody asks."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __getitem__(self, name: str) -> Entry:
        if not isinstance(name, str) or not name or "." in name or not self._policy.exists(name):
            raise KeyError(name)
        kind = _KINDS[self._policy.getValueType(name)]
        values = self._policy.getArray(name)
        if self._policy.isFile(name):
            values = [file.getPath() for file in values]
        elif kind is PropertyType.PropertySet:
            values = [PolicyProperties(value) for value in values]
        return Entry(kind, values)

    def __setitem__(self, name: str, entry: Entry) -> None:
        self._policy.set(name, _policy_values(name, entry))

    def __delitem__(self, name: str) -> None:
        del self._policy[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy.names(True))

    def __len__(self) -> int:
        return self._policy.nameCount()


def _policy_values(name: str, entry: Entry) -> list[Any]:
    """The values of an entry as a policy takes them."""
    if entry.kind not in _STORED:
        raise errors.TypeError(
            f"cannot store {name} in a policy as {entry.kind.value}:"
            " expected bool, int of 32 bits, double, string or PropertySet"
        )
    if entry.kind is PropertyType.PropertySet:
        return [_policy_of(value) for value in entry.values]
    return entry.values


def _policy_of(properties: PropertySet) -> Policy:
    """The policy behind a view, or a new one with the data of a set."""
    if isinstance(properties, PolicyProperties):
        return properties._policy
    root = Policy()
    pending = [(properties, root)]
    while pending:
        source, target = pending.pop()
        for name, entry in source._entries.items():
            if entry.kind is not PropertyType.PropertySet:
                target.set(name, _policy_values(name, entry))
                continue
            for value in entry.values:
                if isinstance(value, PolicyProperties):
                    target.add(name, value._policy)
                    continue
                block = Policy()
                target.add(name, block)
                pending.append((value, block))
    return root


def to_property_set(policy: Policy) -> PropertySet:
    """A new property set with every parameter of a policy.

    Types stay: bool, 32-bit int, double and string. Sub-policies become sub-sets, arrays of them
    arrays of sub-sets; unresolved files become their paths, as strings.
    """
    root = PropertySet()
    pending = [(policy, root)]
    while pending:
        source, target = pending.pop()
        for name in source.names(True):
            if source.isPolicy(name):
                for block in source.getPolicyArray(name):
                    nested = PropertySet()
                    target.add(name, nested)
                    pending.append((block, nested))
            elif source.isFile(name):
                target.set(name, [file.getPath() for file in source.getFileArray(name)])
            else:
                target.set(name, source.getArray(name))
    return root

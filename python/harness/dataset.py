# SPDX-License-Identifier: BSD-3-Clause
"""Dataset: the name of one dataset, a type plus identifier/value pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = ["Dataset"]


class Dataset:
    """Names a dataset, such as ``Dataset("raw", visit=85, ccd=3)``.

    Two datasets are equal if their class, type and ids are; path and validity do not count. The
    hash follows, so a dataset must not change while it is in a set or a dict.

    Args:
        type: name of the dataset type.
        path: where it lies, if known.
        valid: whether it can be used.
        ids: identifier names and values; copied.
        kw: more identifiers, which win over those of `ids`.

    Raises:
        TypeError: `ids` is not a mapping.
    """

    def __init__(
        self,
        type: str | None,
        path: str | None = None,
        valid: bool | None = True,
        ids: Mapping[str, Any] | None = None,
        **kw: Any,
    ) -> None:
        if ids is not None and not isinstance(ids, Mapping):
            raise TypeError(
                f"dataset '{type}': ids must be a dict such as {{'visit': 85, 'ccd': 3}}, not {ids!r}"
            )
        self.type = type
        self.path = path
        self.valid = valid
        self.ids: dict[str, Any] | None = dict(ids) if ids is not None else None
        if kw:
            self.ids = {**(self.ids or {}), **kw}

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        assert isinstance(other, Dataset)
        return self.type == other.type and self.ids == other.ids

    def __hash__(self) -> int:
        ids = (
            None if self.ids is None else frozenset((name, _hash(value)) for name, value in self.ids.items())
        )
        return hash((self.__class__, self.type, ids))

    def toString(self, usePath: bool = True) -> str:
        """The path if it is set and wanted, else the type and ``-<name><value>`` per id, names sorted."""
        if usePath and self.path is not None:
            return self.path
        ids = self.ids or {}
        return "-".join([str(self.type), *(f"{name}{ids[name]}" for name in sorted(ids))])

    def __str__(self) -> str:
        return self.toString()

    def __repr__(self) -> str:
        extra = f", path={self.path!r}" if self.path is not None else ""
        return f"Dataset({self.type!r}, ids={self.ids!r}, valid={self.valid!r}{extra})"

    def toPolicy(self, policy: Policy | None = None) -> Policy:
        """Write ``type``, ``ids`` (if there are any), ``path`` (if set) and ``valid`` into a policy.

        Args:
            policy: the policy to write into; None makes a new one.

        Returns:
            That policy.

        Raises:
            TypeError: the value of an id is no bool, int, float or string.
        """
        from harness.policy import Policy as PolicyClass

        target = PolicyClass() if policy is None else policy
        if self.type is not None:
            target.set("type", self.type)
        if self.ids:
            ids = PolicyClass()
            for name, value in self.ids.items():
                ids.set(name, self._policy_value(name, value))
            target.set("ids", ids)
        if self.path is not None:
            target.set("path", self.path)
        if self.valid is not None:
            target.set("valid", self.valid)
        return target

    def _policy_value(self, name: str, value: Any) -> bool | int | float | str:
        scalar = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        if not isinstance(scalar, (bool, int, float, str)):
            raise TypeError(
                f"dataset {self}: id '{name}' must be a bool, int, float or string to go into a policy,"
                f" not {value.__class__.__name__}: {value!r}"
            )
        return scalar

    @staticmethod
    def fromPolicy(policy: Policy) -> Dataset:
        """The dataset that `toPolicy` wrote; what the policy lacks is None.

        Raises:
            harness.policy.errors.TypeError: an entry has the wrong type.
        """
        dataset = Dataset(
            policy.getString("type") if policy.exists("type") else None,
            policy.getString("path") if policy.exists("path") else None,
            policy.getBool("valid") if policy.exists("valid") else None,
        )
        if policy.exists("ids"):
            ids = policy.getPolicy("ids")
            dataset.ids = {name: ids.get(name) for name in ids.paramNames(True)}
        return dataset


def _hash(value: Any) -> int:
    """Hash of an id's value. Lists and dicts, which have none, are told apart by == alone."""
    try:
        return hash(value)
    except TypeError:
        return 0

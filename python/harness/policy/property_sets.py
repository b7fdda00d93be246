# SPDX-License-Identifier: BSD-3-Clause
"""Policies as property sets."""

from __future__ import annotations

from harness._core import Policy
from harness.properties import PropertySet

__all__ = ["to_property_set"]


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

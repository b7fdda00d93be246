# SPDX-License-Identifier: BSD-3-Clause
"""What a visit of a test starts with, and what it ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.clipboard import Clipboard

__all__ = ["Data", "Visit", "not_a_clipboard"]

Data = Clipboard | Mapping[str, Any]
"""What a test passes for a clipboard."""


@dataclass
class Visit:
    """The clipboards of one visit.

    Attributes: `slices` has a Clipboard or dict per slice, in rank order, or is one for all. `master` is that
    of the master. Both are Clipboards in what `SimpleStageTester.runVisits` returns; None stands for one that
    a stage kept.
    """

    slices: Data | Sequence[Data]
    master: Data = field(default_factory=dict)

    def of_slices(self, n: int | None) -> list[Data]:
        """One clipboard per slice.

        Raises:
            TypeError: what stands for a clipboard is none.
            ValueError: there are other than n, or n is not known.
        """
        if isinstance(self.slices, (Clipboard, Mapping)):
            if n is None:
                raise ValueError("one clipboard for all slices: say how many there are, as n")
            return [self.slices] * n
        given = list(self.slices)
        for data in given:
            if not isinstance(data, (Clipboard, Mapping)):
                raise not_a_clipboard(data)
        if n is not None and len(given) != n:
            raise ValueError(f"expected a clipboard for each of {n} slices, or one for all; saw {len(given)}")
        return given


def not_a_clipboard(data: object) -> TypeError:
    """The error for what cannot stand for a clipboard."""
    return TypeError(f"the tester runs on a Clipboard or a dict, not on {type(data).__name__}: {data!r:.80}")

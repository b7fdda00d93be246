# SPDX-License-Identifier: BSD-3-Clause
"""What an object knows of the visits in flight that it is not looking at."""

from __future__ import annotations

from typing import Any


class ParkedVisits:
    """Attributes of one object that belong to a visit, and are put aside while another is looked at."""

    def __init__(self, owner: object, *names: str) -> None:
        """`names` are the attributes. What they refer to must not be shared between visits."""
        self._owner = owner
        self._names = names
        self._parked: dict[int, list[Any]] = {}

    def park(self, visit: int) -> None:
        """Puts aside what belongs to `visit`, which the owner has looked at."""
        owner = self._owner
        self._parked[visit] = [getattr(owner, name) for name in self._names]

    def unpark(self, visit: int) -> bool:
        """Gives the owner back what belongs to `visit`. Returns whether there was any."""
        if visit not in self._parked:
            return False
        for name, value in zip(self._names, self._parked.pop(visit), strict=True):
            setattr(self._owner, name, value)
        return True

# SPDX-License-Identifier: BSD-3-Clause
"""What can be wrong with events; all are `RuntimeError`s, as the DC3b API promises."""

from __future__ import annotations

import harness.exceptions as pex

__all__ = ["BrokerError", "EventFormatError", "SelectorError", "SpoolError", "SpoolFull"]


class EventFormatError(pex.RuntimeError):
    """Event data that cannot be written, or that is not what an event looks like. Names the place in it."""


class SelectorError(pex.RuntimeError):
    """A selector that is no conditional expression. Attribute `column`: where it goes wrong, from 1."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column


class SpoolError(pex.RuntimeError):
    """An event spool that cannot be opened, read or written."""


class SpoolFull(SpoolError):
    """No room for another event although all that may go has been removed."""


class BrokerError(pex.RuntimeError):
    """A message broker that cannot be reached or used. Never holds a login."""

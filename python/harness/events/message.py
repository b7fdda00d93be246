# SPDX-License-Identifier: BSD-3-Clause
"""Message: an event on its way, as a spool or a broker has it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Message"]


@dataclass(frozen=True)
class Message:
    """JSON of header and payload (see `wire`), and where it goes.

    `ident` tells it from all others: a spool keeps what is published twice under one once, and receivers of a
    broker see it once. `sequence` is the place in the order of publication of a spool, or of arrival from a
    broker; 0 before it.
    """

    destination: str
    header: bytes
    payload: bytes
    ident: str
    is_queue: bool = False
    sequence: int = 0

# SPDX-License-Identifier: BSD-3-Clause
"""Message: an event on its way, as a spool or a broker has it."""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["Message", "new_identity"]


class Message(NamedTuple):
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


def new_identity() -> str:
    """An `ident` that no other event has: 128 random bits, in hexadecimal."""
    return os.urandom(16).hex()

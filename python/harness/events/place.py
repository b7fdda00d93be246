# SPDX-License-Identifier: BSD-3-Clause
"""Where a spool lies, and where it may: on this machine, for its log does not work over a network."""

from __future__ import annotations

from pathlib import Path

from harness.events.errors import SpoolError
from harness.ledger.mounts import NETWORK_TYPES, file_system_type

__all__ = ["FILE", "refuse_network"]

FILE = "events.sqlite3"
"""In the directory of a spool."""


def refuse_network(directory: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> None:
    """Raises `SpoolError` when `directory`, which need not exist, lies on a network file system."""
    kind = file_system_type(directory, mountinfo)
    if kind in NETWORK_TYPES:
        raise SpoolError(
            f"event spool {directory}: it would lie on a network file system ({kind}), where several machines"
            " would write it and events could be lost. Name a local directory with eventBrokerHost:"
            ' "spool:/local/directory", or a message broker with eventBrokerHost: "stomp://host:port"'
        )

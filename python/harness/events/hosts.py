# SPDX-License-Identifier: BSD-3-Clause
"""What an event broker's host names: the spool of this process, another spool, or a message broker."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from harness.events.errors import SpoolError
from harness.events.spool import Spool

__all__ = ["SCHEME", "VARIABLE", "EventBroker", "is_embedded", "open_spool", "spool_directory"]

SCHEME = "spool:"
VARIABLE = "PEX_HARNESS_SPOOL"
"""The environment variable that names the directory of the spool, where nobody else does."""


class EventBroker:
    """What a message broker is reached by unless something else is said."""

    DEFAULTHOSTPORT = 61616


_spools: weakref.WeakValueDictionary[Path, Spool] = weakref.WeakValueDictionary()


def is_embedded(host: str | None) -> bool:
    """Whether a host means a spool: `None`, empty, `None` as a word, or `spool:` with a directory."""
    return host is None or host.strip() in ("", "None") or host.strip().startswith(SCHEME)


def spool_directory(host: str | None) -> Path:
    """The directory of the spool that a host means. Raises `SpoolError` where there is none."""
    if not is_embedded(host):
        raise SpoolError(
            f"event broker {host!r}: message brokers cannot be reached in this version; use the embedded"
            f' spool: no eventBrokerHost, or "{SCHEME}" and a directory'
        )
    directory = (host or "").strip().removeprefix(SCHEME)
    if directory in ("", "None"):
        directory = os.environ.get(VARIABLE, "")
    if not directory:
        raise SpoolError(
            f'no event spool is named: expected a host such as "{SCHEME}r1/events" (a run\'s stages have'
            f" theirs in getEventBrokerHost()), or its directory in the environment variable {VARIABLE}"
        )
    return Path(os.path.abspath(directory))


def open_spool(host: str | None) -> Spool:
    """The spool that a host means; users of one process share it, and the last one's end closes it.

    Raises `SpoolError`.
    """
    directory = spool_directory(host)
    spool = _spools.get(directory)
    if spool is None:
        spool = _spools[directory] = Spool(directory)
    return spool

# SPDX-License-Identifier: BSD-3-Clause
"""What an event broker's host names: the spool of this process, another spool, or a message broker.

Every run looks at hosts, and few open what they name: spools and brokers are imported by those who do.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from harness.events.broker import Broker
from harness.events.errors import SpoolError
from harness.events.stomp_broker.address import DEFAULT_DC3B_PORT, Address, parse_address

if TYPE_CHECKING:
    from harness.events.spool import Spool
    from harness.events.stomp_broker.broker import StompBroker
    from harness.events.stomp_broker.settings import BrokerSettings

__all__ = [
    "SCHEME", "VARIABLE", "EventBroker", "configure_spool", "is_embedded", "open_broker", "open_spool",
    "spool_directory",
]  # fmt: skip

SCHEME = "spool:"
VARIABLE = "PEX_HARNESS_SPOOL"
"""The environment variable that names the directory of the spool, where nobody else does."""


class EventBroker:
    """What a message broker is reached by unless something else is said."""

    DEFAULTHOSTPORT = DEFAULT_DC3B_PORT


_spools: weakref.WeakValueDictionary[Path, Spool] = weakref.WeakValueDictionary()
_brokers: weakref.WeakValueDictionary[tuple[Address, BrokerSettings], StompBroker] = (
    weakref.WeakValueDictionary()
)


def is_embedded(host: str | None) -> bool:
    """Whether a host means a spool: `None`, empty, `None` as a word, or `spool:` with a directory."""
    return host is None or host.strip() in ("", "None") or host.strip().startswith(SCHEME)


def open_broker(host: str | None, port: int = DEFAULT_DC3B_PORT) -> Broker:
    """The spool or message broker that a host means; users of one process share it while any is left.

    `port` counts for message brokers whose host has none. Raises `SpoolError` or `BrokerError`; whether a
    broker can be reached shows when it is used.
    """
    if host is None or is_embedded(host):
        from harness.events.spool_broker import SpoolBroker

        return SpoolBroker(open_spool(host))
    from harness.events.stomp_broker.broker import StompBroker
    from harness.events.stomp_broker.settings import settings_for

    address = parse_address(host, port)
    key = address, settings_for(address)
    broker = _brokers.get(key)
    if broker is None:
        broker = _brokers[key] = StompBroker(*key)
    return broker


def spool_directory(host: str | None) -> Path:
    """The directory of the spool that a host means. Raises `SpoolError` where there is none."""
    if not is_embedded(host):
        raise SpoolError(
            f'event broker {host!r} is no event spool: expected "{SCHEME}" and a directory, or no host'
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


def configure_spool(directory: Path, *, max_bytes: int | None, keep_s: float | None) -> None:
    """Tells every user of a spool how much it may keep, and how long; `None` leaves that as it is.

    The spool is made if it is not there. Raises `SpoolError`.
    """
    from harness.events.spool import Spool

    Spool(directory).set_limits(max_bytes=max_bytes, keep_s=keep_s)


def open_spool(host: str | None) -> Spool:
    """The spool that a host means; users of one process share it, and the last one's end closes it.

    Raises `SpoolError`.
    """
    from harness.events.spool import Spool

    directory = spool_directory(host)
    spool = _spools.get(directory)
    if spool is None:
        spool = _spools[directory] = Spool(directory)
    return spool

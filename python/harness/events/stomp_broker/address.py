# SPDX-License-Identifier: BSD-3-Clause
"""Where a message broker is: `stomp://host:port`, `stomp+ssl://host:port`, or a host name as in 2009."""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.events.errors import BrokerError

__all__ = ["DEFAULT_DC3B_PORT", "Address", "parse_address"]

DEFAULT_DC3B_PORT = 61616
"""What `port` means where a caller of the DC3b API gives none: the port of ActiveMQ's own protocol."""
PORTS = {False: 61613, True: 61614}
"""Where ActiveMQ's STOMP connectors listen, without and with TLS."""
SCHEMES = {"stomp": False, "stomp+ssl": True}
EXPECTED = 'expected "stomp://host:port", "stomp+ssl://host:port" (TLS) or a host name'
HOST = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:(?P<port>[0-9]+))?/?"
)


class Address(NamedTuple):
    """Host name or address, port, and whether the connection is encrypted."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"stomp{'+ssl' * self.tls}://{host}:{self.port}"


def parse_address(text: str, port: int = DEFAULT_DC3B_PORT) -> Address:
    """The address in a broker's name; `port` counts where the name has none. Raises `BrokerError`."""
    scheme, sign, rest = text.strip().partition("://")
    if not sign:
        scheme, rest = "stomp", scheme
    if "@" in rest:
        raise BrokerError(
            "event broker: the host holds a login, and hosts are written into logs; name user and password in"
            " the policy's eventBroker, or in PEX_HARNESS_BROKER_USER and PEX_HARNESS_BROKER_PASSWORD"
        )
    if scheme not in SCHEMES:
        raise BrokerError(
            f"event broker {text!r}: {EXPECTED}, saw the scheme {scheme!r}; ActiveMQ offers STOMP by a"
            ' transportConnector of its own, such as uri="stomp://0.0.0.0:61613"'
        )
    match = HOST.fullmatch(rest)
    if match is None:
        raise BrokerError(f'event broker {text!r}: {EXPECTED}; a spool is named "spool:" and its directory')
    tls = SCHEMES[scheme]
    number = int(match["port"]) if match["port"] else port if port != DEFAULT_DC3B_PORT else PORTS[tls]
    if not 0 < number < 65536:
        raise BrokerError(f"event broker {text!r}: expected a port of 1 to 65535, saw {number}")
    return Address(match["host"].strip("[]"), number, tls)

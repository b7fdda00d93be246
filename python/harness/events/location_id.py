# SPDX-License-Identifier: BSD-3-Clause
"""Who sends an event: host, process and a number within it; also as one integer, as up to release 10.0."""

from __future__ import annotations

import functools
import ipaddress
import itertools
import os
import socket
from typing import Any

__all__ = ["LocationId", "unpack"]

_counter = itertools.count()


class LocationId(int):
    """`LocationId()` is a new identity of this process, `LocationId(host, pid, local)` a given one.

    As an integer it is the packed identity: bits 0-31 the IPv4 address, 32-48 the process id, 49-63 the local
    number, in a signed 64-bit number.
    """

    _host: str
    _pid: int
    _local: int

    def __new__(
        cls, host: Any = None, pid: int | None = None, local: int | None = None
    ) -> LocationId:
        """Raises `TypeError` unless all three are given, or another LocationId, or nothing."""
        if isinstance(host, LocationId):
            host, pid, local = host._host, host._pid, host._local
        if host is None and pid is None and local is None:
            host, pid, local = socket.gethostname(), os.getpid(), next(_counter)
        if not isinstance(host, str) or not isinstance(pid, int) or not isinstance(local, int):
            raise TypeError(
                "LocationId: expected nothing, another LocationId, or host name, process id and local id,"
                f" saw {host!r}, {pid!r}, {local!r}"
            )
        packed = _address(host) | (pid & 0x1FFFF) << 32 | (local & 0x7FFF) << 49
        self = super().__new__(cls, packed - (1 << 64) if packed >= 1 << 63 else packed)
        self._host, self._pid, self._local = host, pid, local
        return self

    def getHostName(self) -> str:
        """The host's name."""
        return self._host

    def getProcessID(self) -> int:
        """The process id."""
        return self._pid

    def getLocalID(self) -> int:
        """The number within the process, counted from 0."""
        return self._local

    def __repr__(self) -> str:
        return f"LocationId({self._host!r}, {self._pid}, {self._local})"


def unpack(packed: int) -> tuple[int, int, int]:
    """IPv4 address as a number, process id and local number of a packed identity."""
    bits = packed & (1 << 64) - 1
    return bits & 0xFFFFFFFF, bits >> 32 & 0x1FFFF, bits >> 49


def located(identity: int) -> LocationId:
    """A LocationId for what may be a bare packed number; its host is then the address in dotted form."""
    if isinstance(identity, LocationId):
        return identity
    address, pid, local = unpack(identity)
    return LocationId(str(ipaddress.IPv4Address(address)), pid, local)


@functools.lru_cache(maxsize=256)
def _address(host: str) -> int:
    """The IPv4 address of a host as a number; 0 where it is not known."""
    try:
        return int(ipaddress.IPv4Address(socket.gethostbyname(host)))
    except (OSError, ValueError):
        return 0

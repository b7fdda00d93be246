# SPDX-License-Identifier: BSD-3-Clause
"""What transmitters and receivers are made with: host, destination, selector and port, or a policy."""

from __future__ import annotations

from typing import Any, NamedTuple

import harness.exceptions as pex

__all__ = ["EndPoint"]

MAX_NAME = 200


class EndPoint(NamedTuple):
    """One end of a topic or queue. `is_off`: it sends nothing and receives nothing."""

    host: str | None
    destination: str
    selector: str = ""
    port: int = 61616
    is_off: bool = False

    @classmethod
    def from_arguments(cls, name: str, arguments: tuple[Any, ...], *, has_selector: bool) -> EndPoint:
        """Reads `host, destination[, selector][, port]`, or one policy.

        Raises `TypeError` for other arguments, `NotFoundError` for a policy that lacks a name.
        """
        if len(arguments) == 1 and hasattr(arguments[0], "exists"):
            return cls._from_policy(arguments[0])
        form = f"{name}(host, name[, selector][, port])" if has_selector else f"{name}(host, name[, port])"
        rest = list(arguments[2:])
        selector = rest.pop(0) if has_selector and rest and isinstance(rest[0], str) else ""
        port = rest.pop(0) if rest and isinstance(rest[0], int) else 61616
        if rest or len(arguments) < 2 or not (arguments[0] is None or isinstance(arguments[0], str)):
            raise pex.TypeError(f"expected {form}, saw {arguments!r:.100}")
        return cls(arguments[0], checked_name(arguments[1]), selector, port)

    @classmethod
    def _from_policy(cls, policy: Any) -> EndPoint:
        for key in ("topicName", "hostName"):
            if not policy.exists(key):
                raise pex.NotFoundError(
                    f"the policy of a transmitter or receiver lacks {key}; it needs topicName and hostName"
                )
        return cls(
            policy.getString("hostName"),
            checked_name(policy.getString("topicName")),
            policy.getString("selector") if policy.exists("selector") else "",
            policy.getInt("hostPort") if policy.exists("hostPort") else 61616,
            policy.exists("turnEventsOff") and policy.getBool("turnEventsOff"),
        )


def checked_name(name: Any) -> str:
    """The name of a topic or queue. Raises `RuntimeError` for one that none can have."""
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise pex.RuntimeError(
            f"expected the name of a topic or queue of 1 to {MAX_NAME} printable characters, saw {name!r:.80}"
        )
    return name.strip()

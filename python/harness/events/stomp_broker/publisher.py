# SPDX-License-Identifier: BSD-3-Clause
"""Publisher: sends messages to a broker, and knows when they are safe there."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence

from harness.events.errors import BrokerError
from harness.events.message import Message
from harness.events.stomp_broker.address import Address
from harness.events.stomp_broker.frames import to_frame
from harness.events.stomp_broker.link import Down, Link, Refused
from harness.events.stomp_broker.settings import BrokerSettings

__all__ = ["Publisher", "destination_of"]


def destination_of(name: str, *, is_queue: bool) -> str:
    """How STOMP brokers name a topic or a queue."""
    return f"/{'queue' if is_queue else 'topic'}/{name}"


class Publisher:
    """One connection for sending; threads may share it. Made when first used."""

    def __init__(self, address: Address, settings: BrokerSettings, purpose: str = "publishing") -> None:
        self._address = address
        self._settings = settings
        self._purpose = purpose
        self._lock = threading.Lock()
        self._link: Link | None = None

    def publish(self, messages: Sequence[Message], *, is_persistent: bool = True) -> None:
        """Sends messages, all or none, and returns when the broker has confirmed them.

        While the broker cannot be reached it waits, and sends again what was not confirmed: under the same
        identities, so that receivers see it once. Raises `BrokerError` after the settings' wait, or when the
        broker refuses, and `EventFormatError`.
        """
        frames = [self._frame(message, is_persistent) for message in messages]
        if not frames:
            return
        with self._lock:
            deadline = time.monotonic() + self._settings.wait_s
            link = self._open()
            while True:
                link.wait_until_up(deadline)
                try:
                    self._send(link, frames, max(deadline, time.monotonic() + 1.0))
                    return
                except Down:
                    continue
                except Refused as error:
                    raise BrokerError(f"publishing to event broker {self._address}: {error}") from error
                except BrokerError as error:
                    # A confirmation that comes late must not be taken for another one's.
                    link.drop()
                    raise BrokerError(
                        f"publishing to event broker {self._address}: {error} ({self._settings.wait_s:g} s);"
                        f" whether the {len(frames)} events have arrived is not known"
                    ) from error

    def _open(self) -> Link:
        if self._link is None:
            link = Link(self._address, self._settings, self._purpose)
            link.start()
            self._link = link
        return self._link

    def _frame(self, message: Message, is_persistent: bool) -> tuple[dict[str, str], bytes]:
        headers, body = to_frame(message)
        headers["destination"] = destination_of(message.destination, is_queue=message.is_queue)
        headers["content-length"] = str(len(body))
        headers["persistent"] = "true" if is_persistent else "false"
        return headers, body

    def _send(self, link: Link, frames: list[tuple[dict[str, str], bytes]], deadline: float) -> None:
        if len(frames) == 1:
            link.ask("SEND", *frames[0], deadline=deadline)
            return
        transaction = {"transaction": uuid.uuid4().hex}
        link.send("BEGIN", transaction)
        for headers, body in frames:
            link.send("SEND", {**headers, **transaction}, body)
        link.ask("COMMIT", transaction, deadline=deadline)

    def close(self) -> None:
        """Closes the connection."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def forget(self) -> None:
        """In a child that has inherited it: closes its end, and connects anew when it is used."""
        link, self._link = self._link, None
        self._lock = threading.Lock()
        if link is not None:
            link.forget()
            _INHERITED.append(link)


_INHERITED: list[Link] = []
"""Of the process that forked this one: nothing may wait for their threads, which are not here."""

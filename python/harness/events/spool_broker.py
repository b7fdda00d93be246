# SPDX-License-Identifier: BSD-3-Clause
"""SpoolBroker: a spool as what carries events."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.events.bell import BellListener
from harness.events.broker import NEW, OLDEST
from harness.events.message import Message
from harness.events.queue_reader import QueueReader
from harness.events.spool import Spool
from harness.events.subscription import Subscription

__all__ = ["SpoolBroker"]


class SpoolBroker:
    """A `Broker` over a spool. Selectors are left to who receives."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool

    def __str__(self) -> str:
        return f"event spool {self.spool.directory}"

    def publish(self, messages: Iterable[Message]) -> int:
        """Stores messages, all or none; they are on the disk when this returns. Returns how many were new."""
        return self.spool.publish(messages)

    def subscribe(
        self, topic: str, *, name: str = "", start: str = OLDEST, selector: str = ""
    ) -> Subscription:
        """A receiver of a topic."""
        return Subscription(self.spool, topic, name, start)

    def watch(self, topic: str, *, name: str, selector: str = "") -> Subscription:
        """A receiver of what is published from now on: the spool keeps it anyway."""
        return Subscription(self.spool, topic, "", NEW)

    def read_queue(
        self, queue: str, *, selector: str = "", accepts: Callable[[Message], bool] = lambda message: True
    ) -> QueueReader:
        """A receiver of a queue."""
        return QueueReader(self.spool, queue, accepts)

    def bell(self) -> BellListener:
        """Hears every publication to the spool."""
        return BellListener(self.spool.bell)

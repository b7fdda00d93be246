# SPDX-License-Identifier: BSD-3-Clause
"""StompBroker: a message broker as what carries events."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from harness.events.bell import EventBell
from harness.events.broker import OLDEST
from harness.events.message import Message
from harness.events.stomp_broker.address import Address, parse_address
from harness.events.stomp_broker.link import Link
from harness.events.stomp_broker.publisher import Publisher
from harness.events.stomp_broker.selection import for_queue, for_topic
from harness.events.stomp_broker.settings import BrokerSettings, settings_for
from harness.events.stomp_broker.source import Interest, StompSource

__all__ = ["StompBroker", "connection_for"]

QUEUE_PREFETCH = 1
"""A message that waits here is one that another receiver of the queue cannot have."""


class StompBroker:
    """A `Broker`. Its sources have a connection each, what is published goes over one that threads share."""

    def __init__(self, address: Address, settings: BrokerSettings) -> None:
        self.address = address
        self.settings = settings
        self._publisher = publisher = Publisher(address, settings)
        self._bells = _Bells()
        self._finalizer = weakref.finalize(self, _close, publisher, os.getpid())
        _brokers.add(self)

    def __str__(self) -> str:
        return f"event broker {self.address}"

    def publish(self, messages: Iterable[Message]) -> int:
        """Sends messages, all or none; the broker has them on its disk on return. Returns how many."""
        batch = list(messages)
        self._publisher.publish(batch)
        return len(batch)

    def subscribe(
        self, topic: str, *, name: str = "", start: str = OLDEST, selector: str = ""
    ) -> StompSource:
        """A receiver of a topic. Without a name it hears what comes while it is connected.

        A broker that keeps messages of topics for late receivers gives them where `start` is `OLDEST`.
        """
        return self._source(
            Interest(
                topic, selector=for_topic(selector), durable_name=_client_id(name, topic) if name else "",
                is_retroactive=start == OLDEST,
            )
        )  # fmt: skip

    def watch(self, topic: str, *, name: str, selector: str = "") -> StompSource:
        """A receiver of what is published from now on, also while the connection is lost for a time."""
        return self._source(
            Interest(
                topic, selector=for_topic(selector), durable_name=_client_id(name, topic), is_fresh=True
            )
        )  # fmt: skip

    def read_queue(
        self, queue: str, *, selector: str = "", accepts: Callable[[Message], bool] = lambda message: True
    ) -> StompSource:
        """A receiver of a queue; it has one message at a time."""
        return self._source(
            Interest(queue, is_queue=True, selector=for_queue(selector), prefetch=QUEUE_PREFETCH)
        )

    def _source(self, interest: Interest) -> StompSource:
        return StompSource(partial(Link, self.address, self.settings), interest, self._bells.ring)

    def bell(self) -> EventBell:
        """Rung when a message has come for any source of this broker in this process."""
        return self._bells.add()

    def forget_inherited(self) -> None:
        """In a child: nothing of the parent's connection is used on."""
        self._publisher.forget()
        self._bells = _Bells()


class _Bells:
    """The bells that are rung together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bells: weakref.WeakSet[EventBell] = weakref.WeakSet()

    def add(self) -> EventBell:
        bell = EventBell()
        with self._lock:
            self._bells.add(bell)
        return bell

    def ring(self) -> None:
        with self._lock:
            bells = list(self._bells)
        for bell in bells:
            bell.ring()


def connection_for(host: str, *, patience_s: float, purpose: str) -> Publisher:
    """A connection for sending of the caller's own, made when it is used; `purpose` is for people."""
    address = parse_address(host)
    settings = replace(settings_for(address), wait_s=patience_s)
    return Publisher(address, settings, purpose)


def _client_id(name: str, topic: str) -> str:
    return f"pex-harness/{name}/{topic}"


def _close(publisher: Publisher, pid: int) -> None:
    if os.getpid() == pid:
        publisher.close()


_brokers: weakref.WeakSet[StompBroker] = weakref.WeakSet()


def _forget_all() -> None:
    for broker in list(_brokers):
        broker.forget_inherited()


os.register_at_fork(after_in_child=_forget_all)

# SPDX-License-Identifier: BSD-3-Clause
"""StompSource: the messages of one topic or queue of a broker."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.events.errors import BrokerError, EventFormatError
from harness.events.message import Message
from harness.events.stomp_broker.frames import ident_of, message_from
from harness.events.stomp_broker.link import ANSWER_S, Down, Link, Refused
from harness.events.stomp_broker.publisher import destination_of
from harness.log import get_default_log

__all__ = ["Interest", "StompSource"]

SUBSCRIPTION = "1"
REMEMBERED = 10_000
"""So many identities of messages that are done are remembered: a copy that comes within them is dropped."""


@dataclass(frozen=True)
class Interest:
    """What a source wants. `selector` is what the broker is told.

    With a `durable_name` the broker keeps what comes while nobody has that name connected; `is_fresh` forgets
    at the start what it has kept, and at the end the name. `prefetch`: how many messages may be here and not
    acknowledged.
    """

    destination: str
    is_queue: bool = False
    selector: str = ""
    durable_name: str = ""
    is_fresh: bool = False
    is_retroactive: bool = False
    prefetch: int = 100


@dataclass
class _Taken:
    """A message that was given out: which copy it was, and how to acknowledge it, on which connection."""

    copy: str
    ack: str
    generation: object


class StompSource:
    """A `Source`. `ring` is called, in a thread of the connection, when something has come."""

    def __init__(self, make_link: Callable[..., Link], interest: Interest, ring: Callable[[], None]) -> None:
        """Subscribes. Raises `BrokerError` where the broker cannot be reached or refuses."""
        self.selects = interest.is_queue
        self._interest = interest
        self._ring = ring
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._ready: deque[tuple[Any, object]] = deque()
        """What was not looked at, with the connection that it came on."""
        self._taken: dict[str, _Taken] = {}
        self._done: OrderedDict[str, None] = OrderedDict()
        self._arrived = 0
        self._has_begun = False
        kind = "queue" if interest.is_queue else "topic"
        self._where = f"{kind} {interest.destination!r}"
        keeps = interest.is_queue or interest.durable_name
        self._fate = ", left to the broker as a dead letter" if keeps else ""
        self._link = make_link(
            f"receiving {self._where}", client_id=interest.durable_name, on_up=self._subscribe,
            on_message=self._take_in, on_down=self._lose,
        )  # fmt: skip
        self._link.start()

    # --- called by threads of the link

    def _subscribe(self, link: Link) -> None:
        interest, deadline = self._interest, time.monotonic() + ANSWER_S
        if interest.is_fresh and not self._has_begun:
            self._forget_name(link, deadline)
        headers = {
            "destination": destination_of(interest.destination, is_queue=interest.is_queue),
            "id": SUBSCRIPTION,
            "ack": "client-individual",
            "activemq.prefetchSize": str(interest.prefetch),
        }
        if interest.selector:
            headers["selector"] = interest.selector
        if interest.durable_name:
            headers["activemq.subscriptionName"] = interest.durable_name
        elif interest.is_retroactive:
            headers["activemq.retroactive"] = "true"
        link.ask("SUBSCRIBE", headers, deadline=deadline)
        self._has_begun = True

    def _forget_name(self, link: Link, deadline: float) -> None:
        name = {"id": SUBSCRIPTION, "activemq.subscriptionName": self._interest.durable_name}
        try:
            link.ask("UNSUBSCRIBE", name, deadline=deadline)
        except Refused:
            # There is no such name, as it should be.
            return

    def _take_in(self, frame: Any, generation: object) -> None:
        with self._lock:
            is_new = self._is_new(frame, generation)
            if is_new:
                self._ready.append((frame, generation))
        if is_new:
            self._ring()

    def _is_new(self, frame: Any, generation: object) -> bool:
        """Whether a message was neither given out nor dealt with; if it was, the broker is told so."""
        ident, ack = ident_of(frame.headers), frame.headers.get("ack", "")
        known = self._taken.get(ident)
        if known is not None and known.copy == frame.headers.get("message-id"):
            # Delivered again, for the connection was lost: the visit goes on, and is acknowledged by this.
            known.ack, known.generation = ack, generation
            return False
        if known is not None or ident in self._done:
            self._answer("ACK", ack)
            return False
        return True

    def _lose(self) -> None:
        with self._lock:
            # All of it is delivered again on the next connection, unless the topic keeps nothing.
            self._ready.clear()

    def _answer(self, command: str, ack: str) -> None:
        try:
            self._link.send(command, {"id": ack})
        except Down:
            # It is delivered again, and answered then.
            return

    # --- called by the owner

    def look(self) -> Message | None:
        """The next message if one is there. What is none is said in the log, and left to the broker."""
        if self._pid != os.getpid():
            raise BrokerError(
                f"a receiver of {self._where} was made in process {self._pid}, before that forked this one;"
                " make one here"
            )
        while True:
            with self._lock:
                if not self._ready:
                    return None
                frame, generation = self._ready.popleft()
                if generation is not self._link.generation or not self._is_new(frame, generation):
                    continue
                headers = frame.headers
                ident, copy = ident_of(headers), headers.get("message-id", "")
                self._taken[ident] = _Taken(copy, headers.get("ack", ""), generation)
                self._arrived += 1
            try:
                return self._message(frame)._replace(sequence=self._arrived)
            except EventFormatError as error:
                get_default_log().warn(
                    f"message {headers.get('message-id', '')!r:.100} of {self._where} of event broker"
                    f" {self._link.address} is no event and is skipped{self._fate}: {error}"
                )
                self._end(ident, "NACK")

    def coming(self, most: int) -> list[Message]:
        """The next messages that have arrived already, at most so many; `look` gives them still."""
        with self._lock:
            frames = [frame for frame, _ in list(self._ready)[:most]]
        found = []
        for frame in frames:
            # What is no event is told when its turn comes.
            with contextlib.suppress(EventFormatError):
                found.append(self._message(frame))
        return found

    def _message(self, frame: Any) -> Message:
        interest = self._interest
        return message_from(frame.headers, frame.body, interest.destination, is_queue=interest.is_queue)

    def acknowledge(self, *messages: Message) -> None:
        """Says that messages are dealt with. Where the broker is away, it hears of it later."""
        for message in messages:
            self._end(message.ident, "ACK")

    def refuse(self, message: Message) -> None:
        """Leaves a message to the broker as a dead letter."""
        self._end(message.ident, "NACK")

    def _end(self, ident: str, command: str) -> None:
        with self._lock:
            taken = self._taken.pop(ident, None)
            if taken is None:
                return
            self._done[ident] = None
            while len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
        if taken.generation is self._link.generation:
            self._answer(command, taken.ack)

    def recall(self, idents: set[str]) -> set[str]:
        """None: the broker has forgotten what was acknowledged, and gives the rest by itself."""
        return set()

    def abandon(self) -> None:
        """Ends the connection without a word; what was not acknowledged comes again."""
        if self._pid == os.getpid():
            self._link.abandon()

    def close(self) -> None:
        """Ends it when the broker has heard of every acknowledgement, or after a short wait."""
        if self._pid != os.getpid():
            self._link.forget()
            return
        if self._interest.is_fresh:
            try:
                deadline = time.monotonic() + 5.0
                self._link.ask("UNSUBSCRIBE", {"id": SUBSCRIPTION}, deadline=deadline)
                self._forget_name(self._link, deadline)
            except (Down, BrokerError) as error:
                get_default_log().warn(
                    f"event broker {self._link.address} still has subscription"
                    f" {self._interest.durable_name!r}: {str(error) or 'it cannot be reached'}"
                )
        self._link.close()

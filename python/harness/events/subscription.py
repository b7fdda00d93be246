# SPDX-License-Identifier: BSD-3-Clause
"""Receivers of topics. With a name they are durable: what they have not acknowledged comes again.

A receiver hears everything that the spool still has, from the oldest event on, unless it asks for new ones
only; one with a name goes on where that name had come to.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from itertools import islice

from harness.events.broker import NEW, OLDEST
from harness.events.errors import SpoolError
from harness.events.message import Message
from harness.events.owners import is_alive, this_process
from harness.events.schema import HAVING, WITHIN
from harness.events.spool import Spool

__all__ = ["Subscription"]

class Subscription:
    """One receiver of one topic. Not for several threads at once.

    `name` makes it durable: it may be open once at a time. `start` is where a receiver without a name, or
    with a new one, begins. Raises `SpoolError`, also for a name that a living process has open.
    """

    selects = False

    def __init__(self, spool: Spool, topic: str, name: str = "", start: str = OLDEST) -> None:
        if start not in (OLDEST, NEW):
            raise SpoolError(f"expected start={OLDEST!r} or {NEW!r}, saw {start!r}")
        self.spool = spool
        self.topic = topic
        self.name = name
        self._ready: deque[Message] = deque()
        self._open: set[int] = set()
        self._done: set[int] = set()
        self._id = 0
        self._next = spool.last_sequence() if start == NEW else 0
        if name:
            self._claim_name()

    def _claim_name(self) -> None:
        key = (self.name, self.topic)
        with self.spool.writing(f"opening receiver {self.name!r}") as connection:
            connection.execute(
                "INSERT OR IGNORE INTO subscriptions (name, topic, low, owner, seen) VALUES (?, ?, ?, '', 0)",
                (*key, self._next),
            )
            self._id, self._next, owner = connection.execute(
                "SELECT id, low, owner FROM subscriptions WHERE name = ? AND topic = ?", key
            ).fetchone()
            if is_alive(owner) and owner != this_process():
                raise SpoolError(
                    f"event spool {self.spool.directory}: receiver {self.name!r} of topic {self.topic!r} is"
                    f" open in process {owner.partition(':')[0]}; let that end, or use another name"
                )
            connection.execute(
                "UPDATE subscriptions SET owner = ?, seen = ? WHERE id = ?",
                (this_process(), time.time(), self._id),
            )
            self._done = {
                number for (number,) in connection.execute(
                    "SELECT seq FROM done WHERE subscription = ?", (self._id,)
                )
            }  # fmt: skip

    def look(self) -> Message | None:
        """The next message if there is one."""
        while True:
            if not self._ready:
                self._ready.extend(self.spool.after(self.topic, self._next))
                if not self._ready:
                    return None
            message = self._ready.popleft()
            self._next = message.sequence
            if message.sequence not in self._done:
                self._open.add(message.sequence)
                return message

    def coming(self, most: int) -> list[Message]:
        """The next messages that are there already, at most so many; `look` gives them still."""
        if len(self._ready) < most:
            last = self._ready[-1].sequence if self._ready else self._next
            self._ready.extend(self.spool.after(self.topic, last))
        waiting = (message for message in self._ready if message.sequence not in self._done)
        return list(islice(waiting, most))

    def acknowledge(self, *messages: Message) -> None:
        """Says that messages are dealt with: they never come again to this name."""
        numbers = {message.sequence for message in messages} & self._open
        self._open -= numbers
        if not self._id or not numbers:
            return
        self._done |= numbers
        low = min(self._open) - 1 if self._open else self._next
        with self.spool.writing(f"acknowledging for {self.name!r}") as connection:
            self._note(connection, low)

    def _note(self, connection: sqlite3.Connection, low: int) -> None:
        """Stores up to where all is done, and what is done behind that."""
        self._done = {number for number in self._done if number > low}
        connection.execute(
            "UPDATE subscriptions SET low = ?, seen = ? WHERE id = ?", (low, time.time(), self._id)
        )
        connection.execute("DELETE FROM done WHERE subscription = ?", (self._id,))
        connection.executemany(
            "INSERT INTO done (subscription, seq) VALUES (?, ?)",
            [(self._id, number) for number in sorted(self._done)],
        )

    def recall(self, idents: set[str]) -> set[str]:
        """Takes back that messages with these identities are dealt with; called before the first look.

        Returns those that the spool still has: they come, in their order.
        """
        if not self._id or not idents:
            return set()
        with self.spool.writing(f"taking back what {self.name!r} had acknowledged") as connection:
            found = dict(connection.execute(HAVING, (self.topic, json.dumps(sorted(idents)))))
            if found:
                low = min(self._next, min(found) - 1)
                between = connection.execute(WITHIN, (self.topic, low, self._next))
                self._done = (self._done | {number for (number,) in between}) - found.keys()
                self._next = low
                self._ready.clear()
                self._note(connection, low)
        return set(found.values())

    def refuse(self, message: Message) -> None:
        """Says that a message is no event: it never comes again to this name."""
        self.acknowledge(message)

    def pending(self) -> bool:
        """Whether a message is there to be received now."""
        if self._ready:
            return any(message.sequence not in self._done for message in self._ready)
        return any(one.sequence not in self._done for one in self.spool.after(self.topic, self._next))

    def abandon(self) -> None:
        """Nothing: there are no threads, and the spool closes itself."""

    def close(self) -> None:
        """Gives the name free. What was received and not acknowledged comes again to who opens it next."""
        if not self._id:
            return
        number, self._id = self._id, 0
        with self.spool.writing(f"closing receiver {self.name!r}") as connection:
            connection.execute("UPDATE subscriptions SET owner = '' WHERE id = ?", (number,))

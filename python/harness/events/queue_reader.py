# SPDX-License-Identifier: BSD-3-Clause
"""Receivers of queues: every event goes to exactly one of them."""

from __future__ import annotations

from collections.abc import Callable

from harness.events.message import Message
from harness.events.owners import is_alive, this_process
from harness.events.spool import Spool

__all__ = ["QueueReader"]

UNTAKEN = """
SELECT e.seq, e.ident, e.header, e.payload, coalesce(c.owner, '')
FROM events e LEFT JOIN claims c ON c.seq = e.seq
WHERE e.is_queue = 1 AND e.destination = ? AND e.seq > ? ORDER BY e.seq LIMIT 64
"""


class QueueReader:
    """One of the receivers of a queue. `accepts` says which events it takes; the others stay for others.

    What it has taken and not acknowledged goes to another one when its process has died.
    """

    selects = False

    def __init__(
        self, spool: Spool, queue: str, accepts: Callable[[Message], bool] = lambda message: True
    ) -> None:
        self.spool = spool
        self.queue = queue
        self.accepts = accepts
        self._taken: set[int] = set()

    def look(self) -> Message | None:
        """Takes the next message if there is one."""
        message = self._find()
        while message is not None:
            if self._claim(message):
                return message
            message = self._find()
        return None

    def _find(self) -> Message | None:
        last = 0
        while rows := self.spool.rows(UNTAKEN, (self.queue, last)):
            for number, ident, header, payload, owner in rows:
                last = number
                message = Message(self.queue, header, payload, ident, True, number)
                if not is_alive(owner) and self.accepts(message):
                    return message
        return None

    def _claim(self, message: Message) -> bool:
        """Takes the message unless another was faster."""
        with self.spool.writing(f"taking from queue {self.queue!r}") as connection:
            row = connection.execute(
                "SELECT coalesce(c.owner, '') FROM events e LEFT JOIN claims c ON c.seq = e.seq"
                " WHERE e.seq = ?",
                (message.sequence,),
            ).fetchone()
            if row is None or is_alive(row[0]):
                return False
            connection.execute(
                "INSERT OR REPLACE INTO claims (seq, owner) VALUES (?, ?)",
                (message.sequence, this_process()),
            )
        self._taken.add(message.sequence)
        return True

    def acknowledge(self, *messages: Message) -> None:
        """Says that messages are dealt with: they are gone."""
        with self.spool.writing(f"acknowledging to queue {self.queue!r}") as connection:
            connection.executemany(
                "DELETE FROM events WHERE seq = ? AND is_queue = 1", [(one.sequence,) for one in messages]
            )
        self._taken -= {one.sequence for one in messages}

    def coming(self, most: int) -> list[Message]:
        """None: what is in a queue may go to another reader."""
        return []

    def refuse(self, message: Message) -> None:
        """Says that a message is no event: it is gone."""
        self.acknowledge(message)

    def recall(self, idents: set[str]) -> set[str]:
        """None: what was acknowledged has left the queue."""
        return set()

    def abandon(self) -> None:
        """Nothing: there are no threads, and the spool closes itself."""

    def close(self) -> None:
        """Gives what was taken and not acknowledged back."""
        if not self._taken:
            return
        with self.spool.writing(f"closing a reader of queue {self.queue!r}") as connection:
            connection.executemany(
                "DELETE FROM claims WHERE seq = ?", [(number,) for number in self._taken]
            )
        self._taken.clear()

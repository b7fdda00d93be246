# SPDX-License-Identifier: BSD-3-Clause
"""What carries events: a spool or a message broker, as transmitters, receivers and pipelines see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from harness.events.bell import Bell
from harness.events.message import Message

__all__ = ["LOOK_S", "NEW", "OLDEST", "Broker", "Source"]

OLDEST, NEW = "oldest", "new"

LOOK_S = 5.0
"""A publisher may die between storing an event and ringing: so often a receiver looks without a ring."""


class Source(Protocol):
    """Where the messages of one topic or queue come from. Not for several threads at once."""

    selects: bool
    """Whether it gives out only what its selector wants."""

    def look(self) -> Message | None:
        """The next message if one is there now. Raises `RuntimeError` when it cannot be read."""

    def coming(self, most: int) -> list[Message]:
        """The next messages that are there already, at most so many; `look` gives them still."""

    def acknowledge(self, *messages: Message) -> None:
        """Says that messages are dealt with: they never come again to this source's name."""

    def refuse(self, message: Message) -> None:
        """Says that a message is no event: it never comes again. A broker keeps it as a dead letter."""

    def recall(self, idents: set[str]) -> set[str]:
        """Takes back that messages with these identities are dealt with; called before the first look.

        Returns those that will come, again or for the first time, because of that. A broker has forgotten
        what was acknowledged, and returns none.
        """

    def abandon(self) -> None:
        """Lets go of what threads would hold for ever, without waiting: nobody has the source any more."""

    def close(self) -> None:
        """Ends it. What was given out and not acknowledged comes again to who opens its name next."""


class Broker(Protocol):
    """A spool or a message broker. Errors are `RuntimeError`s that name it."""

    def __str__(self) -> str:
        """What it is, for people."""

    def publish(self, messages: Iterable[Message]) -> int:
        """Sends messages, all or none, and returns when they are safe. Returns how many were new."""

    def subscribe(self, topic: str, *, name: str = "", start: str = OLDEST, selector: str = "") -> Source:
        """A receiver of a topic; with a `name` nothing is lost while nobody has that name open.

        `start` is where a receiver without a name, or with a new one, begins: at the `OLDEST` message there
        is, or with `NEW` ones.
        """

    def watch(self, topic: str, *, name: str, selector: str = "") -> Source:
        """A receiver of what is published from now on, of which nothing is lost while this process lives.

        `name` is told to a broker, which keeps what comes while it cannot be reached.
        """

    def read_queue(
        self, queue: str, *, selector: str = "", accepts: Callable[[Message], bool] = lambda message: True
    ) -> Source:
        """A receiver of a queue: a message goes to one. Where the broker does not select, `accepts` does."""

    def bell(self) -> Bell:
        """What is rung when something may have come for this process's sources of this broker."""

# SPDX-License-Identifier: BSD-3-Clause
"""LogPublisher: sends log records as events on topic `logging`.

Nobody who logs waits for a spool or a broker: what cannot be sent soon gathers here up to a bound, and what
is beyond that is dropped, counted and told.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import harness.exceptions as pex
from harness.events.message import Message
from harness.events.record_events import encode_record, message_of_record
from harness.log import LogRecord, get_default_log
from harness.properties import PropertySet

__all__ = ["TOPIC", "LogPublisher", "publisher_of"]

TOPIC = "logging"
MOST_RECORDS = 20_000
MOST_BYTES = 32 << 20
"""How much may wait to be sent."""
BATCH = 500
GATHER_S = 0.1
"""Records come in bursts: so long the first waits for others."""
RETRY_S = 2.0
END_S = 5.0
"""How long the end of a run waits for what is left to be sent."""
PATIENCE_S = 5.0
"""How long one attempt at a broker lasts."""


class LogPublisher:
    """Sends encoded records by `send`, from a thread of its own. `offer` may be called by any thread.

    `end` is called when nothing more is sent, and must end a `send` that goes on.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Message]], object],
        where: str,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        self._send = send
        self._end = end
        self._where = where
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._sending = 0
        self._dropped = 0
        self._is_closing = False
        self._is_over = False
        self._thread: threading.Thread | None = None
        self.lost = 0
        """How many records were dropped in all."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name="pex-log-events", daemon=True)
        self._thread.start()

    def offer(self, records: Iterable[bytes]) -> None:
        """Takes encoded records, as far as there is room; never waits."""
        with self._changed:
            for data in records:
                is_full = len(self._waiting) >= MOST_RECORDS or self._bytes + len(data) > MOST_BYTES
                if self._is_over or is_full:
                    self._dropped += 1
                    self.lost += 1
                    continue
                self._waiting.append(data)
                self._bytes += len(data)
            self._changed.notify_all()

    def close(self) -> int:
        """Sends what is left, for a few seconds at most. Returns how many records were never sent."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(END_S)
        with self._changed:
            self._is_over = True
            self.lost += len(self._waiting) + self._sending
            self._waiting.clear()
            self._changed.notify_all()
        self._end()
        return self.lost

    def _run(self) -> None:
        failing = False
        while batch := self._next():
            try:
                self._send([message_of_record(data, TOPIC) for data in batch])
            except pex.RuntimeError as error:
                self._put_back(batch)
                if not failing:
                    get_default_log().warn(
                        f"log records cannot be published to {self._where} for now: {error}; up to"
                        f" {MOST_RECORDS} wait, the others are counted"
                    )
                failing = True
                with self._changed:
                    self._changed.wait_for(lambda: self._is_over, RETRY_S)
                continue
            failing = False
            with self._changed:
                self._sending = 0

    def _next(self) -> list[bytes]:
        """What is to be sent now; empty when all is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._dropped or self._is_closing)
            if not self._is_closing:
                self._changed.wait_for(lambda: self._is_closing, GATHER_S)
            if self._is_over:
                return []
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._bytes -= sum(map(len, batch))
            self._sending = len(batch)
            dropped = self._dropped if batch or self._is_closing else 0
            self._dropped -= dropped
        if dropped and (notice := _notice(dropped)):
            batch.insert(0, notice)
        return batch

    def _put_back(self, batch: list[bytes]) -> None:
        with self._changed:
            self._sending = 0
            if self._is_over:
                return
            self._waiting.extendleft(reversed(batch))
            self._bytes += sum(map(len, batch))


def _notice(dropped: int) -> bytes | None:
    record = LogRecord(10, 10, PropertySet())
    record.addPropertyString("LOG", "harness.log")
    record.addComment(f"{dropped} records before this one were not published: too many waited to be sent")
    return encode_record(record)


def publisher_of(host: str | None) -> LogPublisher:
    """A publisher to a spool or a message broker. Raises `SpoolError` or `BrokerError` for another host."""
    from harness.events.hosts import is_embedded, open_broker

    where = str(host)
    if is_embedded(host):
        return LogPublisher(lambda messages: open_broker(host).publish(messages), where)
    from harness.events.stomp_broker.broker import connection_for

    publisher = connection_for(host or "", patience_s=PATIENCE_S, purpose="publishing log records")
    return LogPublisher(
        lambda messages: publisher.publish(messages, is_persistent=False), where, publisher.close
    )

# SPDX-License-Identifier: BSD-3-Clause
"""The events of a run, in its master: received before their stages, acknowledged when the visit has ended.

Every run has this, and most have no event: what reads, sends and watches is imported when the first is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness import _core
from harness.events.errors import EventFormatError
from harness.events.hosts import SCHEME, is_embedded, open_broker, spool_directory
from harness.exceptions import RuntimeError as LsstRuntimeError
from harness.properties import PropertySet

if TYPE_CHECKING:
    from harness.events.broker import Broker, Source
    from harness.events.event import Event
    from harness.events.message import Message
    from harness.events.watch_thread import WatchThread
    from harness.events.watching import WatchSettings
    from harness.log import Log
    from harness.runtime.configuration.config import PipelineConfig

SPOOL_NAME = "events"
POLL_S = 1.0
"""The unit of `eventTimeout`: a poll of the original took about so long."""
FEED_BATCH = 500
"""So many events of a feed go to a message broker in one transaction."""


def broker_of(config: PipelineConfig, run_dir: Path) -> str | None:
    """The host that stages are told: the policy's, or the spool in the run directory.

    Applies what the policy says of it, for this process and those that it forks. Raises `SpoolError` where a
    `spool:` host names no directory or cannot be used.
    """
    host = config.event_broker
    if host is None:
        host = f"{SCHEME}{(run_dir / SPOOL_NAME).absolute()}"
    elif is_embedded(host):
        host = f"{SCHEME}{spool_directory(host)}"
    config.events.apply(host)
    return host


def receiver_name(config: PipelineConfig, run_id: str) -> str:
    """The name of a pipeline's receivers, which a later process of the run takes up again."""
    return config.events.name or f"{run_id}/{config.pipeline_name}"


class RunEvents:
    """What the master receives and publishes. Used by its main thread only.

    Attributes: `drains`, whether the run ends when no event is left; `timeout`, in polls, of a wait;
    `idents`, the identities of the events of the visit in progress.
    """

    def __init__(self, config: PipelineConfig, run_id: str, log: Log) -> None:
        self._config = config
        self._run_id = run_id
        self._log = log
        self._broker: Broker | None = None
        self._sources: dict[str, Source] = {}
        self._visit = 0
        self._taken: dict[int, list[tuple[Source, Message]]] = {}
        self._fed: set[str] | None = None
        self._since: dict[int, float] = {}
        self._in_flight: set[int] = set()
        self._ended_at = 0.0
        self._complete: set[str] = set()
        self._missing: set[str] = set()
        self._files: WatchThread | None = None
        self._idle_s: float | None = None
        self.drains = False
        self.timeout = config.event_timeout
        self._topics = {one.number: one.event_topic for one in config.stages if one.event_topic is not None}

    @property
    def topics(self) -> list[str]:
        """The topics that stages wait for, each once."""
        return list(dict.fromkeys(self._topics.values()))

    @property
    def waiting(self) -> bool:
        """Whether a stage waits for its event."""
        return bool(self._since)

    @property
    def idents(self) -> list[str]:
        """The identities of the events of the visit that is looked at."""
        return [message.ident for _, message in self._taken.get(self._visit, ())]

    @property
    def come_first(self) -> bool:
        """Whether a visit begins with the wait for an event."""
        return 1 in self._topics

    def open(self, complete: set[str], again: set[str] | None = None) -> None:
        """Opens a receiver per topic, under a name that a later process of this run takes up again.

        `complete` has the identities of events whose visits are known to be complete: they are not run again,
        though a run that was killed had no time to acknowledge them. `again` has those of events that are to
        come once more, acknowledged or not.

        Raises `SpoolError` or `BrokerError`, also while another process of the same run and pipeline name
        lives.
        """
        self._complete = complete
        self._missing = set(again or ())
        if not self.topics:
            return
        name = receiver_name(self._config, self._run_id)
        broker = self._broker = open_broker(self._config.event_broker)
        for topic in self.topics:
            source = self._sources[topic] = broker.subscribe(topic, name=name)
            self._missing -= source.recall(self._missing)
            self._log.log(-3, f"receiving topic {topic!r} from {broker} as {name!r}")

    def missing(self, acknowledged: set[str]) -> set[str]:
        """Those of the events to come once more that do not: a feed or who publishes has to give them anew.

        `acknowledged` has the identities of events whose visits had come to an end. A message broker gives
        the others again by itself, and the files that are watched are published anew.
        """
        if is_embedded(self._config.event_broker):
            return set(self._missing)
        return set() if self._files is not None else self._missing & acknowledged

    def look(self, stage: int, accept: Callable[[str, PropertySet], None]) -> _core.EventLook:
        """Looks for the event of a stage, and gives its topic and payload to `accept` if it is there."""
        topic = self._topics[stage]
        if stage not in self._since:
            self._since[stage] = time.monotonic()
            self._log.log(-1, f"stage {stage} waits for an event of topic {topic!r}")
        event = self._next(topic)
        if event is not None:
            del self._since[stage]
            payload = event.getCustomPropertySet()
            if self._log.sends(-1):
                self._log.log(-1, f"event received, topic {topic!r}:\n{payload}".rstrip())
            accept(topic, payload)
            return _core.EventLook.TAKEN
        if self._visit > min(self._in_flight, default=self._visit):
            # The visits before it would come first, were they not in flight beside it, and may publish some.
            return _core.EventLook.NOT_YET
        since = max(self._since[stage], self._ended_at)
        if self.drains and not self._fed:
            self._log.info(f"no event of topic {topic!r} is left")
            return _core.EventLook.DRAINED
        if self._is_idle(since):
            self._log.info(f"no event of topic {topic!r} is left, and no file came for {self._idle_s:g} s")
            return _core.EventLook.DRAINED
        if time.monotonic() - since >= self.timeout * POLL_S:
            self._log.info(
                f"no event of topic {topic!r} has arrived within {self.timeout} polls of"
                f" {POLL_S:g} s (eventTimeout)"
            )
            return _core.EventLook.TIMED_OUT
        return _core.EventLook.NOT_YET

    def coming(self, stage: int) -> list[dict[str, PropertySet]]:
        """What the next visits' clipboards will hold under a stage's topic, as far as events wait already.

        Nothing unless a stage reads ahead. An event that cannot be read is left out, as it will be later.
        """
        from harness.events.event_kinds import event_from_wire

        topic, most = self._topics[stage], self._config.reads_ahead
        found: list[dict[str, PropertySet]] = []
        for message in self._sources[topic].coming(most) if most else []:
            if message.ident in self._complete:
                continue
            try:
                event = event_from_wire(message.ident, message.header, message.payload)
            except (EventFormatError, LsstRuntimeError):
                continue
            found.append({topic: event.getCustomPropertySet()})
        return found

    def _next(self, topic: str) -> Event | None:
        """The next event that can be read; what is none is told in the log and left behind."""
        from harness.events.event_kinds import event_from_wire

        source = self._sources[topic]
        while (message := source.look()) is not None:
            if message.ident in self._complete:
                self._log.info(f"event {message.ident} was complete before and is not run again")
                source.acknowledge(message)
                continue
            try:
                event = event_from_wire(message.ident, message.header, message.payload)
            except (EventFormatError, LsstRuntimeError) as error:
                self._log.warn(f"event {message.sequence} of topic {topic!r} is skipped: {error}")
                source.refuse(message)
                self._note_done(message)
                continue
            self._taken.setdefault(self._visit, []).append((source, message))
            return event
        return None

    def _note_done(self, message: Message) -> None:
        if self._fed is not None:
            self._fed.discard(message.ident)

    def turn_to(self, visit: int) -> None:
        """What is received from here on belongs to `visit`."""
        self._visit = visit

    def begin_visit(self, visit: int) -> None:
        """A visit that has no event yet."""
        self._visit = visit
        self._in_flight.add(visit)

    def end_visit(self, visit: int) -> None:
        """A visit is not in flight any more; those behind it begin to wait now."""
        self._in_flight.discard(visit)
        self._ended_at = time.monotonic()

    def drop_visit(self, visit: int) -> None:
        """Forgets what a visit has taken: it comes to a later process."""
        self._taken.pop(visit, None)
        self.end_visit(visit)

    def acknowledge(self, visit: int) -> None:
        """The visit has ended: its events never come again."""
        taken = self._taken.pop(visit, [])
        for source, message in taken:
            source.acknowledge(message)
            self._note_done(message)
        if self._files is not None:
            # A broker does not know that it has a file's event already.
            self._complete.update(message.ident for _, message in taken)

    def feed(self, events: Iterable[tuple[str, Event]], settled: set[str]) -> int:
        """Publishes events (topic, event) for this run and returns how many are new.

        `settled` has the identities of events that are not to come again. After this the run ends when no
        event is left. A spool knows what was published before; to a message broker everything goes that is
        not settled, and what it then has twice is dropped when it arrives.
        """
        from harness.events.transmitter import message_of

        broker = open_broker(self._config.event_broker)
        self.drains = True
        messages = [message_of(topic, event) for topic, event in events]
        self._missing -= {message.ident for message in messages}
        if is_embedded(self._config.event_broker):
            return broker.publish(messages)
        messages = [message for message in messages if message.ident not in settled]
        self._fed = {message.ident for message in messages}
        for first in range(0, len(messages), FEED_BATCH):
            broker.publish(messages[first : first + FEED_BATCH])
        return len(messages)

    def watch(self, settings: WatchSettings, topic: str | None, idle_s: float | None) -> None:
        """Publishes files of a directory for this run, from a thread, until `close`.

        Args:
            settings: what is watched.
            topic: one that a stage waits for; None where there is only one.
            idle_s: after so many seconds of waiting without a new file, the run ends; None: never.

        Raises:
            EventFormatError: the pattern cannot be understood, or the topic is none that a stage waits for.
            harness.exceptions.RuntimeError: the directory cannot be watched.
        """
        if topic is None and len(self.topics) == 1:
            topic = self.topics[0]
        if topic not in self.topics:
            known = ", ".join(self.topics) or "none: expected eventTopic in an appStage"
            asked = "no topic is given" if topic is None else f"no stage waits for topic {topic!r}"
            raise EventFormatError(f"watching {settings.folder}: {asked}; topics are {known}")
        from harness.events.watch_thread import WatchThread

        self._idle_s = idle_s
        self._files = WatchThread(
            settings, self._config.event_broker, topic, self._log, self._complete
        )
        self._files.start()
        self._log.info(f"files of {settings.folder} that match {settings.pattern} are events of {topic!r}")

    def _is_idle(self, since: float) -> bool:
        """Whether there was nothing to do, and no file has come, for as long as asked."""
        if self._files is None:
            return False
        self._files.check()
        quiet = self._files.quiet_since
        if self._idle_s is None or quiet is None:
            return False
        return time.monotonic() - max(quiet, since) >= self._idle_s

    def publish_exit(self) -> None:
        """Tells on `exitTopic` that the run has ended. A failure is logged: the run itself is done."""
        topic = self._config.exit_topic
        if topic is None:
            return
        from harness.events.event import Event
        from harness.events.transmitter import EventTransmitter

        payload = PropertySet()
        payload.set("message", f"exiting_{self._run_id}")
        try:
            EventTransmitter(self._config.event_broker, topic).publishEvent(Event(self._run_id, payload))
        except LsstRuntimeError as error:
            self._log.warn(f"no exit event on topic {topic!r}: {error}")

    def close(self) -> None:
        """Ends watching, and gives the receivers free."""
        if self._files is not None:
            self._files.close()
        for topic, source in self._sources.items():
            try:
                source.close()
            except LsstRuntimeError as error:
                self._log.warn(f"closing the receiver of topic {topic!r}: {error}")
        self._sources.clear()
        self._taken.clear()
        self._broker = None

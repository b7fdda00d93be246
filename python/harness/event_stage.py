# SPDX-License-Identifier: BSD-3-Clause
"""EventStage: publishes property sets of the clipboard."""

from __future__ import annotations

import harness.exceptions as pex
from harness.clipboard import Clipboard
from harness.events.broker import Broker
from harness.events.hosts import open_broker
from harness.events.transmitter import EventTransmitter
from harness.log import Log, get_default_log
from harness.properties import PropertySet
from harness.stage import SerialProcessing, Stage

__all__ = ["EventStage", "EventStageSerial"]


class EventStageSerial(SerialProcessing):
    """Publishes what `keysToPublish` of its policy names (`topic=key`, or one word that is both).

    It does so in preprocess; in postprocess if `RunMode` is `postprocess`; never if it is `process`. Raises
    `RuntimeError` naming the key when the clipboard lacks it or holds something else than a PropertySet.
    """

    policy_dictionary = ("pex_harness", "EventStageDictionary.paf", "policy")

    def setup(self) -> None:
        """Raises `lsst.pex.exceptions.Exception` without an event broker host."""
        if not self.getEventBrokerHost():
            raise pex.Exception(f"stage {self.getName()!r} publishes events, and has no event broker host")
        self._log = Log(self.log if self.log is not None else get_default_log(), "eventstage")
        policy = self.policy
        self._mode = ""
        entries: list[str] = []
        if policy is not None:
            self._mode = policy.getString("RunMode") if policy.exists("RunMode") else ""
            entries = policy.getStringArray("keysToPublish") if policy.exists("keysToPublish") else []
        # Held, so that a message broker's connection lasts from one visit to the next.
        self._broker: Broker | None = None
        pairs = [(entry.partition("=")[0], entry.rpartition("=")[2]) for entry in entries]
        self._keys = [(topic.strip(), key.strip()) for topic, key in pairs]

    def preprocess(self, clipboard: Clipboard) -> None:
        """Publishes, unless the run mode says otherwise."""
        if self._mode not in ("postprocess", "process"):
            self._publish(clipboard)

    def postprocess(self, clipboard: Clipboard) -> None:
        """Publishes if the run mode says so."""
        if self._mode == "postprocess":
            self._publish(clipboard)

    def _publish(self, clipboard: Clipboard) -> None:
        if not any(topic for topic, _ in self._keys):
            self._log.warn("keysToPublish names nothing: nothing is published")
            return
        if self._broker is None:
            self._broker = open_broker(self.getEventBrokerHost())
        for topic, key in self._keys:
            value = clipboard.get(key)
            if not isinstance(value, PropertySet):
                seen = type(value).__name__ if clipboard.contains(key) else "no such key"
                raise pex.RuntimeError(
                    f"stage {self.getName()!r}: clipboard key {key!r} (keysToPublish, topic {topic!r}):"
                    f" expected a PropertySet, saw {seen}"
                )
            EventTransmitter(self.getEventBrokerHost(), topic).publish(value)


class EventStage(Stage):
    """Makes its serial half; there is no parallel one."""

    serialClass = EventStageSerial

# SPDX-License-Identifier: BSD-3-Clause
"""The events that stages wait for: the wait and its marks, and what rides with the slices' release."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from harness import _core
from harness.clipboard import Clipboard
from harness.runtime.configuration.config import UPCOMING_VISITS
from harness.runtime.halves.blocks import STAGE
from harness.runtime.halves.half import TRACE, VERB2
from harness.runtime.halves.master_calls import MasterCalls

if TYPE_CHECKING:
    from harness.properties import PropertySet
    from harness.runtime.halves.run_events import RunEvents
    from harness.runtime.records.recording import Recorder
    from harness.transport import Manifest

HANDLE_EVENTS = f"{STAGE}.handleEvents"


class MasterEvents(MasterCalls):
    """Rank -1, as far as the events of its stages."""

    recorder: Recorder
    events: RunEvents
    published: list[tuple[int, Manifest]]
    """Where it stands what the slices have received in this visit, by the stage before which they did."""
    _event: tuple[int, str, PropertySet] | None
    """Stage, topic and payload of the visit's last event."""
    _awaits: int
    """The stage that waits for its event; 0: none."""

    def _forget_event(self) -> None:
        self._event, self._awaits = None, 0

    def take_event(self, number: int) -> _core.EventLook:
        """Looks for the event that stage `number` waits for; it goes on the clipboard before the stage."""

        def accept(topic: str, payload: PropertySet) -> None:
            clipboard = self.queues[number - 1].element()
            if clipboard is not None:
                clipboard.put(topic, payload)
                self._foresee(number, clipboard)
            self._event = (number, topic, payload)
            identity = " ".join(self.events.idents)
            if number == 1:
                self.recorder.begin_visit(self.visit, identity)
            else:
                self.recorder.note_input(identity)

        if self._awaits != number:
            self._begin_wait(number)
        look = self.events.look(number, accept)
        if look == _core.EventLook.TAKEN:
            self._end_wait()
        return look

    def _begin_wait(self, number: int) -> None:
        """The wait for an event is a part of its stage (contract 5.2)."""
        self._awaits = number
        self.enter_stage(number)
        if self.log.sends(VERB2):
            self._mark_stages("start", number, self.run.meets_after(number))
        if self.log.sends(TRACE):
            self.blocks.mark(HANDLE_EVENTS, "start", TRACE, self._handling(number))

    def _end_wait(self) -> None:
        if self.log.sends(TRACE):
            self.blocks.mark(HANDLE_EVENTS, "end", TRACE, self._handling(self._awaits))
        self._awaits = 0

    def _leave_wait(self) -> None:
        """The visit ends while a stage waits for its event."""
        number = self._awaits
        if not number:
            return
        self._end_wait()
        if self.log.sends(VERB2):
            self._mark_stages("end", number, self.run.meets_after(number))

    def _handling(self, number: int) -> str:
        return f"{self.stages[number - 1].getName()}.handleEvents"

    def _foresee(self, number: int, clipboard: Clipboard) -> None:
        """Stages that read ahead find the events of the next visits, beside what is known of them already."""
        coming = self.events.coming(number)
        known = clipboard.get(UPCOMING_VISITS) or []
        if coming:
            merged: Iterable[Any] = zip_longest(known, coming, fillvalue={})
            clipboard.put(UPCOMING_VISITS, [{**before, **event} for before, event in merged])

    def _let_event_ride(self, number: int, clipboard: Clipboard) -> None:
        """Has the event of the stage cross with what is marked shareable, without being marked to stages."""
        if self._event is None or self._event[0] != number:
            return
        _, topic, payload = self._event
        if clipboard.get(topic) is payload:
            clipboard._publish_once(topic)
            if self.config.reads_ahead and clipboard.contains(UPCOMING_VISITS):
                clipboard._publish_once(UPCOMING_VISITS)

    def _publish_event_alone(self, number: int) -> None:
        """Slices go on when the master has failed, and get the event of their stage all the same."""
        manifest = (0, 0)
        if self._event is not None and self._event[0] == number:
            alone = Clipboard()
            alone.put(self._event[1], self._event[2], True)
            manifest, _ = self.transport.publish(alone)
            self.published.append((number, manifest))
        self.run.set_down_manifest(number, *manifest)

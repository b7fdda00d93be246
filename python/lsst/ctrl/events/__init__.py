# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of events."""

from harness.events.event import Event, EventTypes
from harness.events.event_kinds import CommandEvent, LogEvent, StatusEvent
from harness.events.event_system import EventSystem
from harness.events.hosts import EventBroker
from harness.events.location_id import LocationId
from harness.events.receiver import EventDequeuer, EventReceiver
from harness.events.transmitter import EventEnqueuer, EventTransmitter

__all__ = [
    "CommandEvent",
    "Event",
    "EventBroker",
    "EventDequeuer",
    "EventEnqueuer",
    "EventReceiver",
    "EventSystem",
    "EventTransmitter",
    "EventTypes",
    "LocationId",
    "LogEvent",
    "StatusEvent",
]

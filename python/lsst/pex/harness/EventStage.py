# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the stage that publishes events."""

from harness.event_stage import EventStage, EventStageSerial

__all__ = ["EventStage", "EventStageSerial"]

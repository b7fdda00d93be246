# SPDX-License-Identifier: BSD-3-Clause
"""LogRec: a record that is filled with ``<<`` and sent by ``endr``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import harness.exceptions as pex
from harness.log.log import Log
from harness.log.record import LogRecord, Prop
from harness.properties import PropertySet

__all__ = ["LogRec", "Rec", "endr"]


class EndOfRecord:
    """The type of ``endr``."""

    def __repr__(self) -> str:
        return "endr"


endr = EndOfRecord()


class LogRec(LogRecord):
    """``LogRec(log, importance) << text << Prop(name, value) << properties << LogRec.endr``.

    Accepts texts, Prop, PropertySet and dict; TypeError for anything else. A record without ``endr``
    is sent when it is dropped.
    """

    endr: ClassVar[EndOfRecord] = endr

    # Until the constructor has finished there is nothing to send.
    _sent = True

    def __init__(self, log: Log, importance: int) -> None:
        super().__init__(log.getThreshold(), importance, None, log.willShowAll())
        if self._records:
            self._begin(log.record_base())
            self._log = log
            self._process = os.getpid()
            self._sent = False

    def __lshift__(self, item: Any) -> LogRec:
        if not self._records:
            return self
        if isinstance(item, str):
            self.addComment(item)
        elif isinstance(item, Prop):
            self.addProperty(item.name, item.value)
        elif isinstance(item, (PropertySet, Mapping)):
            self.addProperties(item)
        elif isinstance(item, EndOfRecord):
            self._send_once()
        else:
            raise pex.TypeError(
                f"cannot log {type(item).__name__} {item!r} with <<: expected text, Prop, PropertySet,"
                " dict or endr"
            )
        return self

    def _send_once(self) -> None:
        if not self._sent:
            self._sent = True
            self._log.send(self)

    def __del__(self) -> None:
        # A fork copies unsent records; only the process that made one may send it.
        if not self._sent and self._process == os.getpid():
            self._send_once()


Rec = LogRec

# SPDX-License-Identifier: BSD-3-Clause
"""Link: a connection to a broker that is made again, with back-off, whenever it is lost."""

from __future__ import annotations

import os
import random
import re
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from harness.events.errors import BrokerError
from harness.events.stomp_broker.address import Address
from harness.events.stomp_broker.settings import BrokerSettings
from harness.log import get_default_log

__all__ = ["Down", "Link", "Refused"]

FIRST_DELAY_S, LAST_DELAY_S = 0.1, 5.0
ANSWER_S = 15.0
"""How long a broker that has accepted a connection may take to answer."""
GOODBYE_S = 5.0
REMIND_S = 60.0
"""How often the log says again that a broker cannot be reached."""

OF_LOGIN = re.compile(r"(?i)user name|password|login|credential|authenticat|authori[sz]|security")


class Down(Exception):
    """The connection was lost before the answer came."""


class Refused(BrokerError):
    """The broker has answered with an error. `is_lasting`: trying again would not help."""

    is_lasting = False


class Link:
    """One connection. Its owner's functions are called by its threads, never two at a time for one
    connection.

    `on_up(link)` prepares a fresh connection, and may raise; `on_message(frame, generation)` gets what
    arrives; `on_down()` tells that what was under way is lost. After `start`, until `close`, it connects
    again by itself.
    """

    def __init__(
        self,
        address: Address,
        settings: BrokerSettings,
        purpose: str,
        *,
        client_id: str = "",
        on_up: Callable[[Link], None] = lambda link: None,
        on_message: Callable[[Any, object], None] = lambda frame, generation: None,
        on_down: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = address
        self.settings = settings
        self._purpose = purpose
        self._client_id = client_id
        self._on_up = on_up
        self._on_message = on_message
        self._on_down = on_down
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._attempt: _Attempt | None = None
        self._is_up = False
        self._closing = False
        self._reason = "no attempt has ended yet"
        self._lasting: BrokerError | None = None
        self._thread: threading.Thread | None = None

    # --- its life

    def start(self) -> None:
        """Connects. Raises `BrokerError` when that has not succeeded within the settings' wait."""
        self._thread = threading.Thread(target=self._keep, name="pex-broker", daemon=True)
        self._thread.start()
        try:
            self.wait_until_up(time.monotonic() + self.settings.wait_s)
        except BaseException:
            self.close()
            raise

    def wait_until_up(self, deadline: float) -> None:
        """Returns when the connection can be used. Raises `BrokerError` at the deadline (monotonic)."""
        with self._changed:
            while not self._is_up:
                if self._lasting is not None:
                    raise self._lasting
                left = deadline - time.monotonic()
                if left <= 0 or self._closing:
                    raise BrokerError(
                        f"event broker {self.address} cannot be reached for {self._purpose}: {self._reason}."
                        f" Gave up after {self.settings.wait_s:g} s; is the broker running, and is that its"
                        " STOMP port? How long to wait: eventBroker.wait in the policy, or"
                        " PEX_HARNESS_BROKER_WAIT"
                    )
                self._changed.wait(left)

    def close(self) -> None:
        """Ends it when all that was sent has arrived, or after a short wait. Safe to call twice."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            attempt = self._attempt if self._is_up else None
            self._changed.notify_all()
        if attempt is not None:
            attempt.say_goodbye()
        if self._attempt is not None:
            self._attempt.drop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(GOODBYE_S)

    def abandon(self) -> None:
        """Ends the connection without a word and without waiting."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self.drop()

    def drop(self) -> None:
        """Gives this connection up; another one is made."""
        if self._attempt is not None:
            self._attempt.drop()

    def forget(self) -> None:
        """In a process that has inherited it: leaves the connection to the process that made it."""
        if self._attempt is not None:
            self._attempt.forget()

    # --- using it

    @property
    def generation(self) -> object:
        """Another one for each connection."""
        return self._attempt

    def send(self, command: str, headers: dict[str, str], body: bytes = b"") -> None:
        """Sends a frame. Raises `Down`."""
        self._current().send(command, headers, body)

    def ask(self, command: str, headers: dict[str, str], body: bytes = b"", *, deadline: float) -> None:
        """Sends a frame, and returns when the broker has confirmed it.

        Raises `Down` when the connection is lost first, `Refused` for an error of the broker, `BrokerError`
        at the deadline.
        """
        self._current().ask(command, headers, body, deadline)

    def _current(self) -> _Attempt:
        attempt = self._attempt
        if attempt is None:
            raise Down
        return attempt

    # --- the thread that keeps it up

    def _keep(self) -> None:
        delay, failed_since, told_at = FIRST_DELAY_S, 0.0, -REMIND_S
        while not self._closing:
            try:
                attempt = self._connect()
            except Exception as error:
                # Whatever it is, the end of this thread would leave others waiting.
                now = time.monotonic()
                failed_since = failed_since or now
                self._note_failure(error)
                if now - told_at >= REMIND_S and not self._closing:
                    told_at = now
                    self._tell(f"cannot be reached: {self._reason}; trying again")
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, delay * (0.75 + random.random() / 2))
                delay = min(delay * 2, LAST_DELAY_S)
                continue
            if failed_since:
                get_default_log().info(
                    f"event broker {self.address} is reached for {self._purpose},"
                    f" {time.monotonic() - failed_since:.1f} s after the first attempt"
                )
            delay, failed_since, told_at = FIRST_DELAY_S, 0.0, -REMIND_S
            if self._closing:
                attempt.drop()
            attempt.lost.wait()
            with self._changed:
                self._is_up = False
            self._on_down()
            if not self._closing:
                failed_since = time.monotonic()
                self._reason = attempt.error or "the connection was closed"
                self._tell(f"is lost: {self._reason}; connecting again")

    def _tell(self, what: str) -> None:
        get_default_log().warn(f"event broker {self.address}, for {self._purpose}, {what}")

    def _note_failure(self, error: Exception) -> None:
        with self._changed:
            self._reason = _words(error)
            lasting = isinstance(error, (ssl.SSLCertVerificationError, BrokerError)) and (
                not isinstance(error, Refused) or error.is_lasting
            )
            if lasting:
                self._lasting = BrokerError(
                    f"event broker {self.address}, for {self._purpose}: {self._reason}"
                )
            self._changed.notify_all()

    def _connect(self) -> _Attempt:
        from harness.events.stomp_broker.transport import StompConnection

        attempt = _Attempt(self._on_message)
        attempt.connection = StompConnection(self.address, self.settings, attempt)
        self._attempt = attempt
        try:
            attempt.connection.start(self._client_id)
            attempt.wait_for_welcome(time.monotonic() + ANSWER_S)
            self._on_up(self)
        except BaseException:
            attempt.drop()
            self._on_down()
            raise
        with self._changed:
            self._is_up = True
            self._lasting = None
            self._changed.notify_all()
        return attempt


def _words(error: Exception) -> str:
    if isinstance(error, Down):
        return "it closed the connection"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not accepted: {error.verify_message}; the policy's eventBroker.caFile, or"
            " PEX_HARNESS_BROKER_CA_FILE, names the certificates to trust"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {error.reason or error}; is that its port for stomp+ssl?"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) if isinstance(error, BrokerError) else f"{type(error).__name__}: {error}"


class _Attempt:
    """The listener of one connection of stomp.py, from CONNECT to its end."""

    def __init__(self, on_message: Callable[[Any, object], None]) -> None:
        self.connection: Any = None
        self.lost = threading.Event()
        self.error = ""
        self._on_message = on_message
        self._changed = threading.Condition()
        self._welcome = False
        self._answers: dict[str, str | None] = {}
        """Receipts that are waited for: `None` until there is one, then empty or the broker's error."""
        self._number = 0

    # --- what stomp.py calls, in its thread

    def on_connected(self, frame: Any) -> None:
        """The broker accepts the connection."""
        with self._changed:
            self._welcome = True
            self._changed.notify_all()

    def on_message(self, frame: Any) -> None:
        """A message has come."""
        if not self.lost.is_set():
            self._on_message(frame, self)

    def on_receipt(self, frame: Any) -> None:
        """The broker has done what it was asked."""
        self._answer(frame.headers.get("receipt-id", ""), "")

    def on_error(self, frame: Any) -> None:
        """The broker refuses something, or everything."""
        text = frame.headers.get("message", "") or frame.body.decode("utf-8", "replace").partition("\n")[0]
        text = " ".join(text.split())[:500] or "an error without a message"
        receipt = frame.headers.get("receipt-id")
        if receipt in self._answers:
            self._answer(receipt, text)
            return
        with self._changed:
            self.error = f"the broker says: {text}"
            self._changed.notify_all()

    def on_heartbeat_timeout(self) -> None:
        """The broker has been silent for too long; the connection is being closed."""
        self.error = "nothing was heard of it for too long"

    def on_disconnected(self) -> None:
        """It is over."""
        with self._changed:
            self.lost.set()
            self._changed.notify_all()

    def _answer(self, receipt: str, text: str) -> None:
        with self._changed:
            if receipt in self._answers:
                self._answers[receipt] = text
                self._changed.notify_all()

    # --- what the link does

    def wait_for_welcome(self, deadline: float) -> None:
        """Raises `Refused`, `Down` or `OSError`."""
        with self._changed:
            while not self._welcome:
                if self.error:
                    raise _refused(self.error)
                if self.lost.is_set():
                    raise Down
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"no answer to CONNECT within {ANSWER_S:g} s; is that its STOMP port?"
                    )
                self._changed.wait(left)

    def send(self, command: str, headers: dict[str, str], body: bytes) -> None:
        """Raises `Down`."""
        if self.lost.is_set():
            raise Down
        try:
            self.connection.send_frame(command, dict(headers), body)
        except Exception as error:
            # The library raises what the socket does, its own kinds, and errors of parts that are gone.
            self.drop()
            raise Down from error

    def ask(self, command: str, headers: dict[str, str], body: bytes, deadline: float) -> None:
        """Raises `Down`, `Refused` or `BrokerError`."""
        with self._changed:
            self._number += 1
            receipt = f"r{self._number}"
            self._answers[receipt] = None
        try:
            self.send(command, {**headers, "receipt": receipt}, body)
            with self._changed:
                while self._answers[receipt] is None:
                    if self.lost.is_set():
                        raise Down
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise BrokerError("the broker has not confirmed it in time")
                    self._changed.wait(left)
                if self._answers[receipt]:
                    raise _refused(f"the broker says: {self._answers[receipt]}")
        finally:
            with self._changed:
                del self._answers[receipt]

    def say_goodbye(self) -> None:
        """Returns when all that was sent has arrived, or after a short wait."""
        try:
            self.ask("DISCONNECT", {}, b"", time.monotonic() + GOODBYE_S)
        except (Down, BrokerError):
            return

    def drop(self) -> None:
        """Closes the socket."""
        if self.connection is not None:
            self.connection.drop()
        self.on_disconnected()

    def forget(self) -> None:
        """Closes what was inherited."""
        if self.connection is not None:
            self.connection.forget()


def _refused(text: str) -> Refused:
    error = Refused(text)
    error.is_lasting = bool(OF_LOGIN.search(text))
    return error

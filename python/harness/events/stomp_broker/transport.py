# SPDX-License-Identifier: BSD-3-Clause
"""One STOMP connection of stomp.py, whose failures say why, and which notices that a TLS peer has gone."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from harness.events.errors import BrokerError
from harness.events.stomp_broker.address import Address
from harness.events.stomp_broker.settings import BrokerSettings

try:
    from stomp.connect import BaseConnection
    from stomp.protocol import Protocol12
    from stomp.transport import Transport
    from stomp.utils import PollableQueue
except ImportError as error:
    raise BrokerError(
        "message brokers are reached by the package stomp.py, which cannot be imported here"
        f" ({error}); install it: pip install 'pex-harness[stomp]'"
    ) from error

__all__ = ["HEARTBEAT_S", "StompConnection", "tls_context"]

CONNECT_S = 10.0
"""The most that reaching a broker may take, TLS included; half of the settings' wait if that is less."""
HEARTBEAT_S = 20
"""How often either side shows that it is there; a silence of half as long again ends a connection."""
RECEIVE_BYTES = 1 << 16

# What stomp.py logs is told by links, once and with the reason; and it would write passwords at level DEBUG.
logging.getLogger("stomp.py").addFilter(lambda record: False)


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Checks the broker's certificate and name. Raises `BrokerError` for files that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        reason = error.strerror or error
        raise BrokerError(f"certificates in {settings.ca_file} (caFile): {reason}") from error
    if settings.certificate_file is not None:
        try:
            context.load_cert_chain(settings.certificate_file, settings.key_file, password=_no_password)
        except OSError as error:
            files = " and ".join(filter(None, (settings.certificate_file, settings.key_file)))
            raise BrokerError(f"client certificate {files}: {error.strerror or error}") from error
    return context


def _no_password() -> str:
    # OpenSSL would ask the terminal for it.
    raise BrokerError("the client's key is encrypted (keyFile): expected one without a pass phrase")


class _Transport(Transport):
    """Connects by itself: the library's own way swallows why it could not."""

    def __init__(self, address: Address, context: ssl.SSLContext | None, patience_s: float) -> None:
        super().__init__(
            [(address.host, address.port)], prefer_localhost=False, try_loopback_connect=False,
            auto_decode=False, recv_bytes=RECEIVE_BYTES, vhost=address.host,
        )  # fmt: skip
        self._address = address
        self._context = context
        self._patience_s = patience_s

    def attempt_connection(self) -> None:
        """Raises `OSError`."""
        self.connection_error = False
        where = (self._address.host, self._address.port)
        plain = socket.create_connection(where, self._patience_s)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = plain if self._context is None else self._encrypted(plain, self._context)
            if self._context is None:
                self.socket.settimeout(None)
            self.current_host_and_port = where
        except BaseException:
            plain.close()
            raise

    def _encrypted(self, plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Read and written by one thread only, as OpenSSL wants it."""
        try:
            encrypted = context.wrap_socket(plain, server_hostname=self._address.host)
        except TimeoutError:
            raise TimeoutError("no TLS, for nothing answers; is that its port for stomp+ssl?") from None
        self.send_queue = PollableQueue()
        self.sel = selectors.DefaultSelector()
        self.sel.register(self.send_queue, selectors.EVENT_READ)
        self.sel.register(encrypted, selectors.EVENT_READ)
        encrypted.setblocking(False)
        self.blocking = False
        return encrypted

    def receive(self) -> bytes | None:
        """What has come; ends the loop where a TLS peer has gone, which the library takes for silence."""
        if self.blocking:
            return super().receive()
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            data = b""
        if not data:
            self.running = False
            self.set_connected(False)
        return data

    def disconnect_socket(self) -> None:
        """Wakes the thread that reads, which then closes everything: it could not be woken by closing."""
        self.running = False
        reached = self.socket
        if reached is not None:
            with contextlib.suppress(OSError):
                # Not the method of TLS sockets, which would take their key away from that thread.
                socket.socket.shutdown(reached, socket.SHUT_RDWR)

    def shutdown_queue(self) -> None:
        """Closes the selector of a TLS socket, too: it refers to itself, and would wait for the collector."""
        with self.sel:
            super().shutdown_queue()

    def read_in_thread(self, read: Callable[[], None]) -> threading.Thread:
        """Starts the thread that reads. It closes the socket, also where it was to end before it began."""

        def work() -> None:
            try:
                read()
            finally:
                if self.socket is not None:
                    self.cleanup()

        thread = threading.Thread(target=work, name="pex-stomp", daemon=True)
        thread.start()
        return thread


class StompConnection(BaseConnection, Protocol12):
    """`start` reaches the broker and sends CONNECT; what follows the listener is told, in another thread."""

    def __init__(self, address: Address, settings: BrokerSettings, listener: Any) -> None:
        self._address = address
        self._settings = settings
        context = tls_context(settings) if address.tls else None
        patience_s = min(CONNECT_S, max(0.5, settings.wait_s / 2))
        transport = _Transport(address, context, patience_s)
        transport.override_threading(transport.read_in_thread)
        BaseConnection.__init__(self, transport)
        heartbeat_ms = HEARTBEAT_S * 1000
        Protocol12.__init__(self, transport, (heartbeat_ms, heartbeat_ms))
        self.set_listener("link", listener)

    def start(self, client_id: str) -> None:
        """Raises `OSError` where it cannot be reached, `BrokerError` where a password cannot be read."""
        password = self._settings.read_password()
        for what, text in (("user", self._settings.user), ("password", password)):
            if text is not None and not text.isprintable():
                raise BrokerError(
                    f"the {what} for event broker {self._address}: expected printable characters"
                )
        self.transport.start()
        Protocol12.connect(
            self, self._settings.user, password, headers={"client-id": client_id} if client_id else {},
            with_connect_command=True,
        )  # fmt: skip

    def drop(self) -> None:
        """Closes the socket at once. Its thread and its listener learn of it."""
        self.transport.disconnect_socket()

    def forget(self) -> None:
        """Closes what this process has inherited from the one that made the connection, and uses it on."""
        if self.transport.socket is not None:
            self.transport.socket.close()

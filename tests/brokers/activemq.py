# SPDX-License-Identifier: BSD-3-Clause
"""A private ActiveMQ (Debian's package `activemq`) with STOMP connectors, plain and with TLS."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HOME = Path("/usr/share/activemq")
START_S = 120
USER, PASSWORD = "night", "k3y-of-the-n1ght"
STORE_PASSWORD = "of-the-store"

CONFIGURATION = """
<beans xmlns="http://www.springframework.org/schema/beans"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans
  http://www.springframework.org/schema/beans/spring-beans.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="tests" useJmx="false"
    dataDirectory="{folder}/data" schedulerSupport="false" advisorySupport="false">
    <plugins>
      <simpleAuthenticationPlugin>
        <users><authenticationUser username="{user}" password="{password}" groups="users"/></users>
      </simpleAuthenticationPlugin>
    </plugins>
    <persistenceAdapter>
      <kahaDB directory="{folder}/data/kahadb" journalMaxFileLength="8mb"/>
    </persistenceAdapter>
    {ssl}
    <systemUsage><systemUsage>
      <memoryUsage><memoryUsage limit="64 mb"/></memoryUsage>
      <storeUsage><storeUsage limit="1 gb"/></storeUsage>
      <tempUsage><tempUsage limit="64 mb"/></tempUsage>
    </systemUsage></systemUsage>
    <transportConnectors>{connectors}</transportConnectors>
  </broker>
</beans>
"""
LOGGING = """
log4j.rootLogger=WARN, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %-5p %m%n
"""
SSL = """<sslContext><sslContext keyStore="{folder}/broker.p12" keyStoreType="PKCS12"
  keyStorePassword="{password}"/></sslContext>"""

KEEPER = """
import os, signal, subprocess, sys

log, *command = sys.argv[1:]
broker = None
try:
    for line in sys.stdin:
        word = line.strip()
        if word == "start":
            with open(log, "ab") as out:
                broker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        elif word == "kill" and broker is not None:
            broker.kill()
            broker.wait()
        elif word in ("freeze", "thaw"):
            broker.send_signal(signal.SIGSTOP if word == "freeze" else signal.SIGCONT)
            if word == "freeze":
                # All of its threads have stopped then.
                os.waitid(os.P_PID, broker.pid, os.WSTOPPED)
        print("ended" if broker is None or broker.poll() is not None else "runs", flush=True)
finally:
    if broker is not None:
        broker.kill()
"""
"""Starts and ends the broker when told to, and ends it when the tests are gone, however they went."""


def why_not() -> str:
    """Why no broker can be started here; empty if one can."""
    if not (HOME / "bin" / "activemq.jar").exists():
        return "ActiveMQ is not installed (Debian package activemq)"
    return "" if shutil.which("java") else "there is no Java (Debian package default-jre-headless)"


class ActiveMQ:
    """A broker in a folder of its own; it keeps its ports when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user, self.password = USER, PASSWORD
        self.port, self.tls_port = free_port(), free_port()
        self.ca_file = folder / "broker.pem"
        (folder / "conf").mkdir(parents=True)
        (folder / "conf" / "log4j.properties").write_text(LOGGING)
        has_tls = self._make_certificate()
        connectors = [f'<transportConnector name="stomp" uri="stomp://127.0.0.1:{self.port}"/>']
        if has_tls:
            connectors.append(
                f'<transportConnector name="tls" uri="stomp+ssl://127.0.0.1:{self.tls_port}"/>'
            )
        ssl = SSL.format(folder=folder, password=STORE_PASSWORD) if has_tls else ""
        (folder / "conf" / "activemq.xml").write_text(
            CONFIGURATION.format(
                folder=folder, user=USER, password=PASSWORD, ssl=ssl, connectors="".join(connectors)
            )
        )
        self._keeper = self._start_keeper()

    @property
    def host(self) -> str:
        """What `eventBrokerHost` says."""
        return f"stomp://127.0.0.1:{self.port}"

    @property
    def tls_host(self) -> str:
        """The same for TLS."""
        return f"stomp+ssl://localhost:{self.tls_port}"

    def _make_certificate(self) -> bool:
        """A self-signed certificate of `localhost`, as PEM for clients and as a key store for the broker."""
        if not shutil.which("openssl"):
            return False
        key = self.folder / "broker.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
             "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-keyout", key, "-out", self.ca_file],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        subprocess.run(
            ["openssl", "pkcs12", "-export", "-inkey", key, "-in", self.ca_file, "-out",
             self.folder / "broker.p12", "-passout", f"pass:{STORE_PASSWORD}"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        return True

    def _start_keeper(self) -> subprocess.Popen:
        conf = self.folder / "conf"
        opens = ("java.lang", "java.util", "java.util.concurrent", "java.net", "java.security")
        command = [
            "java", "-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            f"-Dactivemq.home={HOME}", f"-Dactivemq.base={self.folder}", f"-Dactivemq.conf={conf}",
            f"-Dactivemq.data={self.folder}/data", f"-Dactivemq.classpath={conf}",
            "--add-reads=java.xml=java.logging",
            *(word for name in opens for word in ("--add-opens", f"java.base/{name}=ALL-UNNAMED")),
            "-jar", str(HOME / "bin" / "activemq.jar"), "start", f"xbean:file:{conf}/activemq.xml",
        ]  # fmt: skip
        # A session of its own: what is sent to the tests' group is not for it.
        return subprocess.Popen(
            [sys.executable, "-c", KEEPER, str(self.folder / "broker.log"), *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def _tell(self, word: str) -> str:
        assert self._keeper.stdin is not None and self._keeper.stdout is not None
        self._keeper.stdin.write(f"{word}\n")
        self._keeper.stdin.flush()
        return self._keeper.stdout.readline().strip()

    def start(self) -> None:
        """Starts it and waits until it listens."""
        self._tell("start")
        deadline = time.monotonic() + START_S
        while not self.listens():
            if not self.runs() or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"ActiveMQ did not start:\n{self.log()[-4000:]}")
            time.sleep(0.05)

    def runs(self) -> bool:
        """Whether its process is there."""
        return self._tell("look") == "runs"

    def listens(self) -> bool:
        """Whether its STOMP port accepts connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True

    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "broker.log").read_text(errors="replace")

    def freeze(self) -> None:
        """Stops it as a debugger would: connections stay, and nothing answers."""
        self._tell("freeze")

    def thaw(self) -> None:
        """Lets it go on."""
        self._tell("thaw")

    def kill(self) -> None:
        """Ends it by SIGKILL."""
        self._tell("kill")

    def close(self) -> None:
        """Ends it for good."""
        self._keeper.communicate()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def secrets_in(folder: Path, *secrets: str) -> list[str]:
    """The files below a folder that hold one of the texts."""
    pattern = re.compile(b"|".join(re.escape(text.encode()) for text in secrets))
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if path.is_file() and pattern.search(path.read_bytes()):
                found.append(str(path))
    return found

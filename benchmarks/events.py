# SPDX-License-Identifier: BSD-3-Clause
"""From before an event is published to after another process has it: spool, ActiveMQ, and their limits.

    python benchmarks/events.py [--rounds N] [--events N] [--broker stomp://host:port]

`spool` and `activemq` are an EventTransmitter and a durable EventReceiver that acknowledges; events are on a
disk when `publish` returns. Beside the spool stands one write and fsync of as many bytes to a file of the
same directory, with a pipe to tell the other process; beside ActiveMQ bare stomp.py with the same broker,
persistent messages with a receipt, and a durable receiver. Contenders take turns; a round runs each once, in
fresh processes, one event after the other. Milliseconds: the median of the rounds' medians, and the p99 of
all events, of the publication alone and of the whole trip; in brackets the ratio to the contender beside it,
of the same round. ActiveMQ is started for the purpose where Debian's package is installed, unless --broker
names one, and left out where it is not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "brokers"))
FILLING = "x" * 200
"""Beside the time in an event, as properties of a visit are."""
SPACING_S = 0.002


def main() -> None:
    """Runs the rounds and prints the table, or is one of the receivers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--broker", help="a running broker; login in the environment")
    parser.add_argument("--receive", nargs=3, metavar=("KIND", "HOST", "TOPIC"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.receive:
        receive(*arguments.receive, arguments.events)
        return
    with tempfile.TemporaryDirectory(dir=".") as folder, broker(arguments.broker) as host:
        report(measure(Path(folder), host, arguments.rounds, arguments.events), arguments)


@contextlib.contextmanager
def broker(given: str | None) -> Iterator[str | None]:
    """The host of a broker to measure; `None` where there is none."""
    if given is not None:
        yield given
        return
    try:
        from activemq import ActiveMQ, why_not
    except ImportError:
        reason = "the folder tests, which can start one, is not here"
    else:
        reason = why_not()
    if reason:
        print(f"activemq is left out: {reason}", file=sys.stderr)
        yield None
        return
    with tempfile.TemporaryDirectory(dir=".") as folder:
        private = ActiveMQ(Path(folder, "activemq").absolute())
        private.start()
        os.environ["PEX_HARNESS_BROKER_USER"] = private.user
        os.environ["PEX_HARNESS_BROKER_PASSWORD"] = private.password
        try:
            yield private.host
        finally:
            private.close()


def measure(folder: Path, host: str | None, rounds: int, events: int) -> dict[str, list[Any]]:
    """Per contender a list of rounds, each the times of publications and of trips, in ns."""
    contenders = ["write + fsync + pipe", "spool"]
    if host is not None:
        contenders += ["stomp.py alone", "activemq"]
    found: dict[str, list[Any]] = {name: [] for name in contenders}
    for number in range(rounds):
        turn = number % len(contenders)
        for name in contenders[turn:] + contenders[:turn]:
            where = f"spool:{folder.absolute()}/spool" if name == "spool" else str(host)
            if name.startswith("write"):
                where = str(folder.absolute() / "file")
            found[name].append(one_round(name, where, events))
    return found


def one_round(name: str, host: str, events: int) -> tuple[list[int], list[int]]:
    """The times of the publications and of the trips of one round."""
    topic = f"bench-{uuid.uuid4().hex[:8]}"
    command = [sys.executable, __file__, "--receive", name, host, topic, "--events", str(events)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as receiver:
        assert receiver.stdout is not None and receiver.stdin is not None
        assert receiver.stdout.readline() == b"ready\n", "the receiver has not started"
        send, close = SENDERS[name](host, topic, receiver.stdin.fileno())
        published = []
        for _ in range(events):
            time.sleep(SPACING_S)
            start = time.monotonic_ns()
            send(start)
            published.append(time.monotonic_ns() - start)
        trips = json.loads(receiver.stdout.readline())
        close()
    assert len(trips) == events, "events were lost"
    return published, trips


Sender = tuple[Callable[[int], object], Callable[[], object]]


def harness_sender(host: str, topic: str, pipe: int) -> Sender:
    """An EventTransmitter."""
    from lsst.ctrl.events import EventTransmitter
    from lsst.daf.base import PropertySet

    transmitter = EventTransmitter(host, topic)

    def send(start: int) -> None:
        payload = PropertySet()
        payload.setLongLong("start", start)
        payload.set("filling", FILLING)
        transmitter.publish(payload)

    return send, lambda: None


def file_sender(path: str, topic: str, pipe: int) -> Sender:
    """The disk, and a pipe."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def send(start: int) -> None:
        line = f"{start} {FILLING}\n".encode()
        os.write(file, line)
        os.fsync(file)
        os.write(pipe, line)

    return send, lambda: os.close(file)


def stomp_connection(host: str, client: str) -> tuple[Any, Any]:
    """A connection of stomp.py, and a listener with a queue of what arrives."""
    import queue

    import stomp

    class Listener(stomp.ConnectionListener):
        def __init__(self) -> None:
            self.frames: queue.Queue[Any] = queue.Queue()
            self.receipts: queue.Queue[str] = queue.Queue()

        def on_message(self, frame: Any) -> None:
            self.frames.put(frame)

        def on_receipt(self, frame: Any) -> None:
            self.receipts.put(frame.headers["receipt-id"])

    name, _, port = host.removeprefix("stomp://").rpartition(":")
    connection = stomp.Connection12([(name, int(port))], auto_decode=False)
    listener = Listener()
    connection.set_listener("bench", listener)
    login = (os.environ.get("PEX_HARNESS_BROKER_USER"), os.environ.get("PEX_HARNESS_BROKER_PASSWORD"))
    connection.connect(*login, wait=True, headers={"client-id": client} if client else {})
    return connection, listener


def stomp_sender(host: str, topic: str, pipe: int) -> Sender:
    """Bare stomp.py: persistent, with a receipt."""
    connection, listener = stomp_connection(host, "")

    def send(start: int) -> None:
        body = f"{start} {FILLING}".encode()
        connection.send(f"/topic/{topic}", body, headers={"persistent": "true", "receipt": "r"})
        listener.receipts.get()

    return send, connection.disconnect


SENDERS: dict[str, Callable[[str, str, int], Sender]] = {
    "spool": harness_sender, "activemq": harness_sender, "write + fsync + pipe": file_sender,
    "stomp.py alone": stomp_sender,
}  # fmt: skip


def receive(kind: str, host: str, topic: str, events: int) -> None:
    """The other process: says that it is ready, then prints how long each event has travelled."""
    trips = []
    if kind in ("spool", "activemq"):
        from lsst.ctrl.events import EventReceiver

        with EventReceiver(host, topic, name="bench", acknowledge="explicit") as receiver:
            print("ready", flush=True)
            for _ in range(events):
                event = receiver.receiveEvent(60_000)
                trips.append(time.monotonic_ns() - event.getCustomPropertySet().getLongLong("start"))
                receiver.acknowledge(event)
    elif kind.startswith("write"):
        print("ready", flush=True)
        for _ in range(events):
            line = sys.stdin.readline()
            trips.append(time.monotonic_ns() - int(line.split()[0]))
    else:
        connection, listener = stomp_connection(host, topic)
        connection.subscribe(
            f"/topic/{topic}", id="1", ack="client-individual",
            headers={"activemq.subscriptionName": topic, "receipt": "s"},
        )  # fmt: skip
        listener.receipts.get()
        print("ready", flush=True)
        for _ in range(events):
            frame = listener.frames.get(timeout=60)
            trips.append(time.monotonic_ns() - int(frame.body.split()[0]))
            connection.ack(frame.headers["ack"])
        connection.disconnect()
    print(json.dumps(trips), flush=True)


def p99(values: list[int]) -> float:
    """The 99th percentile."""
    return sorted(values)[max(0, round(len(values) * 0.99) - 1)]


def report(found: dict[str, list[Any]], arguments: argparse.Namespace) -> None:
    """Prints the table."""
    beside = {"spool": "write + fsync + pipe", "activemq": "stomp.py alone"}
    print(f"{arguments.rounds} rounds of {arguments.events} events, load {os.getloadavg()[0]:.1f}; ms")
    print(f"{'':22}{'publish':>10}{'p99':>9}{'':>20}{'trip':>10}{'p99':>9}")
    for name, rounds in found.items():
        line = f"{name:22}"
        for part in (0, 1):
            medians = [statistics.median(one[part]) for one in rounds]
            everything = [value for one in rounds for value in one[part]]
            line += f"{statistics.median(medians) / 1e6:10.2f}{p99(everything) / 1e6:9.2f}"
            other = found.get(beside.get(name, ""), [])
            ratios = [mine / statistics.median(one[part]) for mine, one in zip(medians, other, strict=False)]
            words = ""
            if ratios:
                words = f"({statistics.median(ratios):.1f}x, {min(ratios):.1f}-{max(ratios):.1f})"
            line += f"{words:>20}"
        print(line.rstrip())


if __name__ == "__main__":
    main()

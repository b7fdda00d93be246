# SPDX-License-Identifier: BSD-3-Clause
"""The options that name a spool or a message broker, for the commands that publish and listen."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.cli.output import complain
from harness.events.hosts import SCHEME, VARIABLE, is_embedded


def add_spool_options(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--run-dir", metavar="DIR", help="the run directory of the run whose spool or broker is meant"
    )
    where.add_argument(
        "--spool", metavar="DIR", help=f"the spool's directory (default: the environment variable {VARIABLE})"
    )
    where.add_argument(
        "--broker", metavar="HOST",
        help="a message broker: stomp://host:port, stomp+ssl://host:port or a host name; login and"
        " certificates come from environment variables PEX_HARNESS_BROKER_USER, _PASSWORD, _PASSWORD_FILE,"
        " _CA_FILE",
    )  # fmt: skip


def spool_host(arguments: argparse.Namespace) -> str | None:
    """The host that the options name; `None` leaves it to the environment. Raises `RuntimeError`."""
    if arguments.broker is not None:
        return str(arguments.broker)
    if arguments.run_dir is not None:
        return _host_of_run(Path(arguments.run_dir))
    return f"{SCHEME}{arguments.spool}" if arguments.spool is not None else None


def _host_of_run(run_dir: Path) -> str:
    """The host of the directory's last run, as its ledger says; before that there is only the spool in it.

    Raises `SpoolError` where there is no such directory: nobody would look there.
    """
    from harness.events.errors import SpoolError
    from harness.ledger.reading import read_policy
    from harness.runtime.halves.run_events import SPOOL_NAME

    if not run_dir.is_dir():
        seen = "something else" if run_dir.exists() else "nothing"
        raise SpoolError(
            f"--run-dir {run_dir}: expected the directory of a run, saw {seen} at {run_dir.absolute()};"
            f" look at the name, start the run first, or make the directory for a run to come:"
            f" mkdir -p {run_dir}"
        )
    known = read_policy(run_dir)
    policy, file = known if known is not None else ({}, run_dir)
    host = str(policy.get("eventBrokerHost", "")).strip()
    if host in ("", "None"):
        return f"{SCHEME}{run_dir / SPOOL_NAME}"
    if not is_embedded(host):
        _configure(host, policy.get("eventBroker", {}), file.parent)
    return host


def _configure(host: str, block: dict[str, Any], directory: Path) -> None:
    """Reaches the broker as the run did; a password of its policy was not kept, and is the environment's."""
    from harness.events.stomp_broker.address import parse_address
    from harness.events.stomp_broker.settings import BrokerSettings, configure

    files: dict[str, Any] = {
        name: str(directory / block[key])
        for name, key in (
            ("password_file", "passwordFile"), ("ca_file", "caFile"), ("certificate_file", "certificateFile"),
            ("key_file", "keyFile"),
        ) if key in block
    }  # fmt: skip
    configure(parse_address(host), BrokerSettings(user=block.get("user"), **files))


def exit_code_of(command: str, work: Callable[[], None]) -> int:
    """Does the work of a command: 0; 2 and a message for what cannot be used; 130 after Ctrl-C."""
    from harness.errors import HarnessError
    from harness.exceptions import Exception as LsstException

    try:
        work()
    except (LsstException, HarnessError, OSError) as error:
        complain(command, str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0

# SPDX-License-Identifier: BSD-3-Clause
"""What a pipeline policy says of its events: how a broker is reached, and what a spool may keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.events.errors import BrokerError
from harness.events.hosts import configure_spool, is_embedded, spool_directory
from harness.events.stomp_broker.address import parse_address
from harness.runtime.configuration.sizes import size_of

if TYPE_CHECKING:
    from harness.events.stomp_broker.settings import BrokerSettings
    from harness.policy import Policy
    from harness.policy.problems import Problem

__all__ = ["EventSettings", "host_problem", "read_event_settings", "redacted", "without_secrets"]

FILES = {"password_file": "passwordFile", "ca_file": "caFile", "certificate_file": "certificateFile",
         "key_file": "keyFile"}  # fmt: skip
BLOCK = "eventBroker"
SHOWN = {*FILES.values(), "user", "wait", "name"}
"""What of the block may be kept and shown: a password may stand under a key that is misspelt, too."""
NOT_SHOWN = "(not shown)"
SECONDS_PER_DAY = 86400.0


class EventSettings(NamedTuple):
    """What is absent is `None`; `name` is that of receivers: by default run id and pipeline name."""

    broker: BrokerSettings | None = None
    name: str | None = None
    spool_bytes: int | None = None
    spool_days: float | None = None
    log_events: bool = False

    def apply(self, host: str | None) -> None:
        """Tells this process, its forks, and users of the spool. Raises `SpoolError`, `BrokerError`."""
        self.use_broker(host)
        if is_embedded(host) and (self.spool_bytes is not None or self.spool_days is not None):
            keep_s = None if self.spool_days is None else self.spool_days * SECONDS_PER_DAY
            configure_spool(spool_directory(host), max_bytes=self.spool_bytes, keep_s=keep_s)

    def use_broker(self, host: str | None) -> None:
        """Tells this process, and its forks, how a message broker is reached. Raises `BrokerError`."""
        if not is_embedded(host):
            # As below: most runs have no message broker.
            from harness.events.stomp_broker.settings import BrokerSettings, configure

            configure(parse_address(host or ""), self.broker or BrokerSettings())


def read_event_settings(policy: Policy, host: str | None, directory: Path) -> EventSettings:
    """The settings of a policy that was found to be right; `directory` is that of its file."""
    return EventSettings(
        broker=_broker_settings(policy.getPolicy("eventBroker"), directory)
        if policy.exists("eventBroker") else None,
        name=policy.getString("eventBroker.name") if policy.exists("eventBroker.name") else None,
        spool_bytes=size_of(policy, "eventSpoolSize"),
        spool_days=policy.getDouble("eventSpoolDays") if policy.exists("eventSpoolDays") else None,
        log_events=policy.getBool("logEvents") if policy.exists("logEvents") else not is_embedded(host),
    )  # fmt: skip


def _broker_settings(policy: Policy, directory: Path) -> BrokerSettings:
    from harness.events.stomp_broker.settings import BrokerSettings

    files = {
        name: str((directory / policy.getString(key)).absolute())
        for name, key in FILES.items() if policy.exists(key)
    }  # fmt: skip
    return BrokerSettings(
        user=policy.getString("user") if policy.exists("user") else None,
        password=_password(policy) if policy.exists("password") else None,
        wait_s=policy.getDouble("wait") if policy.exists("wait") else BrokerSettings.wait_s,
        **files,
    )


def _password(policy: Policy) -> str:
    # Of any type: an error of type would show it.
    return policy.getString("password") if policy.isString("password") else policy.str("password")


def redacted(policy: Policy) -> Policy:
    """The policy, or a copy of it that does not show its password."""
    from harness.policy import Policy as PolicyClass

    if not policy.isPolicy(BLOCK):
        return policy
    secret = [key for key in policy.getPolicy(BLOCK).names(True) if key not in SHOWN]
    if not secret:
        return policy
    copy = PolicyClass(policy, True)
    for key in secret:
        copy.set(f"{BLOCK}.{key}", NOT_SHOWN)
    return copy


def without_secrets(problem: Problem, prefix: str) -> Problem:
    """The problem, without the text of a line that may hold a login."""
    path = problem.breadcrumb.removeprefix(prefix)
    if path.startswith(f"{BLOCK}.") or (path == "eventBrokerHost" and "@" in problem.source_line):
        return problem.changed(source_line="", seen="" if path != f"{BLOCK}.wait" else problem.seen)
    return problem


def host_problem(host: str) -> str:
    """What is wrong with a host that names a message broker; empty if nothing is."""
    if is_embedded(host):
        return ""
    try:
        parse_address(host)
    except BrokerError as error:
        return str(error)
    return ""

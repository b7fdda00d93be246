# SPDX-License-Identifier: BSD-3-Clause
"""What a connection needs beside an address: login, certificates, patience. Of a policy or environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.events.errors import BrokerError
from harness.events.stomp_broker.address import Address

__all__ = ["BrokerSettings", "configure", "settings_for"]

PREFIX = "PEX_HARNESS_BROKER_"
VARIABLES = {
    "user": "USER", "password": "PASSWORD", "password_file": "PASSWORD_FILE", "ca_file": "CA_FILE",
    "certificate_file": "CERTIFICATE_FILE", "key_file": "KEY_FILE",
}  # fmt: skip
MOST_PASSWORD_BYTES = 4096


@dataclass(frozen=True)
class BrokerSettings:
    """`wait_s`: how long to wait for a broker that cannot be reached, at the start and when something is
    sent.

    Files are paths: `ca_file` has the certificates that may have signed the broker's (absent: those that the
    system trusts), `certificate_file` and `key_file` are this client's own. The password is shown nowhere.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    wait_s: float = 60.0

    def over_environment(self, environment: Mapping[str, str] = os.environ) -> BrokerSettings:
        """These settings; what they lack is taken from variables `PEX_HARNESS_BROKER_...`.

        Raises `BrokerError` for a variable that holds no number where one is expected.
        """
        found: dict[str, Any] = {
            name: environment[PREFIX + variable]
            for name, variable in VARIABLES.items()
            if getattr(self, name) is None and environment.get(PREFIX + variable)
        }
        if self.password is not None or self.password_file is not None:
            # A file in the environment does not belong to a password of the policy, nor the other way round.
            found.pop("password", None)
            found.pop("password_file", None)
        filled = replace(self, **found)
        text = environment.get(f"{PREFIX}WAIT", "")
        return replace(filled, wait_s=_seconds(text)) if text and self.wait_s == type(self).wait_s else filled

    def read_password(self) -> str | None:
        """The password; read anew for each connection where a file holds it. Raises `BrokerError`."""
        if self.password is not None or self.password_file is None:
            return self.password
        path = Path(self.password_file)
        try:
            with path.open(encoding="utf-8") as stream:
                return stream.read(MOST_PASSWORD_BYTES).partition("\n")[0].rstrip("\r")
        except OSError as error:
            raise BrokerError(f"password file {path} of the event broker: {error.strerror}") from error
        except UnicodeDecodeError:
            raise BrokerError(f"password file {path} of the event broker: expected UTF-8 text") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise BrokerError(f"environment variable {PREFIX}WAIT: expected 0 or more seconds, saw {text!r}")
    return seconds


_configured: dict[Address, BrokerSettings] = {}


def configure(address: Address, settings: BrokerSettings) -> None:
    """Says how this process, and those that it forks, connect to a broker; for no other broker."""
    _configured[address] = settings


def settings_for(address: Address) -> BrokerSettings:
    """What was configured for a broker, or what the environment says. Raises `BrokerError`."""
    return _configured.get(address, BrokerSettings()).over_environment()

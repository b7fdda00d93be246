# SPDX-License-Identifier: BSD-3-Clause
"""The process-wide root log."""

from harness._steps import process_state
from harness.log.log import Log

__all__ = ["get_default_log", "set_default_log"]

def get_default_log() -> Log:
    """The root of this process, made as a ScreenLog at INFO when first asked for."""
    root: Log | None = process_state.log
    if root is None:
        # ScreenLog is a Log, and Log must not need its own subclass to be imported.
        from harness.log.screen import ScreenLog

        root = process_state.log = ScreenLog()
    return root


def set_default_log(log: Log | None) -> None:
    """Make another log the root of this process; None forgets the present one.

    Logs made from the previous one keep working with its destinations.
    """
    process_state.log = log

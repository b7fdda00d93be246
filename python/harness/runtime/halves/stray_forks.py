# SPDX-License-Identifier: BSD-3-Clause
"""Processes that stage code forked and that come back to the harness: they must not act for their parent."""

from __future__ import annotations

import os
import sys

EXIT_STRAY_FORK = 83


def end_if_stray(owner: int) -> None:
    """Ends this process with `EXIT_STRAY_FORK` if it is not process `owner`.

    Called as soon as stage code has returned or raised: what follows logs, publishes and arrives.
    """
    if os.getpid() == owner:
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(EXIT_STRAY_FORK)

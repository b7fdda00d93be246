# SPDX-License-Identifier: BSD-3-Clause
"""The shutdown listener: threads of the master, one per source, that hand shutdown levels on to the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from harness.errors import HarnessError

Request = Callable[[int, str], str]
"""Takes a shutdown level and who asks for it; returns what follows, in words. ValueError for other levels."""

END_TIMEOUT_S = 2.0


class LevelSource(Protocol):
    """Where shutdown levels come from: the command's channel, a topic of events."""

    def listen(self, request: Request) -> None:
        """Calls `request` for every level that comes, until `close`. Blocks; runs in a thread of its own."""

    def close(self) -> None:
        """Ends `listen` soon. Called from another thread."""


class ShutdownListener:
    """Listens to sources from `start` to `close`, which may be called twice."""

    def __init__(self, request: Request, tell: Callable[[str], None]) -> None:
        self._request = request
        self._tell = tell
        self._running: list[tuple[LevelSource, threading.Thread]] = []

    def start(self, sources: Iterable[LevelSource]) -> None:
        """A thread for each source. The process does not wait for them at its end.

        Raises:
            HarnessError: the machine has no thread left for it.
        """
        for source in sources:
            thread = threading.Thread(target=self._listen, args=(source,), name="pex-shutdown", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                source.close()
                raise HarnessError(
                    f"listening for shutdown requests: {error}; look at the limits on processes and memory"
                ) from error
            self._running.append((source, thread))

    def _listen(self, source: LevelSource) -> None:
        try:
            source.listen(self._request)
        except Exception as error:
            self._tell(f"no longer listening for shutdown requests: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Ends every thread; one that does not answer is left behind after a while."""
        for source, _thread in self._running:
            source.close()
        for _source, thread in self._running:
            thread.join(END_TIMEOUT_S)
        self._running.clear()

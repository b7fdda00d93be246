# SPDX-License-Identifier: BSD-3-Clause
"""Files that appear in a directory, as events: one for every file that is complete and whose name fits.

A file is complete when the program that wrote it has closed it, or when it was moved here. The kernel tells
of both; where it cannot (network file systems, which other machines write), a file is complete when it has
not changed for a while. Every event has an identity made of path, size and time of birth, so that whoever
looks again, after a crash or because notices were lost, publishes the same ones.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import harness.exceptions as pex
from harness.events.errors import EventFormatError
from harness.events.event import Event
from harness.events.file_states import FileState, Unusable, Writers, look_at
from harness.events.watched_tree import Found, WatchedTree
from harness.events.wire import encode
from harness.ledger.mounts import is_network_path
from harness.name_patterns import PatternError, patterns_in_braces
from harness.properties import PropertySet

if TYPE_CHECKING:
    from harness.log import Log

__all__ = ["FolderWatch", "WatchSettings"]

POLL_S = 2.0
"""How often a network file system is looked through, and how long a file must not have changed there."""
RETRY_S = 2.0
"""After what time a file that somebody writes is looked at again, or a failed publication repeated."""
BATCH = 500
"""So many events are published at once: they are stored all or none."""
RESERVED = ("path", "size", *Event.KEYWORDS)
"""Properties that an event has anyhow."""


@dataclass(frozen=True)
class WatchSettings:
    """What is watched, and when a file counts as complete.

    Attributes:
        folder: the directory.
        pattern: of the files, such as ``raw-{visit:d}-{ccd}.fits`` (see `harness.name_patterns`); with ``/``
            in it, of files in directories below.
        settle_s: seconds for which a file must not have changed; None: 0, or 2 where there are no notices.
        poll_s: seconds between two looks at everything, instead of notices of the kernel; None: notices,
            except on network file systems.
    """

    folder: Path
    pattern: str
    settle_s: float | None = None
    poll_s: float | None = None


@dataclass
class _Candidate:
    """A file that may be complete: when to look at it (monotonic), and what it was like the last time."""

    found: Found
    due: float
    state: FileState | None = None
    since: float = 0.0


class FolderWatch:
    """Watches a directory and publishes. Used by one thread, but for `quiet_since`.

    Args:
        settings: what is watched.
        publish: gets events in order; returns when they are stored. When it raises a RuntimeError of the
            harness, as for a full spool, the events are published later.
        log: where is told what cannot be published.
        known: identities of events that need not be published.

    Raises:
        EventFormatError: the pattern cannot be understood.
        harness.exceptions.RuntimeError: the directory cannot be watched.
    """

    def __init__(
        self,
        settings: WatchSettings,
        publish: Callable[[list[Event]], None],
        log: Log,
        known: Container[str] = (),
    ) -> None:
        self._publish = publish
        self._known = known
        self._log = log
        self._root = os.path.abspath(settings.folder)
        try:
            levels = patterns_in_braces(settings.pattern)
        except PatternError as error:
            raise EventFormatError(str(error)) from None
        for name in RESERVED:
            if any(name in level.fields for level in levels):
                raise EventFormatError(
                    f"pattern {settings.pattern!r}: {name!r} is a property that every event may have; call"
                    " the field otherwise"
                )
        self._poll_s = settings.poll_s
        if self._poll_s is None and is_network_path(Path(self._root)):
            self._poll_s = POLL_S
            log.info(f"{self._root} is on a network file system: it is looked at every {POLL_S:g} s")
        self._settle_s = settings.settle_s
        self._candidates: dict[str, _Candidate] = {}
        self._published: dict[str, FileState] = {}
        self._unusable: dict[str, str] = {}
        self._next_scan = 0.0
        self._is_lost = False
        self._is_held_up = False
        self._last_publication = time.monotonic()
        self.count = 0
        """How many events were published."""
        try:
            self._tree = WatchedTree(self._root, levels, watches=self._poll_s is None)
            self._scan()
        except OSError as error:
            self.close()
            raise pex.RuntimeError(f"watching {self._root}: {error.strerror or error}") from error

    @property
    def quiet_since(self) -> float | None:
        """Since when (monotonic) nothing was published; None: something is about to be."""
        return None if self._candidates or self._is_lost else self._last_publication

    def is_idle(self, limit_s: float | None) -> bool:
        """Whether nothing has come for so many seconds, and nothing is about to; never for None."""
        since = self.quiet_since
        return limit_s is not None and since is not None and time.monotonic() - since >= limit_s

    def close(self) -> None:
        """Ends watching."""
        if hasattr(self, "_tree"):
            self._tree.close()

    def serve(self, quit_descriptor: int, until: Callable[[], bool] = lambda: False) -> None:
        """Watches until `quit_descriptor` is readable, or `until()`, asked at least every second, is true."""
        poller = select.poll()
        poller.register(quit_descriptor, select.POLLIN)
        if self._tree.fileno() >= 0:
            poller.register(self._tree.fileno(), select.POLLIN)
        while True:
            self._look()
            if until():
                return
            for descriptor, _ in poller.poll(self._pause_ms()):
                if descriptor == quit_descriptor:
                    return

    def _pause_ms(self) -> int:
        now = time.monotonic()
        due = [one.due for one in self._candidates.values()]
        if self._poll_s is not None or self._is_lost:
            due.append(self._next_scan)
        # Rounded up: a poll of 0 ms until the last millisecond is over would be busy.
        return max(0, min(1000, *(int((when - now) * 1000) + 1 for when in due), 1000))

    def _look(self) -> None:
        """Takes up what has happened, and publishes what is complete."""
        if self._tree.fileno() >= 0 and not self._is_lost:
            changes = self._tree.changes()
            if changes is None:
                self._log.info(f"notices of {self._root} were lost: all of it is looked at again")
                self._is_lost, self._next_scan = True, 0.0
            else:
                for found in changes:
                    self._take_up(found)
        if (self._is_lost or self._poll_s is not None) and time.monotonic() >= self._next_scan:
            self._scan_again()
        self._tell_complaints()
        self._publish_complete()

    def _scan_again(self) -> None:
        try:
            self._scan()
            if self._is_lost:
                self._log.info(f"{self._root} was looked through")
            self._is_lost = False
        except OSError as error:
            if not self._is_lost or self._next_scan == 0.0:
                why = error.strerror or error
                self._log.warn(f"{self._root} cannot be watched: {why}; waiting until it can")
            self._is_lost = True
            self._next_scan = time.monotonic() + 1.0

    def _scan(self) -> None:
        for found in self._tree.scan():
            self._take_up(found)
        self._next_scan = time.monotonic() + (self._poll_s or 0.0)

    def _tell_complaints(self) -> None:
        for complaint in self._tree.complaints:
            self._log.warn(complaint)
        self._tree.complaints.clear()

    def _take_up(self, found: Found) -> None:
        if found.attributes_only and found.path not in self._unusable:
            return
        known = self._candidates.get(found.path)
        if known is None and not found.is_closed and self._is_published(found.path):
            return
        if known is None:
            self._candidates[found.path] = _Candidate(found, time.monotonic())
        elif found.is_closed:
            known.found, known.due = found, time.monotonic()

    def _is_published(self, path: str) -> bool:
        """Whether a file is as it was when it was published; saves opening all that a scan finds."""
        state = self._published.get(path)
        try:
            facts = os.stat(path)
        except OSError:
            return False
        return state is not None and (state.size, state.mtime_ns) == (facts.st_size, facts.st_mtime_ns)

    def _publish_complete(self) -> None:
        now = time.monotonic()
        ready = []
        for path, candidate in list(self._candidates.items()):
            if candidate.due > now:
                continue
            state = self._complete_state(path, candidate, now)
            if state is not None:
                ready.append((state, candidate))
        # The oldest first; of one moment, by name.
        ready.sort(key=lambda pair: (pair[0].mtime_ns, pair[1].found.path))
        made = [(self._event(state, candidate.found), state, candidate) for state, candidate in ready]
        waiting = [(event, state, candidate) for event, state, candidate in made if event is not None]
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            try:
                self._publish([event for event, _, _ in batch])
            except pex.RuntimeError as error:
                if not self._is_held_up:
                    self._log.warn(f"{len(waiting) - start} files wait to be published: {error}")
                self._is_held_up = True
                for _, _, candidate in waiting[start:]:
                    candidate.due = now + RETRY_S
                return
            self._is_held_up = False
            self._last_publication = time.monotonic()
            self.count += len(batch)
            for _, state, candidate in batch:
                self._published[candidate.found.path] = state
                self._forget(candidate.found.path)

    def _complete_state(self, path: str, candidate: _Candidate, now: float) -> FileState | None:
        """The state of a candidate that is complete. Others wait on, or are told of and forgotten."""
        try:
            state, writers = look_at(path)
        except FileNotFoundError:
            self._log.info(f"file {path} has vanished before it could be published")
            self._forget(path)
            return None
        except Unusable as error:
            if self._unusable.get(path) != str(error):
                self._log.warn(f"file {path} is not published: {error}")
            self._forget(path)
            self._unusable[path] = str(error)
            return None
        self._unusable.pop(path, None)
        before = self._published.get(path)
        if before is not None and before.identity == state.identity:
            if candidate.found.is_closed and before.mtime_ns != state.mtime_ns and writers != Writers.SOME:
                self._log.warn(
                    f"file {path} was written again in its place, and is not published again: a new file has"
                    " a name or at least a size of its own, or is moved here"
                )
            self._published[path] = state
            self._forget(path)
            return None
        if state.ident(path) in self._known:
            self._published[path] = state
            self._forget(path)
            return None
        wait_s = self._settle_s if self._settle_s is not None else self._doubt_s(candidate.found, writers)
        if writers == Writers.SOME:
            wait_s = max(wait_s, RETRY_S)
        elif not wait_s or (candidate.state == state and now - candidate.since >= wait_s):
            return state
        if candidate.state != state:
            candidate.state, candidate.since = state, now
        candidate.due = max(candidate.since + wait_s, now + min(wait_s, 0.05))
        return None

    def _doubt_s(self, found: Found, writers: str) -> float:
        """How long a file must not have changed where nobody has said that it may not."""
        if self._poll_s is not None:
            return self._poll_s
        return 0.0 if found.is_closed or writers == Writers.NONE else RETRY_S

    def _forget(self, path: str) -> None:
        self._candidates.pop(path, None)

    def _event(self, state: FileState, found: Found) -> Event | None:
        """The event of a file; None, with a message, if its name gives what no property can hold."""
        payload = PropertySet()
        try:
            payload.set("path", found.path)
            # Sizes are 64 bit numbers whatever they are.
            payload.setLongLong("size", state.size)
            for name, value in found.properties.items():
                payload.set(name, value)
            # What cannot travel is told here: it must not hold up the others.
            encode(payload)
            event = Event(payload)
        except (TypeError, OverflowError, pex.Exception) as error:
            self._log.warn(f"file {found.path!a} is not published: {error}")
            self._published[found.path] = state
            self._forget(found.path)
            return None
        event.fix_ident(state.ident(found.path))
        return event

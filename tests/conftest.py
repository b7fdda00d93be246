# SPDX-License-Identifier: BSD-3-Clause
"""Every test leaves the machine as it found it: without new shared memory, child processes or open files.

The watchdog is pytest's faulthandler_timeout (pyproject.toml): it prints all stacks and ends the session.
"""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

GRACE_S = 2.0
"""How long what is about to vanish may take: a process just killed, a segment of a test beside this one."""

SEGMENT_NAMES = ("pex-", "psm_", "sem.")
"""How the core and Python name shared memory. Other programs keep files of their own in /dev/shm."""

BEFORE = pytest.StashKey["Holdings"]()
FAILED = pytest.StashKey[bool]()


@dataclass(frozen=True)
class Holdings:
    """What this process holds: its user's shared memory by name, children, and open files."""

    segments: Counter[str]
    children: Counter[str]
    files: Counter[str]

    @classmethod
    def now(cls) -> Holdings:
        """Reads them from the kernel."""
        return cls(Counter(_segments()), Counter(_children()), Counter(_open_files()))

    def beyond(self, before: Holdings) -> list[str]:
        """One line for everything held now and not before."""
        return [
            f"{kind}: {entry}"
            for kind in ("segments", "children", "files")
            for entry in (getattr(self, kind) - getattr(before, kind)).elements()
        ]


def _segments() -> Iterator[str]:
    for path in Path("/dev/shm").iterdir():
        try:
            if path.name.startswith(SEGMENT_NAMES) and path.lstat().st_uid == os.geteuid():
                yield str(path)
        except FileNotFoundError:
            continue


def _children() -> Iterator[str]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(") ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid():
            yield f"{name}) in state {state}"


def _open_files() -> Iterator[str]:
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
        except FileNotFoundError:
            continue
        if target != f"/proc/{os.getpid()}/fd":
            yield f"{link.name} -> {target}"


@pytest.fixture(autouse=True)
def _holdings_before(request: pytest.FixtureRequest) -> None:
    request.node.stash[BEFORE] = Holdings.now()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Notes that the test failed: what its traceback keeps alive is no leak."""
    try:
        yield
    except BaseException:
        item.stash[FAILED] = True
        raise


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fails the test when something is left after its last fixture and its last reference are gone.

    Last, hence within pytest's capture of the output: its files are then the same as before the test.
    """
    yield
    before = item.stash.get(BEFORE, None)
    if before is None or FAILED in item.stash:
        return
    item.funcargs.clear()
    leaked = Holdings.now().beyond(before)
    if leaked:
        gc.collect()
    deadline = time.monotonic() + GRACE_S
    while leaked and time.monotonic() < deadline:
        time.sleep(0.02)
        leaked = Holdings.now().beyond(before)
    if leaked:
        pytest.fail("the test left behind\n  " + "\n  ".join(leaked), pytrace=False)

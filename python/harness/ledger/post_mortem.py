# SPDX-License-Identifier: BSD-3-Clause
"""Post-mortems: what there is to know about a stage that raised or a process that died, as a JSON file.

Writing one never raises: a failure must not cost more than the failed stage does.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.whole_files import write_atomically

if TYPE_CHECKING:
    from harness.clipboard import Clipboard

FOLDER = "postmortem"
LOG_LINES = 60
LOG_BYTES = 32 * 1024
MOST_FILES = 1000
"""Per process and run: a stage that fails in every visit must not fill the disk."""


class PostMortem(NamedTuple):
    """The contents of a post-mortem.

    Attributes: `cause` is `raised` or `died`; `kind` the exception's class or the signal; `stage` its number
    (from 1, 0 between stages); `traceback` the exception's, or the stacks of a process that a fatal signal
    or its lateness ended; `clipboard` describes each key by type, shape, dtype and bytes, and is `None` where
    the clipboard died with its process: `received` describes what had come to it, with the stage;
    `inputs` is the file for `pex-harness replay`, if any.
    """

    cause: str
    kind: str
    message: str
    visit: int
    rank: int
    stage: int
    stage_name: str
    method: str
    traceback: str
    policy: str | None
    clipboard: list[dict[str, Any]] | None
    inputs: str | None
    pid: int
    host: str
    at: float
    received: list[dict[str, Any]] | None = None

    @classmethod
    def of_now(cls, **parts: Any) -> PostMortem:
        """One of this moment, machine and, unless `pid` says another, process."""
        return cls(**{"pid": os.getpid(), "host": os.uname().nodename, "at": time.time(), **parts})


class PostMortems:
    """Where post-mortems go: `postmortem` in the run directory. Made in the master, inherited by forks.

    Attributes: `settle`, which the master calls before it reads a log file: it writes out what is on its way.
    """

    def __init__(self, run_dir: Path, log_dir: Path) -> None:
        self.settle: Callable[[], None] | None = None
        self._master = os.getpid()
        self._folder = run_dir.absolute() / FOLDER
        self._logs = log_dir.absolute()
        self._written = 0

    def file(self, visit: int, rank: int) -> Path:
        """The file for a visit of a slice (rank from 0) or of the master (rank -1)."""
        return self._folder / f"{name_of(visit, rank)}.json"

    def inputs_file(self, visit: int, rank: int) -> Path:
        """The file for what a slice had received in a visit."""
        return self._folder / f"{name_of(visit, rank)}.inputs.pickle"

    def write(self, what: PostMortem) -> str:
        """Writes a post-mortem. Returns why it was not written; empty if it was."""
        if self._written >= MOST_FILES:
            return f"{MOST_FILES} post-mortems have been written by this process, and no more are"
        try:
            document = what._asdict()
            document["log"] = self._last_records(what.rank)
            text = json.dumps(document, indent=1, default=repr) + "\n"
            write_atomically(self.file(what.visit, what.rank), text.encode("utf-8", "backslashreplace"))
        except Exception as error:
            return f"the post-mortem could not be written: {type(error).__name__}: {error}"
        self._written += 1
        return ""

    def complete_log(self, visit: int, rank: int) -> str:
        """Puts the rank's last log lines as of now into its post-mortem, which a worker may have written.

        Returns why it could not; empty if it did.
        """
        path = self.file(visit, rank)
        document = read_post_mortem(path)
        if not document:
            return ""
        try:
            text = json.dumps({**document, "log": self._last_records(rank)}, indent=1) + "\n"
            write_atomically(path, text.encode("utf-8", "backslashreplace"))
        except Exception as error:
            return f"the post-mortem {path} lacks the last log records: {type(error).__name__}: {error}"
        return ""

    def _last_records(self, rank: int) -> list[str]:
        """The last lines of the rank's log file; a line that says why there are none."""
        path = self._logs / ("Pipeline.log" if rank < 0 else f"Slice{rank}.log")
        if self.settle is not None and os.getpid() == self._master:
            self.settle()
        try:
            with path.open("rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - LOG_BYTES))
                tail = stream.read(LOG_BYTES)
        except OSError as error:
            return [f"{path}: {error.strerror}"]
        return tail.decode("utf-8", "replace").splitlines()[-LOG_LINES:]


def name_of(visit: int, rank: int) -> str:
    """`visit-3-slice-1`, or `visit-3-master`."""
    return f"visit-{visit}-master" if rank < 0 else f"visit-{visit}-slice-{rank}"


def read_post_mortem(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """The contents of a post-mortem; empty where the file is missing or damaged."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def describe_clipboard(clipboard: Clipboard | None) -> list[dict[str, Any]] | None:
    """Key, type, and for arrays shape, dtype and bytes of every item; `None` for no clipboard."""
    if clipboard is None:
        return None
    return [_describe(key, partial(clipboard.get, key)) for key in clipboard.getKeys()]


def describe_item(key: str, value: Any) -> dict[str, Any]:
    """The same of one item."""
    return _describe(key, lambda: value)


def _describe(key: Any, get: Callable[[], Any]) -> dict[str, Any]:
    return {"key": str(key), **_facts(get)}


def _facts(get: Callable[[], Any]) -> dict[str, Any]:
    try:
        value = get()
        kind = type(value)
        facts: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}"}
        for name in ("shape", "dtype", "nbytes"):
            fact = getattr(value, name, None)
            if fact is not None and not callable(fact):
                plain = isinstance(fact, (int, tuple))
                facts[name] = fact if plain else str(fact)
        if isinstance(value, (str, int, float, bool)) or value is None:
            facts["value"] = repr(value)[:200]
        return facts
    except Exception as error:
        return {"type": f"unknown: {type(error).__name__}: {error}"}

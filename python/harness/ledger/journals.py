# SPDX-License-Identifier: BSD-3-Clause
"""The journals of outputs that the processes of a run append to, as the master reads them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from harness.errors import LedgerError
from harness.ledger.writer import Output

JOURNALS = "ledger.outputs"
MASTER = "master"


def journal_path(directory: Path, process: str | int) -> Path:
    """The journal of a process of the run in `directory`: a worker's number, or `MASTER`."""
    name = process if isinstance(process, str) else f"worker-{process}"
    return directory / JOURNALS / f"{name}.jsonl"


def require_place(directory: Path) -> None:
    """Raises `LedgerError` where processes of a run in `directory` could not write their journals."""
    folder = directory / JOURNALS
    if not folder.exists():
        return
    where = f"outputs are recorded in {folder}: expected a directory"
    if not folder.is_dir():
        raise LedgerError(f"{where}, saw a file; move it away, or choose another run directory")
    if not os.access(folder, os.W_OK | os.X_OK):
        mode = stat.filemode(folder.stat().st_mode)
        raise LedgerError(
            f"{where} that this user may write to, saw mode {mode}; change that, or choose"
            " another run directory"
        )


class Journals:
    """All journals of one run, read on from where the last reading ended."""

    def __init__(self, directory: Path, workers: int) -> None:
        """Removes what earlier runs have left: what was recorded is in the ledger. Raises `OSError`."""
        self._paths = [journal_path(directory, MASTER)]
        self._paths += [journal_path(directory, worker) for worker in range(workers)]
        folder = directory / JOURNALS
        if folder.is_dir():
            for old in folder.glob("*.jsonl"):
                old.unlink()
        self._read: dict[Path, int] = {}
        self.complaints: list[str] = []
        """What could not be read, since the caller emptied the list."""

    def new_outputs(self) -> list[Output]:
        """The outputs recorded since the last call, per process in order. Whole lines only."""
        found = []
        for path in self._paths:
            try:
                size = path.stat().st_size
            except OSError:
                continue
            if size > self._read.get(path, 0):
                found += self._read_on(path)
        return found

    def _read_on(self, path: Path) -> list[Output]:
        with path.open("rb") as stream:
            start = self._read.get(path, 0)
            stream.seek(start)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read[path] = start + len(whole)
        return [output for line in whole.split(b"\n") if line and (output := self._parsed(path, line))]

    def _parsed(self, path: Path, line: bytes) -> Output | None:
        try:
            entry = json.loads(line)
            return Output(
                entry["visit"], entry["rank"], entry["stage"], entry["path"], entry["bytes"], entry["sha256"]
            )
        except (ValueError, KeyError, TypeError) as error:
            # A process was killed, or its disk was full, while it wrote: the file counts as not written.
            text = f"{path}: a line that is no output is passed over ({error}): {line!r:.100}"
            self.complaints.append(text)
            return None

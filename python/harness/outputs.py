# SPDX-License-Identifier: BSD-3-Clause
"""What stages have written to files, told to the run's ledger: one line per file in an append-only journal.

The line is written by the process that wrote the file, after the file has its final name and before the step
ends, so that whoever sees the step's end finds the line. A process killed between the two leaves a file that
nobody vouches for: the visit is not complete, and whoever runs it again writes the file again.
"""

from __future__ import annotations

import os

from harness import current
from harness.exceptions import IoError

__all__ = ["Journal", "output_sha256", "record_output", "use_journal"]

BLOCK_BYTES = 1 << 20


class Journal:
    """An append-only file of outputs; several processes may append to the same one."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Nothing is opened before the first output."""
        self._path = os.fspath(path)
        self._descriptor = -1

    def append(self, entry: dict[str, object]) -> None:
        """Appends one line with one call. Raises `harness.exceptions.IoError`."""
        # The line feed in front ends what a process that was killed, or a full disk, has left of a line.
        # Here, and not above: whoever imports harness imports this module, and few of them write files.
        import json

        data = b"\n" + json.dumps(entry).encode() + b"\n"
        try:
            if self._descriptor < 0:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o666)
            written = os.write(self._descriptor, data)
        except OSError as error:
            raise IoError(
                f"recording output {entry['path']} in {self._path}: {error.strerror}; the file itself is"
                " written. Free some space, or choose another run directory"
            ) from error
        if written != len(data):
            raise IoError(
                f"recording output {entry['path']} in {self._path}: {written} of {len(data)} bytes could be"
                " written; the file itself is. Free some space, or choose another run directory"
            )

    def close(self) -> None:
        """Closes the file, if it was opened."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


_journal: Journal | None = None


def use_journal(journal: Journal | None) -> None:
    """Makes this process's outputs go to `journal`; `None` ends that, and closes the old one."""
    global _journal
    if _journal is not None and _journal is not journal:
        _journal.close()
    _journal = journal


def record_output(path: str | os.PathLike[str]) -> None:
    """Tells the run's ledger that the stage that runs has written the file `path`, which is complete.

    The storages of the harness do that by themselves; stage code that writes files in its own way calls this
    once per file, after the file has its final name. The file is read once, for its size and SHA-256. What is
    one output in many files, as a Zarr group is, is recorded as a directory; see `output_sha256`.
    Outside a run, as in a stage tester, only the file is looked for.

    Raises:
        harness.exceptions.IoError: (an OSError) there is no such regular file or directory, it cannot be
            read, or it cannot be recorded.
    """
    full = os.path.abspath(os.fspath(path))
    worker = current.worker()
    if _journal is None or worker is None:
        if not os.path.isfile(full) and not os.path.isdir(full):
            raise IoError(f"recording output {full}: no such file; write it first, then record it")
        return
    size, digest = output_sha256(full)
    entry = {
        "visit": worker.visit,
        "rank": worker.rank,
        "stage": worker.stage_number,
        "path": full,
        "bytes": size,
        "sha256": digest,
    }
    _journal.append(entry)


def output_sha256(path: str) -> tuple[int, str]:
    """Size in bytes and SHA-256 (hexadecimal) of a regular file, or of all files of a directory.

    The digest of a directory is that of one line per file, sorted by name: the SHA-256 of the file, two
    blanks, the path from the directory on, and a line feed, all in UTF-8. That is what
    ``find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum`` prints in it.

    Raises `harness.exceptions.IoError`.
    """
    try:
        if os.path.isdir(path):
            return _directory_sha256(path)
        if not os.path.isfile(path):
            raise IoError(f"output {path}: no such file, or no regular file")
        return _file_sha256(path)
    except IoError:
        raise
    except OSError as error:
        raise IoError(f"reading output {path}: {error.strerror}") from error


def _file_sha256(path: str) -> tuple[int, str]:
    import hashlib

    digest, size = hashlib.sha256(), 0
    with open(path, "rb", buffering=0) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _directory_sha256(path: str) -> tuple[int, str]:
    import hashlib

    def fail(error: OSError) -> None:
        raise error

    files = {}
    for folder, _, names in os.walk(path, onerror=fail):
        for name in names:
            full = os.path.join(folder, name)
            if os.path.isfile(full):
                files[os.fsencode(os.path.relpath(full, path))] = full
    digest, total = hashlib.sha256(), 0
    for relative in sorted(files):
        size, one = _file_sha256(files[relative])
        digest.update(one.encode() + b"  " + relative + b"\n")
        total += size
    return total, digest.hexdigest()

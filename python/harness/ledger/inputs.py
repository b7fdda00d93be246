# SPDX-License-Identifier: BSD-3-Clause
"""What a slice had received in a visit, kept in a file so that its work can be run again.

The file is a pickle. It is written by a process of the run into the run directory, and read by the same user:
a file of another owner, or that others may write, is refused.
"""

from __future__ import annotations

import os
import pickle
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import LedgerError
from harness.whole_files import write_atomically

MOST_BYTES = 4 << 30
"""Of one file."""


class Received(NamedTuple):
    """One item: before which stage (from 1) it arrived, its key, its value."""

    stage: int
    key: str
    value: Any


def save_inputs(path: Path, items: Iterable[Received]) -> str:
    """Writes the file. Returns why it was not written; empty if it was. Never raises."""
    try:
        kept = [(item.stage, item.key, item.value) for item in items]
        size = sum(getattr(value, "nbytes", 0) for _, _, value in kept)
        if size > MOST_BYTES:
            return f"the slice's input of {size} bytes is not kept: more than {MOST_BYTES}"
        write_atomically(path, pickle.dumps(kept, protocol=5))
    except Exception as error:
        return f"the slice's input is not kept: {type(error).__name__}: {error}"
    return ""


def load_inputs(path: Path) -> list[Received]:
    """Reads the file. Raises `LedgerError` when it is missing, not this user's own, or damaged."""
    try:
        with path.open("rb") as stream:
            facts = os.fstat(stream.fileno())
            if facts.st_uid not in (os.geteuid(), 0) or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise LedgerError(
                    f"kept input {path}: expected a file that only this user can write, saw owner"
                    f" {facts.st_uid} and mode {stat.filemode(facts.st_mode)}; loading it could run"
                    " another user's code"
                )
            return [Received(*item) for item in pickle.load(stream)]
    except FileNotFoundError:
        raise LedgerError(
            f"kept input {path}: no such file; what slices receive is kept for those that fail, unless the"
            ' policy says keepInputs: "none", or for all with keepInputs: "all"'
        ) from None
    except OSError as error:
        raise LedgerError(f"kept input {path}: {error.strerror}") from error
    except LedgerError:
        raise
    except Exception as error:
        raise LedgerError(
            f"kept input {path}: it cannot be loaded: {type(error).__name__}: {error}; can the modules of its"
            " classes be imported here (PYTHONPATH)?"
        ) from error

# SPDX-License-Identifier: BSD-3-Clause
"""The checksum of a file in a file beside it, as sha256sum writes and checks them."""

from __future__ import annotations

import os
import re

from harness.exceptions import IoError
from harness.outputs import output_sha256
from harness.storage.atomic import atomic_file

__all__ = ["SUFFIX", "verify_sidecar", "write_sidecar"]

SUFFIX = ".sha256"
_LINE = re.compile(r"([0-9a-fA-F]{64})(?:[ *]|\s)")
_MOST_BYTES = 64 * 1024


def write_sidecar(path: str) -> None:
    """Write the SHA-256 of the file or directory `path` beside it; see `harness.outputs.output_sha256`.

    Raises:
        harness.exceptions.IoError: it cannot be read, or the other not be written.
    """
    _, digest = output_sha256(path)
    with atomic_file(path + SUFFIX) as stream:
        stream.write(f"{digest}  {os.path.basename(path)}\n".encode(errors="surrogateescape"))


def verify_sidecar(item: str, path: str) -> None:
    """Make sure that the file or directory `path` has the SHA-256 that the file beside it says.

    Raises:
        harness.exceptions.IoError: it has not, or one of the two is missing or unreadable.
    """
    where = f"cannot read item '{item}' from {path}"
    try:
        with open(path + SUFFIX, "rb") as stream:
            text = stream.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise IoError(f"{where}: its checksum in {path}{SUFFIX} is asked for: {error.strerror}") from error
    found = _LINE.match(text + "\n")
    if found is None:
        raise IoError(
            f"{where}: {path}{SUFFIX} does not begin with a SHA-256 of 64 digits, but with {text[:80]!r}"
        )
    try:
        _, digest = output_sha256(path)
    except IoError as error:
        raise IoError(f"{where}: {error}") from error
    if digest != found[1].lower():
        raise IoError(
            f"{where}: the file is damaged: its SHA-256 is {digest}, and {path}{SUFFIX} says {found[1]}"
        )

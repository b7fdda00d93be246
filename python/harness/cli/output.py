# SPDX-License-Identifier: BSD-3-Clause
"""Writing to a terminal or a pipe whose reader may have gone, from files that may hold any bytes."""

from __future__ import annotations

import os
import sys

# A file that is shown must not steer the terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
# A byte that is no UTF-8, such as those of a file name, is shown as it is in the file.
_CONTROLS |= {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


def write(text: str) -> None:
    """Writes a text for people to standard output; a reader that closed its end of the pipe is no error."""
    write_exactly(text.translate(_CONTROLS).encode("utf-8", "backslashreplace").decode("utf-8"))


def write_exactly(text: str) -> None:
    """The same without a change of any byte. Raises `OSError` when it cannot be written."""
    if getattr(sys.stdout, "buffer", None) is None:
        # Closed by whoever started the program, or exchanged by a stage for what takes text only.
        print(text, end="")
        return
    left = memoryview(text.encode("utf-8", "surrogateescape"))
    try:
        sys.stdout.flush()
        # Where Python runs unbuffered, a pipe takes what it has room for.
        while left:
            left = left[sys.stdout.buffer.write(left) :]
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and must find a place to write to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(command: str, text: str) -> None:
    """Says on standard error why a command could not do its work."""
    line = f"{command}: {text}\n".translate(_CONTROLS)
    sys.stderr.write(line.encode("utf-8", "backslashreplace").decode("utf-8"))

# SPDX-License-Identifier: BSD-3-Clause
"""What a stage leaves behind when it raises: the five keys, and the text of the traceback."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import _core
    from harness.clipboard import Clipboard
    from harness.stage import StageProcessing

READ_ONLY_CURE = (
    "Arrays that have crossed between processes are read-only. Work on a copy, clipboard.get(key).copy();"
    " or take the array over, clipboard.take(key); or, if all are to fill parts of it, let its maker put it"
    " as a canvas, clipboard.put(key, array, True, writeable=True)"
)

MOST_LINES, MOST_CHARACTERS = 20, 2000
BOUNDARY = "\0"
"""Between message and details of a report."""
MOST_REPORTED = 8000
"""Bytes of a report, less than a slice has room for."""
GAP = "\n[...]\n"


class Uncommon(Exception):
    """In the place of what stage code has raised that is no `Exception`, and no wish to end the run."""

    def __init__(self, original: BaseException) -> None:
        super().__init__(original)
        self.original = original


def original_of(error: BaseException) -> BaseException:
    """What stage code has raised."""
    return error.original if isinstance(error, Uncommon) else error


def format_failure(error: BaseException) -> str:
    """The traceback of `error` as one string, with the cure where a write to a shared array is the cause."""
    text = "".join(traceback.format_exception(error))
    return text + READ_ONLY_CURE + "\n" if is_read_only_error(error) else text


def failure_record(headline: str, traceback_text: str) -> str:
    """The text of a record: a line break at its end would be an empty line in the log."""
    return f"{headline}\n{traceback_text}".rstrip()


def message_of(error: BaseException) -> str:
    """`str(error)`; a text that says so where the exception's own `__str__` raises."""
    try:
        return str(error)
    except Exception as broken:
        return f"(no message: {type(error).__name__}.__str__ raised {type(broken).__name__})"


def is_read_only_error(error: BaseException) -> bool:
    """Whether NumPy, or compiled code that takes arrays, refused to write to a read-only one."""
    if not isinstance(error, ValueError):
        return False
    message = message_of(error)
    return any(word in message for word in ("read-only", "readonly", "WRITEABLE flag"))


def describe_failure(error: BaseException) -> str:
    """Class and message, which may have several lines."""
    text = f"{type(error).__name__}: {message_of(error)}"
    return f"{text}. {READ_ONLY_CURE}" if is_read_only_error(error) else text


def bounded(text: str) -> str:
    """As much of what a stage has raised as a person wants to read who is told that the run has ended."""
    lines = text.split("\n")
    kept = "\n".join(lines[:MOST_LINES])[:MOST_CHARACTERS]
    return text if kept == text else f"{kept}\n... ({len(text)} characters in {len(lines)} lines)"


def fatal_report(message: str, details: str) -> str:
    """What a slice leaves of an error that ends the run; either part may have several lines.

    Of details that would be too long their beginning and end are kept: cut elsewhere, the boundary might go.
    """
    said = _within(message.replace(BOUNDARY, "?"), MOST_REPORTED // 2)
    left = MOST_REPORTED - len(said.encode("utf-8", "replace"))
    return f"{said}{BOUNDARY}{_within(details, left)}"


def _within(text: str, most: int) -> str:
    """A text of so many bytes at most, without its middle where it has more."""
    data = text.encode("utf-8", "replace")
    if len(data) <= most:
        return text
    half = (most - len(GAP)) // 2
    return data[:half].decode("utf-8", "ignore") + GAP + data[-half:].decode("utf-8", "ignore")


def parts_of_report(report: str) -> tuple[str, str]:
    """Message and details of such a text."""
    message, _, details = report.partition(BOUNDARY)
    return message, details


def write_report(run: _core.Run, rank: int, text: str) -> None:
    """Leaves `text` where the master reads it. What UTF-8 lacks, such as a lone surrogate, becomes `?`."""
    run.write_report(rank, text.encode("utf-8", "replace"))


def put_failure_keys(clipboard: Clipboard, stage: StageProcessing, number: int, error: BaseException) -> None:
    """Puts the five failure keys of the contract (5.5) on the clipboard of the failed stage."""
    message = message_of(error)
    clipboard.put("failedInStage", stage.getName())
    clipboard.put("failedInStageN", number)
    clipboard.put("failureType", str(type(error)))
    clipboard.put("failureMessage", f"{message}. {READ_ONLY_CURE}" if is_read_only_error(error) else message)
    clipboard.put("failureTraceback", format_failure(error))

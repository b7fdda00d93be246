# SPDX-License-Identifier: BSD-3-Clause
"""Prints the samples of docs/logging.md; a test compares the two."""

from harness.log import (
    BriefFormatter,
    IndentedFormatter,
    JsonFormatter,
    LogRecord,
    NetLoggerFormatter,
    PrependedFormatter,
)
from harness.properties import DateTime, PropertySet

FORMATS = {
    "brief": BriefFormatter(),
    "brief, verbose": BriefFormatter(True),
    "indented": IndentedFormatter(),
    "indented, verbose": IndentedFormatter(True),
    "prepended": PrependedFormatter(),
    "prepended, verbose": PrependedFormatter(True),
    "NetLogger": NetLoggerFormatter(),
    "JSON": JsonFormatter(),
}


def sample_record() -> LogRecord:
    """A record as a stage of visit 7 sends it, with a fixed time."""
    preamble = PropertySet.from_mapping({"LOG": "harness.slice.fit", "RUNID": "run7", "LABEL": "ccd-12"})
    record = LogRecord(-10, -3, preamble)
    record.addComment("fit converged")
    record.addProperty("iterations", 12)
    record.addProperty("fit", {"rms": 0.03, "clipped": True})
    record.getProperties().setDateTime("TIMESTAMP", DateTime("2010-05-04T12:34:56.123456Z"))
    record.setDate()
    return record


TRACEBACK = """\
isr.process raised in visit 7: FileNotFoundError: flat-g.fits
Traceback (most recent call last):
  File "stages/isr.py", line 31, in process
    flat = self.flats[band]
KeyError: 'g'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "stages/isr.py", line 33, in process
    raise FileNotFoundError(name)
FileNotFoundError: flat-g.fits"""


def sample_failure() -> LogRecord:
    """A record of a stage that has raised."""
    preamble = PropertySet.from_mapping({"LOG": "harness.slice", "RUNID": "run7", "SLICEID": 2})
    preamble.combine(PropertySet.from_mapping({"LOOPNUM": 7, "STAGEID": 1}))
    record = LogRecord(-10, 20, preamble)
    record.addComment(TRACEBACK)
    record.getProperties().setDateTime("TIMESTAMP", DateTime("2010-05-04T12:34:56.123456Z"))
    record.setDate()
    return record


def samples() -> dict[str, str]:
    """The text of the sample record in each format, by title; behind them that of a failure in some."""
    found = {title: formatter.format(sample_record()) for title, formatter in FORMATS.items()}
    for title in ("indented, verbose", "NetLogger"):
        found[f"{title}, of a stage that has raised"] = FORMATS[title].format(sample_failure())
    return found


if __name__ == "__main__":
    for title, text in samples().items():
        print(f"{title}:\n\n```\n{text}```\n")

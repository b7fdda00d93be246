# SPDX-License-Identifier: BSD-3-Clause
"""Writes the pipeline policy of one night from the installed template."""

from __future__ import annotations

import string
from pathlib import Path

from .layout import NightLayout

TEMPLATE = Path(__file__).resolve().parent / "policy" / "night.paf.template"


def paf_string(text: str) -> str:
    """Return ``text`` as a quoted PAF string.

    Raises
    ------
    ValueError
        PAF has no escapes: a text with both kinds of quotes, or with a line break, cannot be written.
    """
    for quote in ('"', "'"):
        if quote not in text and "\n" not in text and "\r" not in text:
            return f"{quote}{text}{quote}"
    raise ValueError(
        f"writing a policy: {text!r} cannot be a PAF string, because it has both kinds of quotes or a"
        " line break; choose another directory name"
    )


def night_policy(layout: NightLayout, visits: int, amps: int) -> str:
    """Return the pipeline policy of a night as PAF text.

    Parameters
    ----------
    layout : NightLayout
        Its ``root`` becomes the run directory.
    visits, amps : int
        Size of the night; there is one slice per amplifier.
    """
    root = layout.root.resolve()
    return string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        visits=visits,
        amps=amps,
        root=paf_string(str(root.parent)),
        # The harness formats the pattern with %, so a per cent sign of the name is doubled.
        pattern=paf_string(root.name.replace("%", "%%")),
    )

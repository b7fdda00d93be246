# SPDX-License-Identifier: BSD-3-Clause
"""The samples in docs/logging.md are what the formats write today."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_samples_are_current():
    samples = runpy.run_path(str(DOCS / "logging_samples.py"))["samples"]()
    page = (DOCS / "logging.md").read_text()
    assert len(samples) == 10
    for title, text in samples.items():
        assert f"{title}:\n\n```\n{text}```\n" in page

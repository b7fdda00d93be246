# SPDX-License-Identifier: BSD-3-Clause
"""What the pipeline policies of the version that is measured can ask for."""

from __future__ import annotations


def policies_know(key: str) -> bool:
    """Whether the dictionary of pipeline policies has a key."""
    from harness.runtime.configuration.dictionary import pipeline_dictionary

    return key in pipeline_dictionary().definedNames()

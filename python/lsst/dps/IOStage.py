# SPDX-License-Identifier: BSD-3-Clause
"""DC2 import path of the input and output stages."""

from harness.iostage import InputStage, OutputStage

__all__ = ["InputStage", "OutputStage"]

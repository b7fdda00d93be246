# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the Pipeline."""

from harness.runtime.pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]

# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the Slice."""

from harness.runtime.pipeline.lone_slice import Slice

__all__ = ["Slice"]

# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of Dataset."""

from harness.dataset import Dataset

__all__ = ["Dataset"]

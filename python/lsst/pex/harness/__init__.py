# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the harness; Dataset is the one name it holds itself."""

from harness.dataset import Dataset

__all__ = ["Dataset"]

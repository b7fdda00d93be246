# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of LogicalLocation."""

from harness.locations import LogicalLocation

__all__ = ["LogicalLocation"]

# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of PropertySet, PropertyList and DateTime."""

from harness.properties import DateTime, PropertyList, PropertySet

__all__ = ["DateTime", "PropertyList", "PropertySet"]

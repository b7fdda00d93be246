# SPDX-License-Identifier: BSD-3-Clause
"""Typed, hierarchical name/value sets and instants of time (lsst.daf.base)."""

from harness.properties.date_time import DateTime
from harness.properties.property_list import PropertyList
from harness.properties.property_set import PropertySet
from harness.properties.values import PropertyType

__all__ = ["DateTime", "PropertyList", "PropertySet", "PropertyType"]

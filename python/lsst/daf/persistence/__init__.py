# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of locations, persistence and the butler."""

from harness.butler import (
    Butler,
    ButlerDataRef,
    ButlerFactory,
    ButlerLocation,
    ButlerSubset,
    Mapper,
    Persistence,
    StorageList,
)
from harness.locations import LogicalLocation

__all__ = [
    "Butler",
    "ButlerDataRef",
    "ButlerFactory",
    "ButlerLocation",
    "ButlerSubset",
    "LogicalLocation",
    "Mapper",
    "Persistence",
    "StorageList",
]

# SPDX-License-Identifier: BSD-3-Clause
"""Butlers: datasets by type and ids, instead of files by path."""

from harness.butler.butler import Butler, ButlerDataRef, ButlerFactory, ButlerSubset
from harness.butler.mapper import ButlerLocation, Mapper
from harness.butler.path_mapper import AmbiguousId, NoSuchDataset, PathMapper
from harness.butler.persistence import Persistence, StorageList

__all__ = [
    "AmbiguousId",
    "Butler",
    "ButlerDataRef",
    "ButlerFactory",
    "ButlerLocation",
    "ButlerSubset",
    "Mapper",
    "NoSuchDataset",
    "PathMapper",
    "Persistence",
    "StorageList",
]

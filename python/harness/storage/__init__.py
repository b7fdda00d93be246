# SPDX-License-Identifier: BSD-3-Clause
"""Storages: how objects on a clipboard get into files and back, by storage name."""

from harness.storage.image import Image
from harness.storage.interface import ReadRequest, Storage
from harness.storage.registry import prepare_storage, register_storage, storage_named, storage_names

__all__ = [
    "Image",
    "ReadRequest",
    "Storage",
    "prepare_storage",
    "register_storage",
    "storage_named",
    "storage_names",
]

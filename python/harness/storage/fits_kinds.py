# SPDX-License-Identifier: BSD-3-Clause
"""The classes that FITS storage knows, told without importing those of astropy."""

from __future__ import annotations

import sys

__all__ = ["KINDS", "SHORT_NAMES", "is_ccddata", "is_table"]

SHORT_NAMES = {
    "": "harness.storage.image.Image",
    "Image": "harness.storage.image.Image",
    "ndarray": "numpy.ndarray",
    "CCDData": "astropy.nddata.CCDData",
    "Table": "astropy.table.Table",
}
KINDS = tuple(name for short, name in SHORT_NAMES.items() if short)


def is_table(cls: type) -> bool:
    """Whether a class is astropy's Table or a subclass."""
    return _is_a(cls, "table", "Table")


def is_ccddata(cls: type) -> bool:
    """Whether a class is astropy's CCDData or a subclass."""
    return _is_a(cls, "nddata", "CCDData")


def _is_a(cls: type, module: str, name: str) -> bool:
    # Where there is such a class, the module it comes from is loaded.
    loaded = sys.modules.get(f"astropy.{module}")
    return loaded is not None and issubclass(cls, getattr(loaded, name))

# SPDX-License-Identifier: BSD-3-Clause
"""Where the policy files of a product are."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import harness._core
import harness.exceptions as pex

__all__ = ["installed_directory", "product_directory"]


def product_directory(product: str) -> str:
    """The directory that holds a product's ``policy`` folder and whatever else its files name.

    The environment variable ``<PRODUCT>_DIR`` counts first. Without it, ``pex_harness`` is what was
    installed with this package, and any other product an importable Python package of that name.

    Raises
    ------
    harness.exceptions.NotFoundError
        The variable is not set and there is no such package.
    """
    variable = f"{product.upper()}_DIR"
    directory = os.environ.get(variable)
    if directory:
        return directory
    if product.lower() == "pex_harness":
        return installed_directory()
    package = _package_directory(product)
    if package is None:
        raise pex.NotFoundError(
            f"the directory of product {product!r} is not known: the environment variable {variable}"
            f" is not set, and there is no importable Python package {product!r};"
            " set the one or install the other"
        )
    return package


def installed_directory() -> str:
    """What was installed with this package of the product ``pex_harness``."""
    return str(Path(harness._core.__file__).parent / "share")


def _package_directory(product: str) -> str | None:
    if not all(part.isidentifier() for part in product.split(".")):
        return None
    try:
        spec = importlib.util.find_spec(product)
    except (ImportError, ValueError):
        # A parent package is missing, or a module put itself into sys.modules without a spec.
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(iter(spec.submodule_search_locations))

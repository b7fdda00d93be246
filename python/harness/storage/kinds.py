# SPDX-License-Identifier: BSD-3-Clause
"""The classes that storages know, by the names policies use, told without importing astropy."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import Any

from harness.storage.interface import ReadRequest

__all__ = [
    "is_ccddata",
    "is_quantity",
    "is_table",
    "require_library",
    "wanted_class",
]

SHORT_NAMES = {
    "Image": "harness.storage.image.Image",
    "ndarray": "numpy.ndarray",
    "CCDData": "astropy.nddata.CCDData",
    "Quantity": "astropy.units.Quantity",
    "Table": "astropy.table.Table",
    "QTable": "astropy.table.QTable",
    "dict": "builtins.dict",
    "PropertySet": "harness.properties.PropertySet",
    "PropertyList": "harness.properties.PropertyList",
    "Policy": "harness.policy.Policy",
}


def wanted_class(
    request: ReadRequest, storage: str, kinds: Sequence[str], accepts: Callable[[type], bool]
) -> Any:
    """The class that a request asks for.

    Args:
        request: an empty `python_type` means the first of `kinds`.
        storage: name of the storage, for messages.
        kinds: short names of what the storage makes.
        accepts: whether the storage can make instances of a class; classes with a static ``swigConvert``
            need not be asked about.

    Raises:
        TypeError: the storage cannot make such objects.
        ImportError: the class cannot be imported.
    """
    from harness.stage.class_lookup import find_class

    name = request.python_type.strip() or kinds[0]
    wanted: Any = find_class(SHORT_NAMES.get(name, name))
    if accepts(wanted) or hasattr(wanted, "swigConvert"):
        return wanted
    makes = ", ".join(SHORT_NAMES[kind] for kind in kinds)
    raise TypeError(
        f"cannot read item '{request.item}': {storage} makes no {name}; it makes {makes}, and classes with a"
        f" static swigConvert({kinds[0]})"
    )


def require_library(storage: str, library: str, extra: str) -> None:
    """Look for a library without importing it.

    Raises:
        harness.exceptions.RuntimeError: it is not installed; the message has the command that does it.
    """
    if importlib.util.find_spec(library) is None:
        from harness.exceptions import RuntimeError as LsstRuntimeError

        raise LsstRuntimeError(
            f"{storage} needs {library}, which is not installed;"
            f" install it with: pip install 'pex-harness[{extra}]'"
        )


def is_table(cls: type) -> bool:
    """Whether a class is astropy's Table or a subclass."""
    return _is_a(cls, "table", "Table")


def is_ccddata(cls: type) -> bool:
    """Whether a class is astropy's CCDData or a subclass."""
    return _is_a(cls, "nddata", "CCDData")


def is_quantity(cls: type) -> bool:
    """Whether a class is astropy's Quantity or a subclass."""
    return _is_a(cls, "units", "Quantity")


def _is_a(cls: type, module: str, name: str) -> bool:
    # Where there is such a class, the module it comes from is loaded.
    loaded = sys.modules.get(f"astropy.{module}")
    return loaded is not None and issubclass(cls, getattr(loaded, name))

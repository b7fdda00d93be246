# SPDX-License-Identifier: BSD-3-Clause
"""Storages by the names that policies use for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.storage.interface import Storage

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "prepare_storage", "register_storage", "storage_named", "storage_names"]

GROUP = "harness.storages"
"""The entry point group by which other distributions offer storages."""

# Names of the storages that DC3b's persistence library had and that nothing here replaces one to one.
_FORMER = frozenset({"BoostStorage", "XmlStorage", "DbStorage", "DbTsvStorage"})

_OWN = {
    "FitsStorage": "harness.storage.fits:FitsStorage",
    "NpyStorage": "harness.storage.npy:NpyStorage",
    "NpzStorage": "harness.storage.npz:NpzStorage",
    "Hdf5Storage": "harness.storage.hdf5:Hdf5Storage",
    "ZarrStorage": "harness.storage.zarr_groups:ZarrStorage",
    "JsonStorage": "harness.storage.property_files:JsonStorage",
    "PafStorage": "harness.storage.property_files:PafStorage",
    "EcsvStorage": "harness.storage.tables:EcsvStorage",
    "ParquetStorage": "harness.storage.tables:ParquetStorage",
}
_registered: dict[str, Callable[[], Storage]] = {}
_offered: dict[str, EntryPoint] | None = None


def register_storage(name: str, factory: Callable[[], Storage]) -> None:
    """Make a storage known under a name; a later registration replaces an earlier one.

    Args:
        name: as policies write it under ``storage``.
        factory: called without arguments whenever an item is read or written.

    Raises:
        TypeError: the name is no string, or the factory cannot be called.
    """
    if not isinstance(name, str) or not callable(factory):
        raise TypeError(f"a storage needs a name and a factory, not {name!r} and {factory!r:.80}")
    _registered[name] = factory


def storage_names() -> list[str]:
    """The names that `storage_named` knows, sorted: those of the harness, registered and entry points."""
    return sorted({*_OWN, *_registered, *_entry_points()})


def storage_named(name: str) -> Storage:
    """The storage of that name: one that was registered, one of the harness, or that of an entry point.

    Raises:
        harness.exceptions.NotFoundError: there is none; the message lists those there are.
        harness.exceptions.RuntimeError: a library that it needs is not installed, or the entry point does
            not lead to a storage.
    """
    wanted = name.strip()
    if wanted in _registered:
        return _registered[wanted]()
    if wanted in _OWN:
        module, _, attribute = _OWN[wanted].partition(":")
        own: Storage = getattr(importlib.import_module(module), attribute)()
        return own
    if wanted in _entry_points():
        return _from_entry_point(_entry_points()[wanted])
    from harness.exceptions import NotFoundError

    former = " belonged to the persistence library of DC3b and is not part of this version"
    raise NotFoundError(
        f"storage '{name}'{former if wanted in _FORMER else ' is not known'};"
        f" the storages are: {', '.join(storage_names())}"
    )


def prepare_storage(name: str) -> None:
    """Let the storage of that name do now what would make its first read or write slow.

    A registered storage without a method ``prepare`` has nothing to do.

    Raises:
        harness.exceptions.NotFoundError: there is none; the message lists those there are.
        harness.exceptions.RuntimeError: a library that it needs is not installed.
    """
    storage = storage_named(name)
    if hasattr(storage, "prepare"):
        storage.prepare()


def _entry_points() -> dict[str, EntryPoint]:
    """What the installed distributions offer, by name; looked up once per process."""
    global _offered
    if _offered is None:
        from importlib.metadata import entry_points

        _offered = {point.name: point for point in entry_points(group=GROUP)}
    return _offered


def _from_entry_point(point: EntryPoint) -> Storage:
    from harness.exceptions import RuntimeError as LsstRuntimeError

    whose = f"storage '{point.name}' (entry point {point.value}, of {point.dist.name if point.dist else '?'})"
    try:
        factory: Any = point.load()
    except Exception as error:
        raise LsstRuntimeError(f"{whose} cannot be loaded: {type(error).__name__}: {error}") from error
    storage: Storage = factory() if callable(factory) else factory
    missing = [method for method in ("read", "write") if not callable(getattr(storage, method, None))]
    if missing:
        raise LsstRuntimeError(f"{whose} is no storage: it has no method {' and no method '.join(missing)}")
    return storage

# SPDX-License-Identifier: BSD-3-Clause
"""Storages by the names that policies use for them."""

from __future__ import annotations

from collections.abc import Callable

from harness.storage.interface import Storage

__all__ = ["prepare_storage", "register_storage", "storage_named", "storage_names"]

# Names of the storages that DC3b's persistence library had and that nothing here replaces one to one.
_FORMER = frozenset({"BoostStorage", "XmlStorage", "DbStorage", "DbTsvStorage", "PafStorage"})

_factories: dict[str, Callable[[], Storage]] = {}


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
    _factories[name] = factory


def storage_names() -> list[str]:
    """The names that `storage_named` knows, sorted."""
    return sorted(_factories)


def storage_named(name: str) -> Storage:
    """The storage of that name.

    Raises:
        harness.exceptions.NotFoundError: there is none; the message lists those there are.
    """
    factory = _factories.get(name.strip())
    if factory is None:
        from harness.exceptions import NotFoundError

        former = " belonged to the persistence library of DC3b and is not part of this version"
        raise NotFoundError(
            f"storage '{name}'{former if name.strip() in _FORMER else ' is not known'};"
            f" the storages are: {', '.join(storage_names())}"
        )
    return factory()


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


def _fits_storage() -> Storage:
    from harness.storage.fits import FitsStorage

    return FitsStorage()


register_storage("FitsStorage", _fits_storage)

# SPDX-License-Identifier: BSD-3-Clause
"""Hdf5Storage: arrays, and objects made of them, in HDF5 files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.storage.atomic import atomic_file
from harness.storage.interface import ReadRequest
from harness.storage.kinds import require_library
from harness.storage.parts import NOTES, parts_of, read_parts
from harness.storage.pieces import native_empty, size_of

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["Hdf5Storage"]


class Hdf5Storage:
    """Reads and writes HDF5 files through h5py.

    It makes and takes numpy.ndarray, `harness.storage.image.Image`, astropy's CCDData and Quantity, and
    dicts of arrays; the key ``member`` names a dataset by its path in the file. Headers and units lie in a
    text dataset ``harness.json``. HDF5 reads straight into an array from `harness.empty`, in native byte
    order, and verifies the checksums (Fletcher-32) of datasets that have them.

    Raises:
        harness.exceptions.RuntimeError: (from the constructor) h5py is not installed.
    """

    def __init__(self) -> None:
        require_library("Hdf5Storage", "h5py", "hdf5")

    def prepare(self) -> None:
        """Import h5py."""
        import h5py  # noqa: F401

    def read(self, path: str, request: ReadRequest) -> Any:
        """The object in a file; see `harness.storage.interface.Storage`."""
        import h5py

        size_of(path, request)
        try:
            with h5py.File(path, "r") as file:
                notes = file[NOTES].asstr()[()] if NOTES in file else ""
                return read_parts(
                    path,
                    request,
                    "Hdf5Storage",
                    _names(file, request.member),
                    lambda name: self._array(file[name], path, request),
                    notes,
                )
        except (OSError, RuntimeError, KeyError) as error:
            if getattr(error, "args", None) and str(error).startswith("cannot read item"):
                raise
            raise request.error(path, f"HDF5 cannot read it: {error}") from error

    def _array(self, dataset: Any, path: str, request: ReadRequest) -> Array:
        if dataset.shape is None or dataset.dtype.hasobject:
            what = "nothing" if dataset.shape is None else "texts or objects"
            raise request.error(path, f"'{dataset.name}' holds {what}, no numbers")
        array = native_empty(dataset.shape, dataset.dtype)
        if array.size:
            dataset.read_direct(array)
        return array

    def write(self, path: str, obj: Any) -> None:
        """Write an object as a file; see `harness.storage.interface.Storage`.

        The file is composed in memory: HDF5 loses the cause of a failed write, and may hang on it.
        """
        import h5py

        parts = parts_of(obj, "Hdf5Storage")
        with h5py.File("composed", "w", driver="core", backing_store=False) as file:
            for name, array in parts.arrays.items():
                try:
                    file.create_dataset(name, data=array)
                except (TypeError, ValueError) as error:
                    raise TypeError(f"Hdf5Storage cannot write '{name}' of {array.dtype}: {error}") from error
            if parts.notes:
                file[NOTES] = parts.notes_text()
            file.flush()
            content = file.id.get_file_image()
        with atomic_file(path) as stream:
            stream.write(content)


def _names(file: Any, member: str) -> list[str]:
    """The datasets of a file by their paths; of a file that has `member`, only that one."""
    import h5py

    if member and isinstance(file.get(member), h5py.Dataset):
        return [member]
    names: list[str] = []

    def note(name: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset) and name != NOTES:
            names.append(name)

    file.visititems(note)
    return names

# SPDX-License-Identifier: BSD-3-Clause
"""The Butler of DC3b: gets and puts datasets by type and ids, whose files a mapper knows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import harness.exceptions as pex
from harness.butler.assembling import read_object
from harness.butler.mapper import ButlerLocation, Mapper
from harness.butler.path_mapper import NoSuchDataset, PathMapper
from harness.dataset import Dataset
from harness.stage import find_class
from harness.storage import storage_named

__all__ = ["Butler", "ButlerDataRef", "ButlerFactory", "ButlerSubset"]


class Butler:
    """Gets and puts datasets.

    Ids are given as a dict `dataId`, as keywords, or both; keywords win. Files are read and written by the
    storages of the harness: pixels land in shared memory, files appear whole, a run's ledger is told of them.

    Args:
        root: root of the mapper that is made; not with a mapper that is ready.
        mapper: a mapper, a class of mappers, or the dotted name of one; `PathMapper` by default.
        mapperArgs: further arguments of the class.

    Raises:
        TypeError: `mapper` is nothing of these, or both a ready mapper and a root are given.
        ImportError: the class cannot be imported.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        mapper: Any = None,
        **mapperArgs: Any,
    ) -> None:
        if mapper is None:
            mapper = PathMapper
        elif isinstance(mapper, str):
            mapper = find_class(mapper)
        if isinstance(mapper, type):
            arguments = {**({} if root is None else {"root": os.fspath(root)}), **mapperArgs}
            mapper = mapper(**arguments)
        elif root is not None or mapperArgs:
            raise TypeError("Butler: expected a root or a mapper that is ready, saw both")
        if not hasattr(mapper, "map"):
            raise TypeError(f"Butler: expected a mapper, its class or its name, saw {mapper!r:.80}")
        self.mapper: Mapper = mapper

    def getDatasetTypes(self) -> list[str]:
        """The dataset types of the mapper."""
        return self.mapper.getDatasetTypes()

    def getKeys(self, datasetType: str | None = None, level: str | None = None) -> dict[str, type]:
        """The ids of a dataset type with the types of their values; with `level`, an id, those up to it."""
        return self.mapper.getKeys(datasetType, level)

    def queryMetadata(
        self,
        datasetType: str,
        key: str | Sequence[str],
        format: str | Sequence[str] | None = None,
        dataId: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> list[Any]:
        """What values ids have, over all datasets that are there and have the ids given.

        Args:
            datasetType: the dataset type.
            key: the id that is asked for, or several.
            format: the ids to return instead of `key`.
            dataId, rest: ids that the datasets must have.

        Returns:
            values where `format` (or `key`) is one id, else tuples; each once.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type or id.
        """
        wanted = key if format is None else format
        names = (wanted,) if isinstance(wanted, str) else tuple(wanted)
        level = key if isinstance(key, str) else (tuple(key) or names)[-1]
        found = self.mapper.queryMetadata(datasetType, level, names, _merged(dataId, rest))
        if len(names) > 1:
            return found
        # A mapper may give single values or tuples of one.
        return [value[0] if isinstance(value, (list, tuple)) else value for value in found]

    def datasetExists(self, datasetType: str, dataId: Mapping[str, Any] | None = None, **rest: Any) -> bool:
        """Whether all files of the dataset are there.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type.
            harness.exceptions.RuntimeError: the ids are ambiguous.
        """
        try:
            location = self.mapper.map(datasetType, _merged(dataId, rest))
        except NoSuchDataset:
            return False
        return all(os.path.exists(path) for path in location.paths())

    def get(
        self,
        datasetType: str,
        dataId: Mapping[str, Any] | None = None,
        immediate: bool = True,
        **rest: Any,
    ) -> Any:
        """The dataset, read. `immediate` is accepted: it always is.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type, or no file has the ids.
            harness.exceptions.RuntimeError: the ids are ambiguous.
            harness.exceptions.IoError: a file is missing, damaged or unreadable; the message names dataset
                and path.
        """
        ids = _merged(dataId, rest)
        location = self.mapper.map(datasetType, ids)
        bypass = getattr(self.mapper, f"bypass_{datasetType}", None)
        if bypass is not None:
            return bypass(location, ids)
        what = Dataset(datasetType, ids=location.getAdditionalData()).toString()
        sources = [
            (location.storageName, path, location.hdu, location.member) for path in location.paths()
        ]
        found = read_object(what, location.pythonType, sources)
        if self.mapper.canStandardize(datasetType):
            found = self.mapper.standardize(datasetType, found, location.getAdditionalData())
        return found

    def put(
        self, obj: Any, datasetType: str, dataId: Mapping[str, Any] | None = None, **rest: Any
    ) -> None:
        """Writes a dataset, replacing one that is there.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type, or an id is missing.
            harness.exceptions.IoError: a file cannot be written; what was there before is still there.
            TypeError, ValueError: the storage cannot hold the object.
        """
        location = self.mapper.map(datasetType, _merged(dataId, rest), True)
        self._write(obj, datasetType, location)

    def _write(self, obj: Any, dataset_type: str, location: ButlerLocation) -> None:
        for path in location.paths():
            try:
                storage_named(location.storageName).write(path, obj)
            except (TypeError, ValueError) as error:
                kind = TypeError if isinstance(error, TypeError) else ValueError
                what = Dataset(dataset_type, ids=location.getAdditionalData()).toString()
                raise kind(f"dataset {what} cannot be written to {path}: {error}") from error

    def subset(
        self,
        datasetType: str,
        level: str | None = None,
        dataId: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> ButlerSubset:
        """References to all datasets that are there and have the ids given.

        With `level`, an id, to what has the same ids up to that one, such as all detectors of a visit.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type or id.
        """
        return ButlerSubset(self, datasetType, level, _merged(dataId, rest))

    def dataRef(
        self,
        datasetType: str,
        level: str | None = None,
        dataId: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> ButlerDataRef:
        """The only reference that `subset` gives.

        Raises:
            harness.exceptions.RuntimeError: there is none, or there are several.
        """
        found = self.subset(datasetType, level, dataId, **rest)
        if len(found) != 1:
            raise pex.RuntimeError(
                f"dataset type '{datasetType}': expected one dataset with ids {_merged(dataId, rest)}, found"
                f" {len(found)}"
            )
        return next(iter(found))


class ButlerSubset:
    """References to several datasets of one type, in the order of their files."""

    def __init__(
        self, butler: Butler, datasetType: str, level: str | None, dataId: Mapping[str, Any]
    ) -> None:
        self.butler = butler
        self.datasetType = datasetType
        self.level = level
        self.dataId = dict(dataId)
        names = tuple(butler.getKeys(datasetType, level))
        found = butler.mapper.queryMetadata(datasetType, names[-1] if names else "", names, self.dataId)
        self.cache = [{**self.dataId, **dict(zip(names, values, strict=True))} for values in found]

    def __len__(self) -> int:
        return len(self.cache)

    def __iter__(self) -> Iterator[ButlerDataRef]:
        return (ButlerDataRef(self, ids) for ids in self.cache)


class ButlerDataRef:
    """One dataset, or what others share its ids."""

    def __init__(self, butlerSubset: ButlerSubset, dataId: Mapping[str, Any]) -> None:
        self.butlerSubset = butlerSubset
        self.dataId = dict(dataId)

    def get(self, datasetType: str | None = None, **rest: Any) -> Any:
        """`Butler.get` with these ids, of this dataset type or another one."""
        return self.getButler().get(datasetType or self.butlerSubset.datasetType, self.dataId, **rest)

    def put(self, obj: Any, datasetType: str | None = None, **rest: Any) -> None:
        """`Butler.put` with these ids, of this dataset type or another one."""
        self.getButler().put(obj, datasetType or self.butlerSubset.datasetType, self.dataId, **rest)

    def datasetExists(self, datasetType: str | None = None, **rest: Any) -> bool:
        """`Butler.datasetExists` with these ids, of this dataset type or another one."""
        return self.getButler().datasetExists(
            datasetType or self.butlerSubset.datasetType, self.dataId, **rest
        )

    def getButler(self) -> Butler:
        """The butler."""
        return self.butlerSubset.butler

    def __repr__(self) -> str:
        return f"<ButlerDataRef {self.butlerSubset.datasetType} {self.dataId}>"


class ButlerFactory:
    """``ButlerFactory(mapper=m).create()``, as butlers were made up to 2011."""

    def __init__(self, mapper: Any) -> None:
        self.mapper = mapper

    def create(self) -> Butler:
        """A butler over the mapper."""
        return Butler(mapper=self.mapper)


def _merged(data_id: Mapping[str, Any] | None, rest: Mapping[str, Any]) -> dict[str, Any]:
    if data_id is not None and not isinstance(data_id, Mapping):
        raise TypeError(f"dataId: expected a dict such as {{'visit': 85, 'ccd': 3}}, saw {data_id!r:.80}")
    return {**(data_id or {}), **rest}

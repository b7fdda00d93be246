# SPDX-License-Identifier: BSD-3-Clause
"""The built-in mapper: dataset types as path templates below a root, the files there being the registry."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import harness.exceptions as pex
from harness.butler.mapper import ButlerLocation, Mapper, unknown_type
from harness.butler.templates import PathTemplate
from harness.storage import prepare_storage

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = ["AmbiguousId", "DatasetType", "NoSuchDataset", "PathMapper"]

POLICY_FILE = "mapper.paf"
_MOST_NAMED = 5
_TYPES: dict[str, type] = {"int": int, "double": float, "string": str}


class NoSuchDataset(pex.NotFoundError):
    """No file has the ids that were given."""


class AmbiguousId(pex.RuntimeError):
    """Several files have the ids that were given."""


@dataclass(frozen=True)
class DatasetType:
    """How the datasets of one type are stored."""

    name: str
    template: PathTemplate
    storage: str
    python_type: str = ""
    hdu: int | str | None = None
    member: str = ""


class PathMapper(Mapper):
    """Maps dataset types by path templates; which datasets there are is seen from the files.

    Ids that are left out on reading are found from the files, if only one has the others. A subclass may have
    its dataset types in the class attribute `datasets`, as a policy or the name of a policy file.

    Args:
        root: directory that templates are relative to.
        datasets: policy with one sub-policy per dataset type: `template`, `storage`, and perhaps
            `pythonType`, `hdu`, `member` and `keys` (types of ids: `int`, `double`, `string`). By default
            the block `datasets` of the file `mapper.paf` in the root.

    Raises:
        harness.exceptions.IoError: there is no policy of dataset types.
        harness.exceptions.InvalidParameterError: a template or a type makes no sense.
        harness.exceptions.NotFoundError: a storage is not known.
        harness.policy.ValidationError: the policy has unknown or ill-typed entries, or lacks some.
    """

    datasets: ClassVar[Any] = None

    def __init__(self, root: str = ".", datasets: Policy | str | os.PathLike[str] | None = None) -> None:
        self.root = os.path.abspath(root)
        self.types = _read_types(self.root, self.datasets if datasets is None else datasets)

    def getDatasetTypes(self) -> list[str]:
        """The dataset types, sorted."""
        return sorted(self.types)

    def getKeys(self, datasetType: str | None, level: str | None = None) -> dict[str, type]:
        """The ids of a dataset type in the order of its path, those up to `level` if that is one of them."""
        if datasetType is None:
            return {key: kind for one in self.types.values() for key, kind in one.template.keys.items()}
        keys = self._type(datasetType).template.keys
        if not level:
            return keys
        if level not in keys:
            raise pex.NotFoundError(
                f"dataset type '{datasetType}' has no id '{level}'; its ids: {', '.join(keys)}"
            )
        names = list(keys)[: list(keys).index(level) + 1]
        return {name: keys[name] for name in names}

    def map(self, datasetType: str, dataId: Mapping[str, Any], write: bool = False) -> ButlerLocation:
        """Where the dataset lies.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type, or ids are missing: on writing
                any, on reading such that no file has the others (`NoSuchDataset`).
            AmbiguousId: several files have the ids.
            harness.exceptions.InvalidParameterError: the value of an id does not fit.
        """
        kind = self._type(datasetType)
        ids = self.validate(dict(dataId))
        missing = [name for name in kind.template.fields if name not in ids]
        if missing and write:
            raise pex.NotFoundError(
                f"dataset type '{datasetType}': id '{missing[0]}' is missing for writing; it needs"
                f" {', '.join(kind.template.fields)}, and the ids are {in_words(ids)}"
            )
        if missing:
            ids = {**ids, **self._only(kind, ids, missing)}
        path = kind.template.path(self.root, ids)
        return ButlerLocation(
            kind.python_type, None, kind.storage, path, ids, kind.hdu, kind.member, isTemplate=False
        )

    def _only(self, kind: DatasetType, ids: Mapping[str, Any], missing: Sequence[str]) -> dict[str, Any]:
        """The ids of the only file that has those given."""
        found = []
        for one in kind.template.find(self.root, ids):
            found.append(one)
            if len(found) > _MOST_NAMED:
                break
        if not found:
            raise NoSuchDataset(
                f"dataset type '{kind.name}': no file below {self.root} matches {kind.template.template} with"
                f" ids {in_words(ids)}, from which {', '.join(missing)} would be found"
            )
        if len(found) > 1:
            which = "; ".join(in_words({name: one[name] for name in missing}) for one in found[:_MOST_NAMED])
            raise AmbiguousId(
                f"dataset type '{kind.name}': ids {in_words(ids)} are ambiguous below {self.root}: {which}"
                f"{'; ...' if len(found) > _MOST_NAMED else ''}. Give {', '.join(missing)}, too"
            )
        return {name: found[0][name] for name in missing}

    def queryMetadata(
        self, datasetType: str, key: str, format: Sequence[str], dataId: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """The ids in `format` of all files that have the ids in `dataId`, each tuple once, ordered by path.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type, or it has no such id.
        """
        kind = self._type(datasetType)
        for name in (*format, *dataId):
            if name not in kind.template.fields:
                raise pex.NotFoundError(
                    f"dataset type '{datasetType}' has no id '{name}'; its ids:"
                    f" {', '.join(kind.template.fields) or 'none'}"
                )
        found = kind.template.find(self.root, self.validate(dict(dataId)))
        return list(dict.fromkeys(tuple(one[name] for name in format) for one in found))

    def _type(self, name: str) -> DatasetType:
        if name not in self.types:
            raise unknown_type(f"the mapper of {self.root}", name, sorted(self.types))
        return self.types[name]


def in_words(ids: Mapping[str, Any]) -> str:
    """Ids for a message."""
    return ", ".join(f"{name}={value!r}" for name, value in ids.items()) or "none"


def _read_types(root: str, datasets: Any) -> dict[str, DatasetType]:
    from harness.policy import DefaultPolicyFile, Policy

    if datasets is None:
        datasets = os.path.join(root, POLICY_FILE)
        if not os.path.isfile(datasets):
            raise pex.IoError(
                f"mapper of {root}: there is no {datasets}, which would define the dataset types; write one,"
                " or give mapperPolicy.datasets"
            )
    if not isinstance(datasets, Policy):
        path = os.fspath(datasets)
        datasets = Policy(path)
        datasets.loadPolicyFiles(os.path.dirname(path))
        if datasets.isPolicy("datasets"):
            datasets = datasets.getPolicy("datasets")
    whole = Policy()
    whole.set("datasets", datasets)
    dictionary = DefaultPolicyFile("pex_harness", "PathMapperDictionary.paf", "policy")
    whole.mergeDefaults(Policy.createPolicy(dictionary, False, True))
    return {name: _dataset_type(name, datasets.getPolicy(name)) for name in datasets.policyNames(True)}


def _dataset_type(name: str, policy: Policy) -> DatasetType:
    types = {}
    if policy.exists("keys"):
        keys = policy.getPolicy("keys")
        types = {key: _TYPES[keys.getString(key)] for key in keys.names(True)}
    try:
        template = PathTemplate(policy.getString("template"), types)
    except pex.InvalidParameterError as error:
        raise pex.InvalidParameterError(f"dataset type '{name}': {error}") from error
    storage = policy.getString("storage")
    prepare_storage(storage)
    return DatasetType(
        name,
        template,
        storage,
        policy.getString("pythonType") if policy.exists("pythonType") else "",
        policy.get("hdu") if policy.exists("hdu") else None,
        policy.getString("member") if policy.exists("member") else "",
    )

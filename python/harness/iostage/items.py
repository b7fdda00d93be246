# SPDX-License-Identifier: BSD-3-Clause
"""The item policies of the IO stages as plain data, checked when the stage is set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from harness.exceptions import InvalidParameterError
from harness.iostage.expectations import Expectation, expectation_from
from harness.iostage.ids import IdSource, constant_and_job_ids, input_ids
from harness.storage.registry import prepare_storage

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = [
    "InputItem",
    "OutputItem",
    "StorageSpec",
    "input_items",
    "item_from",
    "items_of",
    "output_items",
    "storage_spec",
]

Item = TypeVar("Item")

DEFAULT_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class StorageSpec:
    """One storage of an item.

    Attributes:
        storage: its name.
        location: the template of its location.
        hdu: the FITS extension.
        member: the array in a file that holds several.
        has_sidecar: whether a file with the checksum lies beside it.
    """

    storage: str
    location: str
    hdu: int | str | None = None
    member: str = ""
    has_sidecar: bool = False


@dataclass(frozen=True)
class InputItem:
    """What to read under one clipboard key.

    Attributes:
        name: the clipboard key.
        python_type: dotted name of the class of the result.
        storages: where it lies; several are read in order and assembled. With a butler none, or one
            without a location, which reads the dataset's file.
        dataset_type: read one object per dataset of this type in the input dataset list; None
            reads a single object. With a butler, the dataset type.
        must_match: no such dataset is an error.
        job_ids: ids to copy from the job identity.
        set_ids: constant ids, which win over those of the job identity.
        required: a file that does not come in time is an error.
        timeout_s: how long to wait for a file, in seconds.
        stable_s: for how long it must not have changed then, in seconds.
        expected: what its pixels must be.
    """

    name: str
    python_type: str
    storages: tuple[StorageSpec, ...]
    dataset_type: str | None = None
    must_match: bool = False
    job_ids: tuple[str, ...] = ()
    set_ids: dict[str, Any] = field(default_factory=dict)
    required: bool = True
    timeout_s: float = DEFAULT_TIMEOUT_S
    stable_s: float = 0.0
    expected: Expectation = Expectation()


@dataclass(frozen=True)
class OutputItem:
    """What to write from one clipboard key.

    Attributes:
        name: the clipboard key.
        storages: where to write it; all are written, in order. None where a butler writes it.
        required: its absence from the clipboard is an error.
        dataset_type: type of the dataset that is noted in the output dataset list; None notes none.
        set_ids: constant ids of that dataset.
        job_ids: ids to copy from the job identity, which win over the constant ones.
    """

    name: str
    storages: tuple[StorageSpec, ...]
    required: bool = False
    dataset_type: str | None = None
    set_ids: dict[str, Any] = field(default_factory=dict)
    job_ids: tuple[str, ...] = ()


def input_items(policy: Policy) -> list[InputItem] | None:
    """The items under ``parameters.inputItems``; None if there is no such policy.

    Raises:
        harness.exceptions.InvalidParameterError: an item lacks a key, or two exclude each other.
        harness.exceptions.NotFoundError: a storage is not known.
        harness.policy.errors.TypeError: a value has the wrong type.
    """
    return items_of(policy, "parameters.inputItems", _input_item)


def output_items(policy: Policy, has_butler: bool) -> list[OutputItem] | None:
    """The items under ``parameters.outputItems``; None if there is no such policy.

    A butler writes those that have a datasetId.

    Raises:
        as `input_items` does.
    """
    return items_of(policy, "parameters.outputItems", partial(_output_item, has_butler))


def items_of(policy: Policy, key: str, parse: Callable[[str, Policy], Item]) -> list[Item] | None:
    """What `parse` makes of the name and the policy of every item; None if there is no such policy."""
    if not policy.exists(key):
        return None
    items = policy.getPolicy(key)
    return [parse(name, items.getPolicy(name)) for name in items.policyNames(True)]


def _input_item(name: str, policy: Policy) -> InputItem:
    python_type = _text(policy, "pythonType") or _text(policy, "type")
    if python_type is None:
        raise InvalidParameterError(
            f"input item '{name}': pythonType is missing;"
            " name the class to make, such as harness.storage.image.Image"
        )
    dataset_type = _text(policy, "datasetType")
    ids = input_ids(name, policy)
    if ids.from_datasets and dataset_type is None:
        raise InvalidParameterError(
            f"input item '{name}': datasetId.fromInputDatasets needs a datasetType to look for"
        )
    return item_from(
        name,
        policy,
        ids,
        python_type=python_type,
        storages=_storages(f"input item '{name}'", policy),
        dataset_type=dataset_type if not ids.is_given or ids.from_datasets else None,
    )


def item_from(
    name: str,
    policy: Policy,
    ids: IdSource,
    *,
    python_type: str,
    storages: tuple[StorageSpec, ...],
    dataset_type: str | None,
) -> InputItem:
    """An input item, with what is read of its policy in any case. Raises as `input_items` does."""
    return InputItem(
        name=name,
        python_type=python_type,
        storages=storages,
        dataset_type=dataset_type,
        must_match=ids.from_datasets,
        job_ids=ids.job_ids,
        set_ids=ids.set_ids,
        required=policy.getBool("required") if policy.exists("required") else True,
        timeout_s=_seconds(name, policy, "timeout", DEFAULT_TIMEOUT_S),
        stable_s=_seconds(name, policy, "stableFor", 0.0),
        expected=expectation_from(f"input item '{name}'", policy),
    )


def _output_item(has_butler: bool, name: str, policy: Policy) -> OutputItem:
    ids = policy.getPolicy("datasetId") if policy.exists("datasetId") else None
    dataset_type = None if ids is None else _text(ids, "datasetType")
    if ids is not None and dataset_type is None:
        raise InvalidParameterError(f"output item '{name}': datasetId.datasetType is missing")
    set_ids, job_ids = ({}, ()) if ids is None else constant_and_job_ids(ids)
    return OutputItem(
        name=name,
        storages=() if has_butler and ids is not None else _storages(f"output item '{name}'", policy),
        required=policy.exists("required") and policy.getBool("required"),
        dataset_type=dataset_type,
        set_ids=set_ids,
        job_ids=job_ids,
    )


def _storages(where: str, policy: Policy) -> tuple[StorageSpec, ...]:
    """From ``storagePolicy``, one or several, or from ``storage`` and ``location`` beside the type."""
    if policy.exists("storagePolicy"):
        if policy.exists("storage") or policy.exists("location"):
            raise InvalidParameterError(
                f"{where}: give either storagePolicy or storage and location, not both"
            )
        return tuple(_storage(where, part) for part in policy.getPolicyArray("storagePolicy"))
    if not policy.exists("storage") and not policy.exists("location"):
        raise InvalidParameterError(
            f"{where}: storagePolicy is missing; write storagePolicy: {{ storage: FitsStorage"
            ' location: "%(input)/name.fits" }'
        )
    return (_storage(where, policy),)


def _storage(where: str, policy: Policy) -> StorageSpec:
    storage, location = _text(policy, "storage"), _text(policy, "location")
    if storage is None or location is None:
        missing = "storage" if storage is None else "location"
        raise InvalidParameterError(f"{where}: {missing} is missing")
    return storage_spec(where, storage, location, policy)


def storage_spec(where: str, storage: str, location: str, policy: Policy) -> StorageSpec:
    """A storage with what the policy says beside it. Raises as `input_items` does."""
    # A storage that is unknown or lacks its library shows now, and what it imports is not waited for
    # in the first visit.
    prepare_storage(storage)
    hdu = policy.get("hdu") if policy.exists("hdu") else None
    if hdu is not None and (isinstance(hdu, bool) or not isinstance(hdu, (int, str))):
        raise InvalidParameterError(f"{where}: hdu must be a number or an EXTNAME, not {hdu!r}")
    return StorageSpec(storage, location, hdu, _text(policy, "member") or "", policy.exists("checksum"))


def _seconds(name: str, policy: Policy, key: str, default: float) -> float:
    if not policy.exists(key):
        return default
    value = policy.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidParameterError(f"input item '{name}': {key} must be a number of seconds, not {value!r}")
    return float(value)


def _text(policy: Policy, key: str) -> str | None:
    return policy.getString(key) if policy.exists(key) else None

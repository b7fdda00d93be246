# SPDX-License-Identifier: BSD-3-Clause
"""Input items that are read through a butler, by dataset type and ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from harness.dataset import Dataset
from harness.exceptions import InvalidParameterError, IoError
from harness.iostage.common import explained, job_identity
from harness.iostage.ids import input_ids
from harness.iostage.items import InputItem, StorageSpec, item_from, items_of, storage_spec
from harness.iostage.waiting import wait_until
from harness.storage import ReadRequest

if TYPE_CHECKING:
    from harness.butler.from_policy import ItemButler
    from harness.butler.repository import Repository
    from harness.clipboard import Clipboard
    from harness.log import BlockTimingLog
    from harness.policy import Policy

__all__ = ["DatasetReader", "matching_ids"]


class DatasetReader:
    """Reads the items of one stage.

    Args:
        policy: of the stage.
        butler: reads them.
        log: of the stage.

    Raises:
        harness.exceptions.InvalidParameterError: an item lacks a key, or two exclude each other.
        harness.exceptions.NotFoundError: a storage is not known.
        harness.policy.errors.TypeError: a value has the wrong type.
    """

    def __init__(self, policy: Policy, butler: ItemButler, log: BlockTimingLog) -> None:
        self._policy = policy
        self._butler = butler
        self._log = log
        # A mapper says what to read a dataset with; a repository leaves it to the item.
        self._by_storage = hasattr(butler, "read")
        self.items = items_of(policy, "parameters.inputItems", self._item)
        """None if there is no such policy."""

    def _item(self, name: str, policy: Policy) -> InputItem:
        dataset_type = policy.getString("datasetType") if policy.exists("datasetType") else None
        ids = input_ids(name, policy)
        if dataset_type is None or not ids.is_given:
            missing = "datasetType" if dataset_type is None else "datasetId"
            raise InvalidParameterError(
                f"input item '{name}': {missing} is missing: with parameters.butler every input item has"
                " datasetType, and datasetId with fromInputDatasets, fromJobIdentity or set"
            )
        storages: tuple[StorageSpec, ...] = ()
        python_type = ""
        unused = ["type", "location", "storagePolicy", "stableFor", "checksum"]
        if not self._by_storage:
            unused += ["pythonType", "storage", "hdu", "member"]
        else:
            where = f"input item '{name}'"
            python_type = policy.getString("pythonType") if policy.exists("pythonType") else ""
            if policy.exists("storage"):
                storages = (storage_spec(where, policy.getString("storage"), "", policy),)
        given = [key for key in unused if policy.exists(key)]
        if given:
            names = ", ".join(given)
            self._log.log(self._log.WARN, f"input item '{name}': with a butler no effect has {names}")
        return item_from(
            name, policy, ids, python_type=python_type, storages=storages, dataset_type=dataset_type
        )

    def read(self, item: InputItem, clipboard: Clipboard) -> None:
        """Read an item and put it on the clipboard; an optional one that does not come is left out.

        Raises:
            harness.exceptions.IoError: a dataset does not come in time, or its file is damaged.
            harness.exceptions.Exception: the butler does not find what is meant.
            RuntimeError, KeyError: the clipboard lacks what the policy refers to.
        """
        if item.must_match:
            id_sets = matching_ids(self._policy, item, clipboard)
        else:
            job_ids = job_identity(self._policy, clipboard, item.job_ids, f"input item '{item.name}'")
            id_sets = [{**job_ids, **item.set_ids}]
        found = [object_ for ids in id_sets for object_ in self._get(item, ids)]
        if found:
            clipboard.put(item.name, found[0] if len(found) == 1 else found)

    def _get(self, item: InputItem, ids: dict[str, Any]) -> list[Any]:
        """One dataset; none if it is optional and does not come."""
        assert item.dataset_type is not None
        dataset_type, butler = item.dataset_type, self._butler
        what = f"dataset {Dataset(dataset_type, ids=ids)}"

        def is_there() -> bool | None:
            return butler.datasetExists(dataset_type, ids)

        with explained(f"input item '{item.name}'"):
            if not wait_until(is_there, what, item.timeout_s, self._log):
                why = f"{what} does not exist, after waiting {max(item.timeout_s, 0.0):g} s"
                if item.required:
                    raise IoError(
                        f"{why}; set 'timeout' to wait longer, or 'required: false' to go on without it"
                    )
                self._log.log(self._log.WARN, f"optional input item '{item.name}' is skipped: {why}")
                return []
            self._log.log(self._log.INFO, f"loading {item.name} from {what}")
            block = self._log.timeBlock("read", self._log.INFO - 1, f"reading {item.name}")
            if item.storages:
                spec = item.storages[0]
                request = ReadRequest(item.name, item.python_type, spec.hdu, spec.member)
                result = cast("Repository", butler).read(dataset_type, ids, spec.storage, request)
            else:
                result = butler.get(dataset_type, ids)
            item.expected.check(item.name, what, result)
            block.done()
        return [result]


def matching_ids(policy: Policy, item: InputItem, clipboard: Clipboard) -> list[dict[str, Any]]:
    """The ids of every dataset in the input list that has the item's type.

    Raises:
        RuntimeError: there is no such list.
        harness.exceptions.IoError: none has the type, and one must.
    """
    key = policy.getString("inputKeys.inputDatasets")
    datasets = clipboard.get(key)
    if datasets is None:
        raise RuntimeError(
            f"input item '{item.name}': datasets of type '{item.dataset_type}' come from a list on the"
            f" clipboard, and there is none under '{key}'"
        )
    matching = [dataset.ids or {} for dataset in datasets if dataset.type == item.dataset_type]
    if item.must_match and not matching:
        raise IoError(
            f"input item '{item.name}': none of the {len(datasets)} datasets under '{key}' is of type"
            f" '{item.dataset_type}'"
        )
    return matching

# SPDX-License-Identifier: BSD-3-Clause
"""The input stage: reads items from files onto the clipboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.exceptions import IoError
from harness.iostage.common import IOProcessing, SerialIOProcessing, add_ids, job_identity
from harness.iostage.items import InputItem, StorageSpec, input_items
from harness.iostage.waiting import wait_for_path
from harness.locations import LogicalLocation
from harness.stage import ParallelProcessing, Stage, find_class
from harness.storage import ReadRequest, storage_named
from harness.utils import createAdditionalData

if TYPE_CHECKING:
    from harness.clipboard import Clipboard
    from harness.properties import PropertySet

__all__ = ["InputStage", "InputStageParallel", "InputStageSerial"]

_WAITLESS = "mysql:"


class _Absent(Exception):
    """An optional input did not come in time."""


class _InputProcessing(IOProcessing):
    direction = "input"

    def read_items(self) -> None:
        self._items = input_items(self.policy)

    def act(self, clipboard: Clipboard) -> None:
        """Read every item and put it on the clipboard.

        Raises:
            harness.exceptions.IoError: a file is missing after the wait, damaged or unreadable.
            harness.exceptions.RuntimeError: a location template has an unknown name.
            RuntimeError, KeyError: the clipboard lacks what the policy refers to.
        """
        if self._items is None:
            self.log.log(self.log.WARN, "no parameters.inputItems: nothing is read")
            return
        common = createAdditionalData(self, self.policy, clipboard)
        for item in self._items:
            additional = common.deepCopy()
            additional.set("itemName", item.name)
            self._read_item(item, clipboard, additional)

    def _read_item(self, item: InputItem, clipboard: Clipboard, additional: PropertySet) -> None:
        where = f"input item '{item.name}'"
        ids = job_identity(self.policy, clipboard, item.job_ids, where)
        add_ids(additional, {**ids, **item.set_ids}, where)
        if item.dataset_type is None:
            id_sets: list[dict[str, Any]] = [{}]
        else:
            id_sets = self._dataset_ids(item, clipboard)
        found = []
        for dataset_ids in id_sets:
            own = additional.deepCopy()
            add_ids(own, dataset_ids, where)
            try:
                found.append(self._load(item, own))
            except _Absent as reason:
                self.log.log(self.log.WARN, f"optional {where} is skipped: {reason}")
        if id_sets and not found:
            return
        clipboard.put(item.name, found[0] if len(found) == 1 else found)

    def _dataset_ids(self, item: InputItem, clipboard: Clipboard) -> list[dict[str, Any]]:
        """The ids of every dataset in the input list that has the item's type."""
        key = self.policy.getString("inputKeys.inputDatasets")
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

    def _load(self, item: InputItem, additional: PropertySet) -> Any:
        """One object, from one storage or assembled from several."""
        paths = [LogicalLocation(spec.location, additional).locString() for spec in item.storages]
        for path in paths:
            self._wait(item, path)
        block = self.log.timeBlock("read", self.log.INFO - 1, f"reading {item.name}")
        if len(paths) == 1:
            result = self._read(item, item.storages[0], paths[0], item.python_type)
        else:
            result = self._assemble(item, paths)
        block.done()
        return result

    def _wait(self, item: InputItem, path: str) -> None:
        if path.startswith(_WAITLESS) or wait_for_path(path, item.timeout_s, self.log):
            return
        why = f"{path} does not exist, after waiting {max(item.timeout_s, 0.0):g} s"
        if not item.required:
            raise _Absent(why)
        raise IoError(
            f"input item '{item.name}': {why}; set 'timeout' to wait longer, or 'required: false' to go"
            " on without it"
        )

    def _read(self, item: InputItem, spec: StorageSpec, path: str, python_type: str) -> Any:
        self.log.log(self.log.INFO, f"loading {item.name} from {path}")
        return storage_named(spec.storage).read(path, ReadRequest(item.name, python_type, spec.hdu))

    def _assemble(self, item: InputItem, paths: list[str]) -> Any:
        wanted = find_class(item.python_type)
        convert = getattr(wanted, "swigConvert", None)
        if convert is None:
            raise TypeError(
                f"input item '{item.name}' comes from {len(paths)} storages, and {item.python_type} has no"
                " static swigConvert(parts) to assemble it from a list; use one item per storage"
            )
        parts = [self._read(item, spec, path, "") for spec, path in zip(item.storages, paths, strict=True)]
        return convert(parts)


class InputStageSerial(_InputProcessing, SerialIOProcessing):
    """Reads the items in the master, in `preprocess` or `postprocess` as ``parameters.runMode`` says."""


class InputStageParallel(_InputProcessing, ParallelProcessing):
    """Reads the items in every slice."""

    def process(self, clipboard: Clipboard) -> None:
        """Read the items."""
        if self.acts_in_slices():
            self.act(clipboard)


class InputStage(Stage):
    """Both halves of the input stage."""

    serialClass = InputStageSerial
    parallelClass = InputStageParallel

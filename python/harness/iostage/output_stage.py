# SPDX-License-Identifier: BSD-3-Clause
"""The output stage: writes items from the clipboard to files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.current import current_visit
from harness.dataset import Dataset
from harness.iostage.common import IOProcessing, SerialIOProcessing, add_ids, explained, job_identity
from harness.iostage.items import OutputItem, output_items
from harness.iostage.sidecars import write_sidecar
from harness.locations import LogicalLocation
from harness.stage import ParallelProcessing, Stage
from harness.storage import storage_named

if TYPE_CHECKING:
    from harness.butler.from_policy import ItemButler
    from harness.clipboard import Clipboard
    from harness.properties import PropertySet

__all__ = ["OutputStage", "OutputStageParallel", "OutputStageSerial"]


class _OutputProcessing(IOProcessing):
    direction = "output"

    def read_items(self) -> None:
        self._items = output_items(self.policy, self.butler is not None)

    def act(self, clipboard: Clipboard) -> None:
        """Write every item that is on the clipboard.

        Raises:
            RuntimeError: a required item is not on the clipboard, or the job identity is missing.
            KeyError: the job identity lacks an id.
            harness.exceptions.IoError: a file cannot be written.
            harness.exceptions.RuntimeError: a location template has an unknown name.
            TypeError, ValueError: a storage cannot hold the item.
        """
        if self._items is None:
            self.log.log(self.log.WARN, "no parameters.outputItems: nothing is written")
            return
        common = self.common_data(clipboard, current_visit())
        written = 0
        for item in self._items:
            if clipboard.contains(item.name):
                self._write_item(item, clipboard, common)
                written += 1
            elif item.required:
                raise RuntimeError(
                    f"output item '{item.name}' is required and not on the clipboard, which holds"
                    f" {', '.join(sorted(map(str, clipboard.getKeys()))) or 'nothing'}"
                )
        if not written:
            self.log.log(self.log.WARN, "none of the output items is on the clipboard: nothing is written")

    def _write_item(self, item: OutputItem, clipboard: Clipboard, common: PropertySet) -> None:
        where = f"output item '{item.name}'"
        additional = common.deepCopy()
        additional.set("itemName", item.name)
        if item.dataset_type is not None:
            job_ids = job_identity(self.policy, clipboard, item.job_ids, where)
            ids = {**item.set_ids, **job_ids}
            add_ids(additional, ids, where)
            dataset = Dataset(item.dataset_type, ids=ids)
            self._note_dataset(dataset, clipboard)
            if self.butler is not None:
                self._put(where, self.butler, clipboard.get(item.name), dataset)
                return
        obj = clipboard.get(item.name)
        for spec in item.storages:
            path = LogicalLocation(spec.location, additional).locString()
            for properties in (additional, common):
                properties.add(f"StorageLocation.{spec.storage}", path)
            self._write(where, obj, spec.storage, path)
            if spec.has_sidecar:
                write_sidecar(path)

    def _write(self, where: str, obj: Any, storage: str, path: str) -> None:
        self.log.log(self.log.INFO, f"persisting {where} to {path}")
        block = self.log.timeBlock("write", self.log.INFO - 1, f"writing {where}")
        try:
            storage_named(storage).write(path, obj)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{where} cannot be written to {path}: {error}") from error
        block.done()

    def _put(self, where: str, butler: ItemButler, obj: Any, dataset: Dataset) -> None:
        """Has the butler write it."""
        assert dataset.type is not None and dataset.ids is not None
        self.log.log(self.log.INFO, f"persisting {where} as dataset {dataset}")
        block = self.log.timeBlock("write", self.log.INFO - 1, f"writing {where}")
        with explained(where):
            butler.put(obj, dataset.type, dataset.ids)
        block.done()

    def _note_dataset(self, dataset: Dataset, clipboard: Clipboard) -> None:
        key = self.policy.getString("outputKeys.outputDatasets")
        noted = clipboard.get(key)
        if noted is None:
            noted = []
            clipboard.put(key, noted)
        noted.append(dataset)


class OutputStageSerial(_OutputProcessing, SerialIOProcessing):
    """Writes the items in the master, in `preprocess` or `postprocess` as ``parameters.runMode`` says."""


class OutputStageParallel(_OutputProcessing, ParallelProcessing):
    """Writes the items in every slice."""

    def process(self, clipboard: Clipboard) -> None:
        """Write the items."""
        if self.acts_in_slices():
            self.act(clipboard)


class OutputStage(Stage):
    """Both halves of the output stage."""

    serialClass = OutputStageSerial
    parallelClass = OutputStageParallel

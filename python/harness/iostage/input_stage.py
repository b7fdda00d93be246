# SPDX-License-Identifier: BSD-3-Clause
"""The input stage: reads items from files onto the clipboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.current import current_visit
from harness.exceptions import Exception as LsstException
from harness.exceptions import IoError
from harness.iostage.common import IOProcessing, SerialIOProcessing, add_ids, job_identity
from harness.iostage.datasets import DatasetReader, matching_ids
from harness.iostage.expectations import Expectation
from harness.iostage.foresight import foreseen_clipboards
from harness.iostage.items import InputItem, input_items
from harness.iostage.read_ahead import ReadAhead
from harness.iostage.reading import Reading
from harness.iostage.waiting import wait_for_path, wait_until_stable
from harness.locations import LogicalLocation
from harness.stage import ParallelProcessing, Stage, find_class

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
        self._datasets = None
        if self.butler is None:
            self._items = input_items(self.policy)
        else:
            self._datasets = DatasetReader(self.policy, self.butler, self.log)
            self._items = self._datasets.items
            if self.policy.exists("parameters.readAhead"):
                self.log.log(self.log.WARN, "readAhead has no effect: items of a butler are not read ahead")
        self._ahead = (
            self.policy.getInt("parameters.readAhead") if self.policy.exists("parameters.readAhead") else 0
        )
        if self._ahead and self._datasets is not None:
            self._ahead = 0
            self.log.log(self.log.WARN, "with a butler no effect has parameters.readAhead")
        self._read_ahead = ReadAhead()
        self._told_why = False

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
        if self._datasets is not None:
            for item in self._items:
                self._datasets.read(item, clipboard)
            return
        common = self.common_data(clipboard, current_visit())
        for item in self._items:
            self._read_item(item, clipboard, common)
        # Outside of a run there is no next visit.
        if self._ahead and current_visit():
            self._look_ahead(self._items, clipboard)

    def _read_item(self, item: InputItem, clipboard: Clipboard, common: PropertySet) -> None:
        found = []
        id_sets = self._locations(item, clipboard, common)
        for additional in id_sets:
            try:
                found.append(self._load(item, additional))
            except _Absent as reason:
                self.log.log(self.log.WARN, f"optional input item '{item.name}' is skipped: {reason}")
        if id_sets and not found:
            return
        clipboard.put(item.name, found[0] if len(found) == 1 else found)

    def _locations(self, item: InputItem, clipboard: Clipboard, common: PropertySet) -> list[PropertySet]:
        """What the location templates of an item are filled in from, once for each object to read."""
        where = f"input item '{item.name}'"
        ids = job_identity(self.policy, clipboard, item.job_ids, where)
        id_sets: list[dict[str, Any]] = [{}]
        if item.dataset_type is not None:
            id_sets = matching_ids(self.policy, item, clipboard)
        found = []
        for dataset_ids in id_sets:
            own = common.deepCopy()
            own.set("itemName", item.name)
            add_ids(own, {**ids, **item.set_ids}, where)
            add_ids(own, dataset_ids, where)
            found.append(own)
        return found

    def _look_ahead(self, items: list[InputItem], clipboard: Clipboard) -> None:
        """Let the files of the next visits be read, as far as they can be known."""
        wanted: list[Reading] = []
        try:
            key = self.policy.getString("inputKeys.upcomingVisits")
            for distance, foreseen in enumerate(foreseen_clipboards(clipboard, key, self._ahead), start=1):
                common = self.common_data(foreseen, current_visit() + distance)
                for item in items:
                    for additional in self._locations(item, foreseen, common):
                        wanted += self._readings(item, additional)
        except (RuntimeError, KeyError, TypeError, LsstException) as error:
            if not self._told_why:
                self._told_why = True
                self.log.log(
                    self.log.INFO,
                    f"no file is read ahead where the next visit is not known: {error}; a stage before this"
                    f" one may put it under '{key}'",
                )
        self._read_ahead.want(wanted)

    def _load(self, item: InputItem, additional: PropertySet) -> Any:
        """One object, from one storage or assembled from several."""
        readings = self._readings(item, additional)
        for reading in readings:
            self._wait(item, reading.path)
        block = self.log.timeBlock("read", self.log.INFO - 1, f"reading {item.name}")
        if len(readings) == 1:
            result = self._read(readings[0])
        else:
            result = self._assemble(item, readings)
        block.done()
        return result

    def _readings(self, item: InputItem, additional: PropertySet) -> list[Reading]:
        """The files of one object."""
        paths = [LogicalLocation(spec.location, additional).locString() for spec in item.storages]
        if len(paths) == 1:
            return [Reading(item.name, item.storages[0], paths[0], item.python_type, item.expected)]
        return [
            Reading(item.name, spec, path, "", Expectation())
            for spec, path in zip(item.storages, paths, strict=True)
        ]

    def _wait(self, item: InputItem, path: str) -> None:
        if path.startswith(_WAITLESS):
            return
        if wait_for_path(path, item.timeout_s, self.log):
            if wait_until_stable(path, item.stable_s, item.timeout_s, self.log):
                return
            raise IoError(
                f"input item '{item.name}': {path} has not kept its size for {item.stable_s:g} s within"
                f" {item.timeout_s:g} s: it is being written still; set 'timeout' to wait longer"
            )
        why = f"{path} does not exist, after waiting {max(item.timeout_s, 0.0):g} s"
        if not item.required:
            raise _Absent(why)
        raise IoError(
            f"input item '{item.name}': {why}; set 'timeout' to wait longer, or 'required: false' to go"
            " on without it"
        )

    def _read(self, reading: Reading) -> Any:
        if self._ahead:
            found, result = self._read_ahead.take(reading)
            if found:
                self.log.log(self.log.INFO, f"{reading.item} was read ahead from {reading.path}")
                return result
        self.log.log(self.log.INFO, f"loading {reading.item} from {reading.path}")
        result = reading.read()
        if self._ahead:
            self._read_ahead.note_size(reading, result)
        return result

    def _assemble(self, item: InputItem, readings: list[Reading]) -> Any:
        wanted = find_class(item.python_type)
        convert = getattr(wanted, "swigConvert", None)
        if convert is None:
            raise TypeError(
                f"input item '{item.name}' comes from {len(readings)} storages, and {item.python_type} has no"
                " static swigConvert(parts) to assemble it from a list; use one item per storage"
            )
        result = convert([self._read(reading) for reading in readings])
        item.expected.check(item.name, ", ".join(reading.path for reading in readings), result)
        return result

    def shutdown(self) -> None:
        """Let go of what was read ahead, and of the butler."""
        super().shutdown()
        if self._ahead:
            self._read_ahead.close()
            self.log.log(
                self.log.INFO,
                f"read ahead: {self._read_ahead.taken} files came in time, {self._read_ahead.lost} were not"
                " wanted or could not be had",
            )


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

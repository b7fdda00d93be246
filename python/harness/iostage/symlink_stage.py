# SPDX-License-Identifier: BSD-3-Clause
"""The symbolic link stage: gives files and directories a second name where other stages look for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.locations import LogicalLocation
from harness.stage import ParallelProcessing, SerialProcessing, Stage, StageProcessing
from harness.utils import createAdditionalData

if TYPE_CHECKING:
    from harness.clipboard import Clipboard
    from harness.log import Log

__all__ = ["SymLinkStage", "SymLinkStageParallel", "SymLinkStageSerial"]


class _SymLinkProcessing(StageProcessing):
    """Reads ``RunMode`` and the array ``Links`` of ``sourcePath`` and ``destPath`` location templates."""

    log: Log
    policy_dictionary = ("pex_harness", "SymLinkStageDictionary.paf", "policy")

    def setup(self) -> None:
        """Make the log ready and read the policy.

        Raises:
            harness.policy.errors.NameNotFound: a link lacks one of its paths.
            harness.policy.errors.TypeError: a value has the wrong type.
        """
        from harness.log import Log, getDefaultLog

        self.log = Log(self.log if self.log is not None else getDefaultLog(), "symlink")
        self._mode = ""
        self._links: list[tuple[str, str]] = []
        if self.policy is None:
            return
        if self.policy.exists("RunMode"):
            self._mode = self.policy.getString("RunMode")
        if self.policy.exists("Links"):
            self._links = [
                (link.getString("sourcePath"), link.getString("destPath"))
                for link in self.policy.getPolicyArray("Links")
            ]

    def make_links(self, clipboard: Clipboard) -> None:
        """Make every link, and the directories it needs. What has the name already stays as it is.

        Raises:
            harness.exceptions.RuntimeError: a location template has an unknown name.
            OSError: a link or a directory cannot be made.
        """
        if not self._links:
            self.log.log(self.log.WARN, "no Links: no symbolic link is made")
            return
        additional = createAdditionalData(self, self.policy, clipboard)
        for source_template, dest_template in self._links:
            source = LogicalLocation(source_template, additional).locString()
            dest = LogicalLocation(dest_template, additional).locString()
            parent = os.path.dirname(dest)
            if parent:
                os.makedirs(parent, exist_ok=True)
            try:
                os.symlink(source, dest)
            except FileExistsError:
                # A slice or an earlier visit made it; anything else under that name is worth a word.
                if not os.path.islink(dest) or os.readlink(dest) != source:
                    self.log.log(self.log.WARN, f"{dest} exists and is no link to {source}: left alone")


class SymLinkStageSerial(_SymLinkProcessing, SerialProcessing):
    """Makes the links in the master, in `preprocess` or `postprocess` as ``RunMode`` says."""

    def preprocess(self, clipboard: Clipboard) -> None:
        """Act if ``RunMode`` is "preprocess"."""
        if self._mode == "preprocess":
            self.make_links(clipboard)

    def postprocess(self, clipboard: Clipboard) -> None:
        """Act if ``RunMode`` is "postprocess"."""
        if self._mode == "postprocess":
            self.make_links(clipboard)


class SymLinkStageParallel(_SymLinkProcessing, ParallelProcessing):
    """Makes the links in every slice, unless ``RunMode`` gives them to the master."""

    def process(self, clipboard: Clipboard) -> None:
        """Act unless ``RunMode`` is "preprocess" or "postprocess"."""
        if self._mode not in ("preprocess", "postprocess"):
            self.make_links(clipboard)


class SymLinkStage(Stage):
    """Both halves of the symbolic link stage."""

    serialClass = SymLinkStageSerial
    parallelClass = SymLinkStageParallel

# SPDX-License-Identifier: BSD-3-Clause
"""Directories: the directories of a run, worked out from the ``dir`` policy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.properties import PropertySet

__all__ = ["Directories"]

_STANDARD_NAMES = ("work", "input", "output", "update", "scratch")
_DEFAULTS = {"defaultRoot": ".", "runDirPattern": "%(runid)s", "update": "."}
"""Where a policy is silent all lies where it does without one: below the current directory, by run id."""


class Directories:
    """The root, run and named directories of one run. Nothing is created on disk.

    Args:
        dirPolicy: policy with ``defaultRoot``, ``runDirPattern`` and the named directories
            ``work``, ``input``, ``output``, ``update``, ``scratch``. The pattern and the names are
            Python % formats over ``runid`` and ``shortname``. All may be left out: the root is then the
            current directory, the pattern ``%(runid)s``, and every name the run directory.
        shortName: short name of the pipeline.
        runId: name of the run.

    The methods raise harness.policy.errors.TypeError for a key that is no string, and ValueError for a
    format that cannot be filled in.
    """

    def __init__(self, dirPolicy: Policy, shortName: str, runId: str = "no-id") -> None:
        self._policy = dirPolicy
        self._values = {"runid": runId, "shortname": shortName}

    def getDefaultRootDir(self) -> str:
        """The root: ``defaultRoot``, below $PWD if it is relative."""
        root = self._text("defaultRoot")
        if os.path.isabs(root):
            return root
        # $PWD keeps the symbolic links of the path that the user came by.
        here = os.environ.get("PWD") or os.getcwd()
        return here if root == "." else os.path.join(here, root)

    def getDefaultRunDir(self) -> str:
        """The run directory: the formatted ``runDirPattern``, always below the root."""
        return os.path.join(self.getDefaultRootDir(), self._formatted("runDirPattern").lstrip("/"))

    def getNamedDirectory(self, name: str) -> str:
        """The directory for `name`; one that is not in the policy is the ``update`` directory.

        A relative directory lies below the run directory, an absolute one is taken as it is.
        """
        directory = self._formatted(name if self._policy.exists(name) else "update")
        return directory if os.path.isabs(directory) else os.path.join(self.getDefaultRunDir(), directory)

    def getDirs(self) -> PropertySet:
        """The five standard directories by name."""
        from harness.properties import PropertySet

        directories = PropertySet()
        for name in _STANDARD_NAMES:
            directories.set(name, self.getNamedDirectory(name))
        return directories

    def _text(self, key: str) -> str:
        if key in _DEFAULTS and not self._policy.exists(key):
            return _DEFAULTS[key]
        return self._policy.getString(key)

    def _formatted(self, key: str) -> str:
        pattern = self._text(key)
        try:
            return pattern % self._values
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"dir policy: cannot fill in {key}: '{pattern}' ({type(error).__name__}: {error});"
                " a pattern may use %(runid)s and %(shortname)s, and %% for a plain %"
            ) from error

# SPDX-License-Identifier: BSD-3-Clause
"""What input and output stages share: set-up, run modes, ids and additional data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.exceptions import Exception as LsstException
from harness.iostage.capitalised import is_capitalised, modern_policy
from harness.stage import SerialProcessing, StageProcessing
from harness.utils import createAdditionalData, setProperty

if TYPE_CHECKING:
    from harness.butler.from_policy import ItemButler
    from harness.clipboard import Clipboard
    from harness.log import BlockTimingLog, Log
    from harness.policy import Policy
    from harness.properties import PropertySet

__all__ = ["IOProcessing", "SerialIOProcessing", "add_ids", "explained", "job_identity"]

_RUN_MODE = "parameters.runMode"
_VISIT = "visitNumber"
_RUN_MODES = ("preprocess", "process", "postprocess")


class IOProcessing(StageProcessing):
    """A stage half that moves items between the clipboard and files."""

    # "input" or "output"; names the log and, capitalised, the dictionary.
    direction = ""

    log: BlockTimingLog
    policy: Policy
    butler: ItemButler | None

    def setup(self) -> None:
        """Make the log and the policy ready, and check the items.

        Raises:
            harness.policy.ValidationError: the policy has unknown or ill-typed parameters.
            harness.exceptions.InvalidParameterError: an item or the butler makes no sense.
            harness.exceptions.NotFoundError: a storage is not known.
        """
        self.log = _timing_log(self.log, self.direction)
        self._capitalised = self.policy is not None and is_capitalised(self.policy)
        if self._capitalised:
            self.policy = modern_policy(self.policy)
        self.policy = _with_defaults(self.policy, f"{self.direction.capitalize()}StageDictionary.paf")
        mode = self.run_mode()
        if mode and mode not in _RUN_MODES:
            self.log.log(
                self.log.WARN,
                f"{_RUN_MODE} is '{mode}', not one of {', '.join(_RUN_MODES)}: the serial part never acts",
            )
        self.butler = self._make_butler()
        self.read_items()

    def _make_butler(self) -> ItemButler | None:
        if not self.policy.exists("parameters.butler"):
            return None
        from harness.butler.from_policy import butler_from_policy

        def warn(text: str) -> None:
            self.log.log(self.log.WARN, text)

        return butler_from_policy(
            self.policy.getPolicy("parameters.butler"),
            run_id=self.getRun(),
            writes=self.direction == "output",
            warn=warn,
        )

    def read_items(self) -> None:
        """Take the items from the policy."""
        raise NotImplementedError

    def act(self, clipboard: Clipboard) -> None:
        """Read or write the items."""
        raise NotImplementedError

    def common_data(self, clipboard: Clipboard, visit: int) -> PropertySet:
        """What every location template may use: the additional data, and ``visitNumber``, from 1.

        Raises:
            RuntimeError, TypeError: as `harness.utils.createAdditionalData` does.
        """
        common = createAdditionalData(self, self.policy, clipboard)
        if not common.exists(_VISIT):
            common.set(_VISIT, visit)
        return common

    def shutdown(self) -> None:
        """Closes the butler, where it keeps something open."""
        close = getattr(self.butler, "close", None)
        if close is not None:
            close()

    def acts_in_slices(self) -> bool:
        """Whether the parallel half acts: always, unless a policy of before 2010 names a serial run mode."""
        return not (self._capitalised and self.run_mode() in ("preprocess", "postprocess"))

    def run_mode(self) -> str:
        """``parameters.runMode``, empty if absent."""
        return self.policy.getString(_RUN_MODE) if self.policy.exists(_RUN_MODE) else ""


class SerialIOProcessing(IOProcessing, SerialProcessing):
    """The serial half: acts in `preprocess` or `postprocess`, whichever the run mode names."""

    def preprocess(self, clipboard: Clipboard) -> None:
        """Act if ``parameters.runMode`` is "preprocess"."""
        if self.run_mode() == "preprocess":
            self.act(clipboard)

    def postprocess(self, clipboard: Clipboard) -> None:
        """Act if ``parameters.runMode`` is "postprocess"."""
        if self.run_mode() == "postprocess":
            self.act(clipboard)


def job_identity(policy: Policy, clipboard: Clipboard, names: Iterable[str], where: str) -> dict[str, Any]:
    """The named ids of the job identity on the clipboard.

    Raises:
        RuntimeError: there is no job identity on the clipboard.
        KeyError: it lacks one of the ids.
    """
    key = policy.getString("inputKeys.jobIdentity")
    found = {}
    for name in names:
        identity = clipboard.get(key)
        if identity is None:
            raise RuntimeError(
                f"{where}: id '{name}' comes from the job identity, and the clipboard has none under '{key}'"
            )
        if name not in identity:
            known = ", ".join(sorted(map(str, identity)))
            raise KeyError(f"{where}: the job identity has no id '{name}'; its ids: {known or 'none'}")
        found[name] = identity[name]
    return found


def add_ids(additional: PropertySet, ids: Mapping[str, Any], where: str) -> None:
    """Make ids available to location templates."""
    for name, value in ids.items():
        setProperty(additional, name, value, where)


@contextlib.contextmanager
def explained(where: str) -> Iterator[None]:
    """Puts `where` in front of the message of an error of the harness; its class stays."""
    try:
        yield
    except LsstException as error:
        try:
            told = type(error)(f"{where}: {error}")
        except TypeError:
            raise error from None
        raise told from error


def _timing_log(log: Log | None, direction: str) -> BlockTimingLog:
    from harness.log import BlockTimingLog, getDefaultLog

    if log is None:
        return BlockTimingLog(getDefaultLog(), f"pex.harness.iostage.{direction}")
    return BlockTimingLog(log, f"iostage.{direction}")


def _with_defaults(policy: Policy | None, dictionary: str) -> Policy:
    from harness.policy import DefaultPolicyFile
    from harness.policy import Policy as PolicyClass

    defaults = PolicyClass.createPolicy(DefaultPolicyFile("pex_harness", dictionary, "policy"), False, True)
    own = PolicyClass() if policy is None else policy
    own.mergeDefaults(defaults)
    return own

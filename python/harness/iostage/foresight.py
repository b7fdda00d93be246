# SPDX-License-Identifier: BSD-3-Clause
"""What the clipboards of the next visits will hold, as far as it is known."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from harness.clipboard import Clipboard
from harness.properties import PropertySet

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = ["foreseen_clipboards", "needed_keys", "words_for_foresight"]


def foreseen_clipboards(clipboard: Clipboard, key: str, most: int) -> Iterator[Clipboard]:
    """Clipboards with what is known of the next visits, the nearest first.

    Under `key` may stand a list of dicts, one per visit, or a single one: what the harness knows from events
    that wait already, or what a stage has put there. Without that key the clipboards are empty, and what
    needs nothing from them can be known still.

    Args:
        clipboard: of this visit.
        key: where to look.
        most: how many at most.

    Raises:
        TypeError: under the key stands something else.
    """
    upcoming = clipboard.get(key)
    if upcoming is None:
        upcoming = [{}] * most
    elif isinstance(upcoming, (Mapping, PropertySet)):
        upcoming = [upcoming]
    if not isinstance(upcoming, (list, tuple)):
        raise TypeError(f"'{key}' on the clipboard must be a list of dicts, not {type(upcoming).__name__}")
    for visit in upcoming[:most]:
        if not isinstance(visit, (Mapping, PropertySet)):
            raise TypeError(f"'{key}' on the clipboard must hold dicts, not {type(visit).__name__}")
        foreseen = Clipboard()
        for name, value in visit.items():
            foreseen.put(name, value)
        yield foreseen


def needed_keys(policy: Policy) -> list[str]:
    """The clipboard keys that the policy of an input stage needs to know where its files are, sorted."""
    needed = set()
    if policy.exists("parameters.additionalData"):
        entries = policy.getStringArray("parameters.additionalData")
        needed |= {entry.rpartition("=")[2].strip().partition(".")[0] for entry in entries}
    items = policy.getPolicy("parameters.inputItems") if policy.exists("parameters.inputItems") else None
    for name in items.policyNames(True) if items is not None else []:
        assert items is not None
        item = items.getPolicy(name)
        ids = item.getPolicy("datasetId") if item.exists("datasetId") else None
        if ids is not None and ids.exists("fromJobIdentity"):
            needed.add(_key(policy, "jobIdentity"))
        from_list = ids is None or (ids.exists("fromInputDatasets") and ids.getBool("fromInputDatasets"))
        if item.exists("datasetType") and from_list:
            needed.add(_key(policy, "inputDatasets"))
    return sorted(needed)


def words_for_foresight(policy: Policy, topics: Collection[str]) -> str:
    """By what an input stage knows the files of the next visits, or what it lacks.

    Args:
        policy: of the stage.
        topics: of the events that this stage and those before it wait for.
    """
    if policy.exists("parameters.butler"):
        return "but for items of a butler, as these are, none"
    unknown = [key for key in needed_keys(policy) if key not in topics]
    if unknown:
        words = ", ".join(f"'{key}'" for key in unknown)
        place = _key(policy, "upcomingVisits")
        return f"if a stage puts {words} of the next visits under '{place}'; else nothing"
    known = [key for key in needed_keys(policy) if key in topics]
    if known:
        return f"from events of topic {', '.join(map(repr, known))} that wait already"
    return "from the number of the visit"


def _key(policy: Policy, name: str) -> str:
    key = f"inputKeys.{name}"
    return policy.getString(key) if policy.exists(key) else name

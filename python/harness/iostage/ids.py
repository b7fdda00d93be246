# SPDX-License-Identifier: BSD-3-Clause
"""``datasetId`` of an item: where the ids of its dataset come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = ["IdSource", "constant_and_job_ids", "input_ids"]


@dataclass(frozen=True)
class IdSource:
    """Where the ids of an input item come from.

    Attributes:
        is_given: whether there is a ``datasetId``.
        from_datasets: from the input dataset list.
        set_ids: constant ids.
        job_ids: names of ids in the job identity.
    """

    is_given: bool = False
    from_datasets: bool = False
    set_ids: dict[str, Any] = field(default_factory=dict)
    job_ids: tuple[str, ...] = ()


def input_ids(name: str, policy: Policy) -> IdSource:
    """What the policy of an input item says.

    Raises:
        harness.exceptions.InvalidParameterError: it says nothing, or two ways that exclude each other.
    """
    if not policy.exists("datasetId"):
        return IdSource()
    ids = policy.getPolicy("datasetId")
    from_datasets = ids.exists("fromInputDatasets") and ids.getBool("fromInputDatasets")
    set_ids, job_ids = constant_and_job_ids(ids)
    if from_datasets and (set_ids or job_ids):
        raise InvalidParameterError(
            f"input item '{name}': datasetId.fromInputDatasets excludes datasetId.set and"
            " datasetId.fromJobIdentity; give exactly one way of finding the ids"
        )
    if not from_datasets and not set_ids and not job_ids:
        raise InvalidParameterError(
            f"input item '{name}': datasetId says nothing; give fromInputDatasets, fromJobIdentity or set"
        )
    return IdSource(True, from_datasets, set_ids, job_ids)


def constant_and_job_ids(ids: Policy) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The constant ids of a ``datasetId``, and the names of those from the job identity."""
    constants = ids.getPolicy("set") if ids.exists("set") else None
    set_ids = {} if constants is None else {name: constants.get(name) for name in constants.paramNames()}
    job_ids = ids.getStringArray("fromJobIdentity") if ids.exists("fromJobIdentity") else []
    return set_ids, tuple(job_ids)

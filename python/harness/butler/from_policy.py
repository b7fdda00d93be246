# SPDX-License-Identifier: BSD-3-Clause
"""The butler that a stage's ``parameters.butler`` asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import harness.exceptions as pex
from harness.butler.butler import Butler
from harness.butler.path_mapper import PathMapper
from harness.butler.repository import Repository
from harness.locations import LogicalLocation
from harness.stage import find_class

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = ["ItemButler", "butler_from_policy"]


class ItemButler(Protocol):
    """What items are read from and written to."""

    def datasetExists(self, datasetType: str, dataId: Mapping[str, Any]) -> bool | None:
        """Whether the dataset is there; None: that cannot be told."""

    def get(self, datasetType: str, dataId: Mapping[str, Any]) -> Any:
        """The dataset, read."""

    def put(self, obj: Any, datasetType: str, dataId: Mapping[str, Any]) -> None:
        """Writes the dataset."""


def butler_from_policy(
    policy: Policy, *, run_id: str, writes: bool, warn: Callable[[str], None]
) -> ItemButler:
    """A butler over the mapper that `mapperName` names, made with ``root=mapperPolicy.root``.

    Without a `mapperName`, over a `PathMapper` with the dataset types of `mapperPolicy.datasets`; with
    `repository`, one on a repository of the Rubin data butler. Paths and names are location templates, which
    may use ``runId``.

    Args:
        policy: ``parameters.butler``.
        run_id: the run.
        writes: whether datasets will be written.
        warn: gets a message about entries that have no effect.

    Raises:
        harness.exceptions.InvalidParameterError: an entry is missing or makes no sense.
        ImportError: the mapper's class cannot be imported.
        whatever else the mapper raises when it is made.
    """
    values = {"runId": run_id}
    if policy.exists("repository"):
        return _repository(policy, values, writes)
    for name in ("run", "collections", "dataId"):
        if policy.exists(name):
            raise pex.InvalidParameterError(
                f"parameters.butler.{name} goes with parameters.butler.repository, which is missing"
            )
    mapper_policy = policy.getPolicy("mapperPolicy") if policy.exists("mapperPolicy") else None
    if mapper_policy is None or not mapper_policy.exists("root"):
        raise pex.InvalidParameterError(
            'parameters.butler: mapperPolicy.root is missing; write mapperPolicy: { root: "%(input)" }, the'
            " directory of the datasets"
        )
    known = {"root"} if policy.exists("mapperName") else {"root", "datasets"}
    ignored = sorted(set(policy.names(True)) - {"mapperName", "mapperPolicy"})
    ignored += [f"mapperPolicy.{name}" for name in sorted(set(mapper_policy.names(True)) - known)]
    if ignored:
        warn(f"parameters.butler: no effect has {', '.join(ignored)}")
    root = LogicalLocation(mapper_policy.getString("root"), values).locString()
    if policy.exists("mapperName"):
        return Butler(mapper=find_class(policy.getString("mapperName"))(root=root))
    datasets = mapper_policy.getPolicy("datasets") if mapper_policy.exists("datasets") else None
    return Butler(mapper=PathMapper(root=root, datasets=datasets))


def _repository(policy: Policy, values: Mapping[str, Any], writes: bool) -> Repository:
    both = [name for name in ("mapperName", "mapperPolicy") if policy.exists(name)]
    if both:
        raise pex.InvalidParameterError(
            f"parameters.butler: give either repository or {both[0]}: a repository needs no mapper"
        )
    needed = "run" if writes else "collections"
    if not policy.exists(needed):
        purpose = "run to write to" if writes else "collections to read"
        raise pex.InvalidParameterError(f"parameters.butler: {needed} is missing: the {purpose}")

    def filled(template: str) -> str:
        return LogicalLocation(template, values).locString()

    ids = policy.getPolicy("dataId") if policy.exists("dataId") else None
    collections = policy.getStringArray("collections") if policy.exists("collections") else []
    return Repository(
        filled(policy.getString("repository")),
        collections=[filled(name) for name in collections],
        run=filled(policy.getString("run")) if writes else None,
        data_id={} if ids is None else {name: ids.get(name) for name in ids.paramNames()},
    )

# SPDX-License-Identifier: BSD-3-Clause
"""Who exchanges with whom in a run and in its model: the harness's own topologies, and their policies."""

from __future__ import annotations

import math

from harness.runtime.configuration.topology import FOCAL_PLANE, RING, SLICE_LEADERS, Topology

LEADS = 4
"""Slices of a group of slice leaders, with the leader."""


def topology(kind: str, ranks: int) -> Topology:
    """Of so many slices. A focal plane is as square as their number allows."""
    if kind == RING:
        return Topology(kind, ranks, -1)
    if kind == SLICE_LEADERS:
        return Topology(kind, ranks, LEADS)
    rows = max(side for side in range(1, math.isqrt(ranks) + 1) if ranks % side == 0)
    return Topology(FOCAL_PLANE, ranks, rows, ranks // rows)


def policy(one: Topology) -> str:
    """The content of the `topology` block that asks for it."""
    if one.kind == RING:
        parameters = f'param1: "{"clockwise" if one.first < 0 else "counterclockwise"}"'
    elif one.kind == SLICE_LEADERS:
        parameters = f"param1: {one.first}"
    else:
        parameters = f"param1: {one.first}\n  param2: {one.second}"
    return f'  type: "{one.kind}"\n  {parameters}\n'

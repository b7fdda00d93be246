# SPDX-License-Identifier: BSD-3-Clause
"""Where a visit is that slices have begun."""

from __future__ import annotations

from typing import NamedTuple


class InSlices(NamedTuple):
    """A visit in flight, its slot in the run's tables, and the step that slices were asked for last."""

    slot: int
    visit: int
    step: int

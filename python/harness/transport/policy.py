# SPDX-License-Identifier: BSD-3-Clause
"""What the pipeline policy says about sharing and copying."""

from __future__ import annotations

from typing import NamedTuple


class SharePolicy(NamedTuple):
    """How values cross.

    Attributes:
        snapshot: every array is copied at the crossing, and stays writeable for its maker
            (`sharePolicy: "snapshot"`).
        strict: an array that would have to be copied at the crossing is an error (`copyPolicy: "strict"`).
    """

    snapshot: bool = False
    strict: bool = False

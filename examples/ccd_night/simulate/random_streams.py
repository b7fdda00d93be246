# SPDX-License-Identifier: BSD-3-Clause
"""Independent random streams named by what they are for: no file depends on the order of simulation."""

from __future__ import annotations

import enum

import numpy as np


class Purpose(enum.IntEnum):
    """What a stream feeds. The numbers are part of the result: changing one changes every simulated night."""

    AMPLIFIER = 1
    PIXELS = 2
    FIELD = 3
    CONDITIONS = 4
    SCIENCE = 5
    BIAS = 6
    DARK = 7
    FLAT = 8
    REFERENCE = 9


def stream(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """Return the generator of one purpose and key, for example ``(visit, amp)``.

    Streams come from `numpy.random.SeedSequence` spawn keys: two different keys give statistically
    independent streams, and the same arguments always give the same one.

    Parameters
    ----------
    seed : int
        Seed of the night, >= 0.
    purpose : Purpose
        What the numbers are used for.
    *key : int
        Non-negative numbers that name the object, for example visit and amplifier.
    """
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(int(purpose), *key))
    return np.random.Generator(np.random.PCG64(sequence))

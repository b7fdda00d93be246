# SPDX-License-Identifier: BSD-3-Clause
"""Streams of random numbers, one per run, visit, rank and stage, whatever process runs them in what order."""

from __future__ import annotations

import hashlib
import random
import sys
from typing import TYPE_CHECKING

from harness import current

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Stream", "reseed", "run_seed", "seed_of", "use_seed"]

_seed: int | None = None


def seed_of(run_id: str) -> int:
    """The seed of a run that is given none: 0 to 2**63 - 1, always the same for a run id."""
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], "big") >> 1


def use_seed(seed: int | None) -> None:
    """Sets the seed of the run that this process works for; `None` for no run."""
    global _seed
    _seed = seed


def run_seed() -> int | None:
    """What `use_seed` has set."""
    return _seed


def import_generators() -> None:
    """Imports `numpy.random` where NumPy is imported.

    Every worker's stages are seeded; the process that forks workers imports the nine libraries once for all.
    """
    if "numpy" in sys.modules:
        import numpy.random  # noqa: F401


def reseed(seed: int, visit: int, rank: int, stage: int) -> None:
    """Puts the states of `random`, and of `numpy.random` where NumPy is imported, at the start of a stream.

    The streams are those of their seeding; they have nothing to do with those of `Stream`.
    """
    text = f"{seed} {visit} {rank} {stage}"
    random.seed(text)
    if "numpy" in sys.modules:
        # NumPy may import it only when it is asked for, which would be in the middle of the stage.
        import numpy.random

        digest = hashlib.sha256(text.encode()).digest()
        numpy.random.seed([int.from_bytes(digest[at : at + 4], "big") for at in range(0, 32, 4)])


class Stream:
    """The attribute `rng` of a stage: a `numpy.random.Generator`, made when it is first asked for.

    In every visit it starts anew, with a stream of its own for (run, visit, rank, stage). `setup()` is
    visit 0. A stage may have an attribute of that name instead.
    """

    def __get__(self, stage: object, owner: type | None = None) -> np.random.Generator | Stream:
        """The generator of the visit that goes on."""
        if stage is None:
            return self
        state = stage.__dict__
        visit = current.current_visit()
        kept = state.get("_rng")
        if kept is None or kept[0] != visit:
            kept = state["_rng"] = (visit, _generator(state, visit))
        return kept[1]


def _generator(state: dict, visit: int) -> np.random.Generator:
    import numpy as np

    seed = _seed if _seed is not None else seed_of(str(state["runId"]))
    # -1 is the master's rank, and the number of a failure stage.
    key = [seed, visit, int(state["rank"]) + 1, int(state["stageId"]) + 1]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))

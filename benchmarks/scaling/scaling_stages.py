# SPDX-License-Identifier: BSD-3-Clause
"""Stages whose time is known: they do nothing, sleep, or compute for as long as their random stream says.

None declares anything, so that the policy alone says how it is scheduled; those called `Loose` let idle
workers take their slices.
"""

from __future__ import annotations

import time

import numpy as np
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing


class Empty(ParallelProcessing):
    """Does nothing."""

    def process(self, clipboard) -> None:
        pass


class Offering(ParallelProcessing):
    """Marks a number shareable, which neighbours receive before the next stage."""

    def process(self, clipboard) -> None:
        clipboard.put("level", self.rank, True)


class Sleeping(ParallelProcessing):
    """Sleeps for log-normal times: many workers can, on few cores."""

    def setup(self) -> None:
        mean, variation = self.policy.getDouble("mean"), self.policy.getDouble("variation")
        self.sigma = np.sqrt(np.log1p(variation**2))
        self.middle = np.log(mean) - self.sigma**2 / 2

    def process(self, clipboard) -> None:
        self.spend(float(self.rng.lognormal(self.middle, self.sigma)))

    def spend(self, seconds: float) -> None:
        """Lets so many seconds pass."""
        time.sleep(seconds)


class Computing(Sleeping):
    """Computes for such times: as much as a core does in them when nobody disturbs it."""

    ROUND = 20_000

    def setup(self) -> None:
        super().setup()
        best = 1.0
        for _ in range(20):
            start = time.perf_counter()
            self.compute(1)
            best = min(best, time.perf_counter() - start)
        self.round_seconds = best

    def compute(self, rounds: int) -> float:
        """The same work so many times."""
        found = 0.0
        for _ in range(rounds):
            found += float(np.sqrt(np.arange(self.ROUND, dtype=np.float64)).sum())
        return found

    def spend(self, seconds: float) -> None:
        self.compute(max(1, round(seconds / self.round_seconds)))


class LooseSleeping(Sleeping):
    """Sleeps in whatever worker is idle."""

    stateless = True


class LooseComputing(Computing):
    """Computes in whatever worker is idle."""

    stateless = True


class HandOut(SerialProcessing):
    """Sleeps in the master before the slices of a visit."""

    def preprocess(self, clipboard) -> None:
        time.sleep(self.policy.getDouble("serial"))


class SumUp(SerialProcessing):
    """Sleeps in the master behind the slices of a visit."""

    def postprocess(self, clipboard) -> None:
        time.sleep(self.policy.getDouble("serial"))

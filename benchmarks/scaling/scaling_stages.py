# SPDX-License-Identifier: BSD-3-Clause
"""Stages whose time is known: they do nothing, sleep, or compute for as long as their random stream says.

None declares anything, so that the policy alone says how it is scheduled; those called `Loose` let idle
workers take their slices.
"""

from __future__ import annotations

import os
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
    """Sleeps for log-normal times: many workers can, on few cores. Offers a number if the policy says so."""

    def setup(self) -> None:
        self.offers = self.policy.exists("offers") and self.policy.getBool("offers")
        mean, variation = self.policy.getDouble("mean"), self.policy.getDouble("variation")
        self.sigma = np.sqrt(np.log1p(variation**2))
        self.middle = np.log(mean) - self.sigma**2 / 2

    def process(self, clipboard) -> None:
        self.spend(float(self.rng.lognormal(self.middle, self.sigma)))
        if self.offers:
            clipboard.put("level", self.rank, True)

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


class LooseLast(Offering):
    """Slice 0 of a ring ends the first of two stages when others have come as far as they can, and a pause.

    It is in the one worker then, and all others are in the second. Each that is no neighbour of slice 0
    leaves a byte in a file for either stage, after that of slice 0.
    """

    stateless = True
    PATIENCE = 60.0

    def setup(self) -> None:
        self.place, self.first = self.policy.getString("place"), self.policy.getBool("first")

    def process(self, clipboard) -> None:
        others = range(2, self.universeSize - 2)
        if self.rank == 0 and self.first:
            self.leave_a_byte()
            self.wait_for(1 + 2 * len(others))
            os.truncate(self.place, 0)
            time.sleep(self.policy.getDouble("pause"))
        elif self.first:
            self.wait_for(1)
        if self.rank in others:
            self.leave_a_byte()
        super().process(clipboard)

    def leave_a_byte(self) -> None:
        """Says that this slice has come so far."""
        with open(self.place, "ab") as file:
            file.write(b".")

    def wait_for(self, many: int) -> None:
        """Until so many bytes are there. Raises `RuntimeError` if they do not come."""
        end = time.monotonic() + self.PATIENCE
        while (size := os.path.getsize(self.place)) < many:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.place}: {size} of {many} bytes came in {self.PATIENCE:g} s")
            time.sleep(0.001)


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

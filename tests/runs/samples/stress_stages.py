# SPDX-License-Identifier: BSD-3-Clause
"""Stages that put, take, gather, keep, drop, fork and die at random, and compare what they see."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np
import stress_model as model
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing

SEED = int(os.environ["STRESS_SEED"])
VISIT_TO_DIE_IN = int(os.environ["STRESS_DIES_IN"])
"""In this visit rank 1 kills itself once in the middle of its work; 0: never."""


def die_once() -> None:
    """Kills this process, unless the one before it has died here."""
    if not os.path.exists("died"):
        open("died", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)


def compare(what: str, value: Any, recipe: tuple[str, int, int]) -> None:
    """Raises if a value is not that of the model."""
    if model.digest(value) != model.digest(model.build(recipe)):
        raise AssertionError(f"seed {SEED}: {what} of {recipe} is not what was put")


def arrays_of(values: list[Any]) -> list[np.ndarray]:
    """The plain arrays of numbers among values."""
    return [value for value in values if type(value) is np.ndarray and value.dtype == np.float64]


def fork_and_kill(rng: Any, values: list[Any]) -> None:
    """A child writes into what it inherited, computes, and ends or is killed at some point."""
    pid = os.fork()
    if pid == 0:
        for array in arrays_of(values):
            if array.flags.writeable:
                array[:] = -1.0
        kept = [array + 1.0 for array in arrays_of(values)]
        os._exit(len(kept) & 1)
    time.sleep(rng.uniform(0.0, 0.004))
    if rng.random() < 0.5:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


class Master(SerialProcessing):
    """Sends items down, and compares and drops what comes up."""

    def setup(self) -> None:
        """Visits are counted here."""
        self.visit = 0

    def preprocess(self, clipboard: Any) -> None:
        """Puts the items of the visit; some are dropped, put anew, or put after a fork."""
        self.visit += 1
        clipboard.put("visit", self.visit, True)
        rng = model.plan(SEED, self.visit, "master")
        for key, recipe in model.recipes(SEED, self.visit, "down").items():
            if rng.random() < 0.3:
                clipboard.put(key, model.build(("computed", 50_000, 1)), True)
                del clipboard[key]
            clipboard.put(key, model.build(recipe), True)
        if rng.random() < 0.3:
            fork_and_kill(rng, [clipboard.get(key) for key in list(clipboard)])

    def postprocess(self, clipboard: Any) -> None:
        """Compares what every slice sent, by `gather`, `get` or `take`, and writes it down."""
        rng = model.plan(SEED, self.visit, "post")
        ranks = self.universeSize - 1
        sent = [model.recipes(SEED, self.visit, "up", rank) for rank in range(ranks)]
        seen = []
        for rank in range(ranks):
            for key, recipe in sorted(sent[rank].items()):
                name = f"{key}-{rank}"
                value = clipboard.take(name) if rng.random() < 0.4 else clipboard.get(name)
                compare(name, value, recipe)
                seen.append(f"{name}={model.digest(value)}")
        everywhere = set.intersection(*map(set, sent))
        for key in sorted(everywhere):
            if all(f"{key}-{rank}" in clipboard for rank in range(ranks)):
                for rank, value in enumerate(clipboard.gather(key)):
                    compare(f"gathered {key} of rank {rank}", value, sent[rank][key])
        with open("visits", "a", encoding="ascii") as out:
            out.write(f"{self.visit} {' '.join(seen)}\n")


class Slice(ParallelProcessing):
    """Compares what comes down, keeps some of it for later visits, sends items up."""

    def setup(self) -> None:
        """Nothing is kept yet."""
        self.kept: list[tuple[str, Any, tuple[str, int, int]]] = []

    def process(self, clipboard: Any) -> None:
        """One visit of random acts."""
        self.visit = clipboard.get("visit")
        rng = model.plan(SEED, self.visit, "slice", self.rank)
        for key, recipe in model.recipes(SEED, self.visit, "down").items():
            act = rng.choice(["get", "take", "keep", "skip"])
            if act == "skip":
                continue
            value = clipboard.take(key) if act == "take" else clipboard.get(key)
            compare(key, value, recipe)
            if act == "keep":
                self.kept.append((f"{key} kept since visit {self.visit}", value, recipe))
        for what, value, recipe in self.kept:
            compare(what, value, recipe)
        while len(self.kept) > rng.randint(0, 6):
            self.kept.pop(rng.randrange(len(self.kept)))
        self.send(clipboard, rng)

    def send(self, clipboard: Any, rng: Any) -> None:
        """Puts the items of the rank, forks, and dies if that is its fate."""
        sent = model.recipes(SEED, self.visit, "up", self.rank)
        last = rng.choice(sorted(sent))
        values = {}
        for key, recipe in sent.items():
            values[key] = model.build(recipe)
            if self.visit == VISIT_TO_DIE_IN and self.rank == 1 and key == last:
                die_once()
            clipboard.put(key, values[key], True)
        if rng.random() < 0.3:
            fork_and_kill(rng, list(values.values()))
            for key, value in values.items():
                compare(f"{key} after a fork", value, sent[key])

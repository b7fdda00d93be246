# SPDX-License-Identifier: BSD-3-Clause
"""The reduction of `soak_model` as stages: arrays go down, across and up, slices and master write files."""

from __future__ import annotations

import os

import harness
import numpy as np
import soak_model as model
from harness.storage.atomic import atomic_file
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing


def write(name: str, array: np.ndarray) -> None:
    """Writes a file of the visit, and tells the ledger."""
    with atomic_file(os.path.join("out", name)) as stream:
        stream.write(model.as_file(array))


class Illuminate(SerialProcessing):
    """Gives every slice the visit's number and its flat field."""

    def preprocess(self, clipboard):
        visit = harness.current_visit()
        clipboard.put("visit", visit, True)
        clipboard.put("flat", model.flat(visit), True)


class Reduce(ParallelProcessing):
    """Makes the raw exposure, and removes bias and flat field."""

    def process(self, clipboard):
        exposure = model.raw(clipboard.get("visit"), self.rank)
        clipboard.put("reduced", model.reduce(exposure, clipboard.get("flat")), True)


class Match(ParallelProcessing):
    """Puts the image on the background of the neighbour to the left, and writes it."""

    def process(self, clipboard):
        left = (self.rank - 1) % (self.universeSize - 1)
        matched = model.match(clipboard.get("reduced"), clipboard.get(f"reduced-{left}"))
        write(f"matched-{clipboard.get('visit')}-{self.rank}.npy", matched)
        clipboard.put("matched", matched, True)


class Mosaic(SerialProcessing):
    """Joins what the slices have made."""

    def postprocess(self, clipboard):
        write(f"mosaic-{clipboard.get('visit')}.npy", np.concatenate(clipboard.gather("matched"), axis=1))


class Measure(ParallelProcessing):
    """Measures the light of the stars."""

    def process(self, clipboard):
        clipboard.put("flux", model.flux(clipboard.get("matched")), True)


class Tabulate(SerialProcessing):
    """Writes the light of all slices."""

    def postprocess(self, clipboard):
        write(f"flux-{clipboard.get('visit')}.npy", np.array(clipboard.gather("flux")))

# SPDX-License-Identifier: BSD-3-Clause
"""Instrument signature removal as a stage."""

import lsst.pex.harness.stage as harnessStage
from harness.storage import Image

from ..algorithms.errors import ReductionError
from ..algorithms.isr import DetectorFacts, remove_signature
from .defaults import required, with_defaults


class IsrStageParallel(harnessStage.ParallelProcessing):
    """Makes ``calibrated`` (image in electrons) and ``mask`` (uint8) from a raw frame and the master frames.

    The clipboard keys are named by the policy. Raw frame and dark must bring their headers: the one has the
    detector's facts, the other its exposure time.
    """

    def setup(self):
        self.policy = policy = with_defaults(self.policy, "IsrDictionary.paf")
        self.keys = {name: policy.getString("inputKeys." + name) for name in ("raw", "bias", "dark", "flat")}
        self.image_key = policy.getString("outputKeys.image")
        self.mask_key = policy.getString("outputKeys.mask")
        self.options = {
            "overscan_method": policy.getString("parameters.overscanMethod"),
            "overscan_half_width": policy.getInt("parameters.overscanHalfWidth"),
            "flat_floor": policy.getDouble("parameters.flatFloor"),
        }

    def process(self, clipboard):
        raw, bias, dark, flat = (
            required(clipboard, self.keys[name], self) for name in ("raw", "bias", "dark", "flat")
        )
        if "EXPTIME" not in dark.header:
            raise ReductionError(
                f"removing the signature: the master dark {self.keys['dark']!r} has no EXPTIME"
            )
        facts = DetectorFacts.from_header(raw.header)
        image, mask = remove_signature(
            raw.array,
            facts,
            bias.array,
            dark.array,
            flat.array,
            float(dark.header["EXPTIME"]),
            **self.options,
        )
        header = raw.header.deepCopy()
        for name in ("BIASSEC", "TRIMSEC"):
            header.remove(name)
        header.set("SATURATE", facts.saturate * facts.gain, "[electron] saturated from about here")
        header.set("BUNIT", "electron", "unit of the pixels")
        clipboard.put(self.image_key, Image(image, header))
        clipboard.put(self.mask_key, mask)
        if self.log is not None:
            self.log.info(f"{image.shape} pixels calibrated, {int((mask != 0).sum())} of them masked")


class IsrStage(harnessStage.Stage):
    """Parallel half only."""

    parallelClass = IsrStageParallel

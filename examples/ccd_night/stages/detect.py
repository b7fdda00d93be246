# SPDX-License-Identifier: BSD-3-Clause
"""Sky background and star detection as a stage."""

import lsst.pex.harness.stage as harnessStage

from ..algorithms.catalogue import StarParameters, extract_stars
from .defaults import required, with_defaults


class DetectStageParallel(harnessStage.ParallelProcessing):
    """Makes ``catalogue`` (structured array) from a calibrated image, and notes sky and seeing in its header.

    The sky stays in the image; its level and noise go into the header cards SKYLEVEL and SKYNOISE.
    """

    def setup(self):
        self.policy = policy = with_defaults(self.policy, "DetectDictionary.paf")
        self.image_key = policy.getString("inputKeys.image")
        self.mask_key = policy.getString("inputKeys.mask")
        self.catalogue_key = policy.getString("outputKeys.catalogue")
        self.parameters = StarParameters(
            seeing_guess=policy.getDouble("parameters.seeingGuess"),
            threshold=policy.getDouble("parameters.threshold"),
            minimum_area=policy.getInt("parameters.minimumArea"),
            prominence=policy.getDouble("parameters.prominence"),
            aperture=policy.getDouble("parameters.aperture"),
            total_aperture=policy.getDouble("parameters.totalAperture"),
            sharpness_limit=policy.getDouble("parameters.sharpnessLimit"),
            mesh=policy.getInt("parameters.mesh"),
            interpolation=policy.getString("parameters.interpolation"),
        )

    def process(self, clipboard):
        image = required(clipboard, self.image_key, self)
        mask = required(clipboard, self.mask_key, self)
        result = extract_stars(image.array, mask, self.parameters)
        sky = float(result.background.mesh.mean())
        image.header.set("SKYLEVEL", sky, "[electron] mean sky per pixel")
        image.header.set("SKYNOISE", result.background.noise, "[electron] rms of sky pixels")
        image.header.set("SEEING", result.seeing, "[pixel] FWHM of stars")
        image.header.set("APCORR", result.aperture_correction, "total over aperture flux")
        clipboard.put(self.catalogue_key, result.catalogue)
        if self.log is not None:
            self.log.info(
                f"{result.catalogue.size} objects, seeing {result.seeing:.2f} pixels,"
                f" sky {sky:.1f} +- {result.background.noise:.1f} electrons"
            )


class DetectStage(harnessStage.Stage):
    """Parallel half only."""

    parallelClass = DetectStageParallel

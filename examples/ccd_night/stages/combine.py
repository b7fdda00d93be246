# SPDX-License-Identifier: BSD-3-Clause
"""Zero points: of each amplifier in the slices, of the whole visit in the master."""

import lsst.pex.harness.stage as harnessStage
import numpy as np
from lsst.daf.base import PropertySet

from ..algorithms import mask_bits
from ..algorithms.catalogue import UNFIT_FOR_PHOTOMETRY
from ..algorithms.errors import NoSolutionError
from ..algorithms.zero_point import fit_zero_point, match_by_offset
from .defaults import required, with_defaults

MATCH_COLUMNS = np.dtype([("flux", "f8"), ("flux_err", "f8"), ("mag", "f8")])

SUMMARY_COLUMNS = np.dtype(
    [
        ("visit", "i4"),
        ("amps", "i4"),
        ("zero_point", "f8"),
        ("zero_point_err", "f8"),
        ("scatter", "f8"),
        ("matched_stars", "i4"),
        ("stars", "i4"),
        ("cosmic_rays", "i4"),
        ("seeing", "f8"),
        ("sky", "f8"),
    ]
)
"""One row per visit. zero_point, zero_point_err, scatter: magnitudes. seeing: pixels. sky: electrons per
pixel. amps, stars, cosmic_rays: how many amplifiers came through, and what they found."""


class CombineStageParallel(harnessStage.ParallelProcessing):
    """Matches the catalogue with the reference stars and shares the pairs.

    Puts ``matchedStars`` (structured array) and ``ampStatistics`` (PropertySet) on the clipboard, both
    shareable: on the master's clipboard they appear as ``matchedStars-<rank>`` and ``ampStatistics-<rank>``.
    """

    def setup(self):
        self.policy = policy = with_defaults(self.policy, "CombineDictionary.paf")
        self.image_key = policy.getString("inputKeys.image")
        self.catalogue_key = policy.getString("inputKeys.catalogue")
        self.reference_key = policy.getString("inputKeys.reference")
        self.least_signal_to_noise = policy.getDouble("parameters.leastSignalToNoise")
        self.largest_offset = policy.getDouble("parameters.largestOffset")
        self.match_radius = policy.getDouble("parameters.matchRadius")

    def process(self, clipboard):
        image = required(clipboard, self.image_key, self)
        stars = required(clipboard, self.catalogue_key, self)
        reference = required(clipboard, self.reference_key, self)
        exposure_time = float(image.header["EXPTIME"])

        good = (stars["flags"] & UNFIT_FOR_PHOTOMETRY) == 0
        good &= stars["flux"] > self.least_signal_to_noise * stars["flux_err"]
        chosen = stars[good]
        match = match_by_offset(
            chosen["x"],
            chosen["y"],
            np.asarray(reference["x"], dtype=np.float64),
            np.asarray(reference["y"], dtype=np.float64),
            largest_offset=self.largest_offset,
            radius=self.match_radius,
        )
        pairs = np.zeros(match.detected.size, dtype=MATCH_COLUMNS)
        pairs["flux"] = chosen["flux"][match.detected]
        pairs["flux_err"] = chosen["flux_err"][match.detected]
        pairs["mag"] = np.asarray(reference["mag"], dtype=np.float64)[match.reference]
        zero_point = fit_zero_point(pairs["flux"], pairs["flux_err"], pairs["mag"], exposure_time)
        image.header.set("ZEROPT", zero_point.value, "[mag] star of one electron per second")
        image.header.set("ZEROPTER", zero_point.error, "[mag] its standard error")
        image.header.set("ZEROPTN", zero_point.star_count, "stars behind it")
        image.header.set("DX", match.dx, "[pixel] pointing error")
        image.header.set("DY", match.dy, "[pixel] pointing error")

        rays = (stars["flags"] & mask_bits.COSMIC_RAY) != 0
        statistics = PropertySet()
        statistics.set("stars", int((~rays).sum()))
        statistics.set("cosmicRays", int(rays.sum()))
        statistics.set("seeing", float(image.header["SEEING"]))
        statistics.set("sky", float(image.header["SKYLEVEL"]))
        statistics.set("exposureTime", exposure_time)
        clipboard.put("matchedStars", pairs, True)
        clipboard.put("ampStatistics", statistics, True)
        if self.log is not None:
            self.log.info(
                f"zero point {zero_point.value:.4f} +- {zero_point.error:.4f} mag"
                f" from {zero_point.star_count} stars"
            )


class CombineStageSerial(harnessStage.SerialProcessing):
    """Combines what the slices found into one row, ``visitSummary`` (`SUMMARY_COLUMNS`).

    Slices that failed in this visit have shared nothing; the summary counts the others.
    """

    def postprocess(self, clipboard):
        visit = required(clipboard, "visit", self)
        slices = range(self.getUniverseSize() - 1)
        ranks = [rank for rank in slices if clipboard.contains(f"matchedStars-{rank}")]
        if not ranks:
            raise NoSolutionError(
                f"combining visit {visit}: none of {len(slices)} amplifiers shared matched stars"
            )
        pairs = np.concatenate([clipboard.getItem(f"matchedStars-{rank}") for rank in ranks])
        statistics = [clipboard.getItem(f"ampStatistics-{rank}") for rank in ranks]
        zero_point = fit_zero_point(
            pairs["flux"], pairs["flux_err"], pairs["mag"], statistics[0].getDouble("exposureTime")
        )
        summary = np.zeros(1, dtype=SUMMARY_COLUMNS)
        summary["visit"], summary["amps"] = visit, len(ranks)
        summary["zero_point"], summary["zero_point_err"] = zero_point.value, zero_point.error
        summary["scatter"], summary["matched_stars"] = zero_point.scatter, zero_point.star_count
        summary["stars"] = sum(found.getInt("stars") for found in statistics)
        summary["cosmic_rays"] = sum(found.getInt("cosmicRays") for found in statistics)
        summary["seeing"] = np.median([found.getDouble("seeing") for found in statistics])
        summary["sky"] = np.median([found.getDouble("sky") for found in statistics])
        clipboard.put("visitSummary", summary)
        if self.log is not None:
            self.log.info(
                f"visit {visit}: zero point {zero_point.value:.4f} +- {zero_point.error:.4f} mag,"
                f" {zero_point.star_count} stars of {len(ranks)} amplifiers"
            )


class CombineStage(harnessStage.Stage):
    """Both halves."""

    serialClass = CombineStageSerial
    parallelClass = CombineStageParallel

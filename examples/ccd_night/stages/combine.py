# SPDX-License-Identifier: BSD-3-Clause
"""Zero points: of each amplifier in the slices, of the whole visit in the master."""

# The reference catalogue arrives as an astropy table: imported here, once, before the workers are forked.
import astropy.table  # noqa: F401
import lsst.pex.harness.stage as harnessStage
from lsst.daf.base import PropertySet

from ..algorithms import mask_bits
from ..algorithms.visit_summary import AmplifierStatistics, match_catalogue, summarise_visit, zero_point_of
from .defaults import required, with_defaults


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
        self.options = {
            "least_signal_to_noise": policy.getDouble("parameters.leastSignalToNoise"),
            "largest_offset": policy.getDouble("parameters.largestOffset"),
            "match_radius": policy.getDouble("parameters.matchRadius"),
        }

    def process(self, clipboard):
        header = required(clipboard, self.image_key, self).header
        stars = required(clipboard, self.catalogue_key, self)
        reference = required(clipboard, self.reference_key, self)
        pairs, match = match_catalogue(stars, reference, **self.options)
        zero_point = zero_point_of(pairs, float(header["EXPTIME"]))
        header.set("ZEROPT", zero_point.value, "[mag] star of one electron per second")
        header.set("ZEROPTER", zero_point.error, "[mag] its standard error")
        header.set("ZEROPTN", zero_point.star_count, "stars behind it")
        header.set("DX", match.dx, "[pixel] pointing error")
        header.set("DY", match.dy, "[pixel] pointing error")
        clipboard.put("matchedStars", pairs, True)
        clipboard.put("ampStatistics", self._statistics(stars, header), True)
        if self.log is not None:
            self.log.info(
                f"zero point {zero_point.value:.4f} +- {zero_point.error:.4f} mag"
                f" from {zero_point.star_count} stars"
            )

    def _statistics(self, stars, header):
        rays = int(((stars["flags"] & mask_bits.COSMIC_RAY) != 0).sum())
        statistics = PropertySet()
        statistics.set("stars", stars.size - rays)
        statistics.set("cosmicRays", rays)
        statistics.set("seeing", float(header["SEEING"]))
        statistics.set("sky", float(header["SKYLEVEL"]))
        statistics.set("exposureTime", float(header["EXPTIME"]))
        return statistics


class CombineStageSerial(harnessStage.SerialProcessing):
    """Combines what the slices found into one row, ``visitSummary`` (`visit_summary.SUMMARY_COLUMNS`).

    Slices that failed in this visit have shared nothing; the summary counts the others.
    """

    def postprocess(self, clipboard):
        visit = required(clipboard, "visit", self)
        slices = range(self.getUniverseSize() - 1)
        ranks = [rank for rank in slices if clipboard.contains(f"matchedStars-{rank}")]
        shared = [clipboard.getItem(f"ampStatistics-{rank}") for rank in ranks]
        statistics = [
            AmplifierStatistics(
                stars=item.getInt("stars"),
                cosmic_rays=item.getInt("cosmicRays"),
                seeing=item.getDouble("seeing"),
                sky=item.getDouble("sky"),
            )
            for item in shared
        ]
        summary = summarise_visit(
            visit,
            [clipboard.getItem(f"matchedStars-{rank}") for rank in ranks],
            statistics,
            shared[0].getDouble("exposureTime") if shared else 0.0,
        )
        clipboard.put("visitSummary", summary)
        if self.log is not None:
            row = summary[0]
            self.log.info(
                f"visit {visit}: zero point {row['zero_point']:.4f} +- {row['zero_point_err']:.4f} mag,"
                f" {row['matched_stars']} stars of {len(ranks)} of {len(slices)} amplifiers"
            )


class CombineStage(harnessStage.Stage):
    """Both halves."""

    serialClass = CombineStageSerial
    parallelClass = CombineStageParallel

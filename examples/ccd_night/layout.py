# SPDX-License-Identifier: BSD-3-Clause
"""Where the files of a night lie: one table for the simulation, the policies and the check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NightLayout:
    """Paths below one directory.

    ``root`` is also the harness's run directory, so that its named directories are ``input`` and ``output``.
    """

    root: Path

    @property
    def policy_file(self) -> Path:
        """Pipeline policy of the night."""
        return self.root / "night.paf"

    def raw(self, visit: int, amp: int) -> Path:
        """Raw science frame."""
        return self.root / "input" / "raw" / f"visit{visit:04d}" / f"amp{amp:02d}.fits"

    def master(self, kind: str, amp: int) -> Path:
        """Master frame; ``kind`` is bias, dark or flat."""
        return self.root / "input" / "calib" / f"{kind}_amp{amp:02d}.fits"

    def reference(self, amp: int) -> Path:
        """Reference catalogue."""
        return self.root / "input" / "reference" / f"amp{amp:02d}.fits"

    def truth(self, visit: int, amp: int) -> Path:
        """What was really in a science frame."""
        return self.root / "truth" / f"visit{visit:04d}" / f"amp{amp:02d}.fits"

    def calibrated(self, visit: int, amp: int) -> Path:
        """Calibrated image, written by the pipeline."""
        return self.root / "output" / f"visit{visit:04d}" / f"calibrated_amp{amp:02d}.fits"

    def catalogue(self, visit: int, amp: int) -> Path:
        """Star catalogue, written by the pipeline."""
        return self.root / "output" / f"visit{visit:04d}" / f"catalogue_amp{amp:02d}.fits"

    def summary(self, visit: int) -> Path:
        """Whole-visit summary, written by the pipeline."""
        return self.root / "output" / f"visit{visit:04d}" / "summary.fits"

    def picture(self, visit: int, amp: int) -> Path:
        """Raw and calibrated image side by side."""
        return self.root / f"night_visit{visit:04d}_amp{amp:02d}.png"

# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the symbolic link stage."""

from harness.iostage.symlink_stage import SymLinkStage, SymLinkStageParallel, SymLinkStageSerial

__all__ = ["SymLinkStage", "SymLinkStageParallel", "SymLinkStageSerial"]

# SPDX-License-Identifier: BSD-3-Clause
"""Stages of 2007 and 2008: one class with both halves, which moves its clipboard itself, and what runs it."""

from harness.dc3a.adapter import acts, adapt, find_half
from harness.dc3a.clipboard import Dc2Clipboard, Dc2Queue
from harness.dc3a.stage import Dc2Stage, Dc3aStage

__all__ = ["Dc2Clipboard", "Dc2Queue", "Dc2Stage", "Dc3aStage", "acts", "adapt", "find_half"]

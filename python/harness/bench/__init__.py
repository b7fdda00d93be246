# SPDX-License-Identifier: BSD-3-Clause
"""Throughput of a stage or a whole pipeline policy: `measure`, which `pex-harness bench` stands on."""

from harness.bench.intervals import Interval
from harness.bench.measuring import measure
from harness.bench.plan import Plan
from harness.bench.result import BenchResult, Comparison, Row

__all__ = ["BenchResult", "Comparison", "Interval", "Plan", "Row", "measure"]

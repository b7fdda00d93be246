# SPDX-License-Identifier: BSD-3-Clause
"""Tests of stages without a pipeline: in the calling thread, or in real slices."""

from harness.tester.making import create, test
from harness.tester.simple import SimpleStageTester
from harness.tester.visits import Visit

__all__ = ["SimpleStageTester", "Visit", "create", "test"]

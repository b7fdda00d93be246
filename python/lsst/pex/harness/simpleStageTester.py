# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the stage tester."""

from harness.tester import SimpleStageTester, create, test

__all__ = ["SimpleStageTester", "create", "test"]

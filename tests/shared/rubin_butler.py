# SPDX-License-Identifier: BSD-3-Clause
"""Whether the Rubin data butler is installed, for tests that make a repository."""

import importlib.util

import pytest

try:
    HAS_LIBRARY = importlib.util.find_spec("lsst.daf.butler") is not None
except ModuleNotFoundError:
    HAS_LIBRARY = False
needs_library = pytest.mark.skipif(
    not HAS_LIBRARY, reason="lsst-daf-butler is not installed (extra butler, Python 3.11 or newer)"
)

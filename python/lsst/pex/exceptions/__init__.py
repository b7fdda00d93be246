# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the exception tree."""

from harness.exceptions import *  # noqa: F403
from harness.exceptions import __all__ as __all__

# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of policies."""

from harness.policy import *  # noqa: F403
from harness.policy import EOFError as EOFError
from harness.policy import SyntaxError as SyntaxError
from harness.policy import TypeError as TypeError
from harness.policy import __all__ as __all__

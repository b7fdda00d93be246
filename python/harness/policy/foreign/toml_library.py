# SPDX-License-Identifier: BSD-3-Clause
"""The TOML parser: of the standard library, or its ancestor where Python is older than it."""

import sys

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["tomllib"]

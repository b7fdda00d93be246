# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the functions of the IO stages."""

from harness.utils import createAdditionalData, propertySetToDict

__all__ = ["createAdditionalData", "propertySetToDict"]

# SPDX-License-Identifier: BSD-3-Clause
"""The reduction as it is written today."""

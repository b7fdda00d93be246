# SPDX-License-Identifier: BSD-3-Clause
"""The reduction as it is written in 2009."""

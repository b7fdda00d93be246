# SPDX-License-Identifier: BSD-3-Clause
"""One reduction, written for the harness three times: as in 2008, as in 2009, and as today."""

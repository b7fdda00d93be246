# SPDX-License-Identifier: BSD-3-Clause
"""What a run writes down about itself: entries of the ledger, times, bytes and failures."""

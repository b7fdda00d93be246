# SPDX-License-Identifier: BSD-3-Clause
"""The night as DC3b stage classes: thin wrappers that carry data between clipboard and algorithms."""

# SPDX-License-Identifier: BSD-3-Clause
"""CCD reduction as plain functions over NumPy arrays: no files, no policies, no harness."""

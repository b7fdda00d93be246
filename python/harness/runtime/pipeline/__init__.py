# SPDX-License-Identifier: BSD-3-Clause
"""The objects that programs hold: the Pipeline, and the Slice on its own."""

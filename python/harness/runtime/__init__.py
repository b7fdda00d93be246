# SPDX-License-Identifier: BSD-3-Clause
"""A run: the master, the nursery, the workers, and what travels between them."""

# SPDX-License-Identifier: BSD-3-Clause
"""The processes of a run: how they are born, watched and replaced, and their Python stacks."""

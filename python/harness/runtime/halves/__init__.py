# SPDX-License-Identifier: BSD-3-Clause
"""What calls stage code: the master's serial halves and the parallel halves of the slices."""

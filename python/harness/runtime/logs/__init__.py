# SPDX-License-Identifier: BSD-3-Clause
"""The logs of a run: from shared memory to their files, and what stages print."""

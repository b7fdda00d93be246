# SPDX-License-Identifier: BSD-3-Clause
"""The pipeline policy as a run's configuration: read, checked, and compiled into a schedule."""

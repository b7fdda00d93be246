# SPDX-License-Identifier: BSD-3-Clause
"""Asking a run to end: by signals, calls, commands and events, in four levels."""

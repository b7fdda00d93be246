# SPDX-License-Identifier: BSD-3-Clause
"""The error of the set-up tools: what is missing on this machine, and how to get it."""


class SetupError(Exception):
    """This machine lacks something that cannot be had without its owner; the message says what and how."""

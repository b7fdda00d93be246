# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of what command lines need."""

from harness.cli.launching import launchPipeline, msglev
from harness.log.verbosity import (
    RunSetupException,
    UsageError,
    addAllVerbosityOptions,
    addVerbosityOption,
    createLog,
    verbosity2threshold,
)

__all__ = [
    "RunSetupException",
    "UsageError",
    "addAllVerbosityOptions",
    "addVerbosityOption",
    "createLog",
    "launchPipeline",
    "msglev",
    "verbosity2threshold",
]

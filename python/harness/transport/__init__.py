# SPDX-License-Identifier: BSD-3-Clause
"""How what a clipboard marks shareable crosses to another process: as descriptors of shared memory."""

from harness.transport.crossing import NO_MANIFEST, Manifest, Transport
from harness.transport.policy import SharePolicy
from harness.transport.tally import Tally

__all__ = ["NO_MANIFEST", "Manifest", "SharePolicy", "Tally", "Transport"]

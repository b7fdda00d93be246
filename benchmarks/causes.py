# SPDX-License-Identifier: BSD-3-Clause
"""Why goals are missed, as far as it was looked into: where the time goes. Figures: docs/benchmarks.md."""

from __future__ import annotations

import re

CROSSING = "the rendezvous, and cold code of loop, steps and crossing: some 10 us for each part of both sides"
COLD = "code and data of the crossing that the image has swept out of the caches: 70 us behind 16 MiB"
ONE_CORE_LESS = f"{COLD}; and the second slice begins 100 us after the first, for the master has its core"
COPY = "the copy, which takes as long in bare C"
READING = "reading a byte of every page, which takes as long in bare C"
CAUSES = (
    (r"empty step, N=\d+, us", "half-steps 2 us; then waking, and where two share a core a switch each way"),
    (r"empty step, N=\d+, over the thin", "the binding runs no stage and keeps no span: its step is a call"),
    (r"(there|back), N=\d+, 1 MiB, computed", CROSSING),
    (r"(there|back), N=\d+, 1 MiB, from elsewhere", "the copy is half of it; else as if it were computed"),
    (r"(there|back), N=\d+, (16|64) MiB, from elsewhere", COPY),
    (r"(there, N=8|back, N=[28]), 64 MiB", READING),
    (r"there, N=2, 16 MiB", ONE_CORE_LESS),
    (r"(there|back), N=[128], (16|64) MiB", COLD),
    (r"policy of", "the moment: the same program takes 22 ms or 36 for 5 MB, from one minute to the next"),
    (r"pex-harness run", "imports of the interpreter and the harness, two forks, three ends"),
    (r"four passes over 64", "the limit: keeping memory saves no more here, where fresh pages cost less"),
    (r"whole job, of two", "the master sums while workers wait, or on a core that they need"),
)
"""What a goal is called, as a pattern of its beginning, and the cause."""

UNNAMED = "**none named**"


def cause(what: str) -> str:
    """The cause of a miss of the goal that is called so."""
    return next((words for pattern, words in CAUSES if re.match(pattern, what)), UNNAMED)

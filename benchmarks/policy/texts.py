# SPDX-License-Identifier: BSD-3-Clause
"""The texts that the policy benchmark reads: one policy, written in every format."""

from __future__ import annotations

import random


def stage_block(number: int, generator: random.Random) -> str:
    """The policy of one stage, as people write them: strings, numbers, rows, nested blocks, comments."""
    gains = " ".join(repr(round(generator.uniform(1.0, 2.0), 4)) for _ in range(8))
    columns = " ".join(str(generator.randrange(4096)) for _ in range(6))
    return "\n".join([
        f"stage{number}: {{",
        f'    name: "stage number {number}"        # what the logs call it',
        f"    serialClass: mypipe.stages.Serial{number}",
        f"    threshold: {generator.uniform(0.0, 10.0)!r}",
        f"    gains: {gains}",
        f"    nIterations: {generator.randrange(1000)}",
        f"    doWrite: {generator.choice(['true', 'false'])}",
        f"    columns: {columns}",
        "    background: {",
        '        algorithm: "SPLINE"',
        f"        binSize: {generator.randrange(64, 512)}",
        "        clip: { sigma: 3.0",
        "                nIter: 3 }",
        "    }",
        '    filters: "u" "g" "r" "i" "z"',
        "}",
    ])


def policy_text(size: int, seed: int = 1) -> str:
    """A PAF text of at least `size` bytes."""
    generator = random.Random(seed)
    blocks = ["#<?cfg paf policy ?>"]
    length = 0
    while length < size:
        blocks.append(stage_block(len(blocks), generator))
        length += len(blocks[-1]) + 1
    return "\n".join(blocks) + "\n"

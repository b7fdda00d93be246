# SPDX-License-Identifier: BSD-3-Clause
"""Kills processes of a run at random moments, and compares what is left with a run without harness.

Usage: soak.py [--seconds N] [--seed N] [--dir DIRECTORY]. Rounds of a small image reduction (soak_model.py)
go on in `pex-harness run --resume` until all their visits are complete, while workers, the nursery, the
keeper and the master are killed or stopped at moments of a Poisson process. Prints what was done and found;
exit code 1: something is wrong, and the directory of the round is kept; 2: the soak itself could not work.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from soak_figures import Figures
from soak_round import Round

VISITS_OF_A_ROUND = 30


def main() -> int:
    """Runs rounds until the time is over; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the moments and victims (default: chosen and printed)")
    parser.add_argument("--dir", type=Path, help="where rounds take place (default: a temporary directory)")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"soak: seed {seed}, {arguments.seconds:g} s", flush=True)
    place = Path(tempfile.mkdtemp(prefix="pex-soak-", dir=arguments.dir))
    end = time.monotonic() + arguments.seconds
    figures, number = Figures(), 0
    while time.monotonic() < end and not figures.wrong:
        number += 1
        folder = place / f"round-{number}"
        Round(folder, random.Random(f"{seed}.{number}"), VISITS_OF_A_ROUND, figures).go(end)
        if not figures.wrong:
            shutil.rmtree(folder)
    print(figures.text())
    for line in figures.wrong:
        print(f"soak: {line}", file=sys.stderr)
    if figures.wrong:
        print(f"soak: round {number} is kept in {place}; again: SOAK_SEED={seed}", file=sys.stderr)
        return 1
    shutil.rmtree(place)
    if not figures.kills.total():
        print("soak: nothing was killed in so short a time", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""Runs the stress pipeline; prints how it ended and what the arena holds when everybody has let go."""

from __future__ import annotations

import gc
import json
import sys

from harness.errors import HarnessError
from lsst.pex.harness.Pipeline import Pipeline


def main() -> None:
    """One line of JSON: `end` (an exception's name or "done"), `failures`, `arena`."""
    pipeline = Pipeline("stress", "night.paf", run_dir=sys.argv[1], workers=3, max_visits=int(sys.argv[2]))
    end, text = "done", ""
    try:
        pipeline.run()
    except HarnessError as error:
        end, text = type(error).__name__, str(error)
    run = pipeline._run
    assert run is not None
    # What a master that goes on does: sweep after every reaped death, retire the visit, drop its clipboards.
    while run.take_death() is not None:
        pass
    pipeline._master = None
    gc.collect()
    run.arena.retire_visit(0)
    print(json.dumps({"end": end, "text": text, "arena": run.arena.stats()}))


main()

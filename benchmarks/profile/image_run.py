# SPDX-License-Identifier: BSD-3-Clause
"""Hands images over and says where the time went, by the spans of the run and by clocks within the stages.

Usage: image_run.py SLICES WORKERS MEBIBYTES VISITS [--foreign] [--faults]. Prints one line of JSON: the parts of the way
there and of the way back, in order, each with the mean of the fastest tenth and the median in microseconds. With
`--faults`, the median and the greatest number of page faults that a slice's `get` and its reading, and the master's,
have taken; the times are then a little longer.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "handover")]

from harness.runtime.pipeline.pipeline import Pipeline  # noqa: E402
from harness.runtime.records.statistics import (  # noqa: E402
    KIND_POSTPROCESS,
    KIND_PREPROCESS,
    KIND_PROCESS,
    KIND_PUBLISH,
    RunStatistics,
)

SKIPPED_VISITS = 5
FASTEST = 10
OUT, WORK, BACK = 1, 2, 3

def policy(folder, slices, mebibytes, foreign, faults):
    arena = max(256, mebibytes * max(16, 4 * (slices + 2)))
    text = f'nSlices: {slices}\narenaSize: "{arena} MiB"\n'
    for name, serial, parallel in (("out", "OutSerial", "OutParallel"), ("work", "", "WorkParallel"), ("back", "BackSerial", "BackParallel")):
        classes = f'serialClass: "image_stages.{serial}"\n' if serial else ""
        classes += f'parallelClass: "image_stages.{parallel}"\n'
        text += (f'appStage: {{\nname: "{name}"\n{classes}stagePolicy: {{\nmebibytes: {mebibytes}\n'
                 f'foreign: {str(foreign).lower()}\nfaults: {str(faults).lower()}\nmarks: "{folder}/{name}"\n}}\n}}\n')
    return text

def run(slices, workers, mebibytes, visits, foreign, faults):
    spans = []
    kept = RunStatistics.add_spans
    def add(self, more):
        spans.append(more)
        kept(self, more)
    RunStatistics.add_spans = add
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "image.paf").write_text(policy(folder, slices, mebibytes, foreign, faults))
        pipeline = Pipeline("r", folder / "image.paf", run_dir=folder / "r", max_visits=visits, workers=workers)
        pipeline.setLogThreshold(10)
        pipeline.run()
        def marks(stage, rank):
            return json.loads((folder / f"{stage}{rank}").read_text())
        summary = json.loads((folder / "r" / "summary.json").read_text())
        assert not summary["failures"], summary["failures"]
        out, back = marks("out", -1), marks("back", -1)
        outs = [marks("out", rank) for rank in range(slices)]
        backs = [marks("back", rank) for rank in range(slices)]
    found = {}
    def note(what, value):
        found.setdefault(what, []).append(value / 1e3)
    fl = {}
    for visit in range(SKIPPED_VISITS, visits):
        at = {(s[0], s[1], s[2]): (s[5], s[6]) for s in spans[visit]}
        pre, pub, post = (at[k, OUT, -1] for k in (KIND_PREPROCESS, KIND_PUBLISH, KIND_POSTPROCESS))
        proc = [at[KIND_PROCESS, OUT, r] for r in range(slices)]
        m = [outs[r][visit] for r in range(slices)]
        put, done = out[visit][0], out[visit][1]
        note("there", done - put)
        note("t1 put", pre[1] - put)
        note("t2 publish", pub[1] - pre[1])
        note("t3 first slice begins", min(p[0] for p in proc) - pub[1])
        note("t3 last slice begins", max(p[0] for p in proc) - pub[1])
        for r in range(slices):
            note("t4 before get", m[r][0] - proc[r][0])
            note("t5 get", m[r][1] - m[r][0])
            note("t6 read", m[r][2] - m[r][1])
            note("t7 after", proc[r][1] - m[r][2])
        note("t8 last slice ended to postprocess", done - max(p[1] for p in proc))
        pre, pub, post = (at[k, BACK, -1] for k in (KIND_PREPROCESS, KIND_PUBLISH, KIND_POSTPROCESS))
        proc = [at[KIND_PROCESS, BACK, r] for r in range(slices)]
        m = [backs[r][visit] for r in range(slices)]
        start, begun, gathered, done = back[visit][:4]
        note("back", done - start)
        note("b1 to published", pub[1] - start)
        note("b2 first slice begins", min(p[0] for p in proc) - pub[1])
        note("b2 last slice begins", max(p[0] for p in proc) - pub[1])
        for r in range(slices):
            note("b3 before put", m[r][0] - proc[r][0])
            note("b4 put", m[r][1] - m[r][0])
            note("b5 publish up", proc[r][1] - m[r][1])
        note("b6 last slice ended to postprocess", begun - max(p[1] for p in proc))
        note("b7 gather(key)", gathered - begun)
        note("b8 read", done - gathered)
        if faults:
            fl.setdefault("get+read, slice", []).extend(outs[r][visit][3] for r in range(slices))
            fl.setdefault("gather+read, master", []).append(back[visit][4])
            fl.setdefault("put to postprocess, master", []).append(out[visit][2])
    result = {}
    for what, values in found.items():
        ordered = sorted(values)
        fastest = ordered[: max(1, len(ordered) // FASTEST)]
        result[what] = [round(statistics.mean(fastest), 1), round(statistics.median(ordered), 1)]
    for what, values in fl.items():
        result["faults: " + what] = [statistics.median(values), max(values)]
    return result

if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:5]]
    result = run(*numbers, "--foreign" in sys.argv, "--faults" in sys.argv)
    if "--json" in sys.argv:
        print(json.dumps(result))
    else:
        print(" ".join(sys.argv[1:]))
        for k, v in result.items(): print(f"  {k:42s} {v[0]:9} {v[1]:9}")

# SPDX-License-Identifier: BSD-3-Clause
"""Pipelines drawn at random, in which stages share, change, raise and draw, and what a run of one leaves."""

import sqlite3

STAGES = """
    import hashlib, json

    def note(stage, text):
        with open(os.path.join(os.environ["HOME_HERE"], "notes"), "a") as file:
            file.write(f"{harness.current_visit()} {stage.rank} {stage.stageId} {text}" + chr(10))

    def digest(clipboard):
        def told(value):
            if isinstance(value, np.ndarray):
                return hashlib.sha256(value.tobytes()).hexdigest()[:12] + str(value.flags.writeable)
            return repr(value)
        return " ".join(f"{key}={told(clipboard.get(key))}" for key in sorted(clipboard))

    class Before(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put(f"down{self.stageId}", np.full(20_000, float(self.stageId)), True)
            note(self, f"pre {digest(clipboard)}")

    class After(SerialProcessing):
        def postprocess(self, clipboard):
            clipboard.put("seen", len(list(clipboard)))
            note(self, f"post {digest(clipboard)}")

    class Both(Before, After):
        pass

    class Work(ParallelProcessing):
        def process(self, clipboard):
            plan = json.loads(self.policy.getString("plan"))
            what = plan[str(self.rank)][harness.current_visit() - 1]
            note(self, f"process {what} {digest(clipboard)}")
            if what == "share":
                image = np.full(20_000, float(10 * self.stageId + self.rank))
                clipboard.put(f"image{self.stageId}", image, True)
                clipboard.put("latest", self.stageId, True)
            elif what == "all":
                clipboard.put("latest", (self.stageId, self.rank), True)
            elif what == "change":
                for key in sorted(clipboard):
                    if key.startswith("image") and "-" not in key:
                        clipboard.get(key)[0] = -1.0
            elif what == "private":
                clipboard.put(f"own{self.stageId}", np.arange(5) + self.rank)
            elif what == "raise":
                clipboard.put("half", self.stageId, True)
                raise ValueError(f"stage {self.stageId} of {self.rank}")
            elif what == "random":
                clipboard.put("drawn", float(self.rng.random()), True)

    class Sweep(ParallelProcessing):
        def process(self, clipboard):
            note(self, f"swept {clipboard.get('failedInStageN')} {clipboard.get('failureMessage')[:12]}")
"""
ACTIONS = ["share", "share", "change", "private", "raise", "random", "nothing"]
HALVES = ["-", "-", "-", "Before", "After", "Both"]


def make_stages(bench, monkeypatch):
    """Writes the stages, and has them note what they see in the bench's folder."""
    monkeypatch.setenv("HOME_HERE", str(bench.folder))
    bench.module(STAGES)


def draw_plan(draw, visits, exchanging=False):
    """(slices, whether they exchange, stages): a stage has a serial half, actions by rank, shared or not.

    With `exchanging`, slices do so before most stages, of which few have serial halves or raise.
    """
    slices, exchange = draw.choice([1, 3, 4]), draw.random() < 0.5
    halves, actions, shared = HALVES, ACTIONS, 0.3
    if exchanging:
        slices, exchange, shared = draw.choice([4, 5, 6]), True, 0.7
        halves, actions = ["-"] * 6 + HALVES, ["all"] * 30 + ACTIONS
    plan = [
        (
            draw.choice(halves),
            {str(rank): [draw.choice(actions) for _ in range(visits)] for rank in range(slices)},
            draw.random() < shared,
        )
        for _ in range(draw.randint(4, 7))
    ]
    return slices, exchange, plan


def write_policy(bench, drawn, schedule, in_flight=1):
    slices, exchange, plan = drawn
    lines = [f"nSlices: {slices}", 'arenaSize: "256 MiB"', f'schedule: "{schedule}"', "randomSeed: 7"]
    lines += [f"visitsInFlight: {in_flight}"]
    if exchange:
        lines += ["shareDataOn: true", 'topology: { type: "ring"', 'param1: "clockwise" }']
    for number, (serial, actions, shares) in enumerate(plan, 1):
        text = repr(actions).replace("'", '"')
        lines += [f'appStage: {{ name: "s{number}"', 'parallelClass: "stages_here.Work"']
        lines += [f"stagePolicy: {{ plan: '{text}' }}"]
        lines += [f'serialClass: "stages_here.{serial}"'] if serial != "-" else []
        lines += ["shareData: true"] if shares and number > 1 else []
        lines += ["}"]
    lines += ['failureStage: { name: "sweep"', 'parallelClass: "stages_here.Sweep" }']
    (bench.folder / "night.paf").write_text("\n".join(lines) + "\n")


def ledger(bench):
    connection = sqlite3.connect(bench.run_dir / "ledger.sqlite")
    try:
        run = connection.execute("SELECT max(run) FROM runs").fetchone()
        outcomes = "SELECT visit, rank, stage, outcome, kind FROM outcomes WHERE run = ? ORDER BY 1, 2, 3"
        visits = "SELECT visit, state, reason FROM visits WHERE run = ? ORDER BY 1"
        return [connection.execute(query, run).fetchall() for query in (outcomes, visits)]
    finally:
        connection.close()


def results(bench, visits, *options):
    """Every note in the order of visits and ranks, the ledger's outcomes, and what crossed."""
    notes = bench.folder / "notes"
    notes.unlink(missing_ok=True)
    done = bench.run("--workers", "2", "--visits", str(visits), *options)
    assert done.code == 0, done.err
    lines = notes.read_text().splitlines()
    by_rank = sorted(lines, key=lambda line: line.split()[:2])
    crossed, failures = (sorted(map(str, done.summary[name])) for name in ("keys", "failures"))
    return by_rank, ledger(bench), crossed, failures

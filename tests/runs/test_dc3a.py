# SPDX-License-Identifier: BSD-3-Clause
"""Stages written for the harness of 2007 and 2008 run, unchanged, in a running pipeline."""

from __future__ import annotations

import json

import numpy as np
import pytest
from harness.storage import storage_named

STAGES_2008 = """
from lsst.pex.harness.Stage import Stage
from lsst.pex.harness.Clipboard import Clipboard

def say(text):
    sys.stdout.write(text + "\\n")
    sys.stdout.flush()

class Load(Stage):
    def __init__(self, stageId=-1, policy=None):
        Stage.__init__(self, stageId, policy)
        self.base = policy.getInt("base") if policy else 100

    def preprocess(self):
        self.activeClipboard = self.inputQueue.getNextDataset()
        self.activeClipboard.put("shape", (4, 4), True)

    def process(self):
        clipboard = self.inputQueue.getNextDataset()
        clipboard.put("image", np.full(clipboard.get("shape"), float(self.base + self.getRank())))
        self.outputQueue.addDataset(clipboard)

class Sum(Stage):
    def process(self):
        self.activeClipboard = self.inputQueue.getNextDataset()
        total = float(self.activeClipboard.get("image").sum())
        self.activeClipboard.put("total", total, True)
        self.outputQueue.addDataset(self.activeClipboard)

    def postprocess(self):
        say("master %d of %s: %s" % (self.getRank(), self.getRun(), self.activeClipboard.gather("total")))
        say("identity %d %d" % (self.getStageId(), self.getUniverseSize()))
        self.outputQueue.addDataset(self.activeClipboard)

class Lazy(Stage):
    def process(self):
        say("lazy saw %s" % self.inputQueue.element().get("total"))

class After(Stage):
    def process(self):
        self.activeClipboard = self.inputQueue.getNextDataset()
        say("after saw %s" % self.activeClipboard.get("total"))
        self.outputQueue.addDataset(self.activeClipboard)

class Raising(Stage):
    def process(self):
        self.activeClipboard = self.inputQueue.getNextDataset()
        self.activeClipboard.put("progress", "half")
        self.outputQueue.addDataset(self.activeClipboard)
        raise ValueError("late")

    def preprocess(self):
        Stage.preprocess(self)
        if self._policy is not None:
            self.activeClipboard.put("progress", "begun")
            raise ValueError("early")

class RaisingLater(Stage):
    def postprocess(self):
        self.activeClipboard.put("progress", "nearly")
        self.outputQueue.addDataset(self.activeClipboard)
        raise ValueError("at last")

class Sweep(Stage):
    def tell(self, clipboard):
        say("swept %s of %s: %s" % (clipboard.get("progress"), clipboard.get("failedInStage"),
                                    clipboard.get("failureMessage")))

    def preprocess(self):
        Stage.preprocess(self)
        self.tell(self.activeClipboard)

    def process(self):
        clipboard = self.inputQueue.getNextDataset()
        self.tell(clipboard)
        self.outputQueue.addDataset(clipboard)

    def postprocess(self):
        self.tell(self.activeClipboard)
        self.outputQueue.addDataset(self.activeClipboard)

class Starving(Stage):
    def process(self):
        self.inputQueue.getNextDataset()

class Starved(Stage):
    def process(self):
        say("starved: %s" % self.inputQueue.getNextDataset())
"""


def policy_of(*stages: str, **more) -> str:
    """A JSON policy of 2008; each stage is a class of the module, or a class and its policy file."""
    pairs = [(stage.split() + ["None"])[:2] for stage in stages]
    keys = {
        "executionMode": "oneloop",
        "nSlices": 2,
        "appStages": [f"stages_here.{name}" for name, _ in pairs],
        "eventTopics": ["None"] * len(pairs),
        "stagePolicies": [path for _, path in pairs],
        **more,
    }
    return "# nightly\n#\n" + json.dumps({key: value for key, value in keys.items() if value is not None})


@pytest.fixture
def old(bench):
    bench.module(STAGES_2008)
    (bench.folder / "policy").mkdir()
    (bench.folder / "policy" / "load.paf").write_text("base: 10\n")

    def run(text: str, name: str = "night.json"):
        (bench.folder / name).write_text(text)
        return bench.run("--workers", "2", policy=name)

    return run


@pytest.mark.contract("15.1.running")
def test_stages_of_2008_in_parallel_lists_run_unchanged(old):
    done = old(policy_of("Load policy/load.paf", "Sum"))
    assert done.code == 0, done.err
    assert "master -1 of r1: [160.0, 176.0]" in done.out
    assert "identity 2 3" in done.out


@pytest.mark.contract("15.2.paf")
def test_the_lists_may_stand_in_paf(old):
    lists = 'appStages: "stages_here.Load" "stages_here.Sum"\nstagePolicies: "policy/load.paf" "None"\n'
    done = old(f'nSlices: 2\nexecutionMode: "oneloop"\n{lists}', "night.paf")
    assert done.code == 0, done.err
    assert "[160.0, 176.0]" in done.out


@pytest.mark.contract("15.2.paf")
def test_blocks_with_a_stage_name_take_paths_and_stand_beside_blocks_of_today(old, bench):
    today = "class Today(ParallelProcessing):\n    def process(self, clipboard):\n        say('today')\n"
    bench.module(STAGES_2008 + today)
    done = old(
        'nSlices: 2\nexecutionMode: "oneloop"\n'
        'appStage: { stageName: "stages_here.Load"\neventTopic: "None"\nstagePolicy: "policy/load.paf" }\n'
        'appStage: { parallelClass: "stages_here.Today" }\n'
        'appStage: { stageName: "stages_here.Sum"\nstagePolicy: "None" }\n',
        "night.paf",
    )
    assert done.code == 0, done.err
    assert "[160.0, 176.0]" in done.out and done.out.count("today") == 2


@pytest.mark.contract("15.1.left")
def test_a_clipboard_that_a_stage_leaves_in_its_queue_is_moved_on(old):
    done = old(policy_of("Load", "Sum", "Lazy", "After"))
    assert done.code == 0, done.err
    assert sorted(line for line in done.out.splitlines() if line.startswith("after")) == [
        "after saw 1600.0",
        "after saw 1616.0",
    ]


@pytest.mark.contract("15.1.starving")
def test_a_stage_that_keeps_its_clipboard_starves_the_next_one_only(old):
    done = old(policy_of("Load", "Starving", "Starved", nSlices=1))
    assert done.code == 0, done.err
    assert "starved: None" in done.out


@pytest.mark.contract("15.1.failing")
@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("Raising", "swept half of Raising: late"),
        ("Raising policy/load.paf", "swept begun of Raising: early"),
        ("RaisingLater", "swept nearly of RaisingLater: at last"),
    ],
    ids=["process", "preprocess", "postprocess"],
)
def test_a_stage_of_2008_that_raises_is_contained_and_its_failure_stage_sees_all_it_did(old, stage, told):
    failure = {"stageName": "stages_here.Sweep", "stagePolicy": "None"}
    done = old(policy_of("Load", stage, "After", nSlices=1, failureStage=failure))
    assert done.code == 0, done.err
    assert told in done.out


STAGES_2007 = """
from lsst.dps.Stage import Stage

class Frame(Stage):
    def process(self):
        clipboard = self.inputQueue.getNextDataset()
        try:
            clipboard.get("absent")
        except KeyError:
            clipboard.put("frame", 7 + self.getRank())
        self.outputQueue.addDataset(clipboard)

class Show(Stage):
    def process(self):
        clipboard = self.inputQueue.getNextDataset()
        sys.stdout.write("%s = %d\\n" % (clipboard.getKeys(), clipboard.get("frame")))
        self.outputQueue.addDataset(clipboard)
"""


@pytest.mark.contract("15.1.running")
def test_stages_of_2007_run_and_get_raises_for_an_absent_key(old, bench):
    bench.module(STAGES_2007)
    done = old(policy_of("Frame", "Show"))
    assert done.code == 0, done.err
    assert "['frame'] = 7" in done.out and "['frame'] = 8" in done.out


WAITING_2007 = """
from lsst.dps.Stage import Stage

def say(where, clipboard):
    payload = clipboard.get("inputData")
    same = payload.getInt("visit") == clipboard.get("newFrame").getInt("visit")
    sys.stdout.write("%s visit %d %s\\n" % (where, payload.getInt("visit"), same))
    sys.stdout.flush()

class Waiting(Stage):
    def preprocess(self):
        self.activeClipboard = self.inputQueue.getNextDataset()
        say("master", self.activeClipboard)

    def process(self):
        clipboard = self.inputQueue.getNextDataset()
        say("slice %d" % self.getRank(), clipboard)
        self.outputQueue.addDataset(clipboard)
"""


@pytest.mark.contract("15.1.inputData", "15.2.lists")
def test_a_stage_of_2007_in_a_run_finds_its_event_as_input_data_in_master_and_slices(bench):
    bench.module(WAITING_2007)
    waiting = policy_of("Waiting", eventTopics=["newFrame"], executionMode=None)
    (bench.folder / "night.json").write_text(waiting)
    (bench.folder / "frames.jsonl").write_text('{"visit": 85}\n{"visit": 86}\n')
    done = bench.run("--workers", "2", "--feed", "frames.jsonl", policy="night.json")
    assert done.code == 0, done.err
    said = sorted(line for line in done.out.splitlines() if " visit 8" in line)
    halves = "master", "slice 0", "slice 1"
    assert said == [f"{half} visit {visit} True" for half in halves for visit in (85, 86)]
    assert not done.summary["failures"]


@pytest.mark.contract("15.2.json")
def test_the_input_stage_of_2007_feeds_a_stage_of_2008(old, bench):
    bench.module(STAGES_2008)
    frame = bench.folder / "frame-0.fits"
    storage_named("FitsStorage").write(str(frame), np.full((2, 3), 5, "f4"))
    (bench.folder / "policy" / "input.paf").write_text(
        'RunMode: "process"\nInputItems: { image: { Type: "Image"\nPythonType: "harness.storage.Image"\n'
        'StoragePolicy: { Storage: "FitsStorage"\n'
        f'Location: "{bench.folder}/frame-%(sliceId).fits" }} }} }}\n'
    )
    (bench.folder / "look.py").write_text(
        "import sys\nfrom lsst.pex.harness.Stage import Stage\n"
        "class Look(Stage):\n    def process(self):\n"
        "        clipboard = self.inputQueue.getNextDataset()\n"
        "        sys.stdout.write('level %s\\n' % clipboard.get('image').array.mean())\n"
        "        self.outputQueue.addDataset(clipboard)\n"
    )
    stages = {"appStages": ["lsst.dps.IOStage.InputStage", "look.Look"], "eventTopics": None}
    done = old(policy_of("A policy/input.paf", "B", nSlices=1, **stages))
    assert done.code == 0, done.err
    assert "level 5.0" in done.out


def test_a_wrong_class_in_the_lists_is_told_with_its_line(old, bench):
    text = policy_of("Load", "Nothere").replace('"stagePolicies"', '\n"stagePolicies"')
    done = old(text)
    assert done.code == 2
    assert "night.json:3:" in done.err and "appStages[1]" in done.err
    assert "no attribute 'Nothere'" in done.err


def test_a_stage_policy_that_is_no_file_is_told_with_where_it_was_looked_for(old, bench):
    done = old(policy_of("Load policy/nope.paf"))
    assert done.code == 2
    assert "stagePolicies[0]" in done.err and "relative to the current directory" in done.err


def test_slices_that_nobody_counted_are_a_warning(old):
    done = old(policy_of("Load", nSlices=None))
    assert done.code == 0 and "nothing says how many slices there are" in done.err

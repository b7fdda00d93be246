# SPDX-License-Identifier: BSD-3-Clause
"""Which stage classes touch the state of their process, as far as code says it; streams outside runs."""

import sys
import types

import pytest
from harness.runtime.halves.isolation import touches_process_state
from harness.stage import ParallelProcessing

HEAD = "from harness.stage import ParallelProcessing\n"
BODY = "class Stage(ParallelProcessing):\n    def process(self, clipboard):\n        "


def stage_class(text, name="some_stage", monkeypatch=None):
    module = types.ModuleType(name)
    exec(HEAD + text, module.__dict__)
    monkeypatch.setitem(sys.modules, name, module)
    return module.Stage


@pytest.mark.parametrize(
    "text",
    [
        "import random\n" + BODY + "pass",
        "from random import gauss as noise\n" + BODY + "noise(0, 1)",
        "from random import random as draw\n" + BODY + "draw()",
        "from numpy.random import normal\n" + BODY + "normal()",
        "import numpy\n" + BODY + "numpy.random.normal()",
        "import os\n" + BODY + "os.chdir('/')",
        "import os\n" + BODY + "(lambda: os.umask(0))()",
        "import os\ndef help():\n    os.chdir('/')\n" + BODY + "help()",
        BODY + "from numpy import random",
        BODY + "pass\n    @staticmethod\n    def draw():\n        import random",
    ],
)
def test_code_that_names_process_wide_state_is_found(monkeypatch, text):
    assert touches_process_state(stage_class(text, monkeypatch=monkeypatch))


@pytest.mark.parametrize(
    "text", [BODY + "pass", "import os, sys, numpy\n" + BODY + "numpy.zeros(3); self.rng.normal()"]
)
def test_code_that_does_not_costs_nothing(monkeypatch, text):
    assert not touches_process_state(stage_class(text, monkeypatch=monkeypatch))


def test_bases_and_modules_of_the_same_package_are_looked_at(monkeypatch):
    base = stage_class("import random\n" + BODY + "pass", "a_base", monkeypatch)
    monkeypatch.setattr(sys.modules["a_base"], "Stage", base)
    heir = stage_class("import a_base\nclass Stage(a_base.Stage): pass", "b", monkeypatch)
    assert touches_process_state(heir)
    stage_class("import os\nos.chdir\ndef go(): os.chdir('/')\n" + BODY + "pass", "pack.tools", monkeypatch)
    user = stage_class("import sys\ntools = sys.modules['pack.tools']\n" + BODY + "tools.go()", "pack.user",
                       monkeypatch)
    assert touches_process_state(user)


class Draws(ParallelProcessing):
    def process(self, clipboard):
        pass


def test_outside_a_run_a_stage_has_the_stream_of_its_run_id_and_rank():
    def draw(**sysdata):
        return Draws(sysdata=sysdata).rng.integers(1 << 60)

    assert draw(runId="a", rank=1) == draw(runId="a", rank=1)
    others = [draw(runId="a", rank=1), draw(runId="b", rank=1), draw(runId="a", rank=2), draw(stageId=3)]
    assert len(set(others)) == 4


def test_a_stage_may_have_an_rng_of_its_own():
    class Own(Draws):
        def setup(self):
            self.rng = "mine"

    assert Own().rng == "mine"

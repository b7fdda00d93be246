# SPDX-License-Identifier: BSD-3-Clause
"""EventStage publishes what the clipboard holds, when its policy says so."""

import pytest
from lsst.ctrl.events import EventReceiver
from lsst.daf.base import PropertySet
from lsst.pex.exceptions import Exception as LsstException
from lsst.pex.harness.Clipboard import Clipboard
from lsst.pex.harness.EventStage import EventStageSerial
from lsst.pex.policy import Policy, PolicyString


@pytest.fixture
def host(tmp_path):
    return f"spool:{tmp_path}/events"


def clipboard():
    out, payload = Clipboard(), PropertySet()
    payload.set("visit", 5)
    out.put("done", payload)
    out.put("image", 3)
    return out


def stage(host, text):
    return EventStageSerial(Policy(PolicyString(text)), None, host, {"name": "tell"})


def payloads(host, topic):
    with EventReceiver(host, topic) as sut:
        found = []
        while (payload := sut.receive(0)) is not None:
            found.append(payload.getInt("visit"))
        return found


@pytest.mark.contract("7.7.stage")
@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        ("", [5], [5]),
        ("RunMode: preprocess", [5], [5]),
        ("RunMode: postprocess", [], [5]),
        ("RunMode: process", [], []),
    ],
)
def test_the_run_mode_says_when_it_publishes(host, mode, before, after):
    sut = stage(host, f'keysToPublish: "visits=done" "done"\n{mode}\n')
    sut.preprocess(clipboard())
    assert payloads(host, "visits") == payloads(host, "done") == before
    sut.postprocess(clipboard())
    assert payloads(host, "visits") == payloads(host, "done") == after


@pytest.mark.contract("7.7.stage")
@pytest.mark.parametrize(("key", "words"), [("nothing", "no such key"), ("image", "saw int")])
def test_a_key_that_holds_no_property_set_is_named(host, key, words):
    with pytest.raises(RuntimeError, match=f"'tell': clipboard key '{key}' .*{words}"):
        stage(host, f'keysToPublish: "t={key}"\n').preprocess(clipboard())


@pytest.mark.contract("7.7.stage")
def test_nothing_to_publish_is_a_warning(host, capsys):
    stage(host, "RunMode: preprocess\n").preprocess(clipboard())
    assert "nothing is published" in capsys.readouterr().err


@pytest.mark.contract("7.7.stage")
def test_without_a_broker_it_cannot_be_set_up():
    with pytest.raises(LsstException, match="'tell' publishes events, and has no event broker host"):
        stage(None, "")

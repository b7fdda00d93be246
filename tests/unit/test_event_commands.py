# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness publish` and `pex-harness listen`, as a shell calls them."""

import json

import pytest
from harness.cli.main import main
from lsst.ctrl.events import EventReceiver


@pytest.fixture
def spool(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "s")


def events(spool, topic, selector=""):
    with EventReceiver(f"spool:{spool}", topic, selector) as sut:
        found = []
        while (event := sut.receiveEvent(0)) is not None:
            found.append(event)
        return found


def publish(spool, *arguments):
    return main(["publish", *arguments, "--spool", spool])


def listen(spool, capsys, *arguments):
    assert main(["listen", *arguments, "--spool", spool, "--timeout", "0"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_words_become_typed_properties(spool):
    words = ["visitId=85", "ra=1.5", "filter=r", "ok=true", 'id="85"', "many=[1,2]", "site.name=x y",
             "odd=1e999", "none=null", "expr=a=b"]  # fmt: skip
    assert publish(spool, "newFrame", *words, "--runid", "r1", "--status", "new") == 0
    (event,) = events(spool, "newFrame", "RUNID = 'r1' AND STATUS = 'new'")
    got = event.getCustomPropertySet()
    assert (got.getInt("visitId"), got.getDouble("ra"), got.getString("filter")) == (85, 1.5, "r")
    assert (got.getBool("ok"), got.getString("id"), got.getArrayInt("many")) == (True, "85", [1, 2])
    texts = [got.getString(name) for name in ("site.name", "odd", "none", "expr")]
    assert texts == ["x y", "1e999", "null", "a=b"]


def test_a_json_file_becomes_an_event(spool, tmp_path):
    (tmp_path / "e.json").write_text('{"visitId": 3, "when": {"$datetime": 5}}')
    assert publish(spool, "newFrame", "--json", "e.json") == 0
    assert events(spool, "newFrame")[0].getCustomPropertySet().getDateTime("when").nsecs() == 5


def test_a_feed_becomes_an_event_per_line_on_the_topics_it_names(spool, tmp_path):
    lines = ['{"visitId": 1}', "", '{"topic": "flat", "payload": {"n": 2}, "runid": "r7", "type": "status"}']
    (tmp_path / "night.jsonl").write_text("\n".join(lines))
    assert publish(spool, "newFrame", "--feed", "night.jsonl") == 0
    assert len(events(spool, "newFrame")) == 1
    (flat,) = events(spool, "flat", "RUNID = 'r7' AND TYPE = '_S'")
    assert flat.getCustomPropertySet().getInt("n") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["visit"], "expected key=value, saw 'visit'"),
        (["a=1", "a=2"], "a is given twice"),
        (["a=1", "--json", "x"], "saw several of them"),
        (["--json", "missing.json"], "missing.json"),
        (["--feed", "missing.jsonl"], "missing.jsonl: No such file"),
        (["--feed", "bad.jsonl"], "bad.jsonl:2: event data: line 1, column 2: no JSON"),
        (["--feed", "odd.jsonl"], "odd.jsonl:1: unknown 'pay' beside topic and payload"),
        (["--json", "list.json"], "expected a JSON object, saw [1]"),
    ],
)
def test_what_cannot_be_published_is_told(spool, tmp_path, capsys, arguments, words):
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n{no}\n')
    (tmp_path / "odd.jsonl").write_text('{"topic": "t", "payload": {}, "pay": 1}\n')
    (tmp_path / "list.json").write_text("[1]")
    assert publish(spool, "t", *arguments) == 2
    assert words in capsys.readouterr().err
    assert events(spool, "t") == []


def test_listen_shows_events_as_lines_and_goes_on_by_name(spool, capsys):
    for number in range(3):
        publish(spool, "t", f"n={number}", "--runid", f"r{number}")
    lines = listen(spool, capsys, "t")
    assert [line["payload"] for line in lines] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert lines[1]["topic"] == "t" and lines[1]["header"]["RUNID"] == "r1" and lines[1]["ident"]
    picked = listen(spool, capsys, "t", "--selector", "RUNID <> 'r1'")
    assert [line["payload"]["n"] for line in picked] == [0, 2]
    assert len(listen(spool, capsys, "t", "--name", "me", "--count", "2")) == 2
    assert [line["payload"]["n"] for line in listen(spool, capsys, "t", "--name", "me")] == [2]
    assert listen(spool, capsys, "t", "--new") == []


def test_a_selector_that_cannot_be_read_is_told(spool, capsys):
    assert main(["listen", "t", "--spool", spool, "--selector", "RUNID = "]) == 2
    assert "column 9" in capsys.readouterr().err


def test_without_a_spool_the_commands_say_how_to_name_one(capsys, monkeypatch):
    monkeypatch.delenv("PEX_HARNESS_SPOOL", raising=False)
    assert main(["publish", "t", "a=1"]) == 2
    assert "PEX_HARNESS_SPOOL" in capsys.readouterr().err

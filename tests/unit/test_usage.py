# SPDX-License-Identifier: BSD-3-Clause
"""Command lines that make no sense: every command ends with 2, and says which argument it means."""

import pytest
from harness.cli.main import build_parser, main

RUN = ["run", "night.paf", "r1"]
WRONG = [
    ([], "COMMAND"),
    (["fly"], "fly"),
    (["run"], "policy"),
    ([*RUN, "--loud"], "--loud"),
    ([*RUN, "--visits", "0"], "--visits: expected a whole number, 1 or more; saw '0'"),
    ([*RUN, "--visits", "two"], "--visits: expected a whole number, 1 or more; saw 'two'"),
    ([*RUN, "--workers", "0"], "--workers: expected a whole number, 1 or more; saw '0'"),
    ([*RUN, "--workers", "1.5"], "--workers"),
    ([*RUN, "-L", "lound"], "-L/--log-verbosity: unknown verbosity 'lound': expected an integer or one of"),
    ([*RUN, "-q", "-v"], "-v"),
    ([*RUN, "--stage-output", "mail"], "--stage-output"),
    (["check", "night.paf", "--timeout", "0"], "--timeout: expected more than 0 seconds, below 1e9; saw '0'"),
    (["check", "night.paf", "--timeout", "nan"], "--timeout"),
    (["stop", "r1", "--level", "5"], "--level"),
    (["stacks"], "rundir"),
    (["status"], "rundir"),
    (["replay", "r1", "0", "0"], "visit: expected a whole number, 1 or more; saw '0'"),
    (["replay", "r1", "1", "-1"], "rank"),
    (["listen", "t", "--count", "0"], "--count: expected a whole number, 1 or more; saw '0'"),
    (["listen", "t", "--timeout", "-1"], "--timeout"),
    (["listen", "t", "--timeout", "soon"], "--timeout: expected 0 or more seconds, below 1e9; saw 'soon'"),
    (["publish", "t", "a=1", "--feed", "f"], "saw several"),
    (["publish", "t", "a=1", "--json", "f"], "saw several"),
    (["bench", "m.S", "--visits", "0"], "--visits: expected a whole number, 1 or more; saw '0'"),
    (["bench", "m.S", "--rounds", "few"], "--rounds"),
    (["bench", "m.S", "--shape", "0x0"], "axes of 1 pixel or more"),
    (["demo", "--amps", "0"], "--amps"),
    (["demo", "--workers", "0"], "--workers"),
    (["demo", "--visits", "0"], "--visits"),
    (["demo", "--size", "big"], "--size"),
    (["policy"], "COMMAND"),
    (["policy", "convert", "night.paf", "--to", "xml"], "--to"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=[" ".join(words) or "nothing" for words, _ in WRONG])
def test_a_command_line_that_makes_no_sense_ends_with_2(words, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(words)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert code == 2
    assert told in said.err and said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_every_command_has_a_wrong_command_line_here():
    actions = [action for action in build_parser()._actions if action.dest == "command"]
    assert {words[0] for words, _ in WRONG if words} - {"fly"} == set(actions[0].choices)

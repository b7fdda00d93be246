# SPDX-License-Identifier: BSD-3-Clause
"""The demo's command line: what it refuses, what it leaves alone, what it writes."""

import pytest
from harness.cli.main import main
from harness.examples.ccd_night.layout import NightLayout
from harness.examples.ccd_night.pipeline_policy import night_policy, paf_string

SMALL = ["--visits", "1", "--amps", "1", "--size", "256x800", "--simulate-only"]


def demo(root, *arguments):
    return main(["demo", "--dir", str(root), *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "512"], "columns x rows such as 512x1024, saw '512'"),
        (["--size", "2048x200"], "sides of at least 256 pixels and an area of at least 200000, saw 2048x200"),
        (["--size", "300x300"], "saw 300x300"),
        (["--seed", "-3"], "seed must not be negative, got -3"),
    ],
)
def test_impossible_arguments_are_refused_before_anything_is_written(tmp_path, capsys, arguments, message):
    assert demo(tmp_path / "night", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "night").exists()


def test_foreign_directory_is_left_alone(tmp_path, capsys):
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "thesis.tex").write_text("precious")
    assert demo(tmp_path, *SMALL) == 2
    assert "holds no night of ours" in capsys.readouterr().err
    assert (tmp_path / "input" / "thesis.tex").read_text() == "precious"


def test_simulate_only_writes_the_night_and_tells_how_to_run_it(tmp_path, capsys):
    assert demo(tmp_path, *SMALL) == 0
    layout = NightLayout(tmp_path)
    assert layout.raw(0, 0).exists()
    assert layout.truth(0, 0).exists()
    assert "count: 1" in layout.policy_file.read_text()
    assert "pex-harness run " in capsys.readouterr().out
    assert not (tmp_path / "output").exists()


def test_second_simulation_replaces_the_first(tmp_path):
    demo(tmp_path, *SMALL)
    layout = NightLayout(tmp_path)
    first = layout.raw(0, 0).read_bytes()
    layout.raw(7, 0).parent.mkdir()
    layout.raw(7, 0).write_bytes(b"left over")
    assert demo(tmp_path, *SMALL, "--seed", "5") == 0
    assert layout.raw(0, 0).read_bytes() != first
    assert not layout.raw(7, 0).exists()


@pytest.mark.parametrize("change", [["--seed", "5"], ["--visits", "2"]])
def test_keep_refuses_another_night(tmp_path, capsys, change):
    demo(tmp_path, *SMALL)
    before = NightLayout(tmp_path).raw(0, 0).read_bytes()
    assert demo(tmp_path, "--visits", "1", "--amps", "1", "--size", "256x800", "--keep", *change) == 2
    assert "no complete night of" in capsys.readouterr().err
    assert NightLayout(tmp_path).raw(0, 0).read_bytes() == before


def test_keep_refuses_a_simulation_that_was_cut_off_and_a_new_one_replaces_it(tmp_path, capsys):
    demo(tmp_path, *SMALL)
    marker = tmp_path / "night.json"
    marker.write_text(marker.read_text().replace("true", "false"))
    assert demo(tmp_path, "--visits", "1", "--amps", "1", "--size", "256x800", "--keep") == 2
    assert "no complete night" in capsys.readouterr().err
    assert demo(tmp_path, *SMALL) == 0


def test_keep_and_simulate_only_exclude_each_other(tmp_path):
    with pytest.raises(SystemExit) as ended:
        demo(tmp_path, "--keep", "--simulate-only")
    assert ended.value.code == 2


@pytest.mark.parametrize("text", ["", "/data/night 1", 'a "night"', "it's # {late}", "50%"])
def test_paf_string_uses_the_quote_that_the_text_has_not(text):
    quoted = paf_string(text)
    assert quoted[0] == quoted[-1] in "\"'"
    assert quoted[1:-1] == text


@pytest.mark.parametrize("text", ["both \" and '", "two\nlines"])
def test_paf_string_that_cannot_be_written_is_refused(text):
    with pytest.raises(ValueError, match="cannot be a PAF string"):
        paf_string(text)


def test_policy_names_the_night_directory_as_run_directory(tmp_path):
    text = night_policy(NightLayout(tmp_path / "100% dark"), visits=3, amps=5)
    assert f'defaultRoot: "{tmp_path.resolve()}"' in text
    assert 'runDirPattern: "100%% dark"' in text
    assert "nSlices: 5" in text
    assert "count: 3" in text
    assert "$" not in text

# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness policy show`, `convert` and `describe`, and the pages made by `describe`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import harness.policy
import pytest
from harness.cli.main import main
from harness.policy import Policy
from harness.policy.listing import listing

ROOT = Path(__file__).parents[2]
PIPELINE = """# a night
execute: {
    nSlices: 2
    appStage: {
        name: "one"
        serialClass: "a.B"
        stagePolicy: @policy/stage.paf
    }
    appStage: {
        serialClass: "c.D"
    }
}
"""
DICTIONARY = """target: Thing
definitions: {
    gain: {
        type: double
        description: "factor | of pixels"
        maxOccurs: 1
        default: 1.5
        allowed: { min: 0.0
                   max: 9.0 }
    }
    mode: {
        type: string
        minOccurs: 1
        maxOccurs: 1
        allowed: { value: "fast" "exact" }
    }
    pair: { type: int
            minOccurs: 2
            maxOccurs: 2 }
    some: { minOccurs: 1 }
    block: {
        type: policy
        dictionary: { definitions: {
            childDefinition: { type: bool }
            named: { type: int }
        } }
    }
}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "stage.paf").write_text("\ngain: 2.0 3.0\nblock: { deep: true }\n")
    (tmp_path / "night.paf").write_text(PIPELINE)
    (tmp_path / "ThingDictionary.paf").write_text(DICTIONARY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(folder, capfd):
    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(["policy", *map(str, arguments)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return command


def origins(text: str) -> list[tuple[str, str]]:
    """Pairs of a value and its origin, without white space around them."""
    return [tuple(part.strip() for part in line.split("# ")) for line in text.splitlines() if "# " in line]


def test_show_names_file_and_line_of_every_value_and_default(command):
    code, out, err = command("show", "night.paf")
    assert (code, err) == (0, "")
    shown = origins(out)
    assert shown[:10] == [
        ("execute: {", "night.paf:2"),
        ("nSlices: 2", "night.paf:3"),
        ("appStage: {", "night.paf:4"),
        ('name: "one"', "night.paf:5"),
        ('serialClass: "a.B"', "night.paf:6"),
        ("stagePolicy: {", "night.paf:7"),
        ("gain: 2.0 3.0", "policy/stage.paf:2"),
        ("block: {", "policy/stage.paf:3"),
        ("deep: true", "policy/stage.paf:3"),
        shown[9],
    ]
    defaults = [value for value, origin in shown if origin.startswith("default (")]
    assert defaults.count('eventTopic: "None"') == defaults.count("shareData: false") == 2
    assert "logThreshold: -1" in defaults
    lines = (ROOT / "policy" / "PipelineDictionary.paf").read_text().splitlines()
    (origin,) = [origin for value, origin in shown if value == "logThreshold: -1"]
    number = int(re.fullmatch(r"default \(PipelineDictionary.paf:(\d+)\)", origin).group(1))
    assert lines[number - 1].strip() == "default: -1"


def test_what_show_prints_is_the_merged_policy(command, folder):
    _, out, _ = command("show", "night.paf")
    (folder / "shown.paf").write_text(out)
    shown = Policy(str(folder / "shown.paf"))
    assert shown.names(True) == ["execute"]
    assert shown.getInt("execute.logThreshold") == -1
    assert shown.getPolicyArray("execute.appStage")[0].getDoubleArray("stagePolicy.gain") == [2.0, 3.0]


def test_show_without_defaults_has_what_the_files_say(command, folder):
    _, out, _ = command("show", "night.paf", "--no-defaults")
    assert "default" not in out
    (folder / "shown.paf").write_text(out)
    assert Policy(str(folder / "shown.paf")) == Policy.createPolicy("night.paf", True)


def test_show_merges_the_defaults_of_a_dictionary_that_is_given(command, folder):
    (folder / "thing.paf").write_text('mode: "fast"\n')
    _, out, _ = command("show", "thing.paf", "--dictionary", "ThingDictionary.paf")
    assert origins(out) == [('mode: "fast"', "thing.paf:1"), ("gain: 1.5", "default (ThingDictionary.paf:7)")]


def test_show_leaves_a_policy_that_is_no_pipeline_as_it_is(command, folder):
    (folder / "thing.paf").write_text("a: 1\n")
    assert command("show", "thing.paf")[1] == "a: 1  # thing.paf:1\n"


def test_show_of_a_policy_without_contents_is_empty(command, folder):
    (folder / "thing.paf").write_text("")
    assert command("show", "thing.paf") == (0, "", "")


def test_show_has_a_string_that_paf_cannot_hold():
    policy = Policy.fromDict({"text": "both \" and '", "more": 1})
    assert listing(policy, policy).splitlines() == ["""text: 'both " and \\''""", "more: 1"]


def test_show_goes_as_deep_as_the_parser(command, folder):
    depth = 5000
    (folder / "deep.paf").write_text("a: {\n" * depth + "b: 1\n" + "}\n" * depth)
    code, out, _ = command("show", "deep.paf")
    assert code == 0 and out.count("a: {") == depth
    assert ("b: 1", f"deep.paf:{depth + 1}") in origins(out)


def test_convert_writes_paf_that_reads_back_equal_and_keeps_includes(command, folder):
    code, out, _ = command("convert", "night.paf", "--to", "paf")
    assert code == 0 and "stagePolicy: @policy/stage.paf" in out
    (folder / "again.paf").write_text(out)
    assert Policy("again.paf") == Policy("night.paf")


def test_convert_puts_includes_in_their_place_if_asked(command, folder):
    code, out, err = command("convert", "night.paf", "--to", "paf", "--resolve", "-o", "again.paf")
    assert (code, out, err) == (0, "", "")
    assert Policy("again.paf") == Policy.createPolicy("night.paf", True)
    assert "@" not in (folder / "again.paf").read_text()


def test_convert_keeps_bytes_that_are_no_text(command, folder):
    (folder / "bytes.paf").write_bytes(b'a: "\xff\xfe"\n')
    assert command("convert", "bytes.paf", "--to", "paf", "-o", "again.paf")[0] == 0
    assert b'a: "\xff\xfe"\n' in (folder / "again.paf").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "policy", "convert", "bytes.paf", "--to", "paf"],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout == (folder / "again.paf").read_bytes()


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_convert_hands_the_policy_to_the_writer_of_the_format(command, monkeypatch, kind):
    monkeypatch.setattr(harness.policy, f"to_{kind}", lambda policy: f"{policy.names(True)}\n", raising=False)
    assert command("convert", "night.paf", "--to", kind) == (0, "['execute']\n", "")


def test_describe_makes_a_table_per_dictionary(command):
    code, out, _ = command("describe", "ThingDictionary.paf")
    assert code == 0
    assert out.splitlines() == [
        "# ThingDictionary",
        "",
        "For: Thing",
        "",
        "| name | type | count | default | allowed | meaning |",
        "|---|---|---|---|---|---|",
        "| `gain` | double | optional | `1.5` | 0.0 to 9.0 | factor \\| of pixels |",
        '| `mode` | string | required |  | `"fast", "exact"` |  |',
        "| `pair` | int | 2 |  |  |  |",
        "| `some` | any | 1 or more |  |  |  |",
        "| `block` | policy | 0 or more |  |  |  |",
        "",
        "## block",
        "",
        "| name | type | count | default | allowed | meaning |",
        "|---|---|---|---|---|---|",
        "| `named` | int | 0 or more |  |  |  |",
        "| *any other name* | bool | 0 or more |  |  |  |",
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "policy").glob("*.paf")), ids=lambda path: path.stem)
def test_the_page_of_a_dictionary_is_current(command, path):
    page = ROOT / "docs" / "dictionaries" / f"{path.stem}.md"
    assert page.read_text() == command("describe", str(path))[1], "again: make dictionary-pages"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "nope.paf"], ["nope.paf: no such file", "night.paf"]),
        (["show", "policy"], ["expected a file, saw a directory"]),
        (["show", "broken.paf"], ["broken.paf:1:1"]),
        (["show", "broken_include.paf"], ["nowhere.paf", "broken_include.paf:1"]),
        (["show", "night.paf", "--dictionary", "nope.paf"], ["dictionary nope.paf: no such file"]),
        (["show", "night.paf", "--dictionary", "night.paf"], ["no dictionary", "definitions"]),
        (["convert", "nope.paf", "--to", "paf"], ["nope.paf"]),
        (["convert", "night.paf", "--to", "paf", "-o", "nowhere/x.paf"], ["nowhere/x.paf", "No such file"]),
        (["describe", "night.paf"], ["no dictionary"]),
        (["describe", "bad_dictionary.paf"], ["bad_dictionary.paf:2"]),
    ],
)
def test_a_file_that_will_not_do_is_named(command, folder, arguments, words):
    (folder / "broken.paf").write_bytes(b"\x1b[31m\xff\n")
    (folder / "broken_include.paf").write_text("a: @nowhere.paf\n")
    (folder / "bad_dictionary.paf").write_text("definitions: {\n a: { type: nothing }\n}\n")
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"pex-harness policy {arguments[0]}: ")
    assert "\x1b" not in err
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    "arguments",
    [["convert", "night.paf"], ["convert", "night.paf", "--to", "xml"], ["shwo", "night.paf"], []],
)
def test_a_wrong_command_line_is_refused(command, capfd, arguments):
    with pytest.raises(SystemExit) as caught:
        command(*arguments)
    assert caught.value.code == 2
    assert "usage" in capfd.readouterr().err


def test_show_imports_no_numpy(folder):
    code = "import sys\nfrom harness.cli.main import main\nmain(['policy', 'show', 'night.paf'])\n"
    code += "print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_what_a_file_holds_does_not_steer_the_terminal(command, folder):
    (folder / "thing.paf").write_text('a: "\x1b[31m"\n')
    assert command("show", "thing.paf")[1] == 'a: "\\x1b[31m"  # thing.paf:1\n'


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_long_policy_is_written_to_its_end(folder, unbuffered):
    (folder / "long.paf").write_text("".join(f"a{number}: 1\n" for number in range(20000)))
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "policy", "show", "long.paf"],
        stdout=subprocess.PIPE, check=True, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 20000


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error(folder, unbuffered):
    (folder / "long.paf").write_text("".join(f"a{number}: 1\n" for number in range(20000)))
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli.main", "policy", "show", "long.paf"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().startswith(b"a0: 1")
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0
    process.stderr.close()

# SPDX-License-Identifier: BSD-3-Clause
"""Which format a policy is read as, includes across formats, and formats that users register."""

import subprocess
import sys

import pytest
from harness.policy import (
    BadNameError,
    DefaultPolicyFile,
    EOFError,
    FormatSyntaxError,
    IoError,
    ParserError,
    Policy,
    PolicyFile,
    PolicyString,
    SupportedFormats,
    UrnPolicyFile,
)
from harness.policy.foreign import json_reader, places

PAF, JSON, TOML = "a: 1\n", '{"a": 1}\n', "a = 1\n"


# --- recognition


@pytest.mark.parametrize(
    ("extension", "text"), [("paf", PAF), ("json", JSON), ("toml", TOML), ("JSON", JSON)]
)
def test_an_extension_settles_the_format(tmp_path, extension, text):
    path = tmp_path / f"x.{extension}"
    assert PolicyFile(path).getFormatName() == extension.upper()
    path.write_text(text)
    assert Policy(path).toDict() == Policy.createPolicy(path).toDict() == {"a": 1}
    assert Policy.createPolicy(PolicyFile(path)).toDict() == {"a": 1}


@pytest.mark.parametrize("extension", ["paf", "json", "toml"])
def test_an_extension_is_believed_whatever_the_file_holds(tmp_path, extension):
    for text in {PAF, JSON, TOML} - {{"paf": PAF, "json": JSON, "toml": TOML}[extension]}:
        path = tmp_path / f"x.{extension}"
        path.write_text(text)
        with pytest.raises(FormatSyntaxError) as caught:
            Policy(path)
        assert (caught.value.file, caught.value.line) == (str(path), 1)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a: 1", "PAF"),
        ("", "PAF"),
        ("# only\n# comments", "PAF"),
        ("\n# c\n  a : { b = 1 }", "PAF"),
        ("a: [b]\n[c]", "PAF"),
        ("#<?cfg paf policy ?>\n{", "PAF"),
        ("a", "PAF"),
        ("  { ", "JSON"),
        ("# c\n\n#\n{", "JSON"),
        ("#<?cfg JSON policy ?>\n{}", "JSON"),
        ("a = 1", "TOML"),
        ("# c\na.b='x'", "TOML"),
        ('"a" . b = 1', "TOML"),
        ("[a]", "TOML"),
        ("[ a.b ] # c\n", "TOML"),
        ("[[a]]\r\nb = 1", "TOML"),
        ("# <?cfg toml dictionary ?>\n", "TOML"),
        ("[1, 2]", ""),
        ("<a/>", ""),
        ("#<?cfg xml policy ?>\na: 1", ""),
        ("= 1", ""),
        ("[a", ""),
    ],
)
def test_without_an_extension_the_first_line_that_says_something_settles_it(tmp_path, text, name):
    path = tmp_path / "policy"
    path.write_bytes(text.encode())
    assert PolicyString(text).getFormatName() == PolicyFile(path).getFormatName() == name
    assert SupportedFormats.default().recognizeType(text) in (name, "")
    if not name:
        with pytest.raises(ParserError, match="unknown format") as caught:
            Policy(path)
        assert "JSON" in caught.value.expected and "TOML" in caught.value.expected


def test_a_link_has_the_format_of_the_file_it_leads_to(tmp_path):
    (tmp_path / "x.toml").write_text("# nothing that tells\n")
    (tmp_path / "current").symlink_to("x.toml")
    assert PolicyFile(tmp_path / "current").getFormatName() == "TOML"


@pytest.mark.parametrize("text", [PAF, JSON, TOML])
def test_xml_stays_an_unknown_format(tmp_path, text):
    path = tmp_path / "x.xml"
    path.write_text(text)
    assert PolicyFile(path).getFormatName() == ""
    with pytest.raises(ParserError, match="unknown format"):
        Policy(path)


def test_the_format_of_a_file_that_is_not_there_is_known_by_extension_only(tmp_path):
    assert PolicyFile(tmp_path / "no.toml").getFormatName() == "TOML"
    with pytest.raises(IoError):
        PolicyFile(tmp_path / "no").getFormatName()


# --- includes


@pytest.fixture
def product(tmp_path, monkeypatch):
    """A product whose policies include each other across formats."""
    root = tmp_path / "product"
    (root / "policy").mkdir(parents=True)
    monkeypatch.setenv("MEAS_WARP_DIR", str(root))
    (root / "policy" / "warp.paf").write_text("a: 1\nisr: @isr.toml\nmore: @@meas_warp:policy:last.json\n")
    (root / "policy" / "isr.toml").write_text('b = 2\n[deep]\nx = "@last.json"\n')
    (root / "policy" / "last.json").write_text('{"c": 3, "d": "@urn:eupspkg:meas_warp:policy:end.paf"}')
    (root / "policy" / "end.paf").write_text("e: 4\n")
    return root / "policy"


LAST = {"c": 3, "d": {"e": 4}}
RESOLVED = {"a": 1, "isr": {"b": 2, "deep": {"x": LAST}}, "more": LAST}


def test_includes_lead_from_any_format_to_any_other(product, tmp_path):
    assert Policy.createPolicy(product / "warp.paf").toDict() == RESOLVED
    assert Policy.createPolicy(product / "isr.toml").toDict() == RESOLVED["isr"]
    assert Policy.createPolicy(product / "last.json").toDict() == LAST


def test_product_files_and_urns_read_every_format(product):
    assert Policy(DefaultPolicyFile("meas_warp", "isr.toml", "policy")).toDict() == RESOLVED["isr"]
    source = UrnPolicyFile("urn:eupspkg:meas_warp:policy:last.json")
    assert source.getFormatName() == "JSON" and Policy(source).toDict() == LAST
    assert Policy.createPolicyFromUrn("urn:eupspkg:meas_warp:policy:isr.toml").toDict() == RESOLVED["isr"]


def test_an_error_in_an_included_file_names_the_chain_and_the_breadcrumb(product):
    (product / "warp.paf").write_text("isr: @isr.toml\n")
    (product / "last.json").write_text('{\n "c": null}')
    with pytest.raises(FormatSyntaxError) as caught:
        Policy.createPolicy(product / "warp.paf")
    error = caught.value
    assert (error.file, error.line, error.column) == (str(product / "last.json"), 2, 7)
    assert error.breadcrumb == "isr.deep.x.c"
    assert [link[0] for link in error.chain] == [str(product / "isr.toml"), str(product / "warp.paf")]
    assert error.chain[0][1:] == (3, 5) and "included from" in str(error)


def test_a_circle_of_includes_is_noticed_across_formats(tmp_path):
    (tmp_path / "a.json").write_text('{"b": "@b.toml"}')
    (tmp_path / "b.toml").write_text('c = "@a.json"\n')
    with pytest.raises(ParserError, match="circle") as caught:
        Policy.createPolicy(tmp_path / "a.json")
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(tmp_path / "b.toml"), 1, 5)


def test_a_malformed_urn_is_shown_where_it_stands():
    with pytest.raises(BadNameError) as caught:
        Policy(PolicyString('{"a": {\n "b": "@urn:eupspkg:x"}}'))
    assert (caught.value.line, caught.value.column) == (2, 7)


def test_without_strictness_a_bad_file_leaves_an_empty_sub_policy(product):
    (product / "last.json").write_text("{")
    policy = Policy(product / "isr.toml")
    assert policy.loadPolicyFiles(product, False) == 1
    assert policy.toDict() == {"b": 2, "deep": {"x": {}}}
    assert Policy(DefaultPolicyFile("meas_warp", "last.json", "policy", False)) == Policy()


def test_dictionaries_may_be_written_in_any_format(tmp_path):
    path = tmp_path / "dictionary.toml"
    path.write_text('target = "Warp"\n[definitions.size]\ntype = "int"\ndefault = 7\n')
    policy = Policy.createPolicy(path)
    assert policy.toDict() == {"size": 7} and policy.canValidate()


# --- formats of users


@pytest.fixture
def pairs():
    """Registers "name;value" lines for the time of a test."""
    formats = SupportedFormats.default()

    def parse(text):
        if "!" in text:
            raise FormatSyntaxError("pairs hold no exclamation marks")
        lines = [line for line in text.splitlines() if line != "pairs"]
        return Policy.fromDict(dict(line.split(";") for line in lines))

    formats.registerFormat("PAIRS", lambda text: text.startswith("pairs\n") or None, parse, [".pairs"])
    yield formats
    del formats._formats["PAIRS"]


def test_a_registered_format_is_read_wherever_policies_are(pairs, tmp_path):
    path = tmp_path / "x.pairs"
    path.write_text("a;1\nb;2\n")
    (tmp_path / "outer.paf").write_text("inner: @x.pairs\n")
    assert Policy(path).toDict() == {"a": "1", "b": "2"} and PolicyFile(path).getFormatName() == "PAIRS"
    assert Policy.createPolicy(tmp_path / "outer.paf").toDict() == {"inner": {"a": "1", "b": "2"}}


def test_a_registered_format_never_takes_what_starts_like_paf(pairs):
    assert PolicyString("pairs\na;1").getFormatName() == "PAF"
    pairs.registerFormat(
        "PAIRS", lambda text: text.startswith("(pairs)"), lambda text: Policy.fromDict({"p": 1})
    )
    assert Policy(PolicyString("(pairs)")).toDict() == {"p": 1}


def test_errors_of_a_registered_parser_keep_their_class_and_name_the_file(pairs, tmp_path):
    (tmp_path / "x.pairs").write_text("a;!")
    (tmp_path / "outer.paf").write_text("inner: @x.pairs\n")
    with pytest.raises(FormatSyntaxError, match="exclamation") as caught:
        Policy.createPolicy(tmp_path / "outer.paf")
    assert caught.value.file == str(tmp_path / "x.pairs") and caught.value.breadcrumb == "inner"
    assert caught.value.chain == [(str(tmp_path / "outer.paf"), 1, 8)]


def test_a_parser_that_makes_no_policy_is_named(pairs, tmp_path):
    pairs.registerFormat("PAIRS", lambda text: False, lambda text: {"a": 1}, [".pairs"])
    (tmp_path / "x.pairs").write_text("")
    with pytest.raises(TypeError, match="PAIRS made a dict"):
        Policy(tmp_path / "x.pairs")


def test_the_registry_of_the_process_knows_three_formats_and_a_new_one_paf():
    formats = SupportedFormats.default()
    assert formats.names() == ["JSON", "TOML", "PAF"] and SupportedFormats().names() == ["PAF"]
    assert formats.parse(JSON) == formats.parse(TOML) == formats.parse(PAF) == Policy.fromDict({"a": 1})
    with pytest.raises(EOFError):
        formats.parse('{"a": "')


# --- safeguards


def test_places_that_disagree_with_the_data_are_an_error_and_never_wrong(monkeypatch):
    wrong = places.Spot(0, 0, {"b": places.Spot(1, 6)})
    monkeypatch.setattr(json_reader, "json_places", lambda data, start: wrong)
    with pytest.raises(RuntimeError, match="places of this JSON text cannot be told"):
        Policy(PolicyString(JSON))


def test_the_libraries_of_formats_are_imported_when_a_text_needs_them():
    program = (
        "import sys; from harness.policy import Policy, PolicyString, to_json;"
        " Policy(PolicyString('a: 1')); print({'json', 'tomllib', 'tomli', 'tomli_w'} & set(sys.modules));"
        " Policy(PolicyString('{}')); print('json' in sys.modules, 'tomllib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert done.stdout.split("\n")[:2] == ["set()", "True False"], done.stdout + done.stderr

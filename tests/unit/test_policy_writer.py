# SPDX-License-Identifier: BSD-3-Clause
"""Writing PAF: what is written reads back to an equal policy, or is refused."""

import errno
import math
import string

import pytest
from harness.policy import (
    DefaultPolicyFile,
    IoError,
    PAFWriter,
    Policy,
    PolicyFile,
    PolicyString,
    PolicyStringDestination,
    RuntimeError,
    SupportedFormats,
    TypeError,
    UrnPolicyFile,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def text_of(policy, declare=False):
    writer = PAFWriter()
    writer.write(policy, declare)
    return writer.toString()


def test_layout():
    policy = Policy.fromDict(
        {
            "n": [1, 2],
            "x": [1.0, 0.1],
            "b": True,
            "s": ["plain", 'say "x"', ""],
            "p": [{"y": 1, "q": {"z": "w"}}, {}],
            "f": [PolicyFile("a.paf"), PolicyFile("b c.paf")],
        }
    )
    assert text_of(policy, True) == (
        "#<?cfg paf policy ?>\n"
        "n: 1 2\n"
        "x: 1.0 0.1\n"
        "b: true\n"
        's: "plain" \'say "x"\' ""\n'
        "p: {\n"
        "  y: 1\n"
        "  q: {\n"
        '    z: "w"\n'
        "  }\n"
        "}\n"
        "p: {\n"
        "}\n"
        "f: @a.paf\n"
        "f: @b c.paf\n"
    )


names = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=8)
texts = st.text(st.characters(exclude_characters="\n'", exclude_categories=("Cs",))) | st.text(
    st.characters(exclude_characters='\n"', exclude_categories=("Cs",))
)
arrays = (
    st.lists(st.booleans(), min_size=1, max_size=3)
    | st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=3)
    | st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=3)
    | st.lists(texts, min_size=1, max_size=3)
)
trees = st.recursive(
    st.dictionaries(names, arrays, max_size=4),
    lambda blocks: st.dictionaries(names, arrays | st.lists(blocks, min_size=1, max_size=2), max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_written_text_reads_back_to_an_equal_policy(tree):
    policy = Policy.fromDict(tree)
    back = Policy(PolicyString(text_of(policy)))
    assert back == policy
    assert back.names() == policy.names()
    assert [back.getValueType(name) for name in back.names()] == [
        policy.getValueType(name) for name in policy.names()
    ]


@pytest.mark.parametrize(
    "number", [1.0, -0.0, 0.1, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, 1 / 3, 123456789.0]
)
def test_doubles_keep_every_digit_and_their_type(number):
    policy = Policy()
    policy.set("x", number)
    back = Policy(PolicyString(text_of(policy))).getDouble("x")
    assert back == number and math.copysign(1, back) == math.copysign(1, number)


def test_references_to_product_files_read_back(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_PRODUCT_DIR", str(tmp_path))
    policy = Policy()
    policy.set(
        "f", [UrnPolicyFile("some_product:repo:x.paf"), UrnPolicyFile("@urn:eupspkg:some_product:y.paf")]
    )
    policy.set("g", DefaultPolicyFile("some_product", "z.paf", "repo"))
    back = Policy(PolicyString(text_of(policy)))
    assert back == policy
    assert back.getFile("f").getPath() == f"{tmp_path}/y.paf"


@pytest.mark.parametrize(
    "tree",
    [
        {"s": "both \" and '"},
        {"s": "two\nlines"},
        {"x": math.inf},
        {"x": math.nan},
        {"odd name": 1},
        {"a-b": 1},
        {"f": PolicyFile("")},
        {"f": PolicyFile("a#b")},
        {"f": PolicyFile("a}b")},
        {"f": PolicyFile(" a")},
        {"f": PolicyFile("@a:b")},
        {"p": {"q": {"s": "\"'"}}},
    ],
)
def test_what_paf_cannot_hold_is_refused_and_nothing_is_written(tree):
    writer = PAFWriter()
    with pytest.raises(RuntimeError, match="PAF cannot hold"):
        writer.write(Policy.fromDict(tree))
    assert writer.toString() == ""


def test_refusal_names_the_parameter():
    with pytest.raises(RuntimeError) as caught:
        text_of(Policy.fromDict({"a": {"x": 1}, "p": {"q": {"s": "\"'"}}}))
    assert caught.value.breadcrumb == "p.q.s"


def test_typed_calls_write_their_lines():
    writer = PAFWriter()
    writer.writeBools("b", [True, False])
    writer.writeInts("i", [1, 2])
    writer.writeDoubles("x", [2.0])
    writer.writeStrings("s", ["u", "v"])
    writer.writePolicies("p", [Policy.fromDict({"y": 1}), Policy()])
    writer.writeFiles("f", [PolicyFile("g.paf")])
    text = writer.toString()
    assert text == 'b: true false\ni: 1 2\nx: 2.0\ns: "u" "v"\np: {\n  y: 1\n}\np: {\n}\nf: @g.paf\n'
    with pytest.raises(TypeError):
        writer.writeDoubles("x", [1])
    assert writer.toString() == text


def test_file_writer_writes_a_file_and_keeps_no_text(tmp_path):
    path = tmp_path / "out.paf"
    policy = Policy.fromDict({"a": 1})
    with PAFWriter(path) as writer:
        writer.write(policy, True)
        assert writer.toString() == ""
    assert Policy(path) == policy
    with pytest.raises(IoError, match="was closed"):
        writer.write(policy)


def test_file_that_cannot_be_written_is_an_io_error(tmp_path):
    with pytest.raises(IoError) as caught:
        PAFWriter(tmp_path / "missing" / "out.paf")
    assert caught.value.errno == errno.ENOENT


def test_string_destination_collects_what_writers_add():
    destination = PolicyStringDestination("# head\n")
    PAFWriter(destination).write(Policy.fromDict({"a": 1}))
    PAFWriter(destination).writeInts("b", 2)
    assert destination.getData() == "# head\na: 1\nb: 2\n"


def test_deep_policy_is_written_and_read_back():
    policy = Policy(PolicyString("a: {" * 6000 + "x: 1" + "}" * 6000))
    assert Policy(PolicyString(text_of(policy))) == policy


def test_registry_of_formats_knows_paf_and_what_is_registered():
    formats = SupportedFormats()
    assert (formats.size(), formats.names(), formats.supports("PAF"), formats.supports("XML")) == (
        1,
        ["PAF"],
        True,
        False,
    )
    assert formats.recognizeType("#<?cfg paf dictionary ?>") == "PAF"
    assert formats.recognizeType("a: 1") == "PAF"
    assert formats.recognizeType("<xml>") == ""
    formats.registerFormat(
        "PAIRS", lambda text: text.startswith("("), lambda text: Policy.fromDict({"pair": text})
    )
    assert formats.parse("(1)").getString("pair") == "(1)"
    assert formats.parse("# nothing\n\n") == Policy()
    with pytest.raises(Exception, match="unknown format"):
        formats.parse("<xml>")

# SPDX-License-Identifier: BSD-3-Clause
"""Writing PAF: what is written reads back to an equal policy, or is refused."""

import errno
import math
import string
from random import Random

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


def text_of(policy, declare=False):
    writer = PAFWriter()
    writer.write(policy, declare)
    return writer.toString()


@pytest.mark.contract("10.5.writer")
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


LETTERS = string.printable.replace("\n", "") + "\u00e9\u20ac\U0001f30c\udcff\x00"


def random_array(random):
    count = random.choice([1, 1, 1, 2, 3])
    kind = random.randrange(4)
    if kind == 0:
        return [random.random() < 0.5 for _ in range(count)]
    if kind == 1:
        return [random.randint(-(2**31), 2**31 - 1) for _ in range(count)]
    if kind == 2:
        return [
            random.choice([0.0, 1.0, 1e300, random.gauss(0, 1), random.gauss(0, 1e-9)]) for _ in range(count)
        ]
    quote = random.choice("\"'")
    return ["".join(random.choices(LETTERS, k=random.randrange(9))).replace(quote, "") for _ in range(count)]


def random_tree(random, depth):
    tree = {}
    for _ in range(random.randrange(5)):
        name = "".join(random.choices(string.ascii_letters + string.digits + "_", k=random.randint(1, 8)))
        blocks = [random_tree(random, depth - 1) for _ in range(random.randint(1, 2))] if depth else []
        tree[name] = blocks if blocks and random.random() < 0.5 else random_array(random)
    return tree


@pytest.mark.contract("10.5.writer", "17.43")
@pytest.mark.parametrize("seed", range(20))
def test_written_text_reads_back_to_an_equal_policy(seed):
    random = Random(seed)
    for _ in range(20):
        policy = Policy.fromDict(random_tree(random, 4))
        back = Policy(PolicyString(text_of(policy)))
        assert back == policy
        assert back.names() == policy.names()


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


@pytest.mark.contract("17.43")
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

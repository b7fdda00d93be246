# SPDX-License-Identifier: BSD-3-Clause
"""Property sets as JSON: every type survives the trip, and nothing that is read does harm."""

import json
import random

import pytest
from harness.events import wire
from harness.events.errors import EventFormatError
from harness.properties import DateTime, PropertyList, PropertySet


def everything() -> PropertySet:
    inner = PropertySet()
    inner.set("filter", "r")
    inner.setLongLong("deep.count", 3)
    odd = PropertySet()
    odd.setString("$long", "no tag, a name")
    out = PropertySet()
    out.setBool("bool", True)
    out.setShort("short", -7)
    out.setInt("int", 2**31 - 1)
    out.setLong("long", 5)
    out.setLongLong("longlong", 2**62)
    out.setLongLong("small longlong", 5)
    out.setFloat("float", 0.1)
    out.setDouble("double", 1.0)
    out.setDouble("exact", 0.1 + 0.2)
    out.setDouble("odd", [float("inf"), float("-inf"), 1.5])
    out.setString("text", 'quotes " and \\, line\nends, é and \U0001f52d')
    out.set("when", DateTime(1_234_567_890_123_456_789))
    out.set("whens", [DateTime(1), DateTime(2)])
    out.set("ints", [1, 2, 3])
    out.set("set", inner)
    out.set("sets", [inner, inner.deepCopy()])
    out.set("tagged", odd)
    return out


@pytest.mark.contract("7.1.event")
def test_every_type_survives_the_trip():
    sent = everything()
    got = wire.decode(wire.encode(sent))
    assert got == sent
    assert [got.typeOf(name) for name in got.names()] == [sent.typeOf(name) for name in sent.names()]


def test_not_a_number_survives_the_trip():
    sent = PropertySet()
    sent.set("x", float("nan"))
    assert wire.decode(wire.encode(sent)).getDouble("x") != 0


def test_a_property_list_arrives_as_a_set_with_its_dotted_names():
    header = PropertyList()
    header.set("ESO.DET.ID", 3, "detector")
    sent = PropertySet()
    sent.set("header", header)
    assert wire.decode(wire.encode(sent)).getInt("header.ESO.DET.ID") == 3


def test_plain_json_of_other_programs_is_read():
    got = wire.decode(
        b'{"visitId": 85, "ra": [1, 2.5], "site": {"name": "x"},'
        b' "when": {"$datetime": "2010-01-01T00:00:00Z"}}'
    )
    assert got.getInt("visitId") == 85 and got.getString("site.name") == "x"
    assert got.getArrayDouble("ra") == [1.0, 2.5]
    assert got.getDateTime("when") == DateTime("2010-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON"),
        (b"[1]", "expected a JSON object"),
        (b'{"a": null}', '"a": expected true, false'),
        (b'{"a": []}', "at least one value"),
        (b'{"a": [[1]]}', "expected true, false"),
        (b'{"a": [1, "x"]}', '"a": cannot store'),
        (b'{"a": [1, {"b": 2}]}', "expected objects only"),
        (b'{"a": 1, "a": 2}', "occurs twice"),
        (b'{"a": 1, "a.b": 2}', "not a PropertySet"),
        (b'{"": 1}', "expected a name"),
        (b'{"a..b": 1}', "expected a name"),
        (b'{"a": 1e999}', "out of the range"),
        (b'{"a": NaN}', '{"$double": "nan"}'),
        (b'{"a": 99999999999999999999999}', "does not fit 64 bits"),
        (b'{"a": 99999999999999999999}', "does not fit 64 bits"),
        (b'{"a": {"$pickle": "gASVAAAA"}}', "expected one of $datetime"),
        (b'{"a": {"$short": 70000}}', "does not fit 16 bits"),
        (b'{"a": {"$datetime": true}}', "expected a DateTime"),
        (b'{"a": {"$datetime": "yesterday"}}', "ISO 8601"),
        (b'{"a": "\\ud800"}', "no Unicode"),
        (b'{"\\ud800": 1}', "expected a name"),
        (b'{"a": "\xff"}', "no UTF-8"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested deeper"),
        (b"[" * 500_000, "nested deeper"),
        (b'{"a":"' + b"x" * wire.MAX_BYTES + b'"}', "at most"),
    ],
)
def test_what_is_no_event_is_refused_with_words(data, words):
    with pytest.raises(EventFormatError) as caught:
        wire.decode(data)
    assert words in str(caught.value)


def test_an_event_that_is_too_large_is_refused_when_it_is_written():
    sent = PropertySet()
    sent.set("x", "y" * wire.MAX_BYTES)
    with pytest.raises(EventFormatError, match="too large: expected at most 1048576; put large data"):
        wire.encode(sent)


def test_text_that_is_no_unicode_is_refused_when_it_is_written():
    sent = PropertySet()
    sent.set("x", "\ud800")
    with pytest.raises(EventFormatError, match="no Unicode"):
        wire.encode(sent)


def test_damaged_bytes_are_read_or_refused_and_nothing_else():
    chance = random.Random(7)
    good = wire.encode(everything())
    pieces = [b'{"$long":', b"[", b"]", b"{", b"}", b'"', b"\\u", b"\xc3", b"1e400", b"-", b",", b":", b"\0"]
    read = 0
    for _ in range(4000):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(data))
            piece = chance.choice(pieces) if chance.random() < 0.6 else bytes([chance.randrange(256)])
            data[at : at + chance.randrange(3)] = piece
        try:
            got = wire.decode(bytes(data))
        except EventFormatError:
            continue
        read += 1
        assert wire.decode(wire.encode(got)).names() == got.names()
    assert read > 0


def test_what_is_written_is_plain_json():
    assert json.loads(wire.encode(everything()))["ints"] == [1, 2, 3]

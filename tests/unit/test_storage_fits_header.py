# SPDX-License-Identifier: BSD-3-Clause
"""Headers from FITS to PropertyLists and back: nothing is lost, and nothing changes its meaning."""

import warnings

import numpy
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from harness.properties import PropertyList
from harness.storage import Image, ReadRequest, storage_named
from harness.storage.fits_cards import Cards
from harness.storage.fits_header import cards_of, properties_of, properties_of_cards


def properties_from(*images):
    """The properties of a header that consists of these cards."""
    text = "".join(image.ljust(80) for image in (*images, "END"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return properties_of(fits.Header.fromstring(text))


def there_and_back(path, *entries):
    """The header of an image after it was written and read."""
    header = PropertyList()
    for entry in entries:
        header.set(*entry)
    storage = storage_named("FitsStorage")
    storage.write(str(path), Image(numpy.zeros((1, 1)), header))
    return storage.read(str(path), ReadRequest("frame")).header


def test_a_text_that_looks_like_a_record_stays_a_text(tmp_path):
    assert properties_from("OBJECT  = 'M31: 5.0'").getString("OBJECT") == "M31: 5.0"
    header = there_and_back(tmp_path / "a.fits", ("OBJECT", "M31: 5.0"))
    assert header.toList() == [("OBJECT", "M31: 5.0", "")]


def test_long_strings_and_long_keywords_are_whole():
    header = fits.Header()
    header["LONGTEXT"] = ("y" * 150, "goes on")
    header["HIERARCH ESO DET GAIN"] = (1.5, "e-/ADU")
    header["AFTER"] = 1
    assert properties_of(header).toList() == [
        ("LONGTEXT", "y" * 150, "goes on"),
        ("ESO DET GAIN", 1.5, "e-/ADU"),
        ("AFTER", 1, ""),
    ]


def test_nothing_is_read_after_end():
    properties = properties_from("A       =  1", "END", "B       =  2")
    assert properties.getOrderedNames() == ["A"]


def test_integers_beyond_64_bits_become_floats_and_complex_numbers_text():
    properties = properties_from(f"BIG     = {10**20}", "CPLX    = (1.0, 2.0)")
    assert properties.getDouble("BIG") == 1e20
    assert properties.getString("CPLX") == "(1+2j)"


def test_text_without_a_keyword_joins_the_comments_and_blank_cards_go():
    properties = properties_from("COMMENT first", "", "        second", "A       =  1")
    assert properties.toList() == [("COMMENT", "first", ""), ("COMMENT", "second", ""), ("A", 1, "")]


@pytest.mark.parametrize(
    ("image", "name", "text"),
    [
        ("BAD     = 2 monkeys' / c", "BAD", "2 monkeys'"),
        ("BAD     = 1.2.3", "BAD", "1.2.3"),
        ("B D     =  &9xe", "B D", "&9xe"),
        ("BAD     = 'open", "BAD", "'open"),
    ],
)
def test_cards_that_break_the_rules_keep_their_text_among_the_others(image, name, text):
    properties = properties_from("A       =  1", image, "B       =  2")
    assert properties.getOrderedNames() == ["A", name, "B"]
    assert properties.getString(name).startswith(text)


NAMES = ["EXPTIME", "ESO DET OUT1 CONAD VALUE", "a.long.name"]
VALUES = [True, False, 0, -(2**63), 2**62, 0.1, 15.0, 1e300, "", "it's", "x&"]
VALUES += [-5.5555555555555558e-05, -1.2345678901234567e-308]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        *((value, NAMES) for value in VALUES),
        # Under a long keyword, early versions of astropy have no room for these.
        *((value, NAMES[:1]) for value in ("'" * 34, "x" * 68, "x" * 200)),
    ],
)
@pytest.mark.parametrize("comment", ["", "[s] exposure / dark time"])
def test_values_come_back_exactly(tmp_path, value, names, comment):
    entries = [(name, value, comment) for name in names]
    header = there_and_back(tmp_path / "a.fits", *entries, ("AFTER", 1))
    assert header.getOrderedNames() == [*names, "AFTER"]
    for name, back, comment_back in header.toList()[:-1]:
        assert (name, back, type(back)) == (name, value, type(value))
        # A comment is cut to what its card has room for.
        assert comment.startswith(comment_back)


@pytest.mark.parametrize("value", [1.2345678901234567e-05, 12345678, "a text"])
def test_entries_that_do_not_fit_into_a_card_are_named(tmp_path, value):
    with pytest.raises(ValueError, match="header entry 'n*' = .*cannot go into FITS"):
        there_and_back(tmp_path / "a.fits", ("n" * 70, value))


def test_comments_survive_where_there_is_room(tmp_path):
    entries = [("A", 1.2345678901234567e-05, "a long number"), ("B", 2, "short"), ("C", "text", "c" * 40)]
    assert there_and_back(tmp_path / "a.fits", *entries).toList() == entries


def test_the_order_is_kept_when_comments_come_first(tmp_path):
    header = there_and_back(
        tmp_path / "a.fits",
        ("HISTORY", ["made", "mended"]),
        ("B", 1),
        ("COMMENT", "so"),
        ("TFIELDS", 3),
        ("A", 2),
    )
    assert header.getOrderedNames() == ["HISTORY", "B", "COMMENT", "TFIELDS", "A"]
    assert header.getArray("HISTORY") == ["made", "mended"]


def test_every_card_passes_the_checks_of_astropy():
    header = PropertyList()
    header.set("SHORT", 1.2345678901234567e-05, "c" * 40)
    header.set("lower", -1.2345678901234567e-05, "it's")
    header.set("A B", 1)
    for card in cards_of(header):
        card.verify("exception")


@pytest.mark.parametrize(
    "card",
    [
        "GAIN    =                  1.5 / e-/ADU",
        "GAIN    = 1.5",
        "GAIN    =                  1.5E10/no blank before it",
        "GAIN    =                 -1.D-3 / with a D",
        "GAIN    =                   .5",
        "N       =                  007 / leading zeros",
        "N       =                  +12",
        "N       =  9223372036854775808 / beyond 64 bits",
        "BIG     = 123456789012345678901234567890",
        "GOOD    =                    T / a truth",
        "GOOD    = F",
        "NAME    = 'M31: 5.0'           / looks like a record",
        "NAME    = 'O''Neill  '         / quotes and blanks",
        "NAME    = ''                   / empty",
        "NAME    = '        '           / blanks",
        "NAME    = '  leading'",
        "NAME    = 'no end",
        "NAME    = 'a / b'              / slash in the text",
        "NAME    = 'ends with &'",
        "NONE    =                      / no value",
        "NONE    =",
        "C       = (1.0, 2.0)           / complex",
        "HIERARCH ESO DET ID = 'ccd'    / long name",
        "COMMENT   some words  ",
        "HISTORY = 'text'",
        "COMMENT",
        "        text without a keyword",
        "BROKEN  = 1.2.3 / no number",
        "BROKEN  = abc",
        "lower   =                    1 / small letters",
        "NOEQUALS value",
        "A=1",
        "SPACED  = - 5",
    ],
)
def test_a_header_read_from_bytes_is_what_astropy_s_cards_give(card):
    """Cards of the plain forms do not pass through astropy, and must come out as if they did."""
    content = f"{card:<80}{'END':<80}".ljust(2880).encode("latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        expected = properties_of(fits.Header.fromstring(content))
    found = properties_of_cards(Cards(content))
    assert found.toList() == expected.toList()
    assert [found.typeOf(name) for name in found.getOrderedNames()] == [
        expected.typeOf(name) for name in expected.getOrderedNames()
    ]


def test_a_text_over_several_cards_is_joined_in_a_header_read_from_bytes():
    header = fits.Header([("LONG", "many words " * 20, "and a comment"), ("AFTER", 1)])
    assert properties_of_cards(Cards(header.tostring().encode())).toList() == properties_of(header).toList()


@pytest.mark.parametrize("card", ["TAB     = 'a\tb'", "HIGH    = 'caf\xe9'", "NOEQUALS value", "A=1", "\0\0"])
def test_a_file_whose_header_has_a_card_that_nothing_can_mend_is_read_without_a_warning(tmp_path, card):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU([[1.0, 2.0]], fits.Header([("PLACE", 1)])).writeto(path)
    content = path.read_bytes()
    path.write_bytes(
        content.replace(f"{'PLACE   =                    1':<80}".encode(), card.ljust(80).encode("latin-1"))
    )
    assert path.stat().st_size == len(content) and path.read_bytes() != content
    image = storage_named("FitsStorage").read(str(path), ReadRequest("a"))
    assert image.array.tolist() == [[1.0, 2.0]]
    if card.startswith("TAB"):
        assert image.header.get("TAB") == "a\tb"

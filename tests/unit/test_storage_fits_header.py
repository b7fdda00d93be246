# SPDX-License-Identifier: BSD-3-Clause
"""Headers from FITS to PropertyLists and back: nothing is lost, and nothing changes its meaning."""

import warnings

import numpy
import pytest
from astropy.io import fits
from harness.properties import PropertyList
from harness.storage import Image, ReadRequest, storage_named
from harness.storage.fits_header import cards_of, properties_of


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

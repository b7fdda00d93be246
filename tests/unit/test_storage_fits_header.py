# SPDX-License-Identifier: BSD-3-Clause
"""Header cards: the quick reading against astropy's, and what goes where astropy must help."""

import itertools
import warnings

import pytest
from astropy.io import fits
from harness.properties import PropertyList
from harness.storage.fits_header import cards_of, common_image, parse_header, properties_of

NAMES = ["ABC", "A_B-C1", "LONGNAME", "A B", "abc"]
SEPARATORS = ["= ", "=", "  "]
VALUES = """'abc'|'it''s'|'a / b'|''|'   '|'abc   '|'  abc'
T|F|12|+3|-007|1.|1.5|-.5|.5E3|1D5|1.5e3|1E+05||12 34
'un|(1,2)|1.2.3|T F|--3|'a&'|0x10|1_000|T/c|12/ c|'a'/c/d|/ only|'x:5'""".replace("\n", "|").split("|")
TAILS = ["", " / comment", "/c", " junk"]


def by_astropy(image):
    """(name, value, comment) as astropy reads the card, None where it can't."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        card = fits.Card.fromstring(image)
        try:
            value = card.value
        except fits.VerifyError:
            return None
        return card.keyword, None if isinstance(value, fits.card.Undefined) else value, card.comment


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:The following header keyword is invalid")
def test_every_card_reads_as_in_astropy(name):
    compared = 0
    for separator, value, tail in itertools.product(SEPARATORS, VALUES, TAILS):
        image = f"{name:8}{separator}{value}{tail}".ljust(80)
        expected = by_astropy(image)
        card = parse_header(image)[0]
        if expected is not None:
            compared += 1
            assert (card.name, card.value, card.comment) == expected, image
            assert type(card.value) is type(expected[1]), image
    assert compared > 250


def test_a_text_that_looks_like_a_record_stays_a_text():
    image = "OBJECT  = 'M31: 5.0'".ljust(80)
    assert parse_header(image)[0].value == "M31: 5.0"
    properties = PropertyList()
    properties.set("OBJECT", "M31: 5.0")
    assert str(cards_of(properties)[0]).rstrip() == "OBJECT  = 'M31: 5.0'"


def test_long_strings_and_long_keywords_are_whole():
    header = fits.Header()
    header["LONGTEXT"] = ("y" * 150, "goes on")
    header["HIERARCH ESO DET GAIN"] = (1.5, "e-/ADU")
    header["AFTER"] = 1
    cards = parse_header(header.tostring())
    assert [(card.name, card.value) for card in cards] == [
        ("LONGTEXT", "y" * 150),
        ("ESO DET GAIN", 1.5),
        ("AFTER", 1),
    ]


def test_nothing_is_read_after_end():
    assert parse_header("A       =  1".ljust(80) + "END".ljust(80) + "B       =  2".ljust(80))[-1].name == "A"


def test_integers_beyond_64_bits_become_floats_and_complex_numbers_text():
    cards = parse_header(f"BIG     = {10**20}".ljust(80) + "CPLX    = (1.0, 2.0)".ljust(80))
    properties = properties_of(cards)
    assert properties.getDouble("BIG") == 1e20
    assert properties.getString("CPLX") == "(1+2j)"


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        0,
        -(2**63),
        2**62,
        0.1,
        15.0,
        -1.2345678901234567e-308,
        1e300,
        "",
        "it's",
        "'" * 34,
        "x" * 68,
    ],
)
@pytest.mark.parametrize("comment", ["", "[s] exposure / dark time", "c" * 80])
def test_quickly_written_cards_say_the_same_to_astropy(value, comment):
    image = common_image("EXPTIME", value, comment)
    assert len(image) == 80
    card = fits.Card.fromstring(image)
    card.verify("exception")
    assert (card.keyword, card.value, type(card.value)) == ("EXPTIME", value, type(value))
    assert comment.startswith(card.comment)
    assert parse_header(image)[0].value == value


@pytest.mark.parametrize(
    ("name", "value", "comment"),
    [
        ("LONGERNAME", 1, ""),
        ("lower", 1, ""),
        ("A B", 1, ""),
        ("A", float("nan"), ""),
        ("A", "x" * 69, ""),
        ("A", "caf\u00e9", ""),
        ("A", 1, "caf\u00e9"),
        ("COMMENT", "line\nbreak", ""),
    ],
)
def test_odd_cards_are_left_to_astropy(name, value, comment):
    assert common_image(name, value, comment) is None

# SPDX-License-Identifier: BSD-3-Clause
"""Header cards: the quick reading against astropy's, and what goes where astropy must help."""

import itertools
import warnings

import pytest
from astropy.io import fits
from harness.properties import PropertyList
from harness.storage.fits_header import cards_of, parse_header, properties_of

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

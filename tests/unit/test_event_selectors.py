# SPDX-License-Identifier: BSD-3-Clause
"""Selectors: what they select, and what is said about those that are wrong."""

import random

import pytest
from harness.events.errors import SelectorError
from harness.events.selectors import Selector

HEADER = {"RUNID": "r12", "LEVEL": 3, "X": 2.5, "STATUS": "50% done", "ON": True, "Q": "it's"}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("RUNID = 'r12'", True),
        ("RUNID = 'r13'", False),
        ("RUNID <> 'r13' and LEVEL > 2", True),
        ("LEVEL >= 3 AND LEVEL <= 3 AND NOT LEVEL < 3", True),
        ("LEVEL = 3.0", True),
        ("X * 2 + 1 = 6 AND -X < 0 AND LEVEL / 2 = 1.5", True),
        ("RUNID = 'x' OR LEVEL = 3 AND X > 2", True),
        ("(RUNID = 'x' OR LEVEL = 3) AND X > 3", False),
        ("Q = 'it''s'", True),
        ("RUNID LIKE 'r%'", True),
        ("RUNID LIKE 'r_'", False),
        ("RUNID NOT LIKE '_2%'", True),
        ("STATUS LIKE '50!% %' ESCAPE '!'", True),
        ("RUNID LIKE '50!%' ESCAPE '!'", False),
        ("STATUS LIKE '5%0_ %e'", True),
        ("STATUS LIKE '%0%n%n%'", False),
        ("RUNID LIKE '%r12%r12'", False),
        ("RUNID IN ('r11', 'r12')", True),
        ("RUNID NOT IN ('r11', 'r12')", False),
        ("LEVEL BETWEEN 3 AND 4 AND X NOT BETWEEN 0 AND 1", True),
        ("NOSUCH IS NULL AND RUNID IS NOT NULL", True),
        ("ON", True),
        ("ON = TRUE AND ON <> FALSE", True),
        ("LEVEL = '3'", False),
        ("RUNID > 'a'", False),
    ],
)
def test_what_is_selected(text, selected):
    assert Selector(text).matches(HEADER) is selected


@pytest.mark.parametrize(
    "text", ["NOSUCH = 1", "NOT NOSUCH = 1", "NOSUCH <> 1", "NOSUCH IN ('a')", "NOT NOSUCH LIKE '%'",
             "LEVEL / 0 = 1", "NOSUCH = 1 AND LEVEL = 3", "NOSUCH = 1 OR LEVEL = 4", "LEVEL", "NOT LEVEL"]
)  # fmt: skip
def test_what_is_unknown_is_not_selected(text):
    assert Selector(text).matches(HEADER) is False


def test_unknown_or_true_is_true():
    assert Selector("NOSUCH = 1 OR LEVEL = 3").matches(HEADER)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("RUNID = ", 9, "expected a property name, a number or a text in quotes, saw the end"),
        ("RUNID == 'x'", 8, "saw '='"),
        ("RUNID = 'x", 9, "closing quote"),
        ("RUNID = x'", 10, "closing quote"),
        ("(LEVEL = 1", 11, "expected )"),
        ("LEVEL = 1)", 10, "expected the end, AND or OR, saw ')'"),
        ("RUNID IN ()", 11, "expected a text"),
        ("RUNID LIKE 3", 12, "expected a text"),
        ("RUNID NOT = 'x'", 11, "expected LIKE, IN or BETWEEN"),
        ("RUNID IS 3", 10, "expected NULL"),
        ("LEVEL = 1 ; drop", 11, "unexpected ;"),
        ("A LIKE 'x' ESCAPE 'ab'", 19, "expected one character"),
    ],
)
def test_a_wrong_selector_is_refused_with_its_column(text, column, words):
    with pytest.raises(SelectorError) as caught:
        Selector(text)
    assert caught.value.column == column
    assert words in str(caught.value) and f"column {column}" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["(" * 2000, "A = " + "1" * 5000, "NOT " * 900 + "A", "-" * 4000 + "1 = 1", 3]
)
def test_an_enormous_selector_is_refused_or_works(text):
    try:
        assert Selector(text).matches(HEADER) in (True, False)
    except SelectorError as error:
        assert str(error)


def test_random_texts_are_parsed_or_refused_and_nothing_else():
    chance = random.Random(11)
    words = ["RUNID", "LEVEL", "'r12'", "3", "2.5e1", "=", "<>", "<", "(", ")", ",", "AND", "OR", "NOT", "IN",
             "IS", "NULL", "LIKE", "ESCAPE", "'!'", "BETWEEN", "+", "-", "*", "/", "TRUE"]  # fmt: skip
    parsed = 0
    for _ in range(20_000):
        text = " ".join(chance.choices(words, k=chance.randrange(1, 9)))
        try:
            assert Selector(text).matches(HEADER) in (True, False)
            parsed += 1
        except SelectorError as error:
            assert 1 <= error.column <= len(text) + 1
    assert parsed > 100


def test_a_pattern_with_many_wildcards_takes_no_time_to_speak_of():
    selector = Selector("S LIKE '" + "%a" * 60 + "b'")
    assert not selector.matches({"S": "a" * 2000})

# SPDX-License-Identifier: BSD-3-Clause
"""Names of files matched against patterns with fields in braces."""

import pytest
from harness.name_patterns import PatternError, patterns_in_braces


def match(pattern, name):
    levels = patterns_in_braces(pattern)
    assert len(levels) == 1
    return levels[0].match(name)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("raw-{visit:d}-{ccd}.fits", "raw-85-R12.fits", {"visit": 85, "ccd": "R12"}),
        ("raw-{visit:d}-{ccd}.fits", "raw-085-R-12.fits", {"visit": 85, "ccd": "R-12"}),
        ("raw-{visit:d}-{ccd}.fits", "raw-x5-R12.fits", None),
        ("raw-{visit:d}-{ccd}.fits", "raw-85-R12.fits.tmp", None),
        ("raw-{visit:d}-{ccd}.fits", "raw-85-.fits", None),
        ("v{visit:06d}.fits", "v000085.fits", {"visit": 85}),
        ("v{visit:06d}.fits", "v1234567.fits", {"visit": 1234567}),
        ("v{visit:06d}.fits", "v85.fits", None),
        ("{t:f}s.fits", "1.5s.fits", {"t": 1.5}),
        ("{t:f}s.fits", "-3e2s.fits", {"t": -300.0}),
        ("*.fits", "anything.fits", {}),
        ("*.fits", ".fits", {}),
        ("{a}_{a}.fits", "x_x.fits", {"a": "x"}),
        ("{a}_{a}.fits", "x_y.fits", None),
        ("{{{a}}}[1].fits", "{q}[1].fits", {"a": "q"}),
        ("a+b.fits", "aab.fits", None),
        ("{name}", "two\nlines", {"name": "two\nlines"}),
    ],
)
def test_a_name_gives_the_fields_values_or_does_not_match(pattern, name, expected):
    assert match(pattern, name) == expected


def test_levels_are_directories():
    night, file = patterns_in_braces("{night}/raw-{visit:d}.fits")
    assert night.match("2009-12-09") == {"night": "2009-12-09"} and file.match("raw-3.fits") == {"visit": 3}


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("raw-{visit:x}.fits", "field 'visit' has the format 'x'; expected none"),
        ("raw-{visit.fits", "expected '}'"),
        ("raw-{}.fits", "expected a field such as {visit:d}"),
        ("raw-{0}.fits", "expected a field such as {visit:d}"),
        ("raw-{a.b}.fits", "expected a field such as {visit:d}"),
        ("raw-{a!r}.fits", "saw {a!r}"),
        ("/data/{a}", "relative to the directory that is watched"),
        ("../{a}", "relative to"),
        ("", "expected the name of a file"),
    ],
)
def test_a_pattern_that_makes_no_sense_is_quoted_with_the_reason(pattern, words):
    with pytest.raises(PatternError) as told:
        patterns_in_braces(pattern)
    assert words in str(told.value) and repr(pattern) in str(told.value)

# SPDX-License-Identifier: BSD-3-Clause
"""LogicalLocation: substitution, formats, the location map, and the errors of each."""

import harness.exceptions as pex
import numpy
import pytest
from harness.locations import LogicalLocation
from harness.properties import DateTime, PropertySet


@pytest.fixture(autouse=True)
def empty_location_map():
    yield
    LogicalLocation.setLocationMap(None)


def properties(**values):
    result = PropertySet()
    for name, value in values.items():
        result.set(name, value)
    return result


def expand(template, **values):
    return LogicalLocation(template, properties(**values)).locString()


@pytest.mark.contract("8.4.templates")
def test_the_contracts_example_comes_out():
    LogicalLocation.setLocationMap(properties(input="/data/r7/input"))
    sut = LogicalLocation("%(input)/%(filt)/v%06d(visit).fits", properties(visit=85, filt="r"))
    assert sut.locString() == "/data/r7/input/r/v000085.fits"
    assert str(sut) == sut.locString()


@pytest.mark.contract("8.4.templates", "17.37")
@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("%(x)", 85, "85"),
        ("%03d(x)", 7, "007"),
        ("%x(x)", 255, "ff"),
        ("%5d(x)", 42, "   42"),
        ("%-5d(x)|", 42, "42   |"),
        ("%i(x)", 7, "7"),
        ("%5(x)", 42, "   42"),
        ("%ld(x)", 42, "42"),
        ("%06lld(x)", 42, "000042"),
        ("%s(x)", 42, "42"),
        ("%(x)", -3, "-3"),
        ("%(x)", 2**40, "1099511627776"),
        ("%013d(x)", 2**40, "1099511627776"),
        ("%(x)", 2.5, "2.5"),
        ("%.2f(x)", 2.5, "2.50"),
        ("%6.1f(x)", 2.25, "   2.2"),
        ("%03d(x)", 2.0, "002"),
        ("%(x)", True, "True"),
        ("%d(x)", True, "1"),
        ("%(x)", "r", "r"),
        ("%5s(x)", "r", "r"),
        ("%03d(x)", "085", "085"),
        ("%(x)", "50% off %(x)", "50% off %(x)"),
    ],
)
def test_values_are_formatted(template, value, expected):
    assert expand(template, x=value) == expected


def test_the_last_of_several_values_is_used():
    assert expand("%(x)", x=[1, 2, 3]) == "3"


def test_a_date_is_written_in_iso_form():
    assert expand("%(x)", x=DateTime(0, DateTime.UTC)) == "1970-01-01T00:00:00.000000000Z"


def test_names_below_a_sub_set_are_reached_with_dots():
    assert expand("%03d(job.ccd)", **{"job.ccd": 5}) == "005"


def test_numpy_scalars_from_a_dict_are_numbers():
    assert LogicalLocation("%04d(x)", {"x": numpy.int64(12)}).locString() == "0012"
    assert LogicalLocation("%.1f(x)", {"x": numpy.float32(0.5)}).locString() == "0.5"


@pytest.mark.parametrize("text", ["", "plain/path.fits", "100%", "50%/x", "%", "%%", "(x)", "%03d", "a(b)%"])
def test_text_without_substitution_is_unchanged(text):
    assert expand(text, x=1, b=2) == text


def test_a_stray_percent_sign_does_not_swallow_what_follows():
    assert expand("100%/%(x)", x=7) == "100%/7"


@pytest.mark.contract("8.4.map")
def test_the_location_map_is_asked_before_the_additional_data():
    LogicalLocation.setLocationMap(properties(x="map"))
    assert expand("%(x)/%(y)", x="data", y="only") == "map/only"


@pytest.mark.contract("8.4.map")
def test_the_location_map_is_copied():
    source = properties(x="before")
    LogicalLocation.setLocationMap(source)
    source.set("x", "after")
    assert LogicalLocation("%(x)").locString() == "before"


@pytest.mark.contract("8.4.map")
def test_none_clears_the_location_map():
    LogicalLocation.setLocationMap(properties(x="map"))
    LogicalLocation.setLocationMap(None)
    with pytest.raises(pex.RuntimeError):
        LogicalLocation("%(x)")


@pytest.mark.contract("8.4.unknown")
def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    LogicalLocation.setLocationMap(properties(input="/in"))
    with pytest.raises(pex.RuntimeError) as caught:
        expand("%(input)/%(vist)", visit=85)
    message = str(caught.value)
    assert "location '%(input)/%(vist)': unknown substitution 'vist'" in message
    assert "location map (input)" in message
    assert "additional data (visit)" in message
    assert isinstance(caught.value, RuntimeError)


def test_an_unknown_name_without_any_data_says_both_are_empty():
    with pytest.raises(pex.RuntimeError, match=r"map \(empty\) nor in the additional data \(empty\)"):
        LogicalLocation("%(x)")


@pytest.mark.parametrize(
    ("template", "value", "why"),
    [
        ("%q(x)", 3, "unsupported format"),
        ("%d(x)", 2.5, "for integers, and the value is 2.5"),
        ("%c(x)", -1, "range"),
        ("%(x)", PropertySet(), "not PropertySet"),
    ],
)
def test_a_format_that_does_not_fit_names_template_and_reason(template, value, why):
    with pytest.raises(pex.RuntimeError) as caught:
        expand(template, x=value)
    assert f"location '{template}'" in str(caught.value)
    assert why in str(caught.value)


@pytest.mark.parametrize("template", [None, 3, b"%(x)"])
def test_a_template_that_is_no_string_is_a_type_error(template):
    with pytest.raises(TypeError, match="a location is a string"):
        LogicalLocation(template)


def test_additional_data_of_the_wrong_kind_is_a_type_error():
    with pytest.raises(TypeError, match="must be a PropertySet, a dict or None, not list"):
        LogicalLocation("%(x)", [("x", 1)])


def test_a_location_map_of_the_wrong_kind_is_a_type_error():
    with pytest.raises(TypeError, match="the location map must be a PropertySet"):
        LogicalLocation.setLocationMap("/data")

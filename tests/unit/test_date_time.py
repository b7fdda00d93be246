# SPDX-License-Identifier: BSD-3-Clause
"""DateTime: scales, leap seconds, calendar forms, ordering, copies."""

import copy
import pickle
import time

import lsst.daf.base as shim
import pytest
from harness.exceptions import DomainError
from harness.exceptions import TypeError as PexTypeError
from harness.properties import DateTime
from harness.properties.leap_seconds import STEPS

TAI, UTC, TT = DateTime.TAI, DateTime.UTC, DateTime.TT
SECOND = 1_000_000_000

# (nanoseconds UTC, TAI - UTC in s): instants of three eras, and the edges of one step.
OFFSETS = [
    (399006000 * SECOND, 21),
    (631151998 * SECOND, 24),
    (631152000 * SECOND, 25),
    (1192755473 * SECOND, 33),
    (1483228799 * SECOND, 36),
    (1483228800 * SECOND, 37),
    (1700000000 * SECOND + 1, 37),
]


def test_shim_exports_the_same_class():
    assert shim.DateTime is DateTime


@pytest.mark.contract("16.4.scales")
@pytest.mark.parametrize("utc, offset", OFFSETS)
def test_utc_differs_from_tai_by_the_leap_seconds(utc, offset):
    date = DateTime(utc, UTC)
    assert date.nsecs() == date.nsecs(TAI) == utc + offset * SECOND
    assert date.nsecs(UTC) == utc
    assert DateTime(utc + offset * SECOND).nsecs(UTC) == utc


def test_every_step_of_the_table_adds_one_second_from_1972_on():
    assert STEPS[0] == (41317, 10)
    assert [after[1] - before[1] for before, after in zip(STEPS, STEPS[1:], strict=False)] == [1] * 27


@pytest.mark.contract("16.4.scales")
def test_table_agrees_with_astropy():
    erfa = pytest.importorskip("erfa", reason="the independent leap-second table comes with astropy")
    for mjd, seconds in STEPS:
        year, month, day, fraction = erfa.jd2cal(2400000.5, mjd)
        assert erfa.dat(year, month, day, fraction) == seconds


@pytest.mark.contract("16.4.scales")
def test_tt_runs_ahead_of_tai_by_its_definition():
    date = DateTime(0, TAI)
    assert date.nsecs(TT) == 32_184_000_000
    assert DateTime(32_184_000_000, TT) == date


def test_drifting_offset_before_1972_round_trips_exactly():
    # tai-utc.dat: 4.2131700 s + (MJD - 39126) * 0.002592 s on 1970-01-01 (MJD 40587).
    assert DateTime(0, UTC).nsecs() == 4_213_170_000 + 1461 * 2_592_000
    for utc in (0, 1, 123_456_789, -250_000_000 * SECOND, 63_000_000 * SECOND):
        assert DateTime(utc, UTC).nsecs(UTC) == utc


def test_utc_before_1961_is_refused_but_tai_is_not():
    early = -300_000_000 * SECOND
    assert DateTime(early).nsecs() == early
    with pytest.raises(DomainError, match="UTC as defined here begins at 1961"):
        DateTime(early, UTC)
    with pytest.raises(DomainError, match="begins at 1961"):
        DateTime(early).nsecs(UTC)


@pytest.mark.contract("16.4.forms")
def test_mjd_goes_both_ways():
    date = DateTime(45205.125, UTC)
    assert date.nsecs(UTC) == 399006000 * SECOND
    assert date.get(DateTime.MJD, UTC) == 45205.125
    assert date.get(DateTime.MJD) == pytest.approx(45205.125 + 21 / 86400, abs=1e-10)
    assert date.mjd(UTC) == date.get(DateTime.MJD, UTC)
    assert DateTime(54392.040196759262, DateTime.MJD, UTC).mjd(UTC) == pytest.approx(54392.040196759262)


def test_julian_date_and_epoch():
    noon = DateTime("2000-01-01T12:00:00", TT)
    assert noon.get(DateTime.JD, TT) == 2451545.0
    assert noon.get(DateTime.EPOCH, TT) == 2000.0
    assert DateTime(2000.0, DateTime.EPOCH, TT) == noon
    assert DateTime(2451545.0, DateTime.JD, TT) == noon


@pytest.mark.contract("16.4.forms")
@pytest.mark.parametrize(
    "text, utc, shown",
    [
        ("19700101T000000Z", 0, "1970-01-01T00:00:00.000000000Z"),
        ("20090402T072639.314159265Z", 1238657199314159265, "2009-04-02T07:26:39.314159265Z"),
        ("2009-04-02T07:26:39.314159265Z", 1238657199314159265, "2009-04-02T07:26:39.314159265Z"),
        ("2009-04-02T07:26:39,5Z", 1238657199500000000, "2009-04-02T07:26:39.500000000Z"),
        ("2009-04-02T07:26:39Z", 1238657199000000000, "2009-04-02T07:26:39.000000000Z"),
    ],
)
def test_iso_text_is_read_and_written(text, utc, shown):
    date = DateTime(text)
    assert date.nsecs(UTC) == utc
    assert date.toString() == str(date) == shown
    assert DateTime(text, UTC) == date


def test_iso_text_of_other_scales_has_no_zone():
    date = DateTime("2009-04-02T07:27:13.314159265", TAI)
    assert date.nsecs() == 1238657233314159265
    assert date.toString(TAI) == "2009-04-02T07:27:13.314159265"
    assert date.toString(TT) == "2009-04-02T07:27:45.498159265"


def test_inserted_second_is_written_and_read_as_sixty():
    date = DateTime("2016-12-31T23:59:60.250Z")
    assert date.nsecs() == (1483228800 + 36) * SECOND + 250_000_000
    assert date.toString() == "2016-12-31T23:59:60.250000000Z"
    assert DateTime(date.nsecs() + 750_000_000).toString() == "2017-01-01T00:00:00.000000000Z"
    assert DateTime(date.nsecs() - 250_000_001).toString() == "2016-12-31T23:59:59.999999999Z"


@pytest.mark.parametrize(
    "text",
    [
        "20090401", "20090401T", "2009-04-01T", "2009-04-01T23:36:05", "20090401T23:36:05-0700",
        "2009/04/01T23:36:05Z", "2009-02-30T00:00:00Z", "2009-04-01T23:59:60Z", "2009-04-01T25:00:00Z", "",
    ],
)  # fmt: skip
def test_bad_text_is_a_domain_error(text):
    with pytest.raises(DomainError):
        DateTime(text)


def test_zone_letter_must_fit_the_scale():
    with pytest.raises(DomainError, match="TAI"):
        DateTime("2009-04-02T07:26:39Z", TAI)


def test_calendar_fields():
    assert DateTime(2009, 4, 2, 7, 26, 39, UTC) == DateTime("2009-04-02T07:26:39Z")
    assert DateTime(2009, 4, 2, 7, 26, 39) == DateTime("2009-04-02T07:26:39", TAI)
    with pytest.raises(DomainError, match="2009, 2, 30"):
        DateTime(2009, 2, 30, 0, 0, 0)
    with pytest.raises(PexTypeError, match="year, month, day"):
        DateTime(2009, 2, 3)


@pytest.mark.parametrize("arguments", [(None,), (True,), (1, "UTC"), (1, UTC, TAI), ([1],), (2.5, 3)])
def test_other_arguments_are_a_type_error(arguments):
    with pytest.raises(PexTypeError):
        DateTime(*arguments)


@pytest.mark.parametrize("date", [2**63, -(2**63) - 1, 1e9, float("nan"), float("inf")])
def test_dates_outside_64_bits_are_refused(date):
    with pytest.raises(DomainError):
        DateTime(date)


@pytest.mark.contract("16.4.forms")
def test_now_is_between_two_readings_of_the_clock():
    before = time.time_ns()
    now = DateTime.now().nsecs(UTC)
    assert before <= now <= time.time_ns()


def test_order_equality_and_hash():
    early, late = DateTime(1), DateTime(2)
    assert early < late and early <= late and late > early and late >= early
    assert early == DateTime(1) and early != late and early != 1
    assert len({early, DateTime(1), late}) == 2


def test_instances_do_not_change_and_copy_and_pickle():
    date = DateTime(1192755506000000000)
    with pytest.raises(AttributeError, match="make a new one"):
        date._tai = 3
    for twin in (copy.copy(date), copy.deepcopy(date), pickle.loads(pickle.dumps(date)), eval(repr(date))):
        assert twin == date

# SPDX-License-Identifier: BSD-3-Clause
"""DateTime: an instant kept as whole nanoseconds of TAI, with UTC, TT, MJD and ISO 8601 views."""

import datetime
import enum
import math
import numbers
import operator
import re
import time
from typing import Any, ClassVar

import harness.exceptions as pex
from harness.properties.leap_seconds import (
    NANOSECONDS_PER_DAY,
    NANOSECONDS_PER_SECOND,
    UNIX_EPOCH_MJD,
    in_leap_second,
    tai_to_utc,
    utc_to_tai,
)

__all__ = ["DateSystem", "DateTime", "Timescale"]

# TT - TAI, by definition (IAU 1991).
TT_MINUS_TAI = 32_184_000_000
MJD_TO_JD = 2400000.5
J2000_JD = 2451545.0
DAYS_PER_JULIAN_YEAR = 365.25
EPOCH = datetime.datetime(1970, 1, 1)
ONE_SECOND = datetime.timedelta(seconds=1)

ISO_FORM = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})T(\d{2}):?(\d{2}):?(\d{2})(?:[.,](\d{0,9}))?(Z?)", re.ASCII)


class Timescale(enum.Enum):
    """How seconds are counted."""

    TAI = "TAI"
    UTC = "UTC"
    TT = "TT"


class DateSystem(enum.Enum):
    """How a date is written as one floating-point number: days, days, years."""

    JD = "JD"
    MJD = "MJD"
    EPOCH = "EPOCH"


class DateTime:
    """An instant; immutable, ordered, hashable.

    ``DateTime(nsecs, scale=TAI)``: whole nanoseconds since 1970-01-01T00:00:00 of that scale.
    ``DateTime(days, [system=MJD,] scale=TAI)``: a float as Julian date, modified Julian date or
    Julian epoch. ``DateTime(text[, scale])``: ``yyyy-mm-ddThh:mm:ss[.fraction]``, separators
    optional, with a trailing Z for UTC (the default) and without for TAI and TT.
    ``DateTime(year, month, day, hour, minute, second, scale=TAI)``: a calendar date.

    Raises DomainError for a date that does not exist, cannot be converted (UTC before 1961) or does
    not fit 64 bits of nanoseconds; TypeError for other argument types.
    """

    __slots__ = ("_tai",)

    TAI: ClassVar[Timescale] = Timescale.TAI
    UTC: ClassVar[Timescale] = Timescale.UTC
    TT: ClassVar[Timescale] = Timescale.TT
    JD: ClassVar[DateSystem] = DateSystem.JD
    MJD: ClassVar[DateSystem] = DateSystem.MJD
    EPOCH: ClassVar[DateSystem] = DateSystem.EPOCH

    _tai: int

    def __init__(self, date: Any, *rest: Any, scale: Timescale | None = None) -> None:
        if scale is not None:
            rest += (scale,)
        object.__setattr__(self, "_tai", _checked(_parse_arguments(date, rest)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot set {name}: a DateTime does not change; make a new one")

    @classmethod
    def now(cls) -> "DateTime":
        """The current time of the system's clock."""
        return cls(time.time_ns(), Timescale.UTC)

    def nsecs(self, scale: Timescale = Timescale.TAI) -> int:
        """Nanoseconds since 1970-01-01T00:00:00 of the given scale."""
        if scale is Timescale.TAI:
            return self._tai
        if scale is Timescale.UTC:
            return tai_to_utc(self._tai)
        return self._tai + TT_MINUS_TAI

    def get(self, system: DateSystem = DateSystem.MJD, scale: Timescale = Timescale.TAI) -> float:
        """The date as one number: JD and MJD in days, EPOCH in Julian years."""
        mjd = self.nsecs(scale) / NANOSECONDS_PER_DAY + UNIX_EPOCH_MJD
        if system is DateSystem.MJD:
            return mjd
        if system is DateSystem.JD:
            return mjd + MJD_TO_JD
        return 2000.0 + (mjd + MJD_TO_JD - J2000_JD) / DAYS_PER_JULIAN_YEAR

    def mjd(self, scale: Timescale = Timescale.TAI) -> float:
        """The modified Julian date (days)."""
        return self.get(DateSystem.MJD, scale)

    def toString(self, scale: Timescale = Timescale.UTC) -> str:
        """ISO 8601 with nine decimals; ends in Z for UTC. An inserted second is written :60."""
        leaping = scale is Timescale.UTC and in_leap_second(self._tai)
        whole, fraction = divmod(self.nsecs(scale), NANOSECONDS_PER_SECOND)
        date = time.gmtime(whole - leaping)
        return (
            f"{date.tm_year:04d}-{date.tm_mon:02d}-{date.tm_mday:02d}"
            f"T{date.tm_hour:02d}:{date.tm_min:02d}:{date.tm_sec + leaping:02d}.{fraction:09d}"
            f"{'Z' if scale is Timescale.UTC else ''}"
        )

    def __str__(self) -> str:
        return self.toString()

    def __repr__(self) -> str:
        return f"DateTime({self._tai}, DateTime.TAI)"

    def __eq__(self, other: object) -> bool:
        return self._tai == other._tai if isinstance(other, DateTime) else NotImplemented

    def __lt__(self, other: "DateTime") -> bool:
        return self._tai < other._tai if isinstance(other, DateTime) else NotImplemented

    def __le__(self, other: "DateTime") -> bool:
        return self._tai <= other._tai if isinstance(other, DateTime) else NotImplemented

    def __hash__(self) -> int:
        return hash((DateTime, self._tai))

    def __reduce__(self) -> tuple[type["DateTime"], tuple[int]]:
        return (type(self), (self._tai,))


def _parse_arguments(date: Any, rest: tuple[Any, ...]) -> int:
    """Nanoseconds of TAI from the arguments of the constructor."""
    if isinstance(date, str):
        return _from_text(date, _only_scale(rest))
    if isinstance(date, numbers.Real) and not isinstance(date, numbers.Integral):
        system = DateSystem.MJD
        if rest and isinstance(rest[0], DateSystem):
            system, rest = rest[0], rest[1:]
        return _from_days(float(date), system, _only_scale(rest))
    if not isinstance(date, numbers.Integral) or isinstance(date, bool):
        raise pex.TypeError(
            f"cannot make a DateTime from {type(date).__name__} {date!r}: expected nanoseconds (int),"
            " days (float), ISO 8601 text, or year, month, day, hour, minute, second"
        )
    if rest and isinstance(rest[0], numbers.Integral):
        return _from_calendar((date, *rest[:5]), 0, _only_scale(rest[5:]) or Timescale.TAI)
    return _to_tai(operator.index(date), _only_scale(rest) or Timescale.TAI)


def _only_scale(rest: tuple[Any, ...]) -> Timescale | None:
    if not rest:
        return None
    if len(rest) > 1 or not isinstance(rest[0], Timescale):
        raise pex.TypeError(
            f"cannot make a DateTime: expected DateTime.TAI, UTC or TT as last argument, got {rest!r}"
        )
    return rest[0]


def _to_tai(nsecs: int, scale: Timescale) -> int:
    if scale is Timescale.UTC:
        return utc_to_tai(nsecs)
    return nsecs if scale is Timescale.TAI else nsecs - TT_MINUS_TAI


def _from_days(days: float, system: DateSystem, scale: Timescale | None) -> int:
    if system is DateSystem.EPOCH:
        days = (days - 2000.0) * DAYS_PER_JULIAN_YEAR + J2000_JD
    if system is not DateSystem.MJD:
        days -= MJD_TO_JD
    if not math.isfinite(days):
        raise pex.DomainError(f"cannot make a DateTime from {days}: expected a finite number of days")
    return _to_tai(round((days - UNIX_EPOCH_MJD) * NANOSECONDS_PER_DAY), scale or Timescale.TAI)


def _from_text(text: str, scale: Timescale | None) -> int:
    match = ISO_FORM.fullmatch(text)
    zone = match.group(8) if match else ""
    if scale is None:
        scale = Timescale.UTC
    if match is None or bool(zone) != (scale is Timescale.UTC):
        form = "yyyy-mm-ddThh:mm:ss[.nnnnnnnnn]" + ("Z" if scale is Timescale.UTC else "")
        raise pex.DomainError(f"cannot read the date {text!r} as ISO 8601 in {scale.value}: expected {form}")
    fields = tuple(int(part) for part in match.groups()[:6])
    return _from_calendar(fields, int((match.group(7) or "").ljust(9, "0")), scale)


def _from_calendar(fields: tuple[Any, ...], fraction: int, scale: Timescale) -> int:
    """TAI from year, month, day, hour, minute, second and nanoseconds of that second."""
    if len(fields) != 6 or not all(isinstance(field, numbers.Integral) for field in fields):
        raise pex.TypeError(
            "cannot make a DateTime: expected year, month, day, hour, minute, second as integers,"
            f" got {fields!r}"
        )
    year, month, day, hour, minute, second = (operator.index(field) for field in fields)
    leaping = scale is Timescale.UTC and (hour, minute, second) == (23, 59, 60)
    try:
        start = datetime.datetime(year, month, day, hour, minute, second - leaping)
    except ValueError as error:
        raise pex.DomainError(f"no such date {fields!r} in {scale.value}: {error}") from None
    whole = (start - EPOCH) // ONE_SECOND
    tai = _to_tai(whole * NANOSECONDS_PER_SECOND + fraction, scale)
    if not leaping:
        return tai
    if not in_leap_second(tai + NANOSECONDS_PER_SECOND):
        raise pex.DomainError(f"no such date {fields!r} in UTC: no second was inserted on that day")
    return tai + NANOSECONDS_PER_SECOND


def _checked(tai: int) -> int:
    if -(2**63) <= tai < 2**63:
        return tai
    raise pex.DomainError(
        f"cannot make a DateTime from {tai} ns since 1970: it does not fit 64 bits (years 1678 to 2262)"
    )

# SPDX-License-Identifier: BSD-3-Clause
"""TAI - UTC since 1961 as a table, and both conversions in whole nanoseconds.

Sources: IERS Bulletin C for the whole seconds since 1972; the IERS/USNO table ``tai-utc.dat`` for the
drifting offsets before. When Bulletin C announces another leap second, add one row to STEPS.
"""

from bisect import bisect_right
from typing import NamedTuple

from harness.exceptions import DomainError

NANOSECONDS_PER_SECOND = 1_000_000_000
NANOSECONDS_PER_DAY = 86_400 * NANOSECONDS_PER_SECOND
UNIX_EPOCH_MJD = 40587

# (UTC day as MJD, TAI - UTC in seconds from the start of that day).
STEPS = (
    (41317, 10), (41499, 11), (41683, 12), (42048, 13), (42413, 14), (42778, 15), (43144, 16),
    (43509, 17), (43874, 18), (44239, 19), (44786, 20), (45151, 21), (45516, 22), (46247, 23),
    (47161, 24), (47892, 25), (48257, 26), (48804, 27), (49169, 28), (49534, 29), (50083, 30),
    (50630, 31), (51179, 32), (53736, 33), (54832, 34), (56109, 35), (57204, 36), (57754, 37),
)  # fmt: skip

# (UTC day as MJD, offset at the reference day in ns, reference day as MJD, growth in ns per day).
DRIFTS = (
    (37300, 1_422_818_000, 37300, 1_296_000),
    (37512, 1_372_818_000, 37300, 1_296_000),
    (37665, 1_845_858_000, 37665, 1_123_200),
    (38334, 1_945_858_000, 37665, 1_123_200),
    (38395, 3_240_130_000, 38761, 1_296_000),
    (38486, 3_340_130_000, 38761, 1_296_000),
    (38639, 3_440_130_000, 38761, 1_296_000),
    (38761, 3_540_130_000, 38761, 1_296_000),
    (38820, 3_640_130_000, 38761, 1_296_000),
    (38942, 3_740_130_000, 38761, 1_296_000),
    (39004, 3_840_130_000, 38761, 1_296_000),
    (39126, 4_313_170_000, 39126, 2_592_000),
    (39887, 4_213_170_000, 39126, 2_592_000),
)


class _Rule(NamedTuple):
    """One row with every field in nanoseconds since 1970-01-01T00:00:00 UTC (growth: ns per day)."""

    start: int
    offset: int
    reference: int
    growth: int


def _instant(mjd: int) -> int:
    return (mjd - UNIX_EPOCH_MJD) * NANOSECONDS_PER_DAY


def _divide(numerator: int, denominator: int) -> int:
    """The quotient rounded to the nearest integer; floats would lose nanoseconds."""
    return (2 * numerator + denominator) // (2 * denominator)


def _to_tai(rule: _Rule, utc: int) -> int:
    return utc + rule.offset + _divide(rule.growth * (utc - rule.reference), NANOSECONDS_PER_DAY)


_RULES = [_Rule(_instant(day), offset, _instant(ref), growth) for day, offset, ref, growth in DRIFTS]
_RULES += [_Rule(_instant(day), seconds * NANOSECONDS_PER_SECOND, 0, 0) for day, seconds in STEPS]
_UTC_STARTS = [rule.start for rule in _RULES]
_TAI_STARTS = [_to_tai(rule, rule.start) for rule in _RULES]


def _rule_at(starts: list[int], nsecs: int, scale: str) -> int:
    index = bisect_right(starts, nsecs) - 1
    if index < 0:
        raise DomainError(
            f"cannot convert {nsecs} ns since 1970 ({scale}) between UTC and TAI: UTC as defined here"
            " begins at 1961-01-01; use the TAI scale for earlier times"
        )
    return index


def utc_to_tai(nsecs: int) -> int:
    """TAI for a UTC instant; both in ns since 1970-01-01T00:00:00 of their own scale.

    Raises DomainError before 1961.
    """
    return _to_tai(_RULES[_rule_at(_UTC_STARTS, nsecs, "UTC")], nsecs)


def tai_to_utc(nsecs: int) -> int:
    """UTC for a TAI instant; inside a leap second the count of the next second appears early.

    Raises DomainError before 1961.
    """
    rule = _RULES[_rule_at(_TAI_STARTS, nsecs, "TAI")]
    elapsed = nsecs - rule.offset - rule.reference
    return rule.reference + _divide(elapsed * NANOSECONDS_PER_DAY, NANOSECONDS_PER_DAY + rule.growth)


def in_leap_second(tai: int) -> bool:
    """Whether a TAI instant (ns) lies in an inserted second, which UTC names 23:59:60."""
    index = bisect_right(_TAI_STARTS, tai)
    return len(DRIFTS) < index < len(_RULES) and tai >= _TAI_STARTS[index] - NANOSECONDS_PER_SECOND

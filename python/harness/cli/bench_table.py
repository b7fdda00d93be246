# SPDX-License-Identifier: BSD-3-Clause
"""What `pex-harness bench` prints: tables, what can be said of the contenders, what speaks against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.table import align, counted

if TYPE_CHECKING:
    from harness.bench import BenchResult, Comparison, Row

RATES = ("who", "slices", "workers", "images/s", "interval", "MB/s", "visit ms", "p99 ms", "efficiency")
COSTS = ("who", "slices", "work %", "master %", "sync %", "wait %", "copied %", "worker MiB", "all MiB")


def format_result(result: BenchResult) -> str:
    """The report as text."""
    machine, seen = result.machine, result.surroundings
    rounds, visits = counted(result.rounds_done, "round"), counted(result.plan.visits, "visit")
    lines = [
        f"{result.plan.title()}, {rounds} of {visits}",
        f"{machine['cores']} cores of {machine['processor']}, {machine['system']}, Python {machine['python']}"
        f"; load {seen['load_before']:.1f} before and {seen['load_after']:.1f} after",
        "",
        *align(RATES, [_rates(row) for row in result.rows], left=1),
        "",
        *align(COSTS, [_costs(row) for row in result.rows], left=1),
    ]
    if result.comparisons:
        lines += ["", *map(_compared, result.comparisons)]
    remarks = [*result.failures, *result.warnings]
    if remarks:
        lines += ["", *(f"note: {text}" for text in remarks)]
    return "\n".join(lines) + "\n"


def _rates(row: Row) -> tuple[str, ...]:
    rate = row.images_per_s
    return (
        row.label,
        str(row.slices),
        str(row.workers),
        digits(rate.median),
        f"{digits(rate.low)} - {digits(rate.high)}",
        "-" if row.mb_per_s is None else digits(row.mb_per_s),
        digits(row.visit_ms),
        digits(row.p99_ms),
        f"{row.efficiency:.2f}",
    )


def _costs(row: Row) -> tuple[str, ...]:
    shares = row.shares or {}
    return (
        row.label,
        str(row.slices),
        *(percent(shares.get(name)) for name in ("work", "master", "sync", "wait")),
        percent(row.copied),
        f"{row.pss_worker_mib:.0f}",
        f"{row.pss_mib:.0f}",
    )


def _compared(one: Comparison) -> str:
    ratio = one.ratio
    text = f"{one.label}, {counted(one.slices, 'slice')}: {ratio.median:.2f} times the harness's images/s"
    text += f" ({ratio.low:.2f} - {ratio.high:.2f})"
    if one.verdict != "cannot tell":
        text += f": {one.verdict}"
    elif ratio.holds(1.0):
        text += ": they can't be told apart"
    else:
        text += f": these rounds say {'slower' if ratio.median < 1 else 'faster'}, but are too few to be sure"
    return text + ("" if one.equal else "; ITS RESULTS DIFFER from the harness's")


def percent(share: float | None) -> str:
    """A share of 1 in percent; a dash for none."""
    return "-" if share is None else f"{share * 100:.1f}"


def digits(value: float) -> str:
    """Three significant digits without an exponent; more where the number is larger."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"

# SPDX-License-Identifier: BSD-3-Clause
"""What a soak has counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Figures:
    """Counts over all rounds.

    `wrong` has a line for everything that must not be; `seen_ms` are the times from a kill to the moment at
    which the master saw the death, `replaced_ms` from there until the fresh worker was forked.
    """

    kills: Counter[str] = field(default_factory=Counter)
    ends: Counter[int] = field(default_factory=Counter)
    rounds: int = 0
    visits: int = 0
    outcomes: int = 0
    files: int = 0
    retries: int = 0
    hangs: int = 0
    leaks: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    seen_ms: list[float] = field(default_factory=list)
    replaced_ms: list[float] = field(default_factory=list)

    def text(self) -> str:
        """All of it, for people."""
        kills = ", ".join(f"{count} {what}" for what, count in sorted(self.kills.items())) or "none"
        ends = ", ".join(f"{count} x {code}" for code, count in sorted(self.ends.items()))
        lines = [
            f"rounds {self.rounds}, visits proven complete {self.visits}, outcomes {self.outcomes}"
            f" (retries {self.retries}), files compared {self.files}",
            f"kills {self.kills.total()}: {kills}",
            f"ends of the command by exit code: {ends}",
            f"hangs {self.hangs}, leaks {self.leaks}, outcomes lost {self.lost}, doubled {self.doubled}",
            _quantiles("death seen after", self.seen_ms),
            _quantiles("fresh worker forked after another", self.replaced_ms),
        ]
        return "\n".join(lines)


def _quantiles(what: str, values: list[float]) -> str:
    if not values:
        return f"{what}: no figures"
    ordered = sorted(values)
    median, p99 = (ordered[min(len(ordered) - 1, int(part * len(ordered)))] for part in (0.5, 0.99))
    return f"{what}: median {median:.1f} ms, p99 {p99:.1f}, most {ordered[-1]:.1f} (n {len(ordered)})"

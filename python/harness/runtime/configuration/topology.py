# SPDX-License-Identifier: BSD-3-Clause
"""Which slices exchange data with which: the neighbours that a `topology` policy asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.policy import Policy

RING, SLICE_LEADERS, FOCAL_PLANE = "ring", "sliceleaders", "focalplane"
TYPES = (RING, SLICE_LEADERS, FOCAL_PLANE)
DIRECTIONS = ("clockwise", "counterclockwise")


class TopologyError(ConfigError):
    """A `topology` policy that no exchange can follow.

    Attributes: `key` (`type`, `param1` or `param2`), `problem`, `expected`, `seen` and `suggestion` (a valid
    value close to a misspelt one, or empty).
    """

    def __init__(self, key: str, problem: str, expected: str, seen: str, suggestion: str = "") -> None:
        hint = f'; did you mean "{suggestion}"?' if suggestion else ""
        super().__init__(f"topology.{key}: {problem}: expected {expected}, saw {seen}{hint}")
        self.key = key
        self.problem = problem
        self.expected = expected
        self.seen = seen
        self.suggestion = suggestion


class Topology(NamedTuple):
    """The neighbours of every slice; made by `from_policy`.

    Attributes: `kind` is one of `TYPES`. `first` and `second` are the parameters as numbers: for a ring the
    step to the slice that is received from, and 0; for slice leaders the modulus, and 0; for a focal plane
    the two sides of the grid.
    """

    kind: str
    n_slices: int
    first: int
    second: int = 0

    @classmethod
    def from_policy(cls, policy: Policy, n_slices: int) -> Topology:
        """Reads the `topology` block of a pipeline policy.

        Args:
            policy: the block itself, with `type`, `param1` and `param2`.
            n_slices: the number of slices of the pipeline, 0 or more.

        Raises:
            TopologyError: the type is missing or unknown, a parameter is missing or has a value that the
                type cannot use, or a focal plane has another number of places than there are slices.
        """
        kind = _choice(policy, "type", TYPES)
        if kind == RING:
            return cls(kind, n_slices, -1 if _choice(policy, "param1", DIRECTIONS) == DIRECTIONS[0] else 1)
        first = _count(policy, "param1", kind)
        if kind == SLICE_LEADERS:
            return cls(kind, n_slices, first)
        second = _count(policy, "param2", kind)
        if first * second != n_slices:
            raise TopologyError(
                "param1",
                "the grid has another number of places than there are slices",
                f"param1 * param2 = nSlices = {n_slices}",
                f"{first} * {second} = {first * second}",
            )
        return cls(kind, n_slices, first, second)

    def receives_from(self, rank: int) -> tuple[int, ...]:
        """The slices whose items arrive in slice `rank`, each once, in the order in which they are received.

        Raises:
            ValueError: there is no such slice.
        """
        self._require(rank)
        if self.kind == RING:
            return ((rank + self.first) % self.n_slices,)
        if self.kind == FOCAL_PLANE:
            return self._around(rank)
        if rank % self.first != 0:
            return ()
        return tuple(range(rank + 1, min(rank + self.first, self.n_slices)))

    def sends_to(self, rank: int) -> tuple[int, ...]:
        """The slices that receive what slice `rank` shares, each once.

        Raises:
            ValueError: there is no such slice.
        """
        self._require(rank)
        if self.kind == RING:
            return ((rank - self.first) % self.n_slices,)
        if self.kind == FOCAL_PLANE:
            return self._around(rank)
        leader = rank - rank % self.first
        return () if leader == rank else (leader,)

    def _around(self, rank: int) -> tuple[int, ...]:
        rows, columns = self.first, self.second
        x, y = divmod(rank, columns)
        four = (
            (x - 1) % rows * columns + y,
            (x + 1) % rows * columns + y,
            x * columns + (y - 1) % columns,
            x * columns + (y + 1) % columns,
        )
        return tuple(dict.fromkeys(four))

    def _require(self, rank: int) -> None:
        if not 0 <= rank < self.n_slices:
            raise ValueError(f"neighbours of slice {rank}: there are {self.n_slices} slices, numbered from 0")


def _choice(policy: Policy, key: str, choices: tuple[str, ...]) -> str:
    expected = "one of " + ", ".join(f'"{choice}"' for choice in choices)
    if not policy.exists(key):
        raise TopologyError(key, "the parameter is missing", expected, "nothing")
    if not policy.isString(key):
        raise TopologyError(key, "wrong type", expected, f"{policy.getTypeName(key)} {policy.str(key)}")
    text = policy.getString(key)
    if text not in choices:
        # An error alone needs it, and every run reads this module.
        import difflib

        near = difflib.get_close_matches(text.lower(), choices, n=1)
        raise TopologyError(key, "unknown value", expected, f'"{text}"', near[0] if near else "")
    return text


def _count(policy: Policy, key: str, kind: str) -> int:
    meaning = "the number of slices per leader" if kind == SLICE_LEADERS else "one side of the grid"
    expected = f"an integer, 1 or more: {meaning}"
    if not policy.exists(key):
        raise TopologyError(key, "the parameter is missing", expected, "nothing")
    if not policy.isInt(key):
        raise TopologyError(key, "wrong type", expected, f"{policy.getTypeName(key)} {policy.str(key)}")
    count = policy.getInt(key)
    if count < 1:
        raise TopologyError(key, "too small", expected, str(count))
    return count

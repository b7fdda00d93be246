# SPDX-License-Identifier: BSD-3-Clause
"""Random dictionaries, policies that keep their rules, and policies that break exactly one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.policy import PolicyFile, ValidationError

Tree = dict[str, list[Any]]
"""A policy: every name with its list of values, sub-policies as trees."""

PLAIN = ("int", "double", "bool", "string")
UNLIKELY: dict[str, tuple[Any, ...]] = {
    "int": (-999_999, 999_999, 17),
    "double": (-1e308, 1e308, 17.25),
    "string": ("\x01", "~~", "q"),
}
"""Values below, above and between those that plain_value() makes."""

WORDS = ("a", "bb", "ccc", "m", "x y", "zz", "#", "}", "é")


@dataclass
class Definition:
    """What a dictionary says of one name; ``low`` and ``high`` are inclusive."""

    type: str = ""
    least: int = 0
    most: int = -1
    values: list[Any] = field(default_factory=list)
    low: Any = None
    high: Any = None
    nested: Schema | None = None
    default: list[Any] = field(default_factory=list)

    def as_policy(self) -> dict[str, Any]:
        """The definition as it stands in a dictionary."""
        policy: dict[str, Any] = {"description": "made at random"}
        if self.type:
            policy["type"] = self.type
        if self.least:
            policy["minOccurs"] = self.least
        if self.most >= 0:
            policy["maxOccurs"] = self.most
        if self.default:
            policy["default"] = self.default
        bounds = {name: bound for name, bound in (("min", self.low), ("max", self.high)) if bound is not None}
        blocks = [{"value": value} for value in self.values] + ([bounds] if bounds else [])
        if blocks:
            policy["allowed"] = blocks
        if self.nested:
            policy["dictionary"] = self.nested.as_policy()
        return policy


@dataclass
class Schema:
    """A dictionary: definitions by name, and one for all other names."""

    definitions: dict[str, Definition]
    child: Definition | None = None

    def as_policy(self) -> dict[str, Any]:
        """The dictionary as nested dicts."""
        definitions = {name: each.as_policy() for name, each in self.definitions.items()}
        if self.child:
            definitions["childDefinition"] = self.child.as_policy()
        return {"target": "random", "definitions": definitions}


def plain_value(rng: random.Random, kind: str) -> Any:
    """Any value of a plain type."""
    if kind == "int":
        return rng.choice([0, 1, -1, 2**31 - 1, -(2**31), rng.randint(-1000, 1000)])
    if kind == "double":
        return rng.choice([0.0, -0.5, 1e300, 5e-324, rng.uniform(-1e3, 1e3)])
    return rng.random() < 0.5 if kind == "bool" else rng.choice(WORDS)


class Maker:
    """Makes schemas and policies from one source of chance."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def schema(self, depth: int = 3, complete: bool = False) -> Schema:
        """A dictionary; a complete one has a default wherever something is required."""
        count = self.rng.randint(1, 5)
        definitions = {f"n{i}": self.definition(depth, complete) for i in range(count)}
        child = self.definition(0, False) if self.rng.random() < 0.3 else None
        if child:
            child.least = 0
            child.default = []
        return Schema(definitions, child)

    def definition(self, depth: int, complete: bool) -> Definition:
        kind = self.rng.choice([*PLAIN, "Policy" if depth else "int", ""])
        made = Definition(type=kind, least=self.rng.choice([0, 0, 1, 2, 3]))
        if self.rng.random() < 0.5:
            made.most = max(1, made.least) + self.rng.randint(0, 2)
        if kind == "Policy":
            made.nested = self.schema(depth - 1, complete) if self.rng.random() < 0.8 else None
            # Defaults fill one block, and none where there is no dictionary.
            made.least = min(made.least, 1 if made.nested else 0) if complete else made.least
        elif kind:
            self.restrict(made)
        if kind != "Policy" and (complete or self.rng.random() < 0.4):
            made.default = self.values_for(made)
        return made

    def restrict(self, made: Definition) -> None:
        some = [plain_value(self.rng, made.type) for _ in range(3)]
        if self.rng.random() < 0.4:
            made.low = min(some) if self.rng.random() < 0.8 else None
            made.high = max(some) if self.rng.random() < 0.8 else None
        if self.rng.random() < 0.4:
            made.values = list(dict.fromkeys(some))

    def values_for(self, made: Definition) -> list[Any]:
        """Values that keep the definition: as many as it may have, or one to three."""
        most = made.most if made.most >= 0 else max(1, made.least) + 2
        return [self.value_for(made) for _ in range(self.rng.randint(max(1, made.least), most))]

    def value_for(self, made: Definition) -> Any:
        if made.type == "Policy":
            return self.policy(made.nested) if made.nested else {"anything": [1]}
        if made.values:
            return self.rng.choice(made.values)
        kind = made.type or "int"
        value = plain_value(self.rng, kind)
        if (made.low is not None and value < made.low) or (made.high is not None and value > made.high):
            return made.low if made.low is not None else made.high
        return value

    def policy(self, schema: Schema) -> Tree:
        """A policy that keeps every rule of the schema."""
        tree: Tree = {}
        for name, made in schema.definitions.items():
            if made.least > 0 or self.rng.random() < 0.6:
                tree[name] = self.values_for(made)
        if schema.child and self.rng.random() < 0.7:
            tree["other"] = self.values_for(schema.child)
        return tree

    def broken(self, schema: Schema, tree: Tree) -> tuple[str, int] | None:
        """Breaks one rule in the tree; name and bits of its error, `None` where none can be broken."""
        choices = list(self.violations(schema, tree, ""))
        if not choices:
            return None
        name, bits, place, values = self.rng.choice(choices)
        field_name = name.rpartition(".")[2]
        if values is None:
            del place[field_name]
        else:
            place[field_name] = values
        return name, bits

    def violations(
        self, schema: Schema, tree: Tree, prefix: str
    ) -> Iterator[tuple[str, int, Tree, list[Any] | None]]:
        """Every rule that can be broken: full name, bits, the tree to change, and its new values."""
        if schema.child is None:
            yield prefix + "unknown", ValidationError.UNKNOWN_NAME, tree, [1]
        for name in tree:
            made = schema.definitions.get(name, schema.child)
            if made is None:
                continue
            for bits, values in self.wrong_values(made, tree[name]):
                is_required = values is None and name in schema.definitions
                if values is not None or is_required:
                    yield prefix + name, bits, tree, values
            if made.nested:
                for block in tree[name]:
                    yield from self.violations(made.nested, block, f"{prefix}{name}.")

    def wrong_values(self, made: Definition, values: list[Any]) -> Iterator[tuple[int, list[Any] | None]]:
        if made.type:
            other = "text" if made.type != "string" else 3
            yield ValidationError.WRONG_TYPE, [other] * len(values)
        yield ValidationError.NOT_LOADED, [PolicyFile("nowhere.paf")] * len(values)
        if made.least > 0:
            yield ValidationError.MISSING_REQUIRED, None
        if made.least > 1:
            yield ValidationError.NOT_AN_ARRAY, values[:1]
        if made.least > 2:
            yield ValidationError.ARRAY_TOO_SHORT, values[:2]
        if made.most >= 0:
            yield ValidationError.TOO_MANY_VALUES, values + [self.value_for(made) for _ in range(made.most)]
        yield from self.wrong_value(made, values)

    def wrong_value(self, made: Definition, values: list[Any]) -> Iterator[tuple[int, list[Any]]]:
        for value in UNLIKELY.get(made.type, ()):
            low = made.low is not None and value < made.low
            high = made.high is not None and value > made.high
            bits = ValidationError.VALUE_OUT_OF_RANGE if low or high else 0
            if made.values and value not in made.values:
                bits |= ValidationError.VALUE_DISALLOWED
            if bits:
                yield bits, [*values[:-1], value]


def defaults_of(schema: Schema) -> dict[str, Any]:
    """What the rules say the defaults of a schema are: values as lists, sub-policies as dicts."""
    found: dict[str, Any] = {}
    for name, made in schema.definitions.items():
        if made.default:
            found[name] = made.default
        elif made.nested and (inner := defaults_of(made.nested)):
            found[name] = [inner]
    return found

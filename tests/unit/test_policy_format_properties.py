# SPDX-License-Identifier: BSD-3-Clause
"""Random policies and random damage: what is written reads back, and no text does worse than an error."""

import json
import random
import struct

import pytest
from harness.policy import (
    ParserError,
    Policy,
    PolicyFile,
    PolicyString,
    TypeError,
    errors,
    to_json,
    to_toml,
)
from harness.policy.foreign.json_places import json_places
from harness.policy.foreign.places import offset_of
from harness.policy.foreign.toml_library import tomllib
from harness.policy.foreign.toml_places import toml_places

CHARACTERS = "ab @#{}[]=:,.\"'\\\n\r\t\x00\x1f\x7f\x85éß\u2028\ufeff\uffff🚀𝔘"
MUTATIONS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"'",
    b"\\",
    b"=",
    b":",
    b",",
    b"#",
    b"\n",
    b"\r",
    b".",
    b"@",
    b"-",
]
MUTATIONS += [
    b'"""',
    b"'''",
    b"null",
    b"true",
    b"1e999",
    b"99999999999",
    b"\xff",
    b"\xc3",
    b"\x00",
    b"inf",
    b"[[",
]
MUTATIONS += [
    b"1979-05-27",
    b"0x",
    b"_",
    b"NaN",
    b"\\u12",
    b"\\ud800",
    b'"a"',
    b"\xef\xbb\xbf",
    b"a.b",
    b" ",
    b"e",
]


@pytest.fixture(params=range(8))
def seed(request):
    """Shown in the name of a failing test."""
    return request.param


def random_name(dice):
    return "".join(dice.choice("abcXYZ_019") for _ in range(dice.randint(1, 6)))


def random_string(dice):
    text = "".join(dice.choice(CHARACTERS) for _ in range(dice.randint(0, 12)))
    return "x" + text if text.startswith("@") else text


def random_double(dice, finite):
    while True:
        (value,) = struct.unpack("<d", dice.randbytes(8))
        if abs(value) < float("inf") or (not finite and dice.random() < 0.5):
            return dice.choice([value, float(dice.randint(-5, 5)), 0.1])


def random_values(dice, finite):
    make = dice.choice(
        [
            lambda: dice.random() < 0.5,
            lambda: dice.choice([dice.randint(-(2**31), 2**31 - 1), dice.randint(-9, 9)]),
            lambda: random_double(dice, finite),
            lambda: random_string(dice),
            lambda: PolicyFile("/".join(random_name(dice) for _ in range(dice.randint(1, 3))) + ".paf"),
        ]
    )
    return [make() for _ in range(dice.choice([1, 1, 1, 2, 5]))]


def random_policy(dice, depth=0, finite=True):
    policy = Policy()
    for _ in range(dice.randint(0, 6)):
        name = random_name(dice)
        if depth < 4 and dice.random() < 0.35:
            blocks = [random_policy(dice, depth + 1, finite) for _ in range(dice.choice([1, 1, 2, 3]))]
            policy.set(name, blocks)
        else:
            policy.set(name, random_values(dice, finite))
    return policy


def all_names(policy):
    """Names in order, of every element of arrays too."""
    return [
        (name, [all_names(block) for block in policy.getPolicyArray(name)] if policy.isPolicy(name) else ())
        for name in policy.names(True)
    ]


def test_random_policies_survive_json(seed, tmp_path):
    dice = random.Random(seed)
    for _ in range(20):
        policy = random_policy(dice)
        text = to_json(policy)
        back = Policy(PolicyString(text))
        assert back == policy and all_names(back) == all_names(policy), text


def test_random_policies_survive_toml(seed, tmp_path):
    dice = random.Random(seed)
    path = tmp_path / "x.toml"
    for _ in range(20):
        policy = random_policy(dice, finite=False)
        text = to_toml(policy)
        path.write_bytes(text.encode())
        assert Policy(path) == policy, text


# --- damage


def damaged(dice, text):
    for _ in range(dice.choice([1, 1, 2, 4])):
        at = dice.randint(0, len(text))
        until = min(len(text), at + dice.choice([0, 0, 1, 1, 3, 20]))
        added = dice.choice([b"", dice.choice(MUTATIONS), dice.choice(MUTATIONS), text[at : at + 30] * 2])
        text = text[:at] + added + text[until:]
    return text


def outcome(path, text):
    """Reads damaged text: a policy, or an error that shows a place inside the text."""
    path.write_bytes(text)
    try:
        return Policy(path)
    except (
        ParserError,
        TypeError,
        errors.InvalidParameterError,
        errors.BadNameError,
        errors.NotFoundError,
    ) as error:
        assert error.file == str(path), (text, error)
        lines = text.decode(errors="replace").split("\n")
        assert error.line is not None and 1 <= error.line <= len(lines), (text, error)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1, (text, error)
        assert error.problem and str(error).count("^") >= 1, (text, error)
        return error


@pytest.mark.parametrize(("write", "extension"), [(to_json, "json"), (to_toml, "toml")])
def test_damaged_text_gives_a_policy_or_an_error_with_a_place(seed, write, extension, tmp_path):
    dice = random.Random(seed)
    path = tmp_path / f"x.{extension}"
    outcomes = set()
    for _ in range(12):
        text = write(random_policy(dice)).encode()
        for _ in range(15):
            outcomes.add(type(outcome(path, damaged(dice, text))))
    assert Policy in outcomes and len(outcomes) > 1


@pytest.mark.parametrize("extension", ["json", "toml"])
def test_noise_gives_a_policy_or_an_error_with_a_place(seed, extension, tmp_path):
    dice = random.Random(seed)
    path = tmp_path / f"x.{extension}"
    for _ in range(100):
        outcome(path, b"".join(dice.choice(MUTATIONS) for _ in range(dice.randint(0, 25))))


# --- places


def random_data(dice, markers, depth=0):
    """Nested dicts and lists whose leaves are integers that stand nowhere else in the text."""
    data = {}
    for _ in range(dice.randint(1, 5)):
        kind = dice.random()
        name = random_name(dice)
        if depth < 4 and kind < 0.3:
            data[name] = random_data(dice, markers, depth + 1)
        elif depth < 4 and kind < 0.45:
            data[name] = [random_data(dice, markers, depth + 1) for _ in range(dice.randint(1, 3))]
        elif kind < 0.6:
            data[name] = [next(markers) for _ in range(dice.randint(1, 3))]
        else:
            data[name] = next(markers)
    return data


def leaves(data, spot):
    """Pairs of every value that is not nested with its spot, and of every name with its spot."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield name, spot.below[name].name
            yield from leaves(value, spot.below[name])
    elif isinstance(data, list):
        for value, own in zip(data, spot.below, strict=True):
            yield from leaves(value, own)
    else:
        yield data, offset_of(spot)


def markers():
    yield from range(100_001, 1_000_000)


def test_places_in_json_are_where_the_values_stand(seed):
    dice = random.Random(seed)
    for _ in range(20):
        data = random_data(dice, markers())
        text = json.dumps({"é🚀": 0, **data}, indent=dice.choice([None, 1]), ensure_ascii=False).encode()
        assert json.loads(text).pop("é🚀") == 0
        for expected, at in leaves({"é🚀": 0, **data}, json_places(text, 0)):
            assert text[at:].startswith(json.dumps(expected, ensure_ascii=False).encode()), (
                text,
                expected,
                at,
            )


class TomlScribe:
    """Writes data as TOML in as many styles as there are."""

    def __init__(self, dice):
        self._dice = dice

    def key(self, *names):
        dot = self._dice.choice([".", " . "])
        return dot.join(self._dice.choice([name, f'"{name}"', f"'{name}'"]) for name in names)

    def junk(self):
        return self._dice.choice(["", "", "\n", "# é [x] = 'y\n", "  \r\n"])

    def inline(self, value):
        if isinstance(value, dict):
            members = (f"{self.key(name)} = {self.inline(member)}" for name, member in value.items())
            return "{ " + ", ".join(members) + " }"
        if isinstance(value, list):
            gap = self._dice.choice(["", " ", "\n # é ]\n "])
            return "[" + f",{gap}".join(gap + self.inline(element) for element in value) + gap + "]"
        return str(value)

    def table(self, data, path=()):
        """The lines of a table: its plain values, then its tables under headers."""
        later = []
        text = ""
        for name, value in data.items():
            is_table = isinstance(value, dict)
            is_array = isinstance(value, list) and isinstance(value[0], dict)
            style = self._dice.random()
            if (is_table or is_array) and style < 0.5:
                later.append((name, value))
            elif is_table and style < 0.8:
                text += self.dotted(value, (name,))
            else:
                text += self.junk() + f"{self.key(name)}={self.inline(value)} # c\n"
        for name, value in later:
            is_array = isinstance(value, list)
            for element in value if is_array else [value]:
                header = self.key(*path, name)
                text += self.junk() + (f"[[{header}]]\n" if is_array else f" [ {header} ] # [\n")
                text += self.table(element, (*path, name))
        return text

    def dotted(self, data, path):
        return "".join(
            self.dotted(value, (*path, name))
            if isinstance(value, dict)
            else f"{self.key(*path, name)} = {self.inline(value)}\n"
            for name, value in data.items()
        )


def test_places_in_toml_are_where_the_values_stand(seed):
    dice = random.Random(seed)
    for _ in range(20):
        data = random_data(dice, markers())
        text = TomlScribe(dice).table(data)
        assert tomllib.loads(text) == data
        encoded = text.encode()
        for expected, at in leaves(data, toml_places(encoded)):
            shown = encoded[at:].lstrip(b"\"'") if isinstance(expected, str) else encoded[at:]
            assert shown.startswith(str(expected).encode()), (text, expected, at)

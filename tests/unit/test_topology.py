# SPDX-License-Identifier: BSD-3-Clause
"""Who exchanges with whom, by topology: the worked examples, and policies that are refused."""

import pickle

import pytest
from harness.errors import ConfigError
from harness.policy import Policy, PolicyString
from harness.runtime.configuration.topology import Topology, TopologyError


def topology(text: str, n_slices: int) -> Topology:
    return Topology.from_policy(Policy(PolicyString(text)), n_slices)


def received(sut: Topology) -> list[tuple[int, ...]]:
    return [sut.receives_from(rank) for rank in range(sut.n_slices)]


CLOCKWISE = 'type: "ring"\nparam1: "clockwise"\n'
COUNTERCLOCKWISE = 'type: "ring"\nparam1: "counterclockwise"\n'


def leaders(modulus: int) -> str:
    return f'type: "sliceleaders"\nparam1: {modulus}\n'


def grid(p: int, q: int) -> str:
    return f'type: "focalplane"\nparam1: {p}\nparam2: {q}\n'


@pytest.mark.contract("6.4.neighbours")
@pytest.mark.parametrize(
    ("text", "n_slices", "expected"),
    [
        (CLOCKWISE, 5, [(4,), (0,), (1,), (2,), (3,)]),
        (COUNTERCLOCKWISE, 5, [(1,), (2,), (3,), (4,), (0,)]),
        (CLOCKWISE, 1, [(0,)]),
        (COUNTERCLOCKWISE, 1, [(0,)]),
        (leaders(4), 8, [(1, 2, 3), (), (), (), (5, 6, 7), (), (), ()]),
        (leaders(4), 6, [(1, 2, 3), (), (), (), (5,), ()]),
        (leaders(1), 3, [(), (), ()]),
        (leaders(100), 3, [(1, 2), (), ()]),
        (grid(2, 3), 6, [(3, 2, 1), (4, 0, 2), (5, 1, 0), (0, 5, 4), (1, 3, 5), (2, 4, 3)]),
        (grid(1, 1), 1, [(0,)]),
        (grid(1, 3), 3, [(0, 2, 1), (1, 0, 2), (2, 1, 0)]),
        (CLOCKWISE, 0, []),
    ],
)
def test_every_slice_receives_from_its_neighbours_in_order(text, n_slices, expected):
    assert received(topology(text, n_slices)) == expected


@pytest.mark.parametrize(
    ("rank", "expected"), [(5, (1, 9, 4, 6)), (0, (12, 4, 3, 1)), (15, (11, 3, 14, 12))]
)
def test_a_focal_plane_of_4_by_4_has_four_neighbours_around_each_slice(rank, expected):
    sut = topology(grid(4, 4), 16)
    assert sut.receives_from(rank) == expected
    assert sut.sends_to(rank) == expected


@pytest.mark.contract("6.4.neighbours")
@pytest.mark.parametrize(
    ("text", "n_slices"),
    [
        *[(text, n) for n in range(1, 8) for text in (CLOCKWISE, COUNTERCLOCKWISE, leaders(3))],
        *[(grid(p, q), p * q) for p in range(1, 6) for q in range(1, 6)],
    ],
)
def test_what_one_slice_sends_another_receives(text, n_slices):
    sut = topology(text, n_slices)
    sent = {(rank, to) for rank in range(n_slices) for to in sut.sends_to(rank)}
    got = {(source, rank) for rank in range(n_slices) for source in sut.receives_from(rank)}
    assert sent == got
    assert got or n_slices == 1


@pytest.mark.contract("6.4.refused")
@pytest.mark.parametrize(
    ("text", "n_slices", "key", "words"),
    [
        ("param1: 3\n", 4, "type", ["missing", '"ring"', '"sliceleaders"', '"focalplane"']),
        ('type: "rings"\n', 4, "type", ["unknown", '"rings"', 'did you mean "ring"']),
        ('type: "torus"\n', 4, "type", ["unknown", '"torus"']),
        ("type: 3\n", 4, "type", ["wrong type", "int 3"]),
        ('type: "ring"\n', 4, "param1", ["missing", '"clockwise"', '"counterclockwise"']),
        ('type: "ring"\nparam1: "left"\n', 4, "param1", ["unknown", '"left"']),
        ('type: "ring"\nparam1: "Clockwise"\n', 4, "param1", ['did you mean "clockwise"']),
        ('type: "ring"\nparam1: 1\n', 4, "param1", ["wrong type", "int 1"]),
        ('type: "sliceleaders"\n', 4, "param1", ["missing", "an integer"]),
        (leaders(0), 4, "param1", ["too small", "saw 0"]),
        ('type: "sliceleaders"\nparam1: 2.0\n', 4, "param1", ["wrong type", "double 2"]),
        ('type: "focalplane"\nparam1: 2\n', 4, "param2", ["missing"]),
        (grid(-2, 2), 4, "param1", ["too small", "saw -2"]),
        (grid(2, 0), 4, "param2", ["too small", "saw 0"]),
        (grid(2, 3), 7, "param1", ["nSlices = 7", "2 * 3 = 6"]),
        (grid(2, 3), 0, "param1", ["nSlices = 0"]),
    ],
)
def test_a_topology_nobody_can_follow_is_refused_with_its_key(text, n_slices, key, words):
    with pytest.raises(TopologyError) as caught:
        topology(text, n_slices)
    assert isinstance(caught.value, ConfigError)
    assert caught.value.key == key
    assert str(caught.value).startswith(f"topology.{key}: ")
    for word in words:
        assert word in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)) == caught.value


@pytest.mark.parametrize("rank", [-1, 5])
def test_a_slice_that_does_not_exist_has_no_neighbours(rank):
    sut = topology(CLOCKWISE, 5)
    with pytest.raises(ValueError, match="there are 5 slices"):
        sut.receives_from(rank)
    with pytest.raises(ValueError, match="there are 5 slices"):
        sut.sends_to(rank)

# SPDX-License-Identifier: BSD-3-Clause
"""Where workers run on machines with one memory node and with several."""

import os

import pytest
from harness.runtime.processes.cores import describe_places, nodes, place_of


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """`machine(lists, usable)` makes a folder as the kernel has it, for a process with these usable cores."""

    def machine(lists, usable):
        for node, cores in lists.items():
            (tmp_path / f"node{node}").mkdir()
            (tmp_path / f"node{node}" / "cpulist").write_text(cores + "\n")
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(usable))
        return tmp_path

    return machine


def test_cores_are_told_by_node_as_far_as_this_process_may_use_them(machine):
    assert nodes(machine({0: "0-3,8", 1: "4-7", 2: ""}, {0, 1, 5, 8})) == {0: [0, 1, 8], 1: [5]}


@pytest.mark.parametrize("lists", [{}, {0: "nonsense"}, {0: "0"}])
def test_where_the_kernel_does_not_tell_of_every_core_all_are_of_one_node(machine, lists):
    assert nodes(machine(lists, {0, 1})) == {0: [0, 1]}


def test_on_one_node_a_worker_runs_anywhere_unless_it_is_pinned():
    assert place_of(1, False, {0: [0, 2]}) == (None, [0, 2])
    assert [place_of(worker, True, {0: [0, 2]}) for worker in range(3)] == [(0, [0]), (0, [2]), (0, [0])]


def test_on_several_nodes_workers_go_round_them_and_stay():
    cores_of = {0: [0, 1, 2], 1: [3, 4]}
    assert [place_of(worker, False, cores_of) for worker in range(3)] == [
        (0, [0, 1, 2]), (1, [3, 4]), (0, [0, 1, 2]),
    ]
    assert [place_of(worker, True, cores_of).cores for worker in range(6)] == [[0], [3], [1], [4], [2], [0]]


def test_places_are_told_in_words(monkeypatch):
    name = "harness.runtime.processes.cores.nodes"
    monkeypatch.setattr(name, lambda: {0: [0, 1], 1: [2, 3]})
    assert describe_places(2, False) == [
        "2 workers on 4 usable cores of 2 memory nodes, 2 for the threads of each",
        "worker 0: cores 0, 1, memory node 0",
        "worker 1: cores 2, 3, memory node 1",
    ]
    assert describe_places(20, True)[-1] == "and so on for 11 workers more"
    monkeypatch.setattr(name, lambda: {0: [0, 1]})
    assert describe_places(1, False) == [
        "1 worker on 2 usable cores, 2 for the threads of each",
        "no worker is pinned; all memory is equally near",
    ]

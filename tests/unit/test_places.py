# SPDX-License-Identifier: BSD-3-Clause
"""Where workers run on machines with one memory node and with several."""

import os

import pytest
from harness.runtime.processes.cores import THREAD_VARIABLES, describe_places, limit_threads, nodes, place_of


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


@pytest.fixture
def no_threads_asked(monkeypatch):
    for name in THREAD_VARIABLES:
        # Set first, so that what a test sets itself is gone after it.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_places_are_told_in_words(monkeypatch, no_threads_asked):
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


def test_threads_are_told_as_workers_will_find_them(monkeypatch, no_threads_asked):
    cores = len(os.sched_getaffinity(0))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    told = describe_places(cores, False)[0]
    assert told.endswith(", 1 for the threads of each, as set: OMP_NUM_THREADS=7")
    limit_threads(cores)
    assert os.environ["OMP_NUM_THREADS"] == "7" and os.environ["MKL_NUM_THREADS"] == "1"
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "3")
    assert describe_places(cores, False)[0].endswith(", 3 for the threads of each")

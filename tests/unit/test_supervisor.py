# SPDX-License-Identifier: BSD-3-Clause
"""The master asks a nursery that has just died for workers."""

import socket
from types import SimpleNamespace

import pytest
from harness.runtime.processes.supervisor import NurseryGone, Supervisor


def test_a_nursery_that_dies_before_it_is_asked_for_the_first_worker_is_named():
    sut = Supervisor(SimpleNamespace(n_workers=2))
    sut._connection, theirs = socket.socketpair()
    sut._nurseries = SimpleNamespace(nursery_pid=4711, keeper_pid=-1)
    theirs.close()
    with pytest.raises(NurseryGone, match=r"forking the workers: the nursery \(pid 4711\) can't be asked"):
        sut.order_workers()
    sut._close_connection(polite=False)

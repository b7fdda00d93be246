# SPDX-License-Identifier: BSD-3-Clause
"""Queue: order, and the answers of an empty one."""

import pytest
from harness.queue import Queue


@pytest.mark.contract("3.2.queue")
def test_clipboards_leave_in_the_order_they_came():
    sut = Queue()
    first, second = object(), object()
    sut.addDataset(first)
    sut.addDataset(second)
    assert [sut.getNextDataset(), sut.getNextDataset()] == [first, second]


@pytest.mark.contract("3.2.queue")
def test_element_shows_the_head_and_leaves_it():
    sut = Queue()
    head = object()
    sut.addDataset(head)
    sut.addDataset(object())
    assert sut.element() is head
    assert sut.element() is head
    assert sut.size() == 2


@pytest.mark.contract("3.2.queue")
def test_empty_queue_answers_none():
    sut = Queue()
    assert sut.getNextDataset() is None
    assert sut.element() is None
    assert sut.size() == 0


def test_a_queued_none_is_told_from_an_empty_queue_by_size():
    sut = Queue()
    sut.addDataset(None)
    assert sut.element() is None
    assert sut.size() == 1


def test_an_empty_queue_is_true_like_any_object_of_2009():
    assert Queue()


def test_repr_tells_the_size():
    sut = Queue()
    sut.addDataset(None)
    assert repr(sut) == "<Queue of 1 clipboard(s)>"

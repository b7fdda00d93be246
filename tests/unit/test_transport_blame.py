# SPDX-License-Identifier: BSD-3-Clause
"""What cannot cross is named: key, type, and the path to the part that is to blame."""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest
from harness.transport.blame import name_culprit


class Model:
    def __init__(self):
        self.gain = 1.5
        self.image = np.zeros(1000)
        self.lock = threading.Lock()


class Deep:
    def __init__(self):
        self.me = self
        self.parts = [1, {"fit": Model()}]


class Slotted:
    __slots__ = ("fine", "handle")

    def __init__(self):
        self.fine = 1
        self.handle = sys.stderr


class Choosy:
    def __init__(self):
        self.cache = threading.Lock()

    def __getstate__(self):
        return {"saved": self.cache}


class Refusing:
    def __reduce__(self):
        raise ValueError("not today")


class Link:
    pass


class Worker:
    def __init__(self):
        self.lock = threading.Lock()

    def go(self):
        pass


def local_instance():
    class Local:
        pass

    return Local()


def long_chain():
    first = last = Link()
    for _ in range(100_000):
        last.next = Link()
        last = last.next
    return first


CASES = {
    "a value": (threading.Lock, "its value is a _thread.lock"),
    "an attribute": (Model, f"attribute .lock of {__name__}.Model is a _thread.lock"),
    "far inside": (Deep, f"attribute .parts[1]['fit'].lock of {__name__}.Deep is a _thread.lock"),
    "a slot": (Slotted, f"attribute .handle of {__name__}.Slotted is a "),
    "a chosen state": (Choosy, f"attribute .saved of {__name__}.Choosy is a _thread.lock"),
    "a lambda": (lambda: {"f": [1, lambda: 3]}, f"item ['f'][1] of dict is a function {__name__}.<lambda>"),
    "a local class": (local_instance, "its value is a " + __name__ + ".local_instance.<locals>.Local"),
    "one that refuses": (lambda: [Refusing()], f"item [0] of list is a {__name__}.Refusing"),
    "a method": (lambda: Worker().go, ".__self__.lock of method is a _thread.lock"),
    "an object array": (lambda: np.array([1, threading.Lock()], object), "item [1] of numpy.ndarray is a "),
    "a generator": (lambda: iter(x for x in ()), "its value is a generator"),
    "a dictionary's key": (lambda: {threading.Lock(): 1}, "of dict is a _thread.lock"),
    "a module": (lambda: (os,), "item [0] of tuple is a module"),
}


def refusal_of(value):
    import pickle

    with pytest.raises(Exception) as caught:
        pickle.dumps(value, 5)
    return caught.value


@pytest.mark.parametrize("case", list(CASES))
def test_the_part_that_is_to_blame_is_named(case):
    make, expected = CASES[case]
    value = make()
    message = name_culprit("model", value, refusal_of(value))
    assert message.startswith("clipboard key 'model': ")
    assert expected in message and "which cannot cross to another process" in message


def test_a_chain_that_is_too_long_says_so():
    value = long_chain()
    message = name_culprit("chain", value, refusal_of(value))
    assert "'chain'" in message and f"{__name__}.Link" in message and "nested too deeply" in message
    # Taken apart link by link: its own end would be recursive, too.
    while hasattr(value, "next"):
        value = value.next


def test_the_contents_of_arrays_are_not_copied_to_find_out(monkeypatch):
    class Counted(np.ndarray):
        def __reduce__(self):
            raise AssertionError("pickled")

    value = {"image": np.zeros(10).view(Counted), "lock": threading.Lock()}
    message = name_culprit("model", value, TypeError("cannot pickle"))
    assert "item ['lock'] of dict" in message

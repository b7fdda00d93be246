# SPDX-License-Identifier: BSD-3-Clause
"""Clipboard: the calls of the contract (3.1), the container protocol, shareable marks."""

import numpy
import pytest
from harness.clipboard import Clipboard, Pending


class Late(Pending):
    """A value that counts how often it is built."""

    def __init__(self, value):
        self.value = value
        self.built = 0

    def materialise(self):
        self.built += 1
        return self.value


@pytest.mark.contract("3.1.get")
def test_get_returns_the_value_or_the_default():
    sut = Clipboard()
    sut.put("a", 1)
    assert sut.get("a") == 1
    assert sut.get("b") is None
    assert sut.get("b", 7) == 7
    assert sut.get("b", defValue=8) == 8


@pytest.mark.contract("3.1.get")
def test_get_item_of_an_absent_key_raises_key_error():
    sut = Clipboard()
    with pytest.raises(KeyError, match="absent"):
        sut.getItem("absent")
    with pytest.raises(KeyError):
        sut["absent"]


@pytest.mark.contract("3.1.put")
def test_put_overwrites_value_and_mark():
    sut = Clipboard()
    sut.put("a", 1, True)
    assert sut.getSharedKeys() == ["a"]
    sut.put("a", 2)
    assert sut.get("a") == 2
    assert sut.getSharedKeys() == []
    sut.put("a", 3, isShareable=True)
    assert sut.getSharedKeys() == ["a"]


@pytest.mark.contract("3.1.shared")
def test_a_mark_may_come_before_its_value():
    sut = Clipboard()
    sut.setShared("later", True)
    assert sut.getSharedKeys() == []
    sut["x"] = 1
    sut.setShared("x", True)
    assert sut.getSharedKeys() == ["x"]
    sut.setShared("x", False)
    assert sut.getSharedKeys() == []


@pytest.mark.contract("3.1.keys")
def test_keys_keep_the_order_of_first_put():
    sut = Clipboard()
    for key in ("c", "a", "b", "a"):
        sut.put(key, key)
    assert sut.getKeys() == sut.keys() == list(sut) == ["c", "a", "b"]
    assert isinstance(sut.keys(), list)


@pytest.mark.contract("3.1.container", "17.24")
def test_container_protocol():
    sut = Clipboard()
    sut["a"] = None
    assert "a" in sut and "b" not in sut
    assert sut.contains("a") and sut.has_key("a") and not sut.has_key("b")
    assert len(sut) == 1
    del sut["a"]
    assert len(sut) == 0
    with pytest.raises(KeyError):
        del sut["a"]


def test_an_empty_clipboard_is_true():
    assert Clipboard()


@pytest.mark.contract("3.1.container")
def test_iteration_survives_changes():
    sut = Clipboard()
    sut["a"] = 1
    for key in sut:
        sut[key + "x"] = 2
    assert sorted(sut) == ["a", "ax"]


@pytest.mark.contract("3.1.close", "17.15")
@pytest.mark.parametrize("forget", ["close", "clear"])
def test_close_forgets_values_and_leaves_them_alone_elsewhere(forget):
    sut = Clipboard()
    value = {"kept": 1}
    sut.put("a", value, True)
    getattr(sut, forget)()
    assert len(sut) == 0 and sut.getSharedKeys() == []
    assert value == {"kept": 1}
    del sut
    assert value == {"kept": 1}


@pytest.mark.parametrize("read", [lambda c: c.get("a"), lambda c: c.getItem("a"), lambda c: c["a"]])
def test_a_pending_value_is_built_once_at_its_first_use(read):
    sut = Clipboard()
    late = Late([1, 2])
    sut._receive("a", late)
    assert "a" in sut and len(sut) == 1 and late.built == 0
    first = read(sut)
    assert first == [1, 2] and read(sut) is first and late.built == 1


def test_gather_lists_values_in_rank_order():
    sut = Clipboard()
    for rank in (10, 2, 0):
        sut._receive_from("found", rank, Late(rank * 100))
    assert sut.gather("found") == [0, 200, 1000]
    assert sut.get("found-10") == 1000
    assert sut.gather("nothing") == []


def test_an_item_is_unpublished_once_per_put_or_mark():
    sut = Clipboard()
    sut.put("a", 1, True)
    sut.put("b", 2)
    assert sut._unpublished_items() == [("a", 1, False)]
    sut._published({})
    assert sut._unpublished_items() == []
    sut.put("a", 3, True)
    sut.setShared("b", True)
    assert sut._unpublished_items() == [("a", 3, False), ("b", 2, False)]
    sut.put("a", 4, True)
    del sut["a"]
    assert sut._unpublished_items() == [("b", 2, False)]


def test_repr_shows_keys_and_marks():
    sut = Clipboard()
    sut.put("image", 1, True)
    sut.put("n", 2)
    assert repr(sut) == "<Clipboard 'image'*, 'n'>"


def test_values_and_items_follow_the_keys_and_build_what_is_pending():
    sut = Clipboard()
    sut.put("a", 1)
    sut._receive("b", Late(2))
    assert sut.values() == [1, 2] and sut.items() == [("a", 1), ("b", 2)]


def test_take_removes_a_private_value_and_returns_it_itself():
    sut = Clipboard()
    value = numpy.zeros(3)
    sut.put("a", value)
    assert sut.take("a") is value and "a" not in sut
    with pytest.raises(KeyError):
        sut.take("a")


@pytest.mark.parametrize("used_before", [False, True])
def test_take_asks_what_arrived_for_a_value_of_its_own(used_before):
    class Arrived(Late):
        def take(self, owned, copy):
            assert owned == ([1] if used_before else [])
            return ("taken", copy)

    sut = Clipboard()
    sut._receive("a", Arrived(1))
    if used_before:
        sut.get("a")
    assert sut.take("a", copy=False) == ("taken", False)
    assert len(sut) == 0


def test_take_that_is_refused_leaves_the_value_where_it_is():
    class Refusing(Late):
        def take(self, owned, copy):
            raise ValueError("no")

    sut = Clipboard()
    sut._receive("a", Refusing(1))
    with pytest.raises(ValueError):
        sut.take("a")
    assert sut.get("a") == 1


def test_a_new_value_has_nothing_to_do_with_the_one_that_crossed():
    class Crossed(Late):
        def take(self, owned, copy):
            raise AssertionError("asked about an old value")

    sut = Clipboard()
    sut.put("a", 1, True)
    sut._published({"a": Crossed(1)})
    sut.put("a", 2)
    assert sut.take("a") == 2
    sut._receive("b", Crossed(1))
    sut.get("b")
    sut["b"] = 3
    assert sut.take("b") == 3


def test_what_arrives_is_not_shareable_even_over_a_marked_key():
    sut = Clipboard()
    sut.put("a", 1, True)
    sut._receive("a", Late(2))
    assert sut.getSharedKeys() == [] and sut._unpublished_items() == [] and sut.get("a") == 2


def test_a_canvas_is_a_shareable_array_that_can_be_written():
    sut = Clipboard()
    array = numpy.zeros(3)
    sut.put("a", array, True, writeable=True)
    assert sut._unpublished_items() == [("a", array, True)]
    sut.put("a", array, True)
    assert sut._unpublished_items() == [("a", array, False)]


@pytest.mark.parametrize(
    ("value", "shareable", "error", "text"),
    [
        (numpy.zeros(3), False, ValueError, "for shareable values"),
        ([1, 2], True, TypeError, "saw a builtins.list"),
        (numpy.ma.zeros(3), True, TypeError, "saw a numpy.ma"),
        (numpy.zeros(3, object), True, TypeError, "saw an array of object"),
        (numpy.broadcast_to(1.0, (2, 2)), True, ValueError, "cannot be read-only"),
    ],
)
def test_a_canvas_that_cannot_be_one_is_refused_and_changes_nothing(value, shareable, error, text):
    sut = Clipboard()
    sut.put("a", "before")
    with pytest.raises(error, match=text) as caught:
        sut.put("a", value, shareable, writeable=True)
    assert "'a'" in str(caught.value)
    assert sut.get("a") == "before" and sut.getSharedKeys() == []

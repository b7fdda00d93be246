# SPDX-License-Identifier: BSD-3-Clause
"""The exception tree: parents, builtin bases, old names, message, pickling."""

import builtins
import copy
import pickle

import harness.exceptions as tree
import lsst.pex.exceptions as shim
import pytest

PARENTS = {
    "Exception": [builtins.Exception],
    "LogicError": [tree.Exception],
    "RuntimeError": [tree.Exception, builtins.RuntimeError],
    "NotFoundError": [tree.Exception, builtins.LookupError],
    "DomainError": [tree.LogicError],
    "InvalidParameterError": [tree.LogicError],
    "LengthError": [tree.LogicError],
    "OutOfRangeError": [tree.LogicError],
    "RangeError": [tree.RuntimeError],
    "OverflowError": [tree.RuntimeError],
    "UnderflowError": [tree.RuntimeError],
    "MemoryError": [tree.RuntimeError],
    "IoError": [tree.RuntimeError, builtins.OSError],
    "TypeError": [tree.RuntimeError, builtins.TypeError],
    "TimeoutError": [tree.RuntimeError],
}

OLD_NAMES = {
    "LsstException": "Exception",
    "LsstCppException": "Exception",
    "LogicErrorException": "LogicError",
    "DomainErrorException": "DomainError",
    "InvalidParameterException": "InvalidParameterError",
    "LengthErrorException": "LengthError",
    "OutOfRangeException": "OutOfRangeError",
    "RuntimeErrorException": "RuntimeError",
    "RangeErrorException": "RangeError",
    "OverflowErrorException": "OverflowError",
    "UnderflowErrorException": "UnderflowError",
    "MemoryException": "MemoryError",
    "IoErrorException": "IoError",
    "TypeErrorException": "TypeError",
    "TimeoutException": "TimeoutError",
    "NotFoundException": "NotFoundError",
}


@pytest.mark.contract("10.6.exceptions")
@pytest.mark.parametrize("name", PARENTS)
def test_class_has_exactly_the_bases_of_the_contract(name):
    assert list(getattr(tree, name).__bases__) == PARENTS[name]


@pytest.mark.parametrize("name", PARENTS)
def test_message_and_cpp_are_reachable(name):
    error = getattr(tree, name)("no gain for amplifier 3")
    assert str(error) == "no gain for amplifier 3"
    assert error.what() == "no gain for amplifier 3"
    assert error.cpp is error


@pytest.mark.parametrize("name", PARENTS)
@pytest.mark.parametrize("clone", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_copies_keep_class_message_and_attributes(name, clone):
    error = getattr(tree, name)("cannot open bias.fits")
    error.path = "bias.fits"
    twin = clone(error)
    assert type(twin) is type(error)
    assert twin.what() == "cannot open bias.fits"
    assert twin.path == "bias.fits"


@pytest.mark.contract("10.6.exceptions")
@pytest.mark.parametrize("old, new", OLD_NAMES.items())
def test_old_name_is_the_same_class(old, new):
    assert getattr(tree, old) is getattr(tree, new)


def test_every_public_name_is_listed_and_reexported():
    assert set(tree.__all__) == set(PARENTS) | set(OLD_NAMES)
    assert all(getattr(shim, name) is getattr(tree, name) for name in tree.__all__)


def test_builtin_except_clause_catches_and_keeps_errno():
    with pytest.raises(OSError) as caught:
        raise tree.IoError(2, "no such file", "bias.fits")
    assert caught.value.errno == 2 and caught.value.filename == "bias.fits"
    with pytest.raises(LookupError):
        raise tree.NotFoundError("gain")


def test_subclass_with_its_own_constructor_pickles():
    twin = pickle.loads(pickle.dumps(ParsingFailed("camera.paf", 12)))
    assert (twin.path, twin.line, twin.what()) == ("camera.paf", 12, "camera.paf:12")


class ParsingFailed(tree.RuntimeError):
    """An exception with two constructor arguments, as other rooms define them."""

    def __init__(self, path, line):
        super().__init__(path, line)
        self.path = path
        self.line = line

    def __str__(self):
        return f"{self.path}:{self.line}"

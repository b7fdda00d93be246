# SPDX-License-Identifier: BSD-3-Clause
"""Image: an array with a header that NumPy takes for the array, and that pickles out of band."""

import pickle

import numpy
import pytest
from harness.properties import PropertyList
from harness.storage import Image


def header(**entries):
    result = PropertyList()
    for name, value in entries.items():
        result.set(name, value)
    return result


def test_array_and_header_are_kept_by_reference():
    pixels, entries = numpy.zeros((2, 3)), header(GAIN=1.5)
    sut = Image(pixels, entries)
    assert sut.array is pixels
    assert sut.header is entries
    assert (sut.shape, sut.dtype) == ((2, 3), numpy.dtype(float))
    assert repr(sut) == "<Image 2 x 3 float64, 1 header entries>"


def test_without_a_header_it_is_empty():
    assert len(Image(numpy.zeros((1, 1))).header) == 0


def test_numpy_takes_it_for_its_array():
    pixels = numpy.arange(6).reshape(2, 3)
    sut = Image(pixels)
    assert numpy.asarray(sut) is pixels
    assert numpy.add(sut, 1).sum() == 21
    assert numpy.median(sut) == 2.5
    assert numpy.asarray(sut, dtype="f4").dtype == numpy.dtype("f4")


def test_copies_are_made_when_asked_for_and_refused_when_forbidden():
    pixels = numpy.zeros((2, 2), "i4")
    assert not numpy.shares_memory(numpy.array(Image(pixels)), pixels)
    with pytest.raises(ValueError, match="without a copy"):
        Image(pixels).__array__("f4", copy=False)


def test_pickle_takes_the_pixels_out_of_band_and_comes_back_equal():
    sut = Image(numpy.arange(10_000, dtype="u2").reshape(100, 100), header(GAIN=1.5))
    buffers = []
    text = pickle.dumps(sut, protocol=5, buffer_callback=buffers.append)
    assert [buffer.raw().nbytes for buffer in buffers] == [20_000]
    assert len(text) < 2_000
    twin = pickle.loads(text, buffers=buffers)
    assert numpy.array_equal(twin.array, sut.array)
    assert twin.header == sut.header
    assert numpy.shares_memory(twin.array, sut.array)


def test_other_shapes_are_refused_with_the_alternative():
    with pytest.raises(ValueError, match=r"not shape \(3, 2, 2\); use a plain numpy\.ndarray"):
        Image(numpy.zeros((3, 2, 2)))


def test_wrong_kinds_are_type_errors():
    with pytest.raises(TypeError, match="needs a NumPy array, not list"):
        Image([[1, 2]])
    with pytest.raises(TypeError, match="must be a PropertyList, not dict"):
        Image(numpy.zeros((1, 1)), {"GAIN": 1})

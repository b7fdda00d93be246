# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: BSD-3-Clause
"""Mean of an image after clipping outliers, read from the clipboard's memory with the interpreter released."""

from libc.math cimport fabs, sqrt

from harness._clipboard cimport Clipboard, Pixels


cdef struct Moments:
    double mean
    double deviation
    Py_ssize_t used


cdef inline float pixel(char* data, Py_ssize_t* strides, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    return (<float*> (data + row * strides[0] + column * strides[1]))[0]


cdef Moments clip_once(Pixels image, Moments last, double width) noexcept nogil:
    # Mean and deviation of the pixels within `width` deviations of the last mean; of all if there is none yet.
    cdef Py_ssize_t row, column
    cdef double value, delta
    cdef double total = 0, squares = 0
    cdef Moments out
    out.used = 0
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            value = pixel(image.data, image.strides, row, column)
            delta = value - last.mean
            if last.used > 0 and fabs(delta) > width * last.deviation:
                continue
            total += delta
            squares += delta * delta
            out.used += 1
    if out.used == 0:
        return last
    out.mean = last.mean + total / out.used
    out.deviation = sqrt(max(0.0, squares / out.used - (total / out.used) ** 2))
    return out


def clipped_mean(Clipboard clipboard, key, double width=3.0, int rounds=3):
    """(mean, deviation, number of pixels used) of the image under `key`.

    Args:
        clipboard: a clipboard; the image on it is a two-dimensional array of float32 with any strides.
        key: where it is.
        width: how many deviations from the mean a pixel may lie, above 0.
        rounds: how often to clip, 0 or more.

    Raises:
        KeyError: there is nothing under `key`.
        TypeError: what is there is no such array.
    """
    cdef Pixels image = clipboard.pixels(key, False)
    cdef Moments moments
    cdef int turn
    if image.ndim != 2 or image.format != b"f":
        raise TypeError(f"clipboard key {key!r}: expected a two-dimensional array of float32, saw"
                        f" {image.ndim} dimensions of format {image.format.decode()!r}")
    moments.mean = moments.deviation = 0
    moments.used = 0
    with nogil:
        for turn in range(rounds + 1):
            moments = clip_once(image, moments, width)
    return moments.mean, moments.deviation, moments.used


def fill_rows(Clipboard clipboard, key, Py_ssize_t first, Py_ssize_t end, float value):
    """Sets rows `first` to `end` (excluded) of the canvas under `key`, an array of float32, to `value`.

    Raises:
        KeyError: there is nothing under `key`.
        TypeError: what is there is no two-dimensional array of float32.
        ValueError: it is read-only, or has no such rows.
    """
    cdef Pixels image = clipboard.pixels(key, True)
    cdef Py_ssize_t row, column
    if image.ndim != 2 or image.format != b"f":
        raise TypeError(f"clipboard key {key!r}: expected a two-dimensional array of float32")
    if not 0 <= first <= end <= image.shape[0]:
        raise ValueError(f"clipboard key {key!r}: rows {first}:{end} of an image with {image.shape[0]} rows")
    with nogil:
        for row in range(first, end):
            for column in range(image.shape[1]):
                (<float*> (image.data + row * image.strides[0] + column * image.strides[1]))[0] = value

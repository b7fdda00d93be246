# SPDX-License-Identifier: BSD-3-Clause
"""Every kind of value that may ride, as a table: how to make it, and stages that send and check it.

Imported by the runs of `test_riding.py` from their own folder.
"""

from __future__ import annotations

import datetime
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import harness
import lsst.daf.base as dafBase
import numpy as np
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing

N = 40_000
"""Elements of the arrays: 8 bytes each are well above what travels inline."""


class Tagged(np.ndarray):
    """An ndarray subclass with state in an attribute."""

    tag: str = ""


class Guarded(np.ndarray):
    """An ndarray subclass that pickles itself in a way of its own, in band."""

    def __reduce__(self):
        return rebuild_guarded, (np.asarray(self).tobytes(), self.dtype, self.shape)


def rebuild_guarded(data, dtype, shape):
    return np.frombuffer(data, dtype).reshape(shape).view(Guarded)


@dataclass
class Star:
    name: str
    pixels: np.ndarray
    history: list = field(default_factory=list)


class Slotted:
    __slots__ = ("image", "scale")

    def __init__(self, image, scale):
        self.image = image
        self.scale = scale


class Model:
    """A plain object with a link to itself."""

    def __init__(self, data):
        self.data = data
        self.me = self


def born(values: Any, dtype: Any = None, order: str = "C") -> np.ndarray:
    """`values` as an array born in the arena."""
    source = np.asarray(values, dtype)
    if order == "F":
        return harness.asarray(np.ascontiguousarray(source.T)).T
    return harness.asarray(source)


def ramp(dtype: Any = "f8", shape: tuple[int, ...] = (200, 200)) -> np.ndarray:
    return np.arange(N).reshape(shape).astype(dtype)


def structured() -> np.ndarray:
    table = np.zeros(N, [("id", ">i4"), ("flux", "f8"), ("name", "S4")])
    table["id"] = np.arange(N)
    table["flux"] = np.linspace(0, 1, N)
    table["name"] = b"star"
    return table


def tagged() -> Tagged:
    array = born(ramp()).view(Tagged)
    array.tag = "sky"
    return array


def masked(hard: bool = False) -> np.ma.MaskedArray:
    array = np.ma.MaskedArray(born(ramp()), mask=born(ramp() % 7 == 0), fill_value=-5.0)
    if hard:
        array.harden_mask()
    return array


def quantity() -> Any:
    from astropy import units

    return units.Quantity(born(ramp()), units.Jy, copy=False)


def ccd() -> Any:
    from astropy.nddata import CCDData, StdDevUncertainty
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 10.5, -20.25
    wcs.wcs.crpix = 100.0, 100.0
    wcs.wcs.cdelt = -0.001, 0.001
    return CCDData(
        born(ramp()), unit="adu", mask=born(ramp() % 5 == 0), wcs=wcs, meta={"EXPTIME": 30.0},
        uncertainty=StdDevUncertainty(born(np.sqrt(ramp())), copy=False),
    )


def nddata() -> Any:
    from astropy.nddata import NDData, VarianceUncertainty

    variance = VarianceUncertainty(born(ramp("f4")), copy=False)
    return NDData(born(ramp("f4")), uncertainty=variance, unit="electron")


def property_set() -> dafBase.PropertySet:
    properties = dafBase.PropertySet()
    properties.set("visit", 85)
    properties.set("pointing.ra", 10.5)
    properties.set("filters", ["g", "r"])
    return properties


def shared_twice() -> dict[str, np.ndarray]:
    array = born(ramp())
    return {"first": array, "again": array}


KINDS = {
    # name: (maker, whether its large arrays are born in the arena and may not be copied)
    "c": (lambda: born(ramp()), True),
    "fortran": (lambda: born(ramp("f4"), order="F"), True),
    "strided": (lambda: born(ramp())[::2, ::3], True),
    "reversed": (lambda: born(ramp())[::-1, ::-1], True),
    "moved_axes": (lambda: np.moveaxis(born(ramp("i4", (20, 40, 50))), 0, 1), True),
    "broadcast": (lambda: np.broadcast_to(born(ramp("f8", (1, N))), (3, N)), True),
    "tiny_broadcast": (lambda: np.broadcast_to(np.float64(2.5), (300, 300)), True),
    "zero_d": (lambda: np.array(3.5), True),
    "empty": (lambda: np.zeros((0, 4), ">i2"), True),
    "empty_fortran": (lambda: np.zeros((3, 0, 2), order="F"), True),
    "no_bytes": (lambda: np.zeros(5, "S0"), True),
    "small": (lambda: np.arange(12.0).reshape(3, 4), True),
    "small_fortran": (lambda: np.asfortranarray(np.arange(12.0).reshape(3, 4)), True),
    "small_reversed": (lambda: np.arange(12)[::-1], True),
    "big_endian": (lambda: born(ramp(">f8")), True),
    "booleans": (lambda: born(np.arange(9 * N) % 3 == 0), True),
    "complex": (lambda: born(ramp("c16")), True),
    "half": (lambda: born(np.tile(ramp("f2"), 3)), True),
    "dates": (lambda: born(ramp("M8[s]")), True),
    "text": (lambda: born(np.full(N, "abc", "U3")), True),
    "bytes": (lambda: born(np.full(N, b"ab", "S2")), True),
    "structured": (lambda: born(structured()), True),
    "aligned": (lambda: born(np.zeros(N, np.dtype("i1,f8", align=True))), True),
    "metadata": (lambda: born(ramp()).view(np.dtype("f8", metadata={"unit": "adu"})), True),
    "objects": (lambda: np.array([1, "x", None, born(ramp())], dtype=object), True),
    "objects_in_records": (lambda: np.array([(1, "x"), (2, None)], [("n", "i4"), ("o", "O")]), True),
    "recarray": (lambda: born(structured()).view(np.recarray), True),
    "matrix_like": (tagged, True),
    "small_subclass": (lambda: np.arange(3.0).view(Tagged), True),
    "own_reduction": (lambda: born(ramp()).view(Guarded), False),
    "masked": (masked, True),
    "hard_mask": (lambda: masked(hard=True), True),
    "no_mask": (lambda: np.ma.MaskedArray(born(ramp())), True),
    "masked_fortran": (
        lambda: np.ma.MaskedArray(born(ramp(), order="F"), mask=born(ramp() > 9, order="F")), True
    ),
    "masked_records": (lambda: np.ma.MaskedArray(born(structured()), mask=False), False),
    "small_masked": (lambda: np.ma.MaskedArray([1.0, 2.0, 3.0], mask=[0, 1, 0]), True),
    "quantity": (quantity, True),
    "nddata": (nddata, True),
    "ccd": (ccd, True),
    "dataclass": (lambda: Star("Vega", born(ramp()), ["flat", 1]), True),
    "slots": (lambda: Slotted(born(ramp("f4")), 2.0), True),
    "plain_object": (lambda: Model(born(ramp())), True),
    "dict": (lambda: {"a": born(ramp()), ("b", 1): [born(ramp("f4")), 3], "nested": {"c": masked()}}, True),
    "list": (lambda: [born(ramp()), (born(ramp("i4")), None), {1, 2}], True),
    "ordered": (lambda: OrderedDict(z=1, a=born(ramp())), True),
    "same_twice": (shared_twice, True),
    "property_set": (property_set, True),
    "properties_in_list": (lambda: [property_set(), Star("x", born(ramp()))], True),
    "none": (lambda: None, True),
    "number": (lambda: 7, True),
    "word": (lambda: "caf\u00e9", True),
    "time": (lambda: datetime.datetime(2009, 11, 23), True),
    "numpy_scalar": (lambda: np.float32(1.5), True),
    "private": (lambda: ramp(), False),
    "private_masked": (lambda: np.ma.MaskedArray(ramp(), mask=ramp() > 5), False),
}
"""`False` in the second place: something in it is copied, and has to be counted."""


def check(want: Any, got: Any, path: str) -> None:
    """Raises where `got`, which arrived, is not what `want` is: type, value, dtype, order, read-only."""
    assert type(got) is type(want), (path, type(want), type(got))
    if isinstance(want, np.ndarray):
        _check_array(want, got, path)
    elif isinstance(want, dict):
        assert list(got) == list(want), path
        for key in want:
            check(want[key], got[key], f"{path}[{key!r}]")
    elif isinstance(want, (list, tuple)):
        assert len(got) == len(want), path
        for index, (one, other) in enumerate(zip(want, got, strict=True)):
            check(one, other, f"{path}[{index}]")
    elif type(want).__module__.startswith("astropy.nddata"):
        _check_nddata(want, got, path)
    elif isinstance(want, dafBase.PropertySet):
        assert str(got) == str(want), path
    elif isinstance(want, Slotted):
        check([want.image, want.scale], [got.image, got.scale], path)
    elif hasattr(want, "__dict__"):
        assert ("me" in vars(want)) == (getattr(got, "me", None) is got), path
        mine, theirs = ({k: v for k, v in vars(one).items() if k != "me"} for one in (want, got))
        check(mine, theirs, path)
    else:
        assert got == want, (path, want, got)


def _check_array(want: np.ndarray, got: np.ndarray, path: str) -> None:
    assert got.dtype == want.dtype and got.dtype.metadata == want.dtype.metadata, (path, got.dtype)
    assert got.dtype.byteorder == want.dtype.byteorder and got.dtype.type is want.dtype.type, path
    assert got.shape == want.shape, (path, got.shape)
    for flag in ("C_CONTIGUOUS", "F_CONTIGUOUS"):
        if want.flags["C_CONTIGUOUS"] or want.flags["F_CONTIGUOUS"]:
            assert got.flags[flag] == want.flags[flag], (path, flag)
    assert not got.flags.writeable, f"{path} is writeable"
    if isinstance(want, np.ma.MaskedArray):
        assert (got.mask is np.ma.nomask) == (want.mask is np.ma.nomask), path
        assert np.array_equal(got.mask, want.mask) and np.array_equal(got.data, want.data), path
        assert np.array_equal(got.fill_value, want.fill_value), path
        assert got.hardmask == want.hardmask, path
        assert got.mask is np.ma.nomask or not got._mask.flags.writeable, f"{path}: its mask is writeable"
    elif want.dtype.hasobject and want.dtype.names is None:
        check(list(want), list(got), path)
    else:
        assert np.array_equal(np.asarray(got), np.asarray(want)), path
    assert getattr(got, "tag", None) == getattr(want, "tag", None), path
    assert getattr(got, "unit", None) == getattr(want, "unit", None), path


def _check_nddata(want: Any, got: Any, path: str) -> None:
    check(want.data, got.data, path + ".data")
    check(want.mask, got.mask, path + ".mask")
    assert got.unit == want.unit and dict(got.meta) == dict(want.meta), path
    assert type(got.uncertainty) is type(want.uncertainty), path
    check(want.uncertainty.array, got.uncertainty.array, path + ".uncertainty")
    assert got.uncertainty.parent_nddata is got, path
    if want.wcs is not None:
        assert got.wcs.to_header() == want.wcs.to_header(), path


def report(direction: str, name: str, receive: Any) -> None:
    """Prints whether what `receive()` gives is what was sent under `name`."""
    try:
        check(KINDS[name][0](), receive(), name)
        verdict = "arrived"
    except Exception as error:
        verdict = f"{type(error).__name__}: {error}".replace("\n", " ")
    # In one piece: several processes write.
    os.write(1, f"{direction} {name}: {verdict}\n".encode())


class Send(SerialProcessing):
    def preprocess(self, clipboard):
        for name in KINDS:
            clipboard.put(name, KINDS[name][0](), True)


class Check(ParallelProcessing):
    def process(self, clipboard):
        for name in KINDS:
            report("down", name, lambda name=name: clipboard.getItem(name))


class SendUp(ParallelProcessing):
    def process(self, clipboard):
        for name in KINDS:
            clipboard.put(name, KINDS[name][0](), True)


class CheckUp(SerialProcessing):
    def postprocess(self, clipboard):
        for name in KINDS:
            for rank in range(self.universeSize - 1):
                report("up", name, lambda name=name, rank=rank: clipboard.getItem(f"{name}-{rank}"))


class CheckAcross(ParallelProcessing):
    def process(self, clipboard):
        before = (self.rank - 1) % (self.universeSize - 1)
        for name in KINDS:
            report("across", name, lambda name=name: clipboard.getItem(f"{name}-{before}"))

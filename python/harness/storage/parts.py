# SPDX-License-Identifier: BSD-3-Clause
"""Objects taken apart into named arrays and notes, for files that hold several arrays, and put together.

An array alone is the part ``data``; what belongs to it, such as a mask, are parts beside it. A dict of arrays
is its items. Headers, units and coordinates stand in the notes, a JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.exceptions import InvalidParameterError
from harness.properties import PropertyList
from harness.properties.json_form import dump_properties, load_properties
from harness.storage.image import Image
from harness.storage.interface import ReadRequest
from harness.storage.kinds import is_ccddata, is_quantity, wanted_class

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["MAIN", "NOTES", "Parts", "parts_of", "read_parts"]

MAIN = "data"
NOTES = "harness.json"
"""Where files keep the notes; no array may have this name."""

KINDS = ("ndarray", "Image", "CCDData", "Quantity", "dict")
_BESIDE = ("mask", "uncertainty", "psf")


@dataclass(frozen=True)
class Parts:
    """Arrays by name, and notes that JSON can hold."""

    arrays: dict[str, Array]
    notes: dict[str, Any] = field(default_factory=dict)

    def notes_text(self) -> str:
        """The notes as JSON; empty without any."""
        return json.dumps(self.notes) if self.notes else ""


def parts_of(obj: Any, storage: str) -> Parts:
    """The parts of an ndarray, Image, CCDData, Quantity or dict of arrays; none is copied.

    Raises:
        TypeError: the object is nothing that arrays and notes can hold.
    """
    import numpy

    if isinstance(obj, Image):
        notes = {"header": dump_properties(obj.header)} if len(obj.header) else {}
        return Parts({MAIN: _plain(obj.array, MAIN, storage)}, notes)
    if is_ccddata(type(obj)):
        return _ccddata_parts(obj, storage)
    if is_quantity(type(obj)):
        return Parts({MAIN: _plain(numpy.asarray(obj.value), MAIN, storage)}, {"unit": obj.unit.to_string()})
    if isinstance(obj, numpy.ndarray):
        return Parts({MAIN: _plain(obj, MAIN, storage)})
    if isinstance(obj, Mapping) and obj:
        return Parts({_name(name, storage): _plain(array, name, storage) for name, array in obj.items()})
    raise TypeError(
        f"{storage} cannot write {type(obj).__module__}.{type(obj).__qualname__}; it writes numpy.ndarray,"
        " harness.storage.image.Image, astropy.nddata.CCDData, astropy.units.Quantity and dicts of arrays"
    )


def read_parts(
    path: str,
    request: ReadRequest,
    storage: str,
    names: list[str],
    read: Callable[[str], Array],
    notes: str,
) -> Any:
    """The object that a request wants from a file of named arrays.

    Args:
        path, request, storage: for messages.
        names: the arrays in the file.
        read: gives one of them, native and in an array of its own.
        notes: the notes of the file, empty without any.

    Raises:
        IoError: there is no such member, the notes are damaged, or parts are missing.
        TypeError: no object of the wanted class can be made.
    """
    import numpy

    wanted = wanted_class(request, storage, KINDS, _accepts)
    told = _notes(path, request, notes)
    if wanted is dict:
        return {name: read(name) for name in ([request.member] if request.member else names)}
    main = _main(path, request, names)
    array = read(main)
    if wanted is numpy.ndarray:
        return array
    if is_quantity(wanted):
        from astropy.units import Quantity

        return Quantity(array, told.get("unit", ""), copy=None, dtype=array.dtype)
    if is_ccddata(wanted):
        return _ccddata(wanted, array, {name: read(name) for name in _BESIDE if name in names}, told)
    if array.ndim != 2:
        raise request.error(
            path,
            f"'{main}' has shape {array.shape}, and an Image has two dimensions; ask for pythonType"
            " numpy.ndarray",
        )
    header = load_properties(told["header"]) if "header" in told else PropertyList()
    image = Image(array, header if isinstance(header, PropertyList) else None)
    if wanted is Image:
        return image
    convert = getattr(wanted, "swigConvert", None)
    return convert(image) if convert is not None else wanted(image.array, image.header)


def _accepts(cls: type) -> bool:
    import numpy

    return cls in (numpy.ndarray, dict) or issubclass(cls, Image) or is_ccddata(cls) or is_quantity(cls)


def _main(path: str, request: ReadRequest, names: list[str]) -> str:
    if request.member:
        if request.member not in names:
            raise request.error(
                path,
                f"there is no member '{request.member}'; the file holds: {', '.join(names) or 'nothing'}",
            )
        return request.member
    if MAIN in names:
        return MAIN
    if len(names) == 1:
        return names[0]
    raise request.error(
        path, f"it holds several arrays ({', '.join(names) or 'none'}): say which by the key 'member'"
    )


def _notes(path: str, request: ReadRequest, text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        notes = json.loads(text)
        if isinstance(notes, dict):
            return notes
    except ValueError:
        pass
    raise request.error(path, f"its notes ('{NOTES}') are no JSON object: {text!r:.80}")


def _name(name: Any, storage: str) -> str:
    if not isinstance(name, str) or not name or name == NOTES or name.strip("/") != name:
        raise TypeError(
            f"{storage} cannot write an array called {name!r}: a name is a text that is not empty, not"
            f" '{NOTES}', and neither begins nor ends with '/'"
        )
    return name


def _plain(array: Any, name: str, storage: str) -> Array:
    import numpy

    if type(array) is not numpy.ndarray or array.dtype.hasobject:
        what = f"an array of {array.dtype}" if type(array) is numpy.ndarray else type(array).__qualname__
        raise TypeError(f"{storage} cannot write '{name}': {what} is no plain array of numbers or texts")
    return array


def _ccddata_parts(frame: Any, storage: str) -> Parts:
    import numpy
    from astropy.io import fits

    from harness.storage.fits_header import properties_of

    if getattr(frame, "flags", None) is not None:
        raise TypeError(
            f"{storage} cannot write the flags of a CCDData; put them on the clipboard by themselves"
        )
    arrays = {MAIN: _plain(numpy.asarray(frame.data), MAIN, storage)}
    notes: dict[str, Any] = {"unit": frame.unit.to_string()}
    if frame.mask is not None:
        arrays["mask"] = _plain(numpy.asarray(frame.mask), "mask", storage)
    if frame.psf is not None:
        arrays["psf"] = _plain(numpy.asarray(frame.psf), "psf", storage)
    if frame.uncertainty is not None:
        kind = frame.uncertainty.uncertainty_type
        if kind not in ("std", "var", "ivar"):
            raise TypeError(
                f"{storage} cannot write uncertainties of type {kind!r}; it writes std, var and ivar"
            )
        arrays["uncertainty"] = _plain(numpy.asarray(frame.uncertainty.array), "uncertainty", storage)
        notes["uncertainty"] = kind
        if frame.uncertainty.unit is not None:
            notes["uncertainty_unit"] = frame.uncertainty.unit.to_string()
    if len(frame.meta):
        notes["header"] = dump_properties(properties_of(fits.Header(frame.meta)))
    if frame.wcs is not None:
        notes["wcs"] = frame.wcs.to_header_string(relax=True)
    return Parts(arrays, notes)


def _ccddata(wanted: Any, array: Array, beside: Mapping[str, Array], notes: Mapping[str, Any]) -> Any:
    from astropy import nddata
    from astropy.io import fits
    from astropy.wcs import WCS

    from harness.storage.fits_header import cards_of

    meta = fits.Header()
    if "header" in notes:
        header = load_properties(notes["header"])
        if not isinstance(header, PropertyList):
            raise InvalidParameterError("the header of a CCDData is no list of properties")
        meta = fits.Header(cards_of(header))
    wcs = WCS(fits.Header.fromstring(notes["wcs"])) if "wcs" in notes else None
    if wcs is not None:
        wcs.pixel_shape = array.shape[::-1] if wcs.pixel_n_dim == array.ndim else None
    frame = wanted(array, unit=notes.get("unit", "adu"), meta=meta, mask=beside.get("mask"), wcs=wcs)
    if "uncertainty" in beside:
        kinds = {
            "std": nddata.StdDevUncertainty,
            "var": nddata.VarianceUncertainty,
            "ivar": nddata.InverseVariance,
        }
        unit = notes.get("uncertainty_unit")
        kind = kinds[notes.get("uncertainty", "std")]
        frame.uncertainty = kind(beside["uncertainty"], unit=unit, copy=False)
    if "psf" in beside:
        frame.psf = beside["psf"]
    return frame

# SPDX-License-Identifier: BSD-3-Clause
"""Arrays, and objects made of them, in .npy, .npz, HDF5 and Zarr: all comes back, and damage is told."""

import importlib
import importlib.util
import io
import os
import shutil
import zipfile
from pathlib import Path

import harness.exceptions as pex
import numpy
import pytest
from harness.properties import PropertyList
from harness.storage import Image, ReadRequest, storage_named

ALONE = ["NpyStorage", "NpzStorage", "Hdf5Storage", "ZarrStorage"]
SEVERAL = ALONE[1:]
NEEDS = {"Hdf5Storage": "h5py", "ZarrStorage": "zarr"}
TYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8", "c16"]


if importlib.util.find_spec("zarr"):
    # It keeps an event loop for the life of the process, which no single test has to answer for.
    importlib.import_module("zarr").zeros((1,))[...]


def storage(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is not installed")
    return storage_named(name)


def request(kind="ndarray", member=""):
    return ReadRequest("frame", kind, None, member)


def error_of(name, path, kind="ndarray", member=""):
    with pytest.raises(pex.IoError) as caught:
        storage(name).read(str(path), request(kind, member))
    message = str(caught.value)
    assert "item 'frame'" in message and str(path) in message
    return message


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_comes_back_native_and_equal(name, dtype, order, tmp_path):
    pixels = (numpy.arange(35) % 7).reshape(5, 7).astype(numpy.dtype(dtype).newbyteorder(order))
    sut = storage(name)
    sut.write(str(tmp_path / "a"), pixels)
    found = sut.read(str(tmp_path / "a"), request())
    assert type(found) is numpy.ndarray
    assert found.dtype == pixels.dtype.newbyteorder("=") and found.dtype.isnative
    assert numpy.array_equal(found, pixels)
    assert found.flags.writeable


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize(
    "pixels",
    [
        numpy.arange(24.0).reshape(2, 3, 4),
        numpy.asfortranarray(numpy.arange(12.0).reshape(3, 4)),
        numpy.arange(40)[::-3],
        numpy.array(3.5),
        numpy.zeros((0, 4)),
    ],
    ids=["cube", "Fortran order", "strided", "no axis", "empty"],
)
def test_every_shape_and_order_comes_back(name, pixels, tmp_path):
    sut = storage(name)
    sut.write(str(tmp_path / "a"), pixels)
    found = sut.read(str(tmp_path / "a"), request())
    assert found.shape == pixels.shape and numpy.array_equal(found, pixels)


@pytest.mark.parametrize("name", ALONE)
def test_the_pixels_are_read_into_an_array_of_the_harness(name, tmp_path, monkeypatch):
    made = []

    def recorded(shape, dtype):
        made.append(numpy.empty(shape, dtype))
        return made[-1]

    sut = storage(name)
    sut.write(str(tmp_path / "a"), numpy.arange(12, dtype=">f4").reshape(3, 4))
    monkeypatch.setattr("harness.storage.pieces.empty", recorded)
    found = sut.read(str(tmp_path / "a"), request())
    assert found is made[0] and found.tolist()[1] == [4, 5, 6, 7]


@pytest.mark.parametrize("name", SEVERAL)
def test_an_image_keeps_its_header(name, tmp_path):
    header = PropertyList()
    header.set("EXPTIME", 15.0, "seconds")
    header.set("FILTER", "r")
    header.add("COMMENT", "one")
    header.add("COMMENT", "two")
    sut = storage(name)
    sut.write(str(tmp_path / "a"), Image(numpy.arange(6, dtype="u2").reshape(2, 3), header))
    found = sut.read(str(tmp_path / "a"), request("Image"))
    assert type(found) is Image and found.array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found.header.toList() == header.toList()
    assert sut.read(str(tmp_path / "a"), request("ndarray")).dtype == numpy.dtype("u2")


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("kind", ["std", "var", "ivar"])
def test_ccd_data_keeps_unit_mask_uncertainty_coordinates_and_header(name, kind, tmp_path):
    nddata = pytest.importorskip("astropy.nddata")
    from astropy.wcs import WCS

    kinds = {
        "std": nddata.StdDevUncertainty,
        "var": nddata.VarianceUncertainty,
        "ivar": nddata.InverseVariance,
    }
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [10.5, -20.25], [2, 3], [-0.01, 0.01]
    pixels = numpy.arange(12, dtype="f4").reshape(3, 4)
    frame = nddata.CCDData(
        pixels,
        unit="electron",
        mask=pixels > 7,
        uncertainty=kinds[kind](numpy.sqrt(pixels + 1)),
        wcs=wcs,
        meta={"GAIN": 1.5, "FILTER": "r"},
    )
    sut = storage(name)
    sut.write(str(tmp_path / "a"), frame)
    found = sut.read(str(tmp_path / "a"), request("CCDData"))
    assert type(found) is nddata.CCDData and str(found.unit) == "electron"
    assert numpy.array_equal(found.data, pixels) and found.data.dtype == numpy.dtype("f4")
    assert numpy.array_equal(found.mask, frame.mask) and found.mask.dtype == bool
    assert type(found.uncertainty) is kinds[kind]
    assert numpy.array_equal(found.uncertainty.array, frame.uncertainty.array)
    assert found.uncertainty.unit == frame.uncertainty.unit
    assert found.wcs.wcs.compare(wcs.wcs, tolerance=1e-12)
    assert (found.meta["GAIN"], found.meta["FILTER"]) == (1.5, "r")


@pytest.mark.parametrize("name", SEVERAL)
def test_a_quantity_keeps_its_unit(name, tmp_path):
    units = pytest.importorskip("astropy.units")
    sut = storage(name)
    sut.write(str(tmp_path / "a"), numpy.arange(3, dtype="f4") * units.Unit("adu / s"))
    found = sut.read(str(tmp_path / "a"), request("Quantity"))
    assert str(found.unit) == "adu / s" and found.value.tolist() == [0, 1, 2]
    assert found.dtype == numpy.dtype("f4")


@pytest.mark.parametrize("name", SEVERAL)
def test_arrays_by_name_are_read_together_or_one_of_them(name, tmp_path):
    sut = storage(name)
    path = str(tmp_path / "a")
    sut.write(path, {"flux": numpy.arange(3.0), "x": numpy.arange(4)})
    found = sut.read(path, request("dict"))
    assert {key: array.tolist() for key, array in found.items()} == {"flux": [0, 1, 2], "x": [0, 1, 2, 3]}
    assert sut.read(path, request("ndarray", "x")).tolist() == [0, 1, 2, 3]
    assert "no member 'y'; the file holds: flux, x" in error_of(name, path, member="y")
    assert "several arrays (flux, x): say which by the key 'member'" in error_of(name, path)


@pytest.mark.parametrize("name", SEVERAL)
def test_what_is_no_plain_array_is_refused_and_leaves_no_file(name, tmp_path):
    sut = storage(name)
    for wrong in [
        {"a": numpy.array([object()])},
        {"a": [1, 2]},
        {"harness.json": numpy.zeros(2)},
        {3: numpy.ones(2)},
    ]:
        with pytest.raises(TypeError, match=f"{name} cannot write"):
            sut.write(str(tmp_path / "a"), wrong)
    with pytest.raises(TypeError, match=f"{name} cannot write builtins.str"):
        sut.write(str(tmp_path / "a"), "text")
    assert list(tmp_path.iterdir()) == []


def test_npy_refuses_what_it_would_lose(tmp_path):
    sut = storage("NpyStorage")
    for wrong in [Image(numpy.zeros((2, 2))), numpy.ma.zeros(3), numpy.array([None]), {"a": numpy.zeros(2)}]:
        with pytest.raises(TypeError, match="NpyStorage cannot write .* a\n? ?.npy file has no place"):
            sut.write(str(tmp_path / "a"), wrong)
    assert list(tmp_path.iterdir()) == []


def test_npy_files_are_numpys_own_in_both_directions(tmp_path):
    pixels = numpy.arange(12, dtype=">i4").reshape(3, 4)
    storage("NpyStorage").write(str(tmp_path / "ours.npy"), pixels)
    assert numpy.array_equal(numpy.load(tmp_path / "ours.npy"), pixels)
    numpy.save(tmp_path / "theirs.npy", pixels.T)
    assert numpy.array_equal(storage("NpyStorage").read(str(tmp_path / "theirs.npy"), request()), pixels.T)
    image = storage("NpyStorage").read(str(tmp_path / "theirs.npy"), request("Image"))
    assert type(image) is Image and image.array.shape == (4, 3)


def test_npz_files_are_numpys_own_in_both_directions(tmp_path):
    storage("NpzStorage").write(str(tmp_path / "ours.npz"), {"a": numpy.arange(3), "b": numpy.eye(2)})
    with numpy.load(tmp_path / "ours.npz") as found:
        assert found["a"].tolist() == [0, 1, 2] and found["b"].tolist() == [[1, 0], [0, 1]]
    numpy.savez_compressed(tmp_path / "theirs.npz", only=numpy.zeros(100_000))
    assert storage("NpzStorage").read(str(tmp_path / "theirs.npz"), request()).shape == (100_000,)


def test_the_same_object_gives_the_same_file(tmp_path):
    for path in ("a", "b"):
        storage("NpzStorage").write(str(tmp_path / path), {"x": numpy.arange(5)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_hdf5_datasets_of_others_are_read_by_path_and_native(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["science/image"] = numpy.arange(6, dtype=">f8").reshape(2, 3)
        file["science/name"] = "M31"
        file.create_dataset("flat", data=numpy.ones((40, 50), "u2"), chunks=(8, 8), compression="gzip")
    sut = storage("Hdf5Storage")
    found = sut.read(str(tmp_path / "a.h5"), request("ndarray", "science/image"))
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]] and found.dtype.isnative
    assert sut.read(str(tmp_path / "a.h5"), request("ndarray", "flat")).sum() == 2000
    assert "texts or objects" in error_of("Hdf5Storage", tmp_path / "a.h5", member="science/name")


def test_zarr_arrays_and_groups_of_others_are_read(tmp_path):
    zarr = pytest.importorskip("zarr")
    zarr.save_array(str(tmp_path / "array.zarr"), numpy.arange(10, dtype="i2"))
    group = zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    group.create_group("deep").create_array(
        "x", data=numpy.arange(6, dtype=">f4").reshape(2, 3), chunks=(1, 2)
    )
    sut = storage("ZarrStorage")
    assert sut.read(str(tmp_path / "array.zarr"), request()).tolist() == list(range(10))
    found = sut.read(str(tmp_path / "group.zarr"), request("ndarray", "deep/x"))
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]] and found.dtype.isnative


# --- damage

BIG = numpy.random.default_rng(1).normal(size=(300, 200)).astype("f4")


def written(name, path):
    storage(name).write(str(path), BIG)
    return path


@pytest.mark.parametrize("name", ALONE)
def test_a_missing_file_is_an_io_error(name, tmp_path):
    assert "No such file" in error_of(name, tmp_path / "missing")


@pytest.mark.parametrize("name", ALONE[:3])
def test_an_empty_file_and_a_directory_are_io_errors(name, tmp_path):
    (tmp_path / "empty").touch()
    assert "empty" in error_of(name, tmp_path / "empty")
    assert "directory" in error_of(name, tmp_path).lower()


@pytest.mark.parametrize("name", ALONE[:3])
def test_something_else_is_told(name, tmp_path):
    (tmp_path / "a").write_bytes(b"neither of them" * 1000)
    message = error_of(name, tmp_path / "a")
    assert any(text in message for text in ("no .npy file", "truncated or damaged", "HDF5 cannot read it"))


@pytest.mark.parametrize("name", ALONE[:3])
@pytest.mark.parametrize("fraction", [0.001, 0.5, 0.999])
def test_a_truncated_file_is_told(name, fraction, tmp_path):
    path = written(name, tmp_path / "a")
    os.truncate(path, int(path.stat().st_size * fraction))
    message = error_of(name, path)
    if name == "NpyStorage" and fraction > 0.01:
        assert (
            f"expected {128 + BIG.nbytes} bytes for shape (300, 200), found {path.stat().st_size}" in message
        )


def test_a_damaged_member_of_an_archive_is_told(tmp_path):
    path = written("NpzStorage", tmp_path / "a")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "Bad CRC-32" in error_of("NpzStorage", path)


def test_a_dataset_that_does_not_fit_its_checksum_is_told(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a", "w") as file:
        file.create_dataset("data", data=BIG, chunks=BIG.shape, fletcher32=True)
        place = file["data"].id.get_chunk_info(0).byte_offset
    content = bytearray((tmp_path / "a").read_bytes())
    content[place + 1000] ^= 1
    (tmp_path / "a").write_bytes(content)
    assert "HDF5 cannot read it" in error_of("Hdf5Storage", tmp_path / "a")


def chunk_of(path):
    return next(file for file in Path(path).rglob("*") if file.is_file() and file.name.isdigit())


def test_a_zarr_chunk_that_is_missing_truncated_or_damaged_is_told(tmp_path):
    path = written("ZarrStorage", tmp_path / "a")
    chunk = chunk_of(path)
    content = chunk.read_bytes()
    chunk.write_bytes(content[: len(content) // 2])
    assert "damaged or cannot be read" in error_of("ZarrStorage", path)
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    chunk.write_bytes(flipped)
    assert "damaged or cannot be read" in error_of("ZarrStorage", path)
    chunk.unlink()
    assert "chunks are missing" in error_of("ZarrStorage", path)


def test_a_directory_without_a_group_and_damaged_metadata_are_told(tmp_path):
    storage("ZarrStorage")
    assert "no Zarr group or array" in error_of("ZarrStorage", tmp_path)
    path = written("ZarrStorage", tmp_path / "a")
    (path / "zarr.json").write_text("{")
    assert "no Zarr group or array" in error_of("ZarrStorage", path)


def test_pickles_are_never_loaded(tmp_path):
    numpy.save(tmp_path / "a.npy", numpy.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "holds Python objects" in error_of("NpyStorage", tmp_path / "a.npy")
    content = (tmp_path / "a.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("data.npy", content)
    assert "holds Python objects" in error_of("NpzStorage", tmp_path / "a.npz")


def test_a_header_that_promises_more_than_the_file_has_costs_no_memory(tmp_path):
    content = io.BytesIO()
    numpy.lib.format.write_array_header_1_0(
        content, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9)}
    )
    (tmp_path / "a").write_bytes(content.getvalue())
    assert "truncated or damaged" in error_of("NpyStorage", tmp_path / "a")


def test_damaged_notes_are_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        array = io.BytesIO()
        numpy.save(array, numpy.zeros(3))
        archive.writestr("data.npy", array.getvalue())
        archive.writestr("harness.json", "[1]")
    assert "its notes ('harness.json') are no JSON object" in error_of("NpzStorage", tmp_path / "a")


# --- writing


@pytest.mark.parametrize("name", ALONE)
def test_an_old_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(name, tmp_path):
    sut = storage(name)
    for number in (1, 2):
        sut.write(str(tmp_path / "new" / "a"), numpy.full(50, number))
    assert sut.read(str(tmp_path / "new" / "a"), request()).sum() == 100
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a"]


@pytest.mark.parametrize("name", ALONE)
def test_a_place_that_cannot_be_written_is_an_io_error_with_path_and_cause(name, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        pex.IoError, match=rf"cannot write {tmp_path}/file/a: File exists \({tmp_path}/file\)"
    ):
        storage(name).write(str(tmp_path / "file" / "a"), numpy.zeros(3))


def test_a_zarr_group_in_the_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "a").write_text("precious")
    with pytest.raises(pex.IoError, match="Not a directory"):
        storage("ZarrStorage").write(str(tmp_path / "a"), numpy.zeros(3))
    assert (tmp_path / "a").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_without_an_exchange_of_names_directories_are_replaced_too(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.storage.exchange._exchange_at_once", lambda one, other: False)
    sut = storage("ZarrStorage")
    for number in (1, 2):
        sut.write(str(tmp_path / "a"), numpy.full(50, number))
    assert sut.read(str(tmp_path / "a"), request()).sum() == 100
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_write_that_is_interrupted_leaves_the_old_group(tmp_path, monkeypatch):
    sut = storage("ZarrStorage")
    sut.write(str(tmp_path / "a"), numpy.ones(50))

    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.storage.atomic._sync_tree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sut.write(str(tmp_path / "a"), numpy.zeros(50))
    assert sut.read(str(tmp_path / "a"), request()).sum() == 50
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    shutil.rmtree(tmp_path / "a")

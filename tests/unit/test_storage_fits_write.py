# SPDX-License-Identifier: BSD-3-Clause
"""Writing FITS: what astropy reads back, and that a failed write leaves nothing behind."""

import contextlib
import io
import os
import resource
import warnings

import harness.exceptions as pex
import numpy
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table
from harness import arrays
from harness._core import Run
from harness.properties import DateTime, PropertyList
from harness.storage import Image, ReadRequest, storage_named


@pytest.fixture
def sut():
    return storage_named("FitsStorage")


def read(path):
    """Data and header of the first unit, checked against the FITS rules."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path) as hdus:
            hdus.verify("exception")
            return hdus[0].data.copy(), hdus[0].header.copy()


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_pixel_type_is_what_astropy_reads(sut, tmp_path, dtype, order):
    kind = numpy.dtype(order + dtype)
    limits = numpy.finfo(kind) if kind.kind == "f" else numpy.iinfo(kind)
    pixels = numpy.array([[limits.min, limits.max, 0], [1, 2, 3]], kind)
    sut.write(str(tmp_path / "a.fits"), pixels)
    data, _ = read(tmp_path / "a.fits")
    assert data.dtype.newbyteorder("=") == kind.newbyteorder("=")
    assert numpy.array_equal(data, pixels)


def test_pixels_are_not_touched_while_they_are_written(sut, tmp_path, monkeypatch):
    pixels = numpy.arange(200_000, dtype="f4").reshape(400, 500)
    before, seen = pixels.copy(), []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (seen.append(numpy.array_equal(pixels, before)), real(fd)))
    pixels.flags.writeable = False
    sut.write(str(tmp_path / "a.fits"), pixels)
    assert seen[0] is True
    assert numpy.array_equal(read(tmp_path / "a.fits")[0], before)


@pytest.fixture
def shared_memory():
    """Arrays of `harness.empty` live in an arena."""
    run = Run(16 << 20, 1, 1, 1)
    run.attach_master()
    arrays.use_arena(run.arena)
    yield
    arrays.use_arena(None)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("kind", ["Image", "ndarray", "CCDData", "Table", "rows"])
@pytest.mark.parametrize("writeable", [True, False])
def test_no_byte_of_an_array_in_shared_memory_changes_while_it_is_written(
    sut, tmp_path, monkeypatch, shared_memory, dtype, kind, writeable
):
    pixels = arrays.empty((300, 300), dtype)
    assert pixels.base is not None
    pixels[...] = numpy.arange(90_000).reshape(300, 300) % 100
    before, seen = pixels.tobytes(), []

    class Watched(io.BytesIO):
        def write(self, data):
            seen.append(pixels.tobytes() == before)
            return super().write(data)

    obj = {
        "Image": lambda: Image(pixels),
        "ndarray": lambda: pixels,
        "CCDData": lambda: CCDData(pixels, unit="adu"),
        "Table": lambda: Table([pixels.ravel()], names=["x"], copy=False),
        "rows": lambda: pixels.ravel().view([("x", pixels.dtype)]),
    }[kind]()
    pixels.flags.writeable = writeable
    monkeypatch.setattr("harness.storage.fits_units.io.BytesIO", Watched)
    sut.write(str(tmp_path / "a.fits"), obj)
    assert len(seen) >= 2
    assert all(seen)
    assert pixels.tobytes() == before
    assert pixels.flags.writeable is writeable


def test_cards_of_ccd_data_that_break_the_rules_keep_their_text(sut, tmp_path):
    path = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU(numpy.zeros((2, 2), "f4"))
    hdu.header["BAD"] = 1
    hdu.writeto(path)
    old = b"BAD     =                    1"
    path.write_bytes(path.read_bytes().replace(old, b"B D     =  &9xe".ljust(len(old))))
    frame = sut.read(str(path), ReadRequest("a", "astropy.nddata.CCDData"))
    sut.write(str(path), frame)
    assert sut.read(str(path), ReadRequest("a")).header.getString("B D") == "&9xe"


@pytest.mark.parametrize(
    "pixels",
    [
        numpy.arange(24.0).reshape(2, 3, 4),
        numpy.arange(5, dtype="i4"),
        numpy.arange(60, dtype="u2").reshape(6, 10)[::2, ::3],
        numpy.arange(6, dtype="f4").reshape(2, 3).T,
        numpy.random.default_rng(1).random((701, 503)),
    ],
    ids=["cube", "line", "strided", "transposed", "large"],
)
def test_other_shapes_and_layouts_are_written_in_order(sut, tmp_path, pixels):
    sut.write(str(tmp_path / "a.fits"), pixels)
    assert numpy.array_equal(read(tmp_path / "a.fits")[0], pixels)
    assert os.path.getsize(tmp_path / "a.fits") % 2880 == 0


def full_header():
    header = PropertyList()
    header.set("OBJECT", "M 31", "what it is")
    header.set("EXPTIME", 15.0, "[s]")
    header.set("NCOMBINE", 3)
    header.set("FLIPPED", True)
    header.set("ESO DET GAIN", 1.5, "e-/ADU")
    header.set("a.long.name", "dotted")
    header.set("HUGE", 2**40)
    header.set("COMMENT", ["first", "x" * 100])
    header.set("TWICE", [1, 2], "repeated")
    header.set("DATE-OBS", DateTime(0, DateTime.UTC))
    header.set("LONGTEXT", "y" * 150)
    header.set("MUCH", "z" * 60, "a comment that cannot fit beside so long a value")
    return header


def test_the_header_is_written_with_comments_and_order(sut, tmp_path):
    sut.write(str(tmp_path / "a.fits"), Image(numpy.zeros((2, 2), "u2"), full_header()))
    _, header = read(tmp_path / "a.fits")
    assert (header["OBJECT"], header.comments["OBJECT"]) == ("M 31", "what it is")
    assert header["FLIPPED"] is True
    assert header["ESO DET GAIN"] == 1.5
    assert header["a.long.name"] == "dotted"
    assert header["HUGE"] == 2**40
    assert list(header["COMMENT"]) == ["first", "x" * 72, "x" * 28]
    assert header.count("TWICE") == 2
    assert header["DATE-OBS"] == "1970-01-01T00:00:00.000000000Z"
    assert header["LONGTEXT"] == "y" * 150
    names = list(header)
    assert names.index("OBJECT") < names.index("EXPTIME") < names.index("NCOMBINE") < names.index("MUCH")


def test_what_is_written_reads_back_equal(sut, tmp_path):
    header = full_header()
    for changed in ("COMMENT", "DATE-OBS", "MUCH"):
        header.remove(changed)
    image = Image(numpy.arange(6, dtype="u2").reshape(2, 3), header)
    for name in ("a.fits", "a.fits.gz"):
        sut.write(str(tmp_path / name), image)
        twin = sut.read(str(tmp_path / name), ReadRequest("a"))
        assert numpy.array_equal(twin.array, image.array)
        assert twin.header == header


def test_structural_entries_of_the_header_do_not_get_into_the_file(sut, tmp_path):
    header = PropertyList()
    for name, value in {
        "BZERO": 5.0,
        "BSCALE": 3.0,
        "NAXIS1": 99,
        "BITPIX": 8,
        "BLANK": 0,
        "GAIN": 1.5,
    }.items():
        header.set(name, value)
    sut.write(str(tmp_path / "a.fits"), Image(numpy.ones((2, 3), "f4"), header))
    data, written = read(tmp_path / "a.fits")
    assert data.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert written["GAIN"] == 1.5
    assert "BZERO" not in written


def test_a_gz_name_is_compressed(sut, tmp_path):
    sut.write(str(tmp_path / "a.fits.gz"), numpy.zeros((500, 500)))
    assert (tmp_path / "a.fits.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert os.path.getsize(tmp_path / "a.fits.gz") < 20_000
    assert read(tmp_path / "a.fits.gz")[0].shape == (500, 500)


def test_ccd_data_keeps_unit_mask_and_uncertainty(sut, tmp_path):
    frame = CCDData(
        numpy.arange(6, dtype="f4").reshape(2, 3),
        unit=units.electron,
        mask=numpy.eye(2, 3, dtype=bool),
        uncertainty=StdDevUncertainty(numpy.full((2, 3), 0.5)),
        meta={"GAIN": 1.5},
    )
    sut.write(str(tmp_path / "a.fits"), frame)
    twin = sut.read(str(tmp_path / "a.fits"), ReadRequest("a", "astropy.nddata.CCDData"))
    assert twin.unit == units.electron
    assert numpy.array_equal(twin.data, frame.data)
    assert numpy.array_equal(twin.mask, frame.mask)
    assert numpy.array_equal(twin.uncertainty.array, frame.uncertainty.array)
    assert twin.header["GAIN"] == 1.5


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
def test_tables_and_structured_arrays_become_binary_tables(sut, tmp_path, name):
    table = Table({"x": [1.5, 2.5], "n": [1, 2]})
    for value in (table, table.as_array()):
        sut.write(str(tmp_path / name), value)
        twin = sut.read(str(tmp_path / name), ReadRequest("a", "astropy.table.Table"))
        assert twin["x"].tolist() == [1.5, 2.5]
        assert twin["n"].tolist() == [1, 2]


def test_a_structured_array_itself_is_not_handed_to_astropy_which_swaps_its_bytes(sut, tmp_path, monkeypatch):
    rows = numpy.array([(1.5, 1), (2.5, 2)], [("x", "f8"), ("n", "i4")])
    shared = []
    real = fits.HDUList.writeto
    monkeypatch.setattr(
        fits.HDUList,
        "writeto",
        lambda self, *args, **options: (
            shared.append(numpy.shares_memory(self[1].data, rows)),
            real(self, *args, **options),
        ),
    )
    sut.write(str(tmp_path / "a.fits"), rows)
    assert shared == [False]


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (numpy.zeros((2, 2), bool), "type bool.*store it as uint8"),
        (numpy.zeros((2, 2), "f2"), "type float16.*float32"),
        (numpy.zeros((2, 2), complex), "type complex128"),
        (numpy.array([["a"]]), "type <U1"),
        (numpy.zeros((2, 2), object), "type object"),
    ],
)
def test_pixels_that_fits_cannot_hold_are_type_errors_and_leave_no_file(sut, tmp_path, pixels, why):
    with pytest.raises(TypeError, match=why):
        sut.write(str(tmp_path / "a.fits"), pixels)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("obj", [None, 3, {"a": 1}, [1, 2]])
def test_other_objects_are_type_errors_that_list_what_can_be_written(sut, tmp_path, obj):
    with pytest.raises(TypeError, match="FitsStorage cannot write builtins.*it writes .*CCDData"):
        sut.write(str(tmp_path / "a.fits"), obj)


@pytest.mark.parametrize(
    ("name", "value"), [("BAD", "line\nbreak"), ("BAD", "caf\u00e9"), ("BAD", float("nan"))]
)
def test_header_entries_that_fits_cannot_hold_are_named_and_leave_no_file(sut, tmp_path, name, value):
    header = PropertyList()
    header.set(name, value)
    with pytest.raises(ValueError, match="header entry 'BAD'.*cannot go into FITS"):
        sut.write(str(tmp_path / "a.fits"), Image(numpy.zeros((2, 2)), header))
    assert os.listdir(tmp_path) == []


def test_missing_directories_are_created(sut, tmp_path):
    sut.write(str(tmp_path / "a" / "b" / "c.fits"), numpy.zeros((2, 2)))
    assert os.listdir(tmp_path / "a" / "b") == ["c.fits"]


def test_an_old_file_is_replaced(sut, tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(b"old")
    sut.write(str(path), numpy.ones((2, 2)))
    assert read(path)[0].sum() == 4
    assert os.listdir(tmp_path) == ["a.fits"]


def test_relative_paths_are_taken_from_the_current_directory(sut, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sut.write("a.fits", numpy.ones((2, 2)))
    assert os.listdir(tmp_path) == ["a.fits"]


def test_new_files_get_the_permissions_that_the_umask_leaves(sut, tmp_path):
    old = os.umask(0o027)
    try:
        sut.write(str(tmp_path / "a.fits"), numpy.ones((2, 2)))
    finally:
        os.umask(old)
    assert os.stat(tmp_path / "a.fits").st_mode & 0o777 == 0o640


@contextlib.contextmanager
def small_files():
    """Lets this process write files of at most 8 KiB, as a full disk or a quota would.

    Not a fixture: pytest reports a test before it ends the test's fixtures, its output may be such a file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
@pytest.mark.parametrize("kind", ["array", "table"])
def test_a_write_that_runs_out_of_space_keeps_the_old_file_and_names_path_and_cause(
    sut, tmp_path, name, kind
):
    path = tmp_path / name
    path.write_bytes(b"old")
    noise = numpy.random.default_rng(1).random((100, 100))
    written = noise if kind == "array" else Table({"x": noise.ravel()})
    with small_files(), pytest.raises(pex.IoError) as caught:
        sut.write(str(path), written)
    assert f"cannot write {path}: File too large" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [name]


def test_a_failed_sync_leaves_nothing_and_says_what_to_do(sut, tmp_path, monkeypatch):
    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(pex.IoError, match="No space left on device; free some space"):
        sut.write(str(tmp_path / "a.fits"), numpy.ones((2, 2)))
    assert os.listdir(tmp_path) == []


def test_an_interrupted_write_leaves_nothing(sut, tmp_path, monkeypatch):
    def interrupted(fd):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sut.write(str(tmp_path / "a.fits"), numpy.ones((2, 2)))
    assert os.listdir(tmp_path) == []


def test_a_directory_that_cannot_be_written_is_an_io_error(sut, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(pex.IoError, match=r"cannot write .*a\.fits: File exists \(.*/file\)"):
        sut.write(str(tmp_path / "file" / "a.fits"), numpy.ones((2, 2)))
    with pytest.raises(pex.IoError, match="cannot write /proc/nowhere/a.fits"):
        sut.write("/proc/nowhere/a.fits", numpy.ones((2, 2)))


def test_a_path_that_is_a_directory_is_an_io_error(sut, tmp_path):
    (tmp_path / "a.fits").mkdir()
    with pytest.raises(pex.IoError, match="Is a directory"):
        sut.write(str(tmp_path / "a.fits"), numpy.ones((2, 2)))
    assert os.listdir(tmp_path) == ["a.fits"]


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_an_fz_name_is_tile_compressed_without_loss(sut, tmp_path, dtype):
    path = tmp_path / "a.fits.fz"
    pixels = (numpy.random.default_rng(1).normal(100, 9, (60, 100))).astype(dtype)
    sut.write(str(path), pixels)
    with fits.open(path) as units:
        assert isinstance(units[1], fits.CompImageHDU)
        assert numpy.array_equal(units[1].data, pixels)
    found = sut.read(str(path), ReadRequest("a", "numpy.ndarray"))
    assert found.dtype == numpy.dtype(dtype) and numpy.array_equal(found, pixels)


def test_the_header_of_a_compressed_image_survives(sut, tmp_path):
    header = PropertyList()
    header.set("GAIN", 1.5, "e-/ADU")
    header.set("FILTER", "r")
    sut.write(str(tmp_path / "a.fits.fz"), Image(numpy.zeros((20, 30), "i2"), header))
    found = sut.read(str(tmp_path / "a.fits.fz"), ReadRequest("a")).header
    assert (found.get("GAIN"), found.getComment("GAIN"), found.get("FILTER")) == (1.5, "e-/ADU", "r")


@pytest.mark.parametrize("name", ["a.fits", "a.fits.fz"])
@pytest.mark.parametrize("kind", ["image", "table", "frame"])
def test_every_unit_has_checksums_that_astropy_confirms(sut, tmp_path, name, kind):
    written = {
        "image": numpy.random.default_rng(1).random((50, 60)),
        "table": Table({"x": numpy.arange(50.0)}),
        "frame": CCDData(numpy.ones((50, 60)), unit="adu", mask=numpy.eye(50, 60, dtype=bool)),
    }[kind]
    sut.write(str(tmp_path / name), written)
    # A checksum that does not fit is a warning of astropy's, and an error here.
    with fits.open(tmp_path / name, checksum=True, disable_image_compression=True) as units:
        assert all("DATASUM" in unit.header and "CHECKSUM" in unit.header for unit in units)
        assert [unit.data is None for unit in units][-1] is False

# SPDX-License-Identifier: BSD-3-Clause
"""Reading FITS: pixels against astropy's own reading, headers, classes, and every kind of damage."""

import gzip
from pathlib import Path

import harness.exceptions as pex
import numpy
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table
from astropy.wcs import WCS
from harness.storage import Image, ReadRequest, fits_file, storage_named

IMSIM = Path(__file__).parents[3] / "shared" / "data" / "imsim"


@pytest.fixture
def sut():
    return storage_named("FitsStorage")


def request(kind="", hdu=None):
    return ReadRequest("frame", kind, hdu)


def written(path, data, **header):
    """A FITS file of one image with these header entries."""
    hdu = fits.PrimaryHDU(data)
    for name, value in header.items():
        hdu.header[name] = value
    hdu.writeto(path)
    return str(path)


def raw_fits(path, stored, **header):
    """A FITS file whose data bytes are `stored`, big-endian, with any scaling keywords in its header."""
    bitpix = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}[stored.dtype.str[1:]]
    cards = fits.Header([("SIMPLE", True), ("BITPIX", bitpix), ("NAXIS", stored.ndim)])
    for axis, length in enumerate(reversed(stored.shape), start=1):
        cards[f"NAXIS{axis}"] = length
    for name, value in header.items():
        cards[name] = value
    data = stored.astype(stored.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(cards.tostring().encode() + data + bytes(-len(data) % 2880))
    return str(path)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_pixel_type_comes_back_native_and_unchanged(sut, tmp_path, dtype):
    kind = numpy.dtype(dtype)
    if kind.kind == "f":
        values = numpy.array([0, -1.5, numpy.inf, numpy.nan, 1e30, 3], kind)
    else:
        limits = numpy.iinfo(kind)
        values = numpy.array([limits.min, limits.max, 0, 1, 2, limits.max // 2], kind)
    pixels = values.reshape(2, 3)
    image = sut.read(written(tmp_path / "a.fits", pixels), request())
    assert type(image) is Image
    assert image.array.dtype == kind
    assert image.array.dtype.isnative
    assert numpy.array_equal(image.array, pixels, equal_nan=kind.kind == "f")


@pytest.mark.parametrize(
    ("stored", "keywords"),
    [
        (numpy.array([[-5, 0, 7]], "i2"), {"BSCALE": 0.5, "BZERO": 10.0}),
        (numpy.array([[-5, 0, 7]], "i2"), {"BZERO": 100}),
        (numpy.array([[-5, 0, 70000]], "i4"), {"BSCALE": 2.0}),
        (numpy.array([[0, 7, 255]], "u1"), {"BSCALE": 2.0, "BZERO": -1.0}),
        (numpy.array([[0.5, 1.5, 2.5]], "f4"), {"BSCALE": 2.0, "BZERO": 1.0}),
        (numpy.array([[0.5, 1.5, 2.5]], "f8"), {"BSCALE": 2.0, "BZERO": 1.0}),
        (numpy.array([[-5, -999, 7]], "i2"), {"BLANK": -999, "BSCALE": 0.5}),
        (numpy.array([[-5, -999, 7]], "i4"), {"BLANK": -999}),
        (numpy.array([[-5, -999, 7]], "i2"), {"BLANK": -999, "BZERO": 32768}),
    ],
)
def test_scaling_and_blank_pixels_are_as_in_astropy(sut, tmp_path, stored, keywords):
    path = raw_fits(tmp_path / "a.fits", stored, **keywords)
    with fits.open(path) as units:
        expected = units[0].data
        array = sut.read(path, request("numpy.ndarray"))
        assert array.dtype == expected.dtype.newbyteorder("=")
        assert numpy.array_equal(array, expected, equal_nan=array.dtype.kind == "f")


def test_unscaled_floats_with_a_blank_keyword_are_left_alone(sut, tmp_path):
    path = raw_fits(tmp_path / "a.fits", numpy.array([[1.0, 2.0]], "f4"), BLANK=1)
    assert sut.read(path, request()).array.tolist() == [[1.0, 2.0]]


def test_images_larger_than_a_chunk_are_whole(sut, tmp_path):
    pixels = numpy.random.default_rng(1).integers(0, 2**16, (701, 503)).astype("u2")
    path = written(tmp_path / "a.fits", pixels)
    assert numpy.array_equal(sut.read(path, request()).array, pixels)
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    assert numpy.array_equal(sut.read(str(tmp_path / "a.fits.gz"), request()).array, pixels)


def test_pixels_are_read_into_an_array_of_the_harness(sut, tmp_path, monkeypatch):
    made = []

    def recorded(shape, dtype):
        made.append(numpy.empty(shape, dtype))
        return made[-1]

    monkeypatch.setattr("harness.storage.fits_pixels.empty", recorded)
    image = sut.read(written(tmp_path / "a.fits", numpy.ones((2, 3), "u2")), request())
    assert image.array is made[0]


def test_gzip_is_told_by_content_not_by_name(sut, tmp_path):
    plain = Path(written(tmp_path / "a.fits", numpy.ones((2, 2), "u2")))
    packed = tmp_path / "packed.fits"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert sut.read(str(packed), request()).array.sum() == 4


def test_tile_compressed_images_are_decompressed(sut, tmp_path):
    pixels = numpy.arange(6000, dtype="i4").reshape(60, 100)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]).writeto(tmp_path / "a.fits.fz")
    image = sut.read(str(tmp_path / "a.fits.fz"), request())
    assert numpy.array_equal(image.array, pixels)
    assert image.array.dtype.isnative


@pytest.mark.parametrize("dtype", ["i2", "u2", "u4", "f4"])
def test_compressed_images_keep_their_type_and_have_the_header_of_an_image(sut, tmp_path, dtype):
    pixels = numpy.arange(6000, dtype=dtype).reshape(60, 100) + numpy.dtype(dtype).type(30_000)
    hdu = fits.CompImageHDU(pixels, compression_type="GZIP_2", quantize_level=0)
    hdu.header["GAIN"] = (1.5, "e-/ADU")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.fits")
    image = sut.read(str(tmp_path / "a.fits"), request())
    assert image.dtype == numpy.dtype(dtype)
    assert numpy.array_equal(image.array, pixels)
    assert image.header.getDouble("GAIN") == 1.5
    assert not any(name.startswith(("Z", "TTYPE", "TFORM")) for name in image.header.getOrderedNames())


def test_cubes_come_as_plain_arrays_and_are_refused_as_images(sut, tmp_path):
    cube = numpy.arange(24, dtype="f4").reshape(2, 3, 4)
    path = written(tmp_path / "a.fits", cube)
    assert numpy.array_equal(sut.read(path, request("numpy.ndarray")), cube)
    with pytest.raises(pex.IoError, match=r"has 3 dimensions.*ask for pythonType numpy\.ndarray"):
        sut.read(path, request())


@pytest.mark.skipif(not IMSIM.is_dir(), reason="the imsim test images lie in no ../shared/data/imsim")
@pytest.mark.parametrize("name", ["imsim_0_R23_S11_C00_E000.fits.gz", "imsim_85751839_R23_S11_C00_E000.fits"])
def test_real_detector_images_stay_unsigned_and_keep_their_header(sut, name):
    image = sut.read(str(IMSIM / name), request())
    assert numpy.array_equal(image.array, fits.getdata(IMSIM / name))
    assert (image.shape, image.dtype) == ((2001, 513), numpy.dtype("u2"))
    assert image.header.getDouble("GAIN") == pytest.approx(1.71186)
    assert image.header.getString("BIASSEC").replace(" ", "") == "[1:4,1:2001]"
    assert not image.header.exists("BZERO")


def test_the_header_keeps_order_types_and_comments(sut, tmp_path):
    hdu = fits.PrimaryHDU(numpy.zeros((2, 2), "u2"))
    hdu.header["OBJECT"] = ("M 31", "what it is")
    hdu.header["EXPTIME"] = (15.0, "[s]")
    hdu.header["NCOMBINE"] = 3
    hdu.header["FLIPPED"] = True
    hdu.header["HIERARCH ESO DET GAIN"] = (1.5, "e-/ADU")
    hdu.header["NOTHING"] = (None, "undefined")
    hdu.header.add_comment("first")
    hdu.header.add_comment("second")
    hdu.header.add_history("made here")
    hdu.writeto(tmp_path / "a.fits")
    header = sut.read(str(tmp_path / "a.fits"), request()).header
    names = header.getOrderedNames()
    expected = "OBJECT EXPTIME NCOMBINE FLIPPED".split() + ["ESO DET GAIN", "NOTHING", "COMMENT", "HISTORY"]
    assert names == expected
    assert header.getString("OBJECT") == "M 31"
    assert header.getComment("EXPTIME") == "[s]"
    assert header.getDouble("EXPTIME") == 15.0
    assert header.getInt("NCOMBINE") == 3
    assert header.getBool("FLIPPED") is True
    assert header.getDouble("ESO DET GAIN") == 1.5
    assert header.getString("NOTHING") == ""
    assert header.getArray("COMMENT") == ["first", "second"]


def test_a_card_that_breaks_the_rules_keeps_its_text(sut, tmp_path):
    path = tmp_path / "a.fits"
    written(path, numpy.zeros((2, 2), "u2"), GOOD=1, BAD=2)
    old = b"BAD     =                    2"
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, b"BAD     = 2 monkeys'".ljust(len(old))))
    header = sut.read(str(path), request()).header
    assert header.getInt("GOOD") == 1
    assert header.getString("BAD").startswith("2 monkeys'")


def test_a_card_that_nothing_can_mend_keeps_its_text(sut, tmp_path):
    path = tmp_path / "a.fits"
    written(path, numpy.zeros((2, 2), "u2"), BAD=1)
    old = b"BAD     =                    1"
    path.write_bytes(path.read_bytes().replace(old, b"B D     =  &9xe".ljust(len(old))))
    assert sut.read(str(path), request()).header.getString("B D") == "&9xe"


def test_a_repeated_keyword_of_another_type_takes_the_last_value(sut, tmp_path):
    hdu = fits.PrimaryHDU(numpy.zeros((2, 2), "u2"))
    hdu.header.append(("TWICE", 1))
    hdu.header.append(("TWICE", "two"))
    hdu.writeto(tmp_path / "a.fits")
    assert sut.read(str(tmp_path / "a.fits"), request()).header.getString("TWICE") == "two"


@pytest.fixture
def multi(tmp_path):
    """A primary without data, two images and a table."""
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(numpy.full((2, 2), 1, "f4"), name="SCI"),
            fits.ImageHDU(numpy.full((2, 2), 2, "i2"), name="DQ"),
            fits.BinTableHDU(Table({"x": [1.5, 2.5], "n": [1, 2], "s": ["a", "b"]}).as_array(), name="CAT"),
        ]
    ).writeto(tmp_path / "multi.fits")
    return str(tmp_path / "multi.fits")


def test_the_first_unit_with_pixels_is_the_default(sut, multi):
    assert sut.read(multi, request()).array.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("hdu", [2, "DQ", "dq "])
def test_a_unit_is_chosen_by_number_or_name(sut, multi, hdu):
    image = sut.read(multi, request(hdu=hdu))
    assert image.array.tolist() == [[2, 2], [2, 2]]
    assert image.header.getString("EXTNAME") == "DQ"


@pytest.mark.parametrize("hdu", [7, "NOPE"])
def test_a_unit_that_is_not_there_lists_those_that_are(sut, multi, hdu):
    with pytest.raises(pex.IoError) as caught:
        sut.read(multi, request(hdu=hdu))
    for part in ("'frame'", multi, repr(hdu), "1 'SCI' (image, shape (2, 2))", "3 'CAT' (table"):
        assert part in str(caught.value)


def test_a_unit_of_the_wrong_kind_is_refused(sut, multi):
    with pytest.raises(pex.IoError, match="hdu 'CAT' is unit 3 'CAT' .table.*image or compressed data"):
        sut.read(multi, request(hdu="CAT"))
    with pytest.raises(pex.IoError, match="table data is wanted"):
        sut.read(multi, request("astropy.table.Table", "SCI"))
    with pytest.raises(pex.IoError, match="hdu 0 is unit 0"):
        sut.read(multi, request(hdu=0))


def test_a_table_is_the_first_binary_table_with_native_columns(sut, multi):
    table = sut.read(multi, request("astropy.table.Table"))
    assert type(table) is Table
    assert table["x"].tolist() == [1.5, 2.5]
    assert list(table["s"]) == ["a", "b"]
    assert all(table[name].dtype.isnative for name in ("x", "n"))


def test_ccd_data_has_unit_header_and_native_pixels(sut, tmp_path):
    pixels = numpy.arange(6, dtype="f4").reshape(2, 3)
    frame = sut.read(written(tmp_path / "a.fits", pixels, GAIN=1.5), request("astropy.nddata.CCDData"))
    assert type(frame) is CCDData
    assert str(frame.unit) == "adu"
    assert frame.header["GAIN"] == 1.5
    assert frame.data.dtype.isnative
    assert numpy.array_equal(frame.data, pixels)
    frame = sut.read(written(tmp_path / "b.fits", pixels, BUNIT="electron"), request("CCDData"))
    assert str(frame.unit) == "electron"


@pytest.mark.parametrize("kind", ["Image", "harness.storage.Image", "harness.storage.image.Image", ""])
def test_image_is_known_by_several_names(sut, tmp_path, kind):
    assert type(sut.read(written(tmp_path / "a.fits", numpy.zeros((2, 2))), request(kind))) is Image


@pytest.fixture
def custom(tmp_path, monkeypatch):
    (tmp_path / "fits_sample.py").write_text(
        "from harness.storage import Image\n"
        "class Exposure(Image): pass\n"
        "class Frame:\n"
        "    @staticmethod\n"
        "    def swigConvert(image): return ('frame', image)\n"
        "class Unrelated: pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_classes_with_swig_convert_get_the_image(sut, tmp_path, custom):
    label, image = sut.read(written(tmp_path / "a.fits", numpy.ones((2, 2))), request("fits_sample.Frame"))
    assert label == "frame"
    assert image.array.sum() == 4


def test_subclasses_of_image_are_made_as_such(sut, tmp_path, custom):
    exposure = sut.read(written(tmp_path / "a.fits", numpy.ones((2, 2))), request("fits_sample.Exposure"))
    assert type(exposure).__name__ == "Exposure"
    assert exposure.array.sum() == 4


def test_a_class_that_fits_cannot_make_lists_those_it_can(sut, tmp_path, custom):
    path = written(tmp_path / "a.fits", numpy.ones((2, 2)))
    with pytest.raises(TypeError, match=r"'frame': FitsStorage makes no fits_sample\.Unrelated; .*CCDData"):
        sut.read(path, request("fits_sample.Unrelated"))
    with pytest.raises(ImportError, match=r"no module 'lsst\.afw'"):
        sut.read(path, request("lsst.afw.image.ImageF"))


def error_of(sut, path, kind="", hdu=None):
    with pytest.raises(pex.IoError) as caught:
        sut.read(str(path), request(kind, hdu))
    message = str(caught.value)
    assert "item 'frame'" in message
    assert str(path) in message
    assert isinstance(caught.value, OSError)
    return message


def test_a_missing_file_is_an_io_error(sut, tmp_path):
    assert "No such file" in error_of(sut, tmp_path / "missing.fits")


def test_a_directory_is_an_io_error(sut, tmp_path):
    assert "directory" in error_of(sut, tmp_path)


def test_an_empty_file_is_an_io_error(sut, tmp_path):
    (tmp_path / "a.fits").touch()
    assert "the file is empty" in error_of(sut, tmp_path / "a.fits")


@pytest.mark.parametrize("content", [b"x", b"not fits at all" * 1000, b"SIMPLE  " + b" " * 5000])
def test_something_else_is_not_a_fits_file(sut, tmp_path, content):
    (tmp_path / "a.fits").write_bytes(content)
    assert "not a FITS file" in error_of(sut, tmp_path / "a.fits")


@pytest.mark.parametrize("kind", ["", "numpy.ndarray", "astropy.nddata.CCDData"])
@pytest.mark.parametrize("keep", [2880 + 1, 2880 + 20000, 2880 + 30000 - 1])
def test_truncated_pixels_are_told_with_expected_and_actual_bytes(sut, tmp_path, kind, keep):
    path = tmp_path / "a.fits"
    written(path, numpy.zeros((100, 150), "i2"))
    path.write_bytes(path.read_bytes()[:keep])
    message = error_of(sut, path, kind)
    assert "expected at least 34560 bytes" in message
    assert f"found {keep}" in message


def test_missing_padding_counts_as_truncated(sut, tmp_path):
    path = tmp_path / "a.fits"
    written(path, numpy.zeros((100, 150), "i2"))
    path.write_bytes(path.read_bytes()[:-1])
    assert "expected at least 34560 bytes, found 34559" in error_of(sut, path)


@pytest.mark.parametrize("keep", [100, 2879])
def test_a_truncated_header_is_told_with_expected_and_actual_bytes(sut, tmp_path, keep):
    path = tmp_path / "a.fits"
    written(path, numpy.zeros((100, 150), "i2"))
    path.write_bytes(path.read_bytes()[:keep])
    message = error_of(sut, path)
    assert "header is truncated" in message
    assert f"expected at least 2880 bytes, found {keep}" in message


def test_a_header_without_end_is_told(sut, tmp_path):
    path = tmp_path / "a.fits"
    written(path, numpy.zeros((2, 2), "i2"))
    path.write_bytes(path.read_bytes().replace(b"END" + b" " * 77, b"ENO" + b" " * 77))
    assert "header is truncated" in error_of(sut, path)


@pytest.mark.parametrize("fraction", [0.5, 0.99])
def test_a_truncated_gzip_file_is_told_with_the_decompressed_bytes(sut, tmp_path, fraction):
    pixels = numpy.random.default_rng(2).integers(0, 2**15, (100, 150)).astype("i2")
    content = gzip.compress(Path(written(tmp_path / "plain.fits", pixels)).read_bytes())
    path = tmp_path / "a.fits.gz"
    path.write_bytes(content[: int(len(content) * fraction)])
    message = error_of(sut, path)
    assert "expected at least 34560 bytes, found " in message
    assert "bytes on disk" in message


def test_a_damaged_gzip_file_is_told(sut, tmp_path):
    pixels = numpy.random.default_rng(3).integers(0, 2**15, (100, 150)).astype("i2")
    content = bytearray(gzip.compress(Path(written(tmp_path / "plain.fits", pixels)).read_bytes()))
    content[-8] ^= 0xFF
    (tmp_path / "a.fits.gz").write_bytes(content)
    assert "CRC" in error_of(sut, tmp_path / "a.fits.gz")


def test_a_truncated_table_is_told_with_expected_and_actual_bytes(sut, tmp_path):
    path = tmp_path / "a.fits"
    Table({"x": numpy.arange(5000.0)}).write(path)
    content = path.read_bytes()
    path.write_bytes(content[:-20000])
    message = error_of(sut, path, "astropy.table.Table")
    assert f"expected at least {len(content)} bytes, found {len(content) - 20000}" in message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"BITPIX  =                   16", b"BITPIX  =                   17"),
        (b"NAXIS1  =                    3", b"NAXIS1  =                   -3"),
        (b"NAXIS1  =                    3", b"NAXIS1  =                  'a'"),
        (b"NAXIS2  =                    2", b"NAXISX  =                    2"),
    ],
)
def test_a_header_that_does_not_tell_its_size_is_told(sut, tmp_path, old, new):
    path = tmp_path / "a.fits"
    written(path, numpy.zeros((2, 3), "i2"))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    assert "does not tell its size" in error_of(sut, path)


def test_a_file_without_pixels_lists_its_units(sut, tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "a.fits")
    message = error_of(sut, tmp_path / "a.fits")
    assert "no unit with image or compressed data; the file holds: 0 (image, shape ())" in message


@pytest.mark.parametrize("keep", [9, 1000, 2879])
def test_an_extension_that_ends_within_its_header_is_told(sut, tmp_path, keep):
    path = tmp_path / "a.fits"
    extension = fits.ImageHDU(numpy.ones((2, 2), "i2"))
    fits.HDUList([fits.PrimaryHDU(), extension]).writeto(path)
    path.write_bytes(path.read_bytes()[: 2880 + keep])
    assert f"header is truncated or damaged: expected at least 5760 bytes, found {2880 + keep}" in error_of(
        sut, path
    )


def test_damaged_compressed_pixels_are_told_with_their_unit(sut, tmp_path):
    path = tmp_path / "a.fits"
    pixels = numpy.random.default_rng(4).integers(0, 99, (60, 100))
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type="GZIP_1")]).writeto(path)
    content = bytearray(path.read_bytes())
    start = content.index(b"\x1f\x8b", 5760)
    content[start : start + 20] = bytes(20)
    path.write_bytes(content)
    assert "the pixels of unit 1" in error_of(sut, path)


def test_bytes_after_the_last_unit_do_not_matter(sut, tmp_path):
    path = tmp_path / "a.fits"
    written(path, numpy.ones((2, 2), "i2"))
    path.write_bytes(path.read_bytes() + b"trailing" * 500)
    assert sut.read(str(path), request()).array.sum() == 4
    with pytest.raises(pex.IoError, match="no hdu 1"):
        sut.read(str(path), request(hdu=1))


# --- checksums, and what belongs to a frame


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(3, 5), (701, 503)])
def test_files_with_checksums_that_fit_are_read(sut, tmp_path, dtype, shape):
    pixels = numpy.random.default_rng(1).integers(0, 200, shape).astype(dtype)
    fits.PrimaryHDU(pixels).writeto(tmp_path / "a.fits", checksum=True)
    assert numpy.array_equal(sut.read(str(tmp_path / "a.fits"), request()).array, pixels)


def checked_units(path):
    """An image, a compressed image and a table, all with checksums; where the data of each begin."""
    pixels = numpy.random.default_rng(1).integers(0, 200, (60, 100)).astype("i2")
    units = fits.HDUList([fits.PrimaryHDU(pixels), fits.CompImageHDU(pixels, name="PACKED")])
    units.append(fits.table_to_hdu(Table({"x": numpy.arange(1000.0)})))
    units.writeto(path, checksum=True)
    with fits.open(path, disable_image_compression=True) as found:
        return [unit.fileinfo()["datLoc"] for unit in found]


@pytest.mark.parametrize(
    ("kind", "hdu", "unit"),
    [("numpy.ndarray", 0, 0), ("CCDData", 0, 0), ("numpy.ndarray", 1, 1), ("Table", None, 2)],
)
def test_data_that_do_not_fit_their_checksum_are_told(sut, tmp_path, kind, hdu, unit):
    path = tmp_path / "a.fits"
    place = checked_units(path)[unit]
    content = bytearray(path.read_bytes())
    content[place + 600] ^= 0x10
    path.write_bytes(content)
    message = error_of(sut, path, kind, hdu)
    assert f"the data of unit {unit}" in message and "DATASUM says" in message


def test_a_header_that_does_not_fit_its_checksum_is_told(sut, tmp_path):
    path = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU(numpy.ones((2, 3)))
    hdu.header["GAIN"] = 1.5
    hdu.writeto(path, checksum=True)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"                 1.5", b"                 2.5"))
    assert "unit 0 (image, shape (2, 3)) is damaged: CHECKSUM does not fit" in error_of(sut, path)


def test_only_the_unit_that_is_read_must_fit_its_checksum(sut, tmp_path):
    path = tmp_path / "a.fits"
    place = checked_units(path)[2]
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert sut.read(str(path), request()).array.shape == (60, 100)


def ccd_frame():
    pixels = numpy.arange(6000, dtype="u2").reshape(60, 100)
    return CCDData(
        pixels,
        unit="adu",
        mask=pixels % 7 == 0,
        uncertainty=StdDevUncertainty(numpy.sqrt(pixels).astype("f4")),
    )


@pytest.mark.parametrize("file", ["a.fits", "a.fits.gz", "a.fits.fz"])
def test_mask_and_uncertainty_of_ccd_data_are_native_and_read_once(sut, tmp_path, monkeypatch, file):
    frame = ccd_frame()
    sut.write(str(tmp_path / file), frame)
    reads = []
    original = fits_file.FitsFile.fill

    def counted(self, target):
        reads.append(len(target))
        original(self, target)

    monkeypatch.setattr(fits_file.FitsFile, "fill", counted)
    found = sut.read(str(tmp_path / file), request("CCDData"))
    for array in (found.data, found.mask, found.uncertainty.array):
        assert array.dtype.isnative and array.shape == (60, 100)
    assert numpy.array_equal(found.data, frame.data) and found.data.dtype == numpy.dtype("u2")
    assert numpy.array_equal(found.mask, frame.mask) and found.mask.dtype == bool
    assert numpy.array_equal(found.uncertainty.array, frame.uncertainty.array)
    assert type(found.uncertainty) is StdDevUncertainty
    if file == "a.fits":
        assert sum(reads) == sum(-(-6000 * size // 2880) * 2880 for size in (2, 1, 4))


def test_coordinates_of_ccd_data_come_back_with_the_size_of_the_image(sut, tmp_path):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [10.5, -20.25], [2, 3], [-0.01, 0.01]
    sut.write(str(tmp_path / "a.fits"), CCDData(numpy.zeros((30, 40), "f4"), unit="adu", wcs=wcs))
    found = sut.read(str(tmp_path / "a.fits"), request("CCDData"))
    assert found.wcs.pixel_shape == (40, 30)
    assert numpy.allclose(found.wcs.pixel_to_world_values(5, 6), wcs.pixel_to_world_values(5, 6))


def test_ascii_tables_are_tables_too(sut, tmp_path):
    columns = [fits.Column(name="x", format="I4", array=numpy.arange(5))]
    fits.HDUList([fits.PrimaryHDU(), fits.TableHDU.from_columns(columns)]).writeto(tmp_path / "a.fits")
    assert sut.read(str(tmp_path / "a.fits"), request("Table"))["x"].tolist() == [0, 1, 2, 3, 4]

# SPDX-License-Identifier: BSD-3-Clause
"""What `measure` refuses before anything is started, and what the images of a benchmark are."""

import numpy as np
import pytest
from harness.bench import Plan, measure
from harness.bench.images import image_bytes, load, make_images
from harness.bench.plan import checked_dtype, checked_plot, parse_counts, parse_shape
from harness.errors import ArenaFull, ConfigError

USUAL = {"stage": "m.S", "shape": "8x8"}
WRONG = {
    "nothing to measure": ({}, "nothing to measure"),
    "a policy as stage": ({"stage": "night.paf", "shape": "8x8"}, "looks like a file"),
    "no images": ({"stage": "m.S"}, "a stage needs images"),
    "both kinds of images": ({"stage": "m.S", "shape": "8x8", "images": [__file__]}, "ends in one of"),
    "a shape of words": ({"stage": "m.S", "shape": "large"}, "expected rows x columns.*saw 'large'"),
    "a shape of zero": ({"stage": "m.S", "shape": "0x8"}, "axes of 1 pixel or more"),
    "too many axes": ({"stage": "m.S", "shape": (1, 1, 1, 1, 1)}, "1 to 4 axes"),
    "no type": ({"stage": "m.S", "shape": "8x8", "dtype": "fl"}, "a NumPy type such as float32.*saw 'fl'"),
    "a type of text": ({"stage": "m.S", "shape": "8x8", "dtype": "U8"}, "expected numbers"),
    "no slices": ({"stage": "m.S", "shape": "8x8", "slices": [0]}, "expected 1 to 4096, saw 0"),
    "slices twice": ({"stage": "m.S", "shape": "8x8", "slices": [2, 2]}, "a number twice"),
    "no visits": ({"stage": "m.S", "shape": "8x8", "visits": 0}, "visits: expected 1 or more, saw 0"),
    "no rounds": ({"stage": "m.S", "shape": "8x8", "rounds": 0}, "rounds: expected 1 or more"),
    "workers": ({"stage": "m.S", "shape": "8x8", "workers": 0}, "expected 1 to 250, saw 0"),
    "a source": ({"stage": "m.S", "shape": "8x8", "source": "disk"}, "expected 'master' or 'slice'"),
    "no minutes": ({"stage": "m.S", "shape": "8x8", "minutes": 0.0}, "more than 0"),
    "visits in parts": ({**USUAL, "visits": 2.5}, "visits: expected a whole.*saw 2.5"),
    "truth as rounds": ({**USUAL, "rounds": True}, "rounds: expected a whole number"),
    "workers as text": ({**USUAL, "workers": "2"}, "workers: expected a whole.*saw '2'"),
    "one number of slices": ({**USUAL, "slices": 2}, "slices: expected a sequence.*saw 2"),
    "slices as text": ({**USUAL, "slices": ["1"]}, "slices: expected a whole.*saw '1'"),
    "minutes as text": ({**USUAL, "minutes": "1"}, "minutes: expected a number, saw '1'"),
    "one axis": ({"stage": "m.S", "shape": 8}, "shape: expected a sequence of axes.*saw 8"),
    "axes as text": ({"stage": "m.S", "shape": ["8", "8"]}, "axes of 1 pixel or more"),
    "a class as stage": ({"stage": Plan, "shape": "8x8"}, "stage: expected a text, saw <class"),
    "a number as policy": ({"policy": 3}, "policy: expected a path, saw 3"),
    "a number as key": ({**USUAL, "key": 3}, "key: expected a text, saw 3"),
    "one image": ({"stage": "m.S", "images": "a.npy"}, "images: expected a sequence of paths.*saw 'a.npy'"),
    "images by number": ({"stage": "m.S", "images": [3]}, "images: expected a path, saw 3"),
    "one name": ({**USUAL, "compare": "joblib"}, "compare: expected a sequence of names"),
    "no name": ({**USUAL, "compare": [3]}, "compare: expected names.*saw 3"),
    "no listener": ({**USUAL, "tell": "me"}, "tell: expected a function"),
    "an unknown one": ({"stage": "m.S", "shape": "8x8", "compare": ["mpi"]}, "no contender 'mpi'; there are"),
    "a contender twice": ({"stage": "m.S", "shape": "8x8", "compare": ["serial", "serial"]}, "a name twice"),
    "a policy compared": ({"policy": "p.paf", "compare": ["serial"]}, "a whole pipeline policy runs in the"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_meant_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        measure(**arguments)


def test_images_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ValueError, match="gone.npy: there is no such file"):
        measure("m.S", images=[tmp_path / "gone.npy"])


def test_a_contender_that_is_not_installed_is_named_with_the_cure(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(ImportError, match="joblib is not installed: pip install joblib"):
        measure("m.S", shape="8x8", compare=["joblib"])


def test_more_slices_than_memory_are_refused_with_both_figures():
    with pytest.raises(ArenaFull, match=r"4096 slices with images of 60000x60000 float32 need at least \d+"):
        measure("m.S", shape="60000x60000", slices=[4096])


def test_a_plot_needs_matplotlib_and_a_name_that_says_what_it_is(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="ends in .png or .svg, saw"):
        checked_plot(tmp_path / "plot.jpg")
    with pytest.raises(ValueError, match="there is no directory"):
        checked_plot(tmp_path / "nowhere" / "plot.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match="folder.png is a directory"):
        checked_plot(tmp_path / "folder.png")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"matplotlib, which is not installed: pip install 'pex-harness"):
        checked_plot(tmp_path / "plot.png")


def test_shapes_counts_and_types():
    assert parse_shape("4096x2048") == (4096, 2048) and parse_shape([3, 4, 5]) == (3, 4, 5)
    assert parse_counts("1, 2,4") == (1, 2, 4)
    assert checked_dtype("<f4") == "float32" and checked_dtype("ushort") == "uint16"
    with pytest.raises(ValueError, match="numbers such as 1,2,4, saw '1;2'"):
        parse_counts("1;2")


@pytest.mark.parametrize("dtype", ["float32", "uint16", "uint8", "int64", "float64"])
def test_synthetic_images_are_the_same_every_time_and_differ_from_each_other(tmp_path, dtype):
    plan = Plan("m.S", shape=(32, 64), dtype=dtype)
    (tmp_path / "again").mkdir()
    first, again = make_images(plan, tmp_path), make_images(plan, tmp_path / "again")
    images = [load(path) for path in first]
    assert len(images) == 4 and image_bytes(first) == 32 * 64 * np.dtype(dtype).itemsize
    for one, other in zip(images, map(load, again), strict=True):
        assert one.shape == (32, 64) and one.dtype == dtype and np.array_equal(one, other)
    if dtype != "uint8":
        assert not np.array_equal(images[0], images[1]) and abs(images[0].mean() - 1000) < 5


def test_given_images_are_used_as_they_are(tmp_path):
    pixels = np.arange(12, dtype=np.int16).reshape(3, 4)
    np.save(tmp_path / "given.npy", pixels.T)
    (made,) = make_images(Plan("m.S", images=(tmp_path / "given.npy",)), tmp_path)
    assert np.array_equal(load(made), pixels.T) and load(made).dtype == np.int16


def test_a_fits_image_is_read(tmp_path):
    fits = pytest.importorskip("astropy.io.fits")
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    fits.PrimaryHDU(pixels).writeto(tmp_path / "given.fits")
    (made,) = make_images(Plan("m.S", images=(tmp_path / "given.fits",)), tmp_path)
    assert np.array_equal(load(made), pixels)


def test_files_that_hold_no_image_are_refused(tmp_path):
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    (tmp_path / "broken.fits").write_bytes(b"nothing")
    for name, words in (
        ("words.npy", "expected an array of numbers, saw <U1"), ("broken.npy", "cannot be read"),
        ("broken.fits", "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=f"{name}.*{words}"):
            make_images(Plan("m.S", images=(tmp_path / name,)), tmp_path)

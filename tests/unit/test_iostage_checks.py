# SPDX-License-Identifier: BSD-3-Clause
"""What input items must be before they are put on the clipboard: type, shape and checksum, and whole."""

import hashlib
import os
import threading
import time

import harness.exceptions as pex
import numpy
import pytest
from harness import tester
from harness.iostage import InputStage, OutputStage
from harness.iostage.waiting import wait_until_stable
from harness.log import Log
from harness.policy import Policy, PolicyString, ValidationError
from harness.storage import storage_named

NEEDS = {"Hdf5Storage": "h5py", "FitsStorage": "astropy", "ZarrStorage": "zarr"}


@pytest.fixture(autouse=True)
def log():
    yield
    Log.closeDefaultLog()


def storage(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is not installed")
    return storage_named(name)


def read(path, *lines, storage="NpyStorage", kind="numpy.ndarray", place=()):
    """What an input stage makes of a file."""
    text = "\n".join([
        f'parameters: {{ inputItems: {{ frame: {{ pythonType: "{kind}"', *lines,
        "" if any(line.startswith("timeout") for line in lines) else "timeout: 0",
        f'storagePolicy: {{ storage: {storage}', f'location: "{path}"', *place, "} } } }",
    ])  # fmt: skip
    return tester.test(InputStage(Policy(PolicyString(text)))).runWorker({}, 0).get("frame")


def error_of(path, *lines, **options):
    with pytest.raises(pex.IoError) as caught:
        read(path, *lines, **options)
    assert "item 'frame'" in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


FORMS = [
    ("NpyStorage", "numpy.ndarray"),
    ("Hdf5Storage", "numpy.ndarray"),
    ("FitsStorage", "harness.storage.Image"),
    ("FitsStorage", "astropy.nddata.CCDData"),
]


@pytest.mark.parametrize(("name", "kind"), FORMS)
def test_pixels_of_another_type_or_shape_are_an_error_with_what_was_expected_and_seen(name, kind, tmp_path):
    path = tmp_path / "a"
    storage(name).write(str(path), numpy.zeros((3, 4), "i2"))
    asked = {"storage": name, "kind": kind}
    for fits in (['dtype: "int16"'], ["shape: 3 4"], ["shape: -1 4"], ['dtype: "i2"', "shape: -1 -1"]):
        assert read(path, *fits, **asked) is not None
    assert "expected pixels of type float32, saw int16" in error_of(path, 'dtype: "float32"', **asked)
    assert "expected the shape (3, 5), saw (3, 4)" in error_of(path, "shape: 3 5", **asked)
    assert "expected the shape (any, 5), saw (3, 4)" in error_of(path, "shape: -1 5", **asked)
    assert "expected the shape (12), saw (3, 4)" in error_of(path, "shape: 12", **asked)


def test_what_has_no_pixels_can_have_no_expected_type(tmp_path):
    (tmp_path / "a").write_text("{}")
    why = error_of(tmp_path / "a", 'dtype: "int16"', storage="JsonStorage", kind="PropertySet")
    assert "dtype or shape is expected, and PropertySet has none" in why


@pytest.mark.parametrize(
    ("line", "error", "why"),
    [
        ('dtype: "flaot"', pex.InvalidParameterError, "dtype 'flaot' is no type"),
        ("shape: -2 3", pex.InvalidParameterError, "a length is 0 or more, or -1 for any"),
        ("stableFor: soon", pex.InvalidParameterError, "stableFor must be a number of seconds"),
        ("shape: 1.5", ValidationError, "shape"),
    ],
)
def test_expectations_that_make_no_sense_fail_at_set_up(line, error, why):
    with pytest.raises(error, match=why):
        read("nowhere", line)


# --- checksums


@pytest.mark.parametrize("name", ["NpyStorage", "Hdf5Storage", "FitsStorage"])
def test_a_checksum_that_is_written_beside_a_file_is_verified_when_that_is_read(name, tmp_path):
    path = tmp_path / "out" / "a"
    storage(name)
    text = (
        f'parameters: {{ outputItems: {{ frame: {{ storagePolicy: {{ storage: {name}\nlocation: "{path}"\n'
        'checksum: "sha256"\n} } } }'
    )
    pixels = numpy.arange(5000.0).reshape(50, 100)
    tester.test(OutputStage(Policy(PolicyString(text)))).runWorker({"frame": pixels}, 0)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (tmp_path / "out" / "a.sha256").read_text() == f"{digest}  a\n"
    asked = {"storage": name, "place": ['checksum: "sha256"']}
    assert numpy.array_equal(read(path, **asked), pixels)
    content = bytearray(path.read_bytes())
    content[-9000] ^= 1
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    assert f"the file is damaged: its SHA-256 is {digest}" in error_of(path, **asked)


def test_a_checksum_that_is_missing_or_none_is_an_error(tmp_path):
    path = tmp_path / "a"
    storage("NpyStorage").write(str(path), numpy.zeros(3))
    asked = {"place": ['checksum: "sha256"']}
    assert "a.sha256 is asked for: No such file" in error_of(path, **asked)
    (tmp_path / "a.sha256").write_text("abc  a\n")
    assert "does not begin with a SHA-256 of 64 digits, but with 'abc" in error_of(path, **asked)
    (tmp_path / "a.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest().upper())
    assert read(path, **asked).shape == (3,)


def test_only_sha256_can_be_asked_for(tmp_path):
    with pytest.raises(ValidationError, match="checksum"):
        read(tmp_path / "a", place=['checksum: "md5"'])


# --- files that come late and grow


@pytest.mark.parametrize("name", ["NpyStorage", "Hdf5Storage", "FitsStorage"])
def test_a_file_that_comes_late_and_grows_is_read_when_it_keeps_its_size(name, tmp_path):
    whole, path = tmp_path / "whole", tmp_path / "a"
    storage(name).write(str(whole), numpy.arange(1000.0))
    content = whole.read_bytes()

    def grow():
        for end in (10, 1000, 4000, len(content)):
            time.sleep(0.05)
            with path.open("ab") as stream:
                stream.write(content[path.stat().st_size : end])

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert read(path, "timeout: 60", "stableFor: 0.5", storage=name).sum() == 499500
    finally:
        writer.join()


class Slow:
    """Stands in for time.sleep: something happens to the file while time passes."""

    def __init__(self, *happenings):
        self.happenings = list(happenings)
        self.slept = []

    def __call__(self, seconds):
        self.slept.append(seconds)
        if self.happenings:
            self.happenings.pop(0)()


def test_every_change_starts_the_wait_anew(tmp_path):
    path = tmp_path / "a"
    path.write_text("1")
    sleep = Slow(lambda: path.write_text("12"), lambda: os.utime(path, (1, 1)))
    assert wait_until_stable(str(path), 2.0, 60.0, Log(), sleep)
    assert sleep.slept == [2.0, 2.0, 2.0]


def test_patience_with_a_growing_file_ends_with_the_timeout(tmp_path):
    path = tmp_path / "a"
    path.write_text("")
    sleep = Slow(*[lambda: path.write_text(path.read_text() + "more")] * 99)
    assert not wait_until_stable(str(path), 2.0, 7.0, Log(), sleep)
    assert sleep.slept == [2.0, 2.0, 2.0]


def test_a_file_that_vanishes_meanwhile_is_not_stable(tmp_path):
    path = tmp_path / "a"
    path.write_text("")
    assert not wait_until_stable(str(path), 2.0, 5.0, Log(), Slow(path.unlink))


def test_a_file_that_never_keeps_its_size_is_an_error_with_item_and_path(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("")
    monkeypatch.setattr(wait_until_stable, "__defaults__", (Slow(*[lambda: path.write_text("x" * 10)] * 1),))
    message = error_of(path, "timeout: 0", "stableFor: 1")
    assert "has not kept its size for 1 s within 0 s: it is being written still" in message

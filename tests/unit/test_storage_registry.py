# SPDX-License-Identifier: BSD-3-Clause
"""Storages are found by name; unknown and former names say which there are."""

import subprocess
import sys

import harness.exceptions as pex
import numpy
import pytest
from harness.storage import register_storage, registry, storage_named, storage_names


def test_fits_storage_is_there():
    assert "FitsStorage" in storage_names()
    assert type(storage_named(" FitsStorage ")).__name__ == "FitsStorage"


@pytest.mark.parametrize("name", ["BoostStorage", "XmlStorage", "DbStorage", "DbTsvStorage"])
def test_former_storages_are_refused_with_the_ones_that_exist(name):
    with pytest.raises(pex.NotFoundError, match=f"'{name}' belonged to .* DC3b .* are: .*FitsStorage"):
        storage_named(name)


def test_unknown_storages_are_refused_with_the_ones_that_exist():
    with pytest.raises(pex.NotFoundError, match="'FitStorage' is not known; the storages are: .*FitsStorage"):
        storage_named("FitStorage")


def test_a_registered_storage_is_made_on_request(monkeypatch):
    monkeypatch.setattr(registry, "_factories", dict(registry._factories))
    register_storage("Mine", lambda: "made")
    assert storage_named("Mine") == "made"
    assert "Mine" in storage_names()


@pytest.mark.parametrize(("name", "factory"), [(3, dict), ("Mine", None)])
def test_registration_refuses_the_wrong_kinds(name, factory):
    with pytest.raises(TypeError, match="a name and a factory"):
        register_storage(name, factory)


def test_missing_astropy_names_the_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "astropy", None)
    monkeypatch.delitem(sys.modules, "astropy.io.fits", raising=False)
    monkeypatch.delitem(sys.modules, "astropy.io", raising=False)
    with pytest.raises(pex.RuntimeError, match=r"pip install 'pex-harness\[fits\]'"):
        storage_named("FitsStorage")


def test_importing_the_storages_does_not_import_numpy_or_astropy(tmp_path):
    code = (
        "import sys, harness.storage, harness.iostage, harness.stage;"
        " print([name for name in ('numpy', 'astropy') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_reading_a_plain_image_does_not_import_astropy(tmp_path):
    path = tmp_path / "a.fits"
    storage_named("FitsStorage").write(str(path), numpy.ones((2, 2)))
    code = (
        "import sys; from harness.storage import ReadRequest, storage_named;"
        f" image = storage_named('FitsStorage').read({str(path)!r}, ReadRequest('a'));"
        " print(image.array.sum(), 'astropy' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["4.0", "False"]

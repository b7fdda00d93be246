# SPDX-License-Identifier: BSD-3-Clause
"""Storages are found by name; unknown and former names say which there are."""

import os
import subprocess
import sys

import harness.exceptions as pex
import pytest
from harness.storage import prepare_storage, register_storage, registry, storage_named, storage_names


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
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
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
        "import sys, harness.storage, harness.storage.fits, harness.stage;"
        " print([name for name in ('numpy', 'astropy') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def imported_by(tmp_path, code):
    """Whether a new interpreter has imported astropy.io.fits after these statements."""
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print('astropy.io.fits' in sys.modules)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip() == "True"


def test_preparing_fits_storage_imports_what_the_first_visit_would_wait_for(tmp_path):
    assert not imported_by(tmp_path, "from harness.storage import *; storage_named('FitsStorage')")
    assert imported_by(tmp_path, "from harness.storage import *; prepare_storage('FitsStorage')")


def test_the_io_stages_bring_astropy_to_the_process_that_forks_workers(tmp_path):
    assert imported_by(tmp_path, "import harness.iostage")


def test_the_io_stages_can_be_imported_without_astropy(tmp_path):
    code = "sys.modules['astropy'] = None; import harness.iostage"
    assert not imported_by(tmp_path, code)


def test_a_storage_is_prepared_if_it_can_be(monkeypatch):
    calls = []

    class Mine:
        def prepare(self):
            calls.append("prepared")

    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    register_storage("Mine", Mine)
    register_storage("Plain", object)
    prepare_storage("Mine")
    prepare_storage("Plain")
    assert calls == ["prepared"]
    with pytest.raises(pex.NotFoundError, match="'Nope' is not known"):
        prepare_storage("Nope")


PLUGIN = """
class TextStorage:
    def prepare(self):
        pass
    def read(self, path, request):
        return open(path).read()
    def write(self, path, obj):
        open(path, "w").write(obj)
"""


def plugin(folder, points):
    """A distribution in `folder` that offers storages."""
    (folder / "text_plugin.py").write_text(PLUGIN)
    info = folder / "text_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: text-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.storages]\n" + "".join(f"{one}\n" for one in points))


def told_by(folder, code):
    """What a new interpreter prints that finds the distribution."""
    done = subprocess.run(
        [sys.executable, "-c", f"from harness.storage import *\n{code}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_other_distributions_offer_storages_by_entry_points(tmp_path):
    plugin(tmp_path, ["TextStorage = text_plugin:TextStorage"])
    code = (
        "sut = storage_named('TextStorage'); sut.write('a', 'hello');"
        " print(sut.read('a', ReadRequest('x')), 'TextStorage' in storage_names())"
    )
    assert told_by(tmp_path, code) == "hello True\n"


def test_a_registered_storage_and_those_of_the_harness_come_before_entry_points(tmp_path):
    plugin(tmp_path, ["FitsStorage = text_plugin:TextStorage", "Mine = text_plugin:TextStorage"])
    code = (
        "register_storage('Mine', lambda: 'registered');"
        " print(type(storage_named('FitsStorage')).__name__, storage_named('Mine'))"
    )
    assert told_by(tmp_path, code) == "FitsStorage registered\n"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("missing_module:X", "cannot be loaded: ModuleNotFoundError"),
        ("text_plugin:Nothing", "cannot be loaded: AttributeError"),
        ("collections:OrderedDict", "is no storage: it has no method read and no method write"),
    ],
)
def test_an_entry_point_that_leads_to_no_storage_names_its_distribution(tmp_path, target, why):
    plugin(tmp_path, [f"Broken = {target}"])
    told = told_by(tmp_path, "storage_named('Broken')")
    assert f"storage 'Broken' (entry point {target}, of text-plugin) {why}" in told


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("Hdf5Storage", "h5py", "hdf5"),
        ("ZarrStorage", "zarr", "zarr"),
        ("ParquetStorage", "pyarrow", "parquet"),
    ],
)
def test_a_missing_library_names_the_extra_to_install(monkeypatch, name, library, extra):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda wanted: None if wanted == library else object())
    with pytest.raises(
        pex.RuntimeError, match=rf"{name} needs {library}.*pip install 'pex-harness\[{extra}\]'"
    ):
        storage_named(name)

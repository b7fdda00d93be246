# SPDX-License-Identifier: BSD-3-Clause
"""Places that refuse: full disks, files of others. In children, for limits and users belong to a process."""

import os
import subprocess
import sys

import pytest

NEEDS = {
    "FitsStorage": "astropy",
    "EcsvStorage": "astropy",
    "ParquetStorage": "pyarrow",
    "Hdf5Storage": "h5py",
    "ZarrStorage": "zarr",
}
STORAGES = [
    "FitsStorage",
    "NpyStorage",
    "NpzStorage",
    "Hdf5Storage",
    "ZarrStorage",
    "JsonStorage",
    "PafStorage",
    "EcsvStorage",
    "ParquetStorage",
]

HEAD = """
import os, resource, signal, sys
import numpy
from harness.storage import ReadRequest, prepare_storage, storage_named

name, path = sys.argv[1:3]
prepare_storage(name)

def thing(size):
    noise = numpy.random.default_rng(1).random(size)
    if name in ("JsonStorage", "PafStorage"):
        return {"noise": noise.tolist()}
    if name in ("EcsvStorage", "ParquetStorage"):
        from astropy.table import Table
        return Table({"noise": noise})
    return noise

def told(call, *arguments):
    try:
        call(*arguments)
        print("no error")
    except OSError as error:
        print(type(error).__name__, error)
"""


def child(name, path, code):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is not installed")
    command = [sys.executable, "-c", HEAD + code, name, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, start_new_session=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


FULL = """
sut = storage_named(name)
sut.write(path, thing(10))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
told(sut.write, path, thing(10_000))
"""


@pytest.mark.parametrize("name", STORAGES)
def test_a_write_that_runs_out_of_space_keeps_the_old_file_and_names_path_and_cause(name, tmp_path):
    told = child(name, tmp_path / "a", FULL)
    assert told == f"IoError cannot write {tmp_path}/a: File too large\n"
    assert os.listdir(tmp_path) == ["a"]
    left = sum(
        os.path.getsize(os.path.join(folder, one)) for folder, _, ones in os.walk(tmp_path) for one in ones
    )
    assert 0 < left < 16384


DISK = """
sut = storage_named(name)
told(sut.write, path, thing(500_000))
"""


@pytest.mark.parametrize("name", ["FitsStorage", "NpyStorage", "Hdf5Storage", "ZarrStorage"])
def test_a_full_disk_is_named_with_what_to_do(name, tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.decode().strip()}")
    try:
        told = child(name, tmp_path / "a", DISK)
        why = "No space left on device; free some space or write elsewhere"
        assert told == f"IoError cannot write {tmp_path}/a: {why}\n"
        assert os.listdir(tmp_path) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


CLOSED = """
import harness.exceptions, harness.stage
sut, small = storage_named(name), thing(10)
sut.write(path, small)
os.chmod(path, 0)
os.setgroups([])
os.setegid(65534)
os.seteuid(65534)
told(sut.read, path, ReadRequest("frame"))
told(sut.write, os.path.dirname(path) + "/new", small)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("name", ["FitsStorage", "NpyStorage", "Hdf5Storage", "ZarrStorage", "JsonStorage"])
def test_what_the_user_may_not_read_or_write_is_named(name, tmp_path):
    path = tmp_path / "a"
    try:
        read, write = child(name, path, CLOSED).splitlines()
    finally:
        if path.exists():
            path.chmod(0o700)
    assert read == f"IoError cannot read item 'frame' from {path}: Permission denied"
    assert write.startswith(f"IoError cannot write {tmp_path}/new: Permission denied")

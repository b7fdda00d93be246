# SPDX-License-Identifier: BSD-3-Clause
"""Files in runs: pixels that cross without a copy, outputs in the ledger, bad files, and what is read ahead."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys

import harness.iostage
import numpy
import pytest
from harness.ledger.schema import LEDGER_NAME
from harness.outputs import output_sha256
from harness.storage import storage_named

pytest.importorskip("astropy", reason="astropy is not installed")

INPUT = "harness.iostage.InputStageParallel"
OUTPUT = "harness.iostage.OutputStageParallel"
SHAPE = (200, 300)
NEEDS = {"Hdf5Storage": "h5py", "ZarrStorage": "zarr"}


def storage(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is not installed")
    return storage_named(name)


def items(name, location, more="", kind="numpy.ndarray"):
    return (
        f'{name}: {{ pythonType: "{kind}"\n{more}\n storagePolicy: {{ {location} }} }}\n'
    )


def stage(name, parallel="", serial="", policy=""):
    lines = [f'appStage: {{ name: "{name}"']
    lines += [f'serialClass: "{serial}"'] if serial else []
    lines += [f'parallelClass: "{parallel}"'] if parallel else []
    lines += [f"stagePolicy: {{\n{policy}\n}}"] if policy else []
    return "\n".join([*lines, "}\n"])


def pipeline(bench, *stages, slices=2, head='executionMode: "oneloop"'):
    text = f'{head}\nnSlices: {slices}\narenaSize: "256 MiB"\n' + "".join(stages)
    (bench.folder / "night.paf").write_text(text)


def pixels(number):
    return numpy.full(SHAPE, number, "f4")


# --- pixels in the arena


FILES = [
    ("FitsStorage", "f.fits"),
    ("FitsStorage", "f.fits.gz"),
    ("FitsStorage", "f.fits.fz"),
    ("NpyStorage", "f.npy"),
    ("NpzStorage", "f.npz"),
    ("Hdf5Storage", "f.h5"),
    ("ZarrStorage", "f.zarr"),
]

CROSSING = """
class Sums(SerialProcessing):
    def postprocess(self, clipboard):
        found = clipboard.gather("frame")
        print("sum", sum(int(frame.sum(dtype="f8")) for frame in found), flush=True)

class Share(ParallelProcessing):
    def process(self, clipboard):
        assert clipboard.get("frame").dtype == np.dtype("=f4")
        clipboard.setShared("frame", True)
        time.sleep(0.05)
"""


@pytest.mark.parametrize(("name", "file"), FILES, ids=[file for _, file in FILES])
def test_pixels_land_native_in_shared_memory_and_cross_with_no_byte_copied(bench, name, file):
    """Also what was read ahead, by a thread that NumPy's own allocations are not redirected for."""
    ramp = numpy.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)
    for number in (1, 2, 3):
        storage(name).write(str(bench.folder / f"{number}-{file}"), (ramp + number).astype(">f4"))
    bench.module(CROSSING)
    place = f'storage: {name} location: "{bench.folder}/%(visitNumber)-{file}"'
    policy = "parameters: { readAhead: 1\n inputItems: {\n" + items("frame", place) + "} }"
    pipeline(
        bench,
        stage("read", INPUT, policy=policy),
        stage("share", "stages_here.Share", "stages_here.Sums"),
        head='copyPolicy: "strict"',
    )
    done = bench.run("--visits", "3")
    assert done.code == 0, done.err
    expected = [f"sum {2 * int((ramp + number).sum())}" for number in (1, 2, 3)]
    assert [line for line in done.out.splitlines() if line.startswith("sum")] == expected
    (row,) = [row for row in done.summary["keys"] if row["key"] == "frame"]
    assert (row["direction"], row["bytes_copied"], row["bytes_shared"]) == ("up", 0, 6 * ramp.size * 4)
    assert done.log("Slice0").count("was read ahead") == 2, done.log("Slice0")


# --- outputs


@pytest.mark.parametrize(("name", "file"), FILES, ids=[file for _, file in FILES])
def test_what_is_written_is_in_the_ledger_with_size_and_checksum(bench, name, file):
    storage(name)
    bench.module("""
    class Make(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("frame", np.full((200, 300), self.rank, "f4"))
    """)
    place = f'storage: {name} location: "{bench.folder}/out/%(sliceId)-{file}" checksum: "sha256"'
    policy = "parameters: { outputItems: { frame: { storagePolicy: { " + place + " } } } }"
    pipeline(bench, stage("make", "stages_here.Make"), stage("write", OUTPUT, policy=policy))
    done = bench.run()
    assert done.code == 0, done.err
    with sqlite3.connect(done.run_dir / LEDGER_NAME) as ledger:
        rows = ledger.execute("SELECT path, bytes, sha256 FROM outputs ORDER BY path").fetchall()
    ledger.close()
    whole = [f"{bench.folder}/out/{rank}-{file}" for rank in (0, 1)]
    assert [row[0] for row in rows] == sorted([*whole, *(f"{path}.sha256" for path in whole)])
    assert all(output_sha256(path) == (size, digest) for path, size, digest in rows)
    assert sorted(os.listdir(bench.folder / "out")) == sorted(os.path.basename(row[0]) for row in rows)
    for rank in (0, 1):
        request = harness.storage.ReadRequest("frame", "numpy.ndarray")
        assert storage(name).read(whole[rank], request).mean() == rank


# --- bad files


def damage(kind, path, name):
    """Makes a good file bad; returns what the message says of it."""
    if kind == "missing":
        path.unlink()
        return "does not exist, after waiting 0 s"
    if kind == "truncated":
        os.truncate(path, path.stat().st_size - 100_000)
        return {"FitsStorage": "expected at least", "NpyStorage": "expected", "Hdf5Storage": "truncated"}[name]
    if kind == "bad checksum":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        return "damaged"
    if kind == "wrong dtype":
        storage(name).write(str(path), pixels(1).astype("i4"))
        return "expected pixels of type float32, saw int32"
    if kind == "wrong shape":
        storage(name).write(str(path), pixels(1)[:100])
        return "expected the shape (200, any), saw (100, 300)"
    if kind == "a directory":
        path.unlink()
        path.mkdir()
        return "irectory"
    path.chmod(0)
    return "Permission denied"


BAD = ["missing", "truncated", "bad checksum", "wrong dtype", "wrong shape", "a directory", "no permission"]
EVERY = [("FitsStorage", "f.fits"), ("NpyStorage", "f.npy"), ("Hdf5Storage", "f.h5")]
SURVIVORS = """
class Note(ParallelProcessing):
    def process(self, clipboard):
        print("processed", self.rank, float(clipboard.get("frame").mean()), flush=True)

class Salvage(ParallelProcessing):
    def process(self, clipboard):
        print("salvaged", self.rank, clipboard.get("failedInStageName"), flush=True)

class Drop(SerialProcessing):
    def setup(self):
        os.setegid(65534)
        os.seteuid(65534)
"""


@pytest.mark.parametrize(("name", "file"), EVERY, ids=[file for _, file in EVERY])
def test_a_bad_file_fails_its_item_by_name_and_path_and_the_rest_goes_on(bench, name, file):
    """One slice for each kind of damage, and a sound one before and after them."""
    slices = len(BAD) + 2
    said = {}
    for rank in range(slices):
        path = bench.folder / f"{rank}-{file}"
        storage(name).write(str(path), pixels(rank))
        harness.iostage.sidecars.write_sidecar(str(path)) if name != "FitsStorage" else None
        if 0 < rank <= len(BAD):
            kind = BAD[rank - 1]
            if kind == "no permission" and os.geteuid() == 0:
                # Root may read whatever it likes; a dangling link is as closed to it.
                path.unlink()
                os.symlink(path, path)
                said[rank] = (path, "does not exist")
                continue
            said[rank] = (path, damage(kind, path, name))
            if kind.startswith("wrong") and name != "FitsStorage":
                harness.iostage.sidecars.write_sidecar(str(path))
    bench.module(SURVIVORS)
    sidecar = "" if name == "FitsStorage" else 'checksum: "sha256"'
    place = f'storage: {name} location: "{bench.folder}/%(sliceId)-{file}" {sidecar}'
    more = 'timeout: 0\ndtype: "float32"\nshape: 200 -1'
    policy = "parameters: { inputItems: {\n" + items("frame", place, more) + "} }"
    failure = (
        'failureStage: { name: "salvage" parallelClass: "stages_here.Salvage" }\n'
    )
    pipeline(
        bench,
        stage("read", INPUT, policy=policy),
        stage("note", "stages_here.Note"),
        slices=slices,
        head=f'executionMode: "oneloop"\n{failure}',
    )
    done = bench.run()
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert [line for line in lines if line.startswith("processed")] == [
        "processed 0 0.0", f"processed {slices - 1} {slices - 1}.0"
    ]
    assert len([line for line in lines if line.startswith("salvaged") and line.endswith(" read")]) == len(BAD)
    for rank, (path, why) in said.items():
        log = done.log(f"Slice{rank}")
        assert "item 'frame'" in log and str(path) in log and why in log, (BAD[rank - 1], log)

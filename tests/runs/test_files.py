# SPDX-License-Identifier: BSD-3-Clause
"""Files in runs: pixels that cross without a copy, outputs in the ledger, bad files, and reading ahead."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sqlite3
import textwrap

import numpy
import pytest
from harness.iostage.sidecars import verify_sidecar, write_sidecar
from harness.ledger.schema import LEDGER_NAME
from harness.outputs import output_sha256
from harness.storage import ReadRequest, storage_named

pytest.importorskip("astropy", reason="astropy is not installed")

if importlib.util.find_spec("zarr"):
    # It keeps an event loop for the life of the process, which no single test has to answer for.
    importlib.import_module("zarr").zeros((1,))[...]

INPUT = "harness.iostage.InputStageParallel"
OUTPUT = "harness.iostage.OutputStageParallel"
SHAPE = (200, 300)
NEEDS = {"Hdf5Storage": "h5py", "ZarrStorage": "zarr"}


def storage(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is not installed")
    return storage_named(name)


def block(name, *lines):
    """A block of a policy."""
    return "\n".join([f"{name}: {{", *(line for line in lines if line), "}"])


def item(*place, key="frame", more="", kind="numpy.ndarray"):
    """An input item."""
    return block(key, f'pythonType: "{kind}"', more, block("storagePolicy", *place))


def reading(*place, ahead=0, more="", head=""):
    """The stage `read`."""
    policy = block("parameters", f"readAhead: {ahead}", head, block("inputItems", item(*place, more=more)))
    return stage("read", INPUT, policy=policy)


def stage(name, parallel="", serial="", policy="", kind="appStage", more=""):
    """A stage of the pipeline."""
    return block(
        kind,
        f'name: "{name}"',
        serial and f'serialClass: "{serial}"',
        parallel and f'parallelClass: "{parallel}"',
        policy and block("stagePolicy", policy),
        more,
    )


def pipeline(bench, *stages, slices=2, head='executionMode: "oneloop"'):
    lines = [head, f"nSlices: {slices}", 'arenaSize: "256 MiB"', *stages, ""]
    (bench.folder / "night.paf").write_text("\n".join(lines))


def pixels(number):
    return numpy.full(SHAPE, number, "f4")


# --- pixels in the arena


FILES = {
    "plain": ("FitsStorage", "f.fits"),
    "gzipped": ("FitsStorage", "f.fits.gz"),
    "tiled": ("FitsStorage", "f.fits.fz"),
    "npy": ("NpyStorage", "f.npy"),
    "npz": ("NpzStorage", "f.npz"),
    "hdf5": ("Hdf5Storage", "f.h5"),
    "zarr": ("ZarrStorage", "f.zarr"),
}


def kinds():
    """The kinds of files that can be tested here: an item, its storage and its file."""
    return [
        (key, name, file)
        for key, (name, file) in FILES.items()
        if name not in NEEDS or importlib.util.find_spec(NEEDS[name])
    ]


CROSSING = """
class Sums(SerialProcessing):
    def postprocess(self, clipboard):
        with open("sums", "a") as out:
            for key in KEYS:
                found = clipboard.gather(key)
                print(key, *(int(frame.sum(dtype="f8")) for frame in found), file=out)

class Share(ParallelProcessing):
    def process(self, clipboard):
        for key in KEYS:
            assert clipboard.get(key).dtype == np.dtype("=f4")
            clipboard.setShared(key, True)
"""


@pytest.mark.parametrize("ahead", [0, 1], ids=["at its time", "ahead"])
def test_pixels_land_native_in_shared_memory_and_cross_with_no_byte_copied(bench, ahead):
    """Also what was read ahead, by a thread that NumPy's own allocations are not redirected for."""
    ramp = numpy.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)
    items = []
    for key, name, file in kinds():
        for number in (1, 2):
            storage(name).write(str(bench.folder / f"{number}-{file}"), (ramp + number).astype(">f4"))
        items.append(item(f"storage: {name}", f'location: "{bench.folder}/%(visitNumber)-{file}"', key=key))
    keys = [key for key, *_ in kinds()]
    bench.module(f"KEYS = {keys}\n" + textwrap.dedent(CROSSING))
    policy = block("parameters", f"readAhead: {ahead}", block("inputItems", *items))
    pipeline(
        bench,
        stage("read", INPUT, policy=policy),
        stage("share", "stages_here.Share", "stages_here.Sums"),
        head='copyPolicy: "strict"',
    )
    done = bench.run("--visits", "2")
    assert done.code == 0, done.err
    sums = [(bench.folder / "sums").read_text().splitlines()]
    assert sums == [
        [
            f"{key} {total} {total}"
            for number in (1, 2)
            for total in [int((ramp + number).sum())]
            for key in keys
        ]
    ]
    rows = {row["key"]: row for row in done.summary["keys"]}
    assert rows.keys() == set(keys)
    for row in rows.values():
        assert (row["direction"], row["bytes_copied"], row["bytes_shared"]) == ("up", 0, 4 * ramp.size * 4)
    assert done.log("Slice0").count("was read ahead") == ahead * len(keys), done.log("Slice0")


# --- outputs


def test_what_is_written_is_in_the_ledger_with_size_and_checksum(bench):
    keys = [key for key, *_ in kinds()]
    bench.module(f"""
    class Make(ParallelProcessing):
        def process(self, clipboard):
            for key in {keys}:
                clipboard.put(key, np.full((200, 300), self.rank, "f4"))
    """)
    items, whole = [], {}
    for key, name, file in kinds():
        place = [
            f"storage: {name}",
            f'location: "{bench.folder}/out/%(sliceId)-{file}"',
            'checksum: "sha256"',
        ]
        items.append(block(key, block("storagePolicy", *place)))
        whole |= {f"{bench.folder}/out/{rank}-{file}": (name, rank) for rank in (0, 1)}
    policy = block("parameters", block("outputItems", *items))
    pipeline(bench, stage("make", "stages_here.Make"), stage("write", OUTPUT, policy=policy))
    done = bench.run()
    assert done.code == 0, done.err
    with contextlib.closing(sqlite3.connect(done.run_dir / LEDGER_NAME)) as ledger:
        rows = ledger.execute("SELECT path, bytes, sha256 FROM outputs ORDER BY path").fetchall()
    assert [row[0] for row in rows] == sorted([*whole, *(f"{path}.sha256" for path in whole)])
    assert all(output_sha256(path) == (size, digest) for path, size, digest in rows)
    assert sorted(os.listdir(bench.folder / "out")) == sorted(os.path.basename(row[0]) for row in rows)
    for path, (name, rank) in whole.items():
        assert storage(name).read(path, ReadRequest("frame", "numpy.ndarray")).mean() == rank
        verify_sidecar("frame", path)


# --- bad files


def damage(kind, path, name):
    """Makes a good file bad; returns what the message says of it."""
    if kind == "missing":
        path.unlink()
        return "does not exist, after waiting 0 s"
    if kind == "truncated":
        os.truncate(path, path.stat().st_size - 100_000)
        return {"FitsStorage": "expected at least", "NpyStorage": "expected", "Hdf5Storage": "truncated"}[
            name
        ]
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
        with open(f"processed-{self.rank}", "w") as out:
            print(clipboard.get("frame").mean(), file=out)

class Salvage(ParallelProcessing):
    def process(self, clipboard):
        with open(f"salvaged-{self.rank}", "w") as out:
            print(clipboard.get("failedInStage"), clipboard.get("failureMessage"), file=out)
"""


@pytest.mark.parametrize(("name", "file"), EVERY, ids=[file for _, file in EVERY])
def test_a_bad_file_fails_its_item_by_name_and_path_and_the_rest_goes_on(bench, name, file):
    """One slice for each kind of damage, and a sound one before and after them."""
    slices = len(BAD) + 2
    said = {}
    for rank in range(slices):
        path = bench.folder / f"{rank}-{file}"
        storage(name).write(str(path), pixels(rank))
        if name != "FitsStorage":
            write_sidecar(str(path))
        if 0 < rank <= len(BAD):
            kind = BAD[rank - 1]
            if kind == "no permission" and os.geteuid() == 0:
                # Root may read whatever it likes; a dangling link is as closed to it.
                path.unlink()
                os.symlink(path, path)
                said[rank] = (path, "does not exist")
                continue
            said[rank] = (path, damage(kind, path, name))
            if kind not in ("missing", "bad checksum") and name != "FitsStorage":
                write_sidecar(str(path))
    bench.module(SURVIVORS)
    place = [f"storage: {name}", f'location: "{bench.folder}/%(sliceId)-{file}"']
    place += [] if name == "FitsStorage" else ['checksum: "sha256"']
    pipeline(
        bench,
        stage("salvage", "stages_here.Salvage", kind="failureStage"),
        reading(*place, more='timeout: 0\ndtype: "float32"\nshape: 200 -1'),
        stage("note", "stages_here.Note"),
        slices=slices,
    )
    done = bench.run()
    assert done.code == 0, done.err
    left = {path.name: path.read_text() for path in bench.folder.glob("*ed-*") if path.is_file()}
    sound = {f"processed-{rank}": f"{float(rank)}\n" for rank in (0, slices - 1)}
    assert {name: text for name, text in left.items() if name.startswith("processed")} == sound
    for rank, (path, why) in said.items():
        text = left[f"salvaged-{rank}"]
        assert text.startswith("read ") and "item 'frame'" in text, text
        assert str(path) in text and why in text, (BAD[rank - 1], text)


# --- read ahead of the loop

NOTE = """
class Hand(SerialProcessing):
    def preprocess(self, clipboard):
        clipboard.setShared("frame", True)

class Note(ParallelProcessing):
    def process(self, clipboard):
        with open(f"seen-{self.rank}", "a") as out:
            print(clipboard.get("frame").mean(), file=out)
        if os.environ.get("DIES") == str(self.rank) and not os.path.exists("died"):
            open("died", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
"""


def by_events(bench, ahead, *numbers, serial=False):
    """A pipeline whose files are told by events, and read by slices or the master; the options of its run."""
    for number in range(1, 5):
        storage("NpyStorage").write(str(bench.folder / f"{number}.npy"), pixels(number))
    bench.module(NOTE)
    policy = block(
        "parameters",
        f"readAhead: {ahead}",
        "runMode: preprocess" if serial else "",
        'additionalData: "number=newFrame.n"',
        block("inputItems", item("storage: NpyStorage", f'location: "{bench.folder}/%(number).npy"')),
    )
    classes = {"serial": "harness.iostage.InputStageSerial"} if serial else {"parallel": INPUT}
    read = stage("read", **classes, policy=policy, more='eventTopic: "newFrame"')
    share = [stage("share", serial="stages_here.Hand")] if serial else []
    pipeline(bench, read, *share, stage("note", "stages_here.Note"), head="")
    (bench.folder / "night.jsonl").write_text("".join(json.dumps({"n": number}) + "\n" for number in numbers))
    return "--feed", "night.jsonl"


@pytest.mark.parametrize("ahead", [0, 2])
def test_events_that_wait_already_tell_which_files_come_next(bench, ahead):
    order = [3, 1, 4, 2]
    done = bench.run(*by_events(bench, ahead, *order))
    assert done.code == 0 and done.summary["visits"] == 4, done.err
    for rank in (0, 1):
        assert (bench.folder / f"seen-{rank}").read_text().split() == [f"{number}.0" for number in order]
        log = done.log(f"Slice{rank}")
        came = [line.rpartition("/")[2] for line in log.splitlines() if "was read ahead from" in line]
        assert came == ([f"{number}.npy" for number in order[1:]] if ahead else [])


def test_the_master_reads_ahead_too(bench):
    done = bench.run(*by_events(bench, 1, 2, 4, 1, serial=True))
    assert done.code == 0, done.err
    assert [(bench.folder / f"seen-{rank}").read_text() for rank in (0, 1)] == ["2.0\n4.0\n1.0\n"] * 2
    assert done.log().count("was read ahead from") == 2
    (row,) = [row for row in done.summary["keys"] if row["key"] == "frame"]
    assert (row["direction"], row["bytes_copied"]) == ("down", 0)


def test_a_worker_that_dies_loses_what_it_has_read_ahead_and_nothing_else(bench, monkeypatch):
    monkeypatch.setenv("DIES", "1")
    done = bench.run(*by_events(bench, 2, 1, 2, 3, 4))
    assert done.code == 0, done.err
    for rank in (0, 1):
        seen = (bench.folder / f"seen-{rank}").read_text().split()
        assert seen == (["1.0"] if rank else []) + ["1.0", "2.0", "3.0", "4.0"]
    assert "3 files came in time" in done.log("Slice0")


def test_explain_tells_what_is_read_ahead_and_by_what_it_is_known(bench):
    by_events(bench, 2, 1)
    told = bench.run("--explain").out
    assert (
        "stage 1 (read) reads files up to 2 visits ahead while stages compute, from events of topic" in told
    )
    policy = bench.folder / "night.paf"
    policy.write_text(policy.read_text().replace("newFrame.n", "frame.n"))
    told = bench.run("--explain").out
    assert "if a stage puts 'frame' of the next visits under 'upcomingVisits'; else nothing" in told
    policy.write_text(policy.read_text().replace('additionalData: "number=frame.n"', ""))
    assert "ahead while stages compute, from the number of the visit" in bench.run("--explain").out
    policy.write_text(policy.read_text().replace("inputItems: {", "butler: {\n}\ninputItems: {"))
    assert "stages compute, but for items of a butler, as these are, none" in bench.run("--explain").out

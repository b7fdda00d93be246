# SPDX-License-Identifier: BSD-3-Clause
"""Stages whose slices and master write outputs of every kind, and die on the way (`crash_points`)."""

import os

import harness
from crash_points import Crash
from harness.storage.atomic import atomic_directory, atomic_file, atomic_path
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing


def content(who, kind, visit):
    """What an output must have in it."""
    return f"{kind} of {who} in visit {visit}\n".encode() * 5000


def call(who):
    visit = harness.current_visit()
    with open("calls", "a") as out:
        out.write(f"{visit} {who}\n")
    return visit


def write_halves(stream, data, kind, crash):
    stream.write(data[: len(data) // 2])
    stream.flush()
    crash.filling(kind)
    stream.write(data[len(data) // 2 :])


def write_all(who, visit, crash):
    """A file, a file at a path of a library, a directory; and a directory over an older one."""
    crash.arm("file")
    with atomic_file(f"out/file-{who}-{visit}") as stream:
        write_halves(stream, content(who, "file", visit), "file", crash)
    crash.arm("path")
    with atomic_path(f"out/path-{who}-{visit}") as path, open(path, "wb") as stream:
        write_halves(stream, content(who, "path", visit), "path", crash)
    crash.arm("directory")
    write_directory(who, "directory", visit, crash, "directory")
    write_directory(who, "old", visit, crash, "over")
    crash.arm("over")
    write_directory(who, "over", visit, crash, "over")


def write_directory(who, what, visit, crash, name):
    with atomic_directory(f"out/{name}-{who}-{visit}") as folder:
        for part in ("one", "two"):
            with open(os.path.join(folder, part), "wb") as stream:
                stream.write(content(who, what, visit))
            crash.filling(what)


class Join(SerialProcessing):
    def postprocess(self, clipboard):
        visit = call("master")
        crash = Crash("master", visit)
        write_all("master", visit, crash)
        crash.arm("ledger")


class Write(ParallelProcessing):
    def process(self, clipboard):
        visit = call(f"slice{self.rank}")
        crash = Crash(f"slice{self.rank}", visit)
        write_all(f"slice{self.rank}", visit, crash)

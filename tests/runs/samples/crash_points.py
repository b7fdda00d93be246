# SPDX-License-Identifier: BSD-3-Clause
"""Kills a process of a run at a named point of the way of an output: to its name, and into the ledger.

The harness has no hooks for this: what it calls at the point is replaced in the process that is to die.
`CRASHES` in the environment says who dies: `{"ROLE-VISIT": POINT}` in JSON, with role `master` or `sliceN`.
"""

import json
import os
import resource
import shutil
import signal

from harness.ledger.writer import Ledger
from harness.outputs import Journal
from harness.storage import atomic


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner, name):
    return lambda: setattr(owner, name, lambda *_, **__: die())


def after(owner, name):
    def arm():
        real = getattr(owner, name)

        def dying(*arguments, **named):
            real(*arguments, **named)
            die()

        setattr(owner, name, dying)

    return arm


def half_a_line():
    real_append, real_write = Journal.append, os.write

    def half(descriptor, data):
        real_write(descriptor, data[: len(data) // 2])
        die()

    def append(journal, entry):
        os.write = half
        real_append(journal, entry)

    Journal.append = append


def half_a_removal():
    def remove(path):
        folder, _, names = next(os.walk(path))
        os.unlink(os.path.join(folder, names[0]))
        die()

    shutil.rmtree = remove


def in_the_commit():
    """Within the call of SQLite, which has then written a part of its log: the kernel ends who writes on."""
    real = Ledger._commit

    def commit(ledger, *, wait):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        written = os.stat(f"{ledger.path}-wal").st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (written + 1000, resource.RLIM_INFINITY))
        real(ledger, wait=wait)

    Ledger._commit = commit


def within():
    """What fills the file dies itself; see `filling`."""


FILE = {
    "file: half of it is written": within,
    "file: synced, without a name": before(os, "link"),
    "file: linked to its temporary name": after(os, "link"),
    "file: before the rename": before(os, "replace"),
    "file: renamed": after(os, "replace"),
    "file: the directory is synced": before(Journal, "append"),
    "file: half of its line is in the journal": half_a_line,
    "file: its line is in the journal": after(Journal, "append"),
}
PATH = {
    "path: half of it is written": within,
    "path: before the rename": before(os, "replace"),
    "path: renamed": after(os, "replace"),
    "path: the directory is synced": before(Journal, "append"),
}
DIRECTORY = {
    "directory: half of it is written": within,
    "directory: before the rename": before(os, "rename"),
    "directory: renamed": after(os, "rename"),
    "over: before the exchange": before(atomic, "exchange_names"),
    "over: exchanged": after(atomic, "exchange_names"),
    "over: half of the old one is removed": half_a_removal,
    "over: the directory is synced": before(Journal, "append"),
}
LEDGER = {
    "ledger: before the outputs": before(Ledger, "_add_outputs"),
    "ledger: with the outputs, before the commit": before(Ledger, "_commit"),
    "ledger: in the commit": in_the_commit,
    "ledger: committed": after(Ledger, "_commit"),
}
OF_WORKERS = {**FILE, **PATH, **DIRECTORY}
POINTS = {**OF_WORKERS, **LEDGER}


class Crash:
    """The death that is ordered for a role in a visit, if there is one that has not happened."""

    def __init__(self, role, visit):
        place = f"{role}-{visit}"
        self.point = json.loads(os.environ.get("CRASHES", "{}")).get(place, "")
        if self.point:
            try:
                os.close(os.open(f"crashed-{place}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                self.point = ""

    def arm(self, kind):
        """Call it before what dies at points of that kind."""
        if self.point.startswith(f"{kind}: "):
            POINTS[self.point]()

    def filling(self, kind):
        """Call it when half of the file is written."""
        if self.point == f"{kind}: half of it is written":
            die()

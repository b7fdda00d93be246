# SPDX-License-Identifier: BSD-3-Clause
"""Whether a path lies on a network file system, where SQLite's write-ahead log does not work."""

from __future__ import annotations

import os
from pathlib import Path

NETWORK_TYPES = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "fhgfs", "fuse.ceph", "fuse.glusterfs", "fuse.juicefs",
        "fuse.s3fs", "fuse.sshfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2",
        "smb3", "smbfs", "virtiofs", "wekafs",
    }
)


def is_network_path(path: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether the file `path`, which need not exist, lies on a file system that other machines may write.

    `mountinfo` is the kernel's table of mounts. Where it cannot be read, the answer is no.
    """
    return file_system_type(path, mountinfo) in NETWORK_TYPES


def file_system_type(path: Path, mountinfo: Path) -> str:
    """The type of the mount that holds `path`, such as `ext4`; empty where the kernel does not tell."""
    place = os.path.realpath(path)
    try:
        lines = mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = _unescaped(fields[4])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        # Of mounts on the same point, the later one covers the earlier.
        if inside and len(point) >= best:
            best, kind = len(point), after.split(" ")[0]
    return kind


def _unescaped(text: str) -> str:
    """Blanks and the like stand as `\\040` in the table."""
    for code in ("\\040", "\\011", "\\012", "\\134"):
        text = text.replace(code, chr(int(code[1:], 8)))
    return text

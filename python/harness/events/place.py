# SPDX-License-Identifier: BSD-3-Clause
"""Where a spool may lie: on a file system of this machine, for its log does not work over a network."""

from __future__ import annotations

import os
from pathlib import Path

from harness.events.errors import SpoolError

__all__ = ["refuse_network"]

NETWORK_TYPES = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "fhgfs", "fuse.ceph", "fuse.glusterfs", "fuse.juicefs",
        "fuse.s3fs", "fuse.sshfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2",
        "smb3", "smbfs", "virtiofs", "wekafs",
    }
)  # fmt: skip


def refuse_network(directory: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> None:
    """Raises `SpoolError` when `directory`, which need not exist, lies on a network file system."""
    kind = _mount_type(os.path.realpath(directory), mountinfo)
    if kind in NETWORK_TYPES:
        raise SpoolError(
            f"event spool {directory}: it would lie on a network file system ({kind}), where several machines"
            " would write it and events could be lost. Name a local directory with eventBrokerHost:"
            ' "spool:/local/directory", or a message broker with eventBrokerHost: "stomp://host:port"'
        )


def _mount_type(place: str, mountinfo: Path) -> str:
    """The type of the mount that holds `place`; empty where the kernel does not tell."""
    try:
        lines = mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        fields, _, after = line.partition(" - ")
        point = fields.split(" ")[4] if fields.count(" ") >= 4 else ""
        # Blanks and the like are written as octal numbers.
        for code in ("\\040", "\\011", "\\012", "\\134"):
            point = point.replace(code, chr(int(code[1:], 8)))
        inside = bool(point) and (place == point or place.startswith(point.rstrip("/") + "/"))
        # Of mounts on the same point, the later one covers the earlier.
        if inside and len(point) >= best:
            best, kind = len(point), after.split(" ")[0]
    return kind

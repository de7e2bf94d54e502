"""The disk: what a folder lies on (SQLite's log needs more than a network has), and what outlives a power cut."""

import os
import re
from pathlib import Path

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "fuse.rclone"}
)
MOUNTS = Path("/proc/self/mounts")


def network_of(folder: Path, mounts: Path = MOUNTS) -> str:
    """The kind of network file system that a folder lies on; empty when it is local, or nobody can tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    place, longest, found = folder.resolve(), -1, ""
    for _, point, kind, *_ in (line.split(" ") for line in lines if line.count(" ") >= 3):
        at = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point))
        # The last of several mounts at one place is the one that is seen.
        if place.is_relative_to(at) and len(at.parts) >= longest:
            longest, found = len(at.parts), kind
    return found if found in NETWORK else ""


def sync(path: Path) -> None:
    """Return once a file's content, or a folder's names, would outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

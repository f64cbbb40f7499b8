"""Where a store may stand: not on a network file system, and not in the hands of two machines at once.

SQLite's write-ahead log is held together by memory that processes share and by file locks, and neither reaches from
one machine to another (https://www.sqlite.org/wal.html, https://www.sqlite.org/faq.html#q5).
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from dilemmas.errors import StoreError

MOUNTS = Path("/proc/self/mountinfo")
"""What Linux has mounted where (proc_pid_mountinfo(5)); other systems have no such file."""

_NETWORK = frozenset(
    {
        "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "drvfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs",
        "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "vmhgfs", "wekafs",
    }
)  # fmt: skip
"""File systems over a network or shared with the machine's host."""
_NETWORK_FUSE = frozenset(
    {
        "blobfuse2", "ceph", "curlftpfs", "davfs", "gcsfuse", "glusterfs", "goofys", "grpcfuse", "juicefs", "mount-s3",
        "osxfs", "rclone", "s3fs", "sshfs", "vmhgfs-fuse",
    }
)  # fmt: skip
"""The same in user space: what stands after `fuse.`"""


def network_kind(path: Path, mountinfo: str) -> str | None:
    """The network file system that a path is on, such as `nfs4`; None where it is on a local disk.

    Args:
        path: absolute and without links; it need not be there yet.
        mountinfo: the text of `MOUNTS`.

    >>> network_kind(Path("/data/runs"), "36 25 0:41 / /data rw shared:9 - nfs4 nas:/export rw")
    'nfs4'
    >>> network_kind(Path("/database"), "36 25 0:41 / /data rw shared:9 - nfs4 nas:/export rw") is None
    True
    """
    deepest, kind = -1, None
    for line in mountinfo.splitlines():
        place, _, told = line.partition(" - ")
        fields = place.split()
        if len(fields) < 5 or len(told.split()) < 2:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        # Of two at one place the later one covers the other.
        if path.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, kind = len(point.parts), _network_type(told)
    return kind


def _network_type(told: str) -> str | None:
    """A mount's type where it is a network's, out of its type, source and options."""
    name, source = told.split()[:2]
    if name in ("9p", "virtiofs"):
        if "aname=drvfs" in told or source.startswith("drvfs"):
            return f"{name}: a Windows drive in WSL"
        return name if "trans=tcp" in told else None
    family, _, inner = name.partition(".")
    return name if name in _NETWORK or (family == "fuse" and inner in _NETWORK_FUSE) else None


def refuse_network(folder: Path) -> None:
    """Refuse a folder for a store that is on a network file system.

    Raises:
        StoreError: it is on one; names its type.
    """
    if not MOUNTS.exists():
        return
    if kind := network_kind(folder.resolve(), MOUNTS.read_text(encoding="utf-8", errors="replace")):
        raise StoreError(
            f"is on a network file system ({kind}), on which a store can be damaged without a word",
            where=str(folder),
            fix="Choose a folder on a local disk with --runs-dir, and copy the run's folder when it is done.",
        )


@cache
def this_machine() -> str:
    """A mark of this machine and of its present start: two checksums that tell no name.

    >>> this_machine() == this_machine(), len(this_machine())
    (True, 17)
    """
    host = f"{platform.node()} {_first_line(Path('/etc/machine-id'))}"
    return f"{_short(host)}-{_short(_start() or host)}"


def is_this_machine(mark: str) -> bool:
    """Whether a mark was made on this machine: before it was started again, or in a container on it.

    File locks tell whether a process on this machine lives; of another machine's processes they tell nothing.
    """
    return any(there == here for there, here in zip(mark.split("-"), this_machine().split("-"), strict=False))


def refuse_other_machine(locks: Iterable[Path]) -> None:
    """Refuse a run that another machine is asking.

    Args:
        locks: lock files of the run's processes; each begins with the mark of its machine, if it has one yet.

    Raises:
        StoreError: one of them is another machine's.
    """
    for lock in locks:
        mark = _first_line(lock).split(" ")[0]
        if mark and not is_this_machine(mark):
            raise StoreError(
                "another machine is asking this run, and two machines would damage its store",
                where=str(lock.parent),
                fix=f"Stop it there, or start another run with --run NAME. If it crashed there, remove {lock.name}.",
            )


def _start() -> str:
    """The system's own name of its present start; empty where there is none."""
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    return _first_line(Path("/proc/sys/kernel/random/boot_id"))


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    except OSError:
        return ""


def _short(text: str) -> str:
    return hashlib.sha256(f"dilemmas {text}".encode()).hexdigest()[:8]

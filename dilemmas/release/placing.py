"""Writing a folder of files whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dilemmas.errors import os_error


def place(files: Mapping[str, bytes], folder: Path) -> None:
    """Write a folder of files, whole or not at all.

    Args:
        files: bytes by path within the folder, at most one folder deep.
        folder: where it is to be; there is none yet.

    Raises:
        InputError: the place cannot be written, or the disk is full; nothing is left there then.
    """
    with staged(folder, "release") as there:
        for name, data in files.items():
            path = there / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)


@contextmanager
def staged(folder: Path, what: str) -> Iterator[Path]:
    """A new folder beside its place, to be filled: it goes there at the end, and vanishes where something goes wrong.

    So nobody ever sees a part of it, and all of it is on disk once it is seen.

    Args:
        folder: where it is to be; there is none yet.
        what: what to call it in an error.

    Raises:
        InputError: the place cannot be written, or the disk is full.
    """
    there = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        there = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        yield there
        for path in (*there.rglob("*"), there):
            path.chmod(0o755 if path.is_dir() else 0o644)
            _sync(path)
        there.rename(folder)
        there = None
        _sync(folder.parent)
    except OSError as error:
        raise os_error(error, f"write the {what}", folder) from None
    finally:
        if there is not None:
            shutil.rmtree(there, ignore_errors=True)


def _sync(path: Path) -> None:
    """Have a file, or a folder's entries, on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

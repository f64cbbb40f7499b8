"""Writing a folder of files whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dilemmas.errors import os_error


def place(files: Mapping[str, bytes], folder: Path) -> None:
    """Write a folder beside its place and move it there, so that nobody ever sees a part of it.

    Args:
        files: bytes by path within the folder, at most one folder deep.
        folder: where it is to be; there is none yet.

    Raises:
        InputError: the place cannot be written, or the disk is full; nothing is left there then.
    """
    staged = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        for name, data in files.items():
            path = staged / name
            path.parent.mkdir(exist_ok=True)
            with path.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            path.chmod(0o644)
        for one in (*(path for path in staged.iterdir() if path.is_dir()), staged):
            one.chmod(0o755)
            _sync(one)
        staged.rename(folder)
        staged = None
        _sync(folder.parent)
    except OSError as error:
        raise os_error(error, "write the release", folder) from None
    finally:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Have a folder's entries on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

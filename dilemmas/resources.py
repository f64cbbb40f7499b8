"""Finding what ships with the package, and writing files so that no half-written one is left.

`templates/`, `schemas/`, `dataset/` and `annotations/` are real folders at the top of the repository. A wheel
carries copies of them inside the package, so each is looked for beside this file and then one
folder up (a checkout, or an editable install).
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from dilemmas import __version__
from dilemmas.errors import InputError, SetupError, os_error

LIBRARIES = (
    "numpy", "pandas", "scipy", "scikit-learn", "statsmodels", "krippendorff", "pydantic", "jinja2", "openai",
    "instructor", "py3langid", "vaderSentiment", "xllamacpp",
)  # fmt: skip
"""Libraries that answers and numbers depend on."""
_HERE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """A shipped folder: `templates`, `schemas`, `dataset` or `annotations`.

    Raises:
        SetupError: the installation is incomplete.
    """
    for parent in (_HERE, _HERE.parent):
        if (found := parent / name).is_dir():
            return found
    raise SetupError(f"the installation has no {name}/ folder", fix="Install the package again.")


def data_file(name: str) -> Path:
    """A file of facts that ships inside the package, such as `taxonomy.json`."""
    return _HERE / "data" / name


def read_bytes(path: Path, what: str) -> bytes:
    """All of a file the user named.

    Raises:
        InputError: it is not there or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no such {what}", where=str(path), fix="Check the path.") from None
    except OSError as error:
        raise os_error(error, f"read the {what}", path) from None


def decode_utf8(data: bytes, path: Path) -> str:
    """The text of a file, which must be UTF-8 (a byte order mark is allowed).

    Raises:
        InputError: it is not UTF-8; names the line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, fix = data.count(b"\n", 0, error.start) + 1, "Save it as UTF-8."
        what = f"is not UTF-8 (byte 0x{data[error.start]:02x})"
        if error.reason == "unexpected end of data":
            what = "is torn: it ends in the middle of a character"
            fix = "Something stopped while it was written; write it again."
        raise InputError(what, where=f"{path}, line {line}", fix=fix) from None


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: a temporary file beside it, then a rename.

    Raises:
        InputError: the place cannot be written or the disk is full; an older file stays as it was.
    """
    write_texts({path: text})


def write_texts(files: Mapping[Path, str]) -> None:
    """Write several files, each whole, and none where there is no room for all of them.

    Raises:
        InputError: a place cannot be written or the disk is full; older files stay as they were.
    """
    staged: dict[Path, Path] = {}
    path = Path()
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            staged[path] = Path(temporary)
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            staged[path].chmod(0o644)
        for path in files:
            staged[path].replace(path)
            del staged[path]
    except OSError as error:
        raise os_error(error, "write", path) from None
    finally:
        for left in staged.values():
            left.unlink(missing_ok=True)


def now() -> str:
    """UTC time to the second, ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, str]:
    """Versions of this package, of Python, of SQLite and of the libraries that numbers depend on."""
    found = {"dilemmas": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    return found | {library: version for library in LIBRARIES if (version := _version(library))}


@cache
def _version(library: str) -> str:
    """A library's version; empty where it is not installed."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""

"""Whether a release's folder holds exactly the files it was built with: before anything in it is opened.

A folder that was changed is not the release that it says it is, so this raises, and nothing else looks at it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from dilemmas.errors import InputError
from dilemmas.release import layout
from dilemmas.release.versions import Version
from dilemmas.resources import decode_utf8, read_bytes
from dilemmas.schema import Dilemma

LONGEST_SUMS = 1_000_000
"""Largest list of checksums that is read, bytes: some ten thousand files."""
SHOWN = 5
"""Problems that an error names; it counts the others."""

_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\x00-\x1f\x7f\\]+)")
_AGAIN = "Build the release again, or get it again from where it came."


@dataclass(frozen=True)
class Release:
    """A release's folder whose files are those that it was built with."""

    folder: Path
    """Where it is."""
    sums: dict[str, str]
    """SHA-256 of every file but the list itself, by its path within the folder, with `/`."""

    @property
    def files(self) -> list[str]:
        """All files, by path."""
        return sorted([*self.sums, layout.SUMS])

    def path(self, name: str) -> Path:
        """Where a file is."""
        return self.folder / name

    def size(self, name: str) -> int:
        """Size of a file, bytes."""
        return self.path(name).stat().st_size

    def text(self, name: str) -> str:
        """A text file.

        Raises:
            InputError: it cannot be read or is not UTF-8.
        """
        return decode_utf8(read_bytes(self.path(name), "file"), self.path(name))

    def json(self, name: str) -> Any:
        """What a JSON file says.

        Raises:
            InputError: it is no JSON.
        """
        return _json(self.text(name), str(self.path(name)))

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The records of a JSON Lines file.

        Raises:
            InputError: a line is no JSON object; names it.
        """
        records = []
        # Not splitlines: a text may hold U+2028, which that takes for the end of a line.
        for number, line in enumerate(self.text(name).removesuffix("\n").split("\n"), start=1):
            record = _json(line, where := f"{self.path(name)}, line {number}")
            if not isinstance(record, dict):
                raise InputError("is no JSON object", where=where, fix=_AGAIN)
            records.append(record)
        return records

    def dilemmas(self) -> list[dict[str, Any]]:
        """The nested dilemmas as plain data, with all that the release says of each.

        Raises:
            InputError: a line is no dilemma; names it.
        """
        lines = self.lines(layout.NESTED)
        for number, line in enumerate(lines, start=1):
            try:
                Dilemma.model_validate({name: held for name, held in line.items() if name in Dilemma.model_fields})
            except ValidationError as error:
                told = error.errors()[0]
                field = ".".join(map(str, told["loc"]))
                where = f"{self.path(layout.NESTED)}, line {number}, field {field}"
                raise InputError(told["msg"], where=where, fix=_AGAIN) from None
        return lines

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What was built, from what and how.

        Raises:
            InputError: it is no JSON object.
        """
        found = self.json(layout.MANIFEST)
        if not isinstance(found, dict):
            raise InputError("is no JSON object", where=str(self.path(layout.MANIFEST)), fix=_AGAIN)
        return found

    @property
    def version(self) -> Version:
        """Which version it is.

        Raises:
            InputError: it does not say.
        """
        return Version.parse(str(self.manifest.get("version")))


def read(folder: Path) -> Release:
    """A release's folder, once it is known to hold what it was built with and nothing else.

    Raises:
        InputError: there is no release in the folder, or a file is missing, changed, a link or not one of its own;
            names them.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder", where=str(folder), fix="Check the path.")
    if not (folder / layout.SUMS).is_file() or (folder / layout.SUMS).is_symlink():
        raise InputError(
            f"holds no release: it has no {layout.SUMS}",
            where=str(folder),
            fix="Give the folder of one version, such as releases/0.1.0.",
        )
    return Release(folder, unchanged(folder, layout.REQUIRED))


def unchanged(folder: Path, needed: Iterable[str], stray: str = "is in no list of its files") -> dict[str, str]:
    """The checksums of a folder's files by path, once they are known to be those that it was built with.

    Args:
        folder: it has a list of checksums.
        needed: files that must be there whatever the list says.
        stray: what to say of a file that the list does not name.

    Raises:
        InputError: a file is missing, changed, a link or not one of its own; names them.
    """
    sums = _sums(folder / layout.SUMS)
    there, problems = _walk(folder)
    problems += [f"{name} {stray}" for name in there if name not in sums and name != layout.SUMS]
    problems += [f"{name} is missing" for name in {*sums, *needed} - set(there)]
    problems += [f"{name} was changed" for name in there if name in sums and checksum(folder / name) != sums[name]]
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise InputError(
            f"is not as it was built: {'; '.join(sorted(problems)[:SHOWN])}{more}",
            where=str(folder),
            fix=f"{_AGAIN} What a download adds (.gitattributes, .cache/) must go.",
        )
    return sums


def is_plain(name: str) -> bool:
    """Whether a path leads to a place within a folder on every system: relative, with `/`, without `.` and `..`.

    >>> is_plain("data/dilemmas.jsonl"), is_plain("../secret"), is_plain("/etc/passwd"), is_plain("C:/x")
    (True, False, False, False)
    """
    parts = name.split("/")
    return not (set(parts) & {"", ".", ".."} or re.search(r"[\\:\x00-\x1f\x7f]", name))


def _sums(path: Path) -> dict[str, str]:
    """The checksums by path, as `sha256sum` writes them; lines with `#` at the front are remarks."""
    if path.stat().st_size > LONGEST_SUMS:
        raise InputError("is too long for a list of checksums", where=str(path), fix=_AGAIN)
    sums: dict[str, str] = {}
    for number, line in enumerate(decode_utf8(read_bytes(path, "list of checksums"), path).splitlines(), start=1):
        if line.startswith("#") or not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None or not is_plain(found[2]) or found[2] in (*sums, layout.SUMS):
            what = "is no checksum and path within the folder, or names a file for the second time"
            raise InputError(what, where=f"{path}, line {number}", fix=_AGAIN)
        sums[found[2]] = found[1]
    return sums


def _walk(folder: Path) -> tuple[list[str], list[str]]:
    """Regular files by path, and what else is there and must not be; nothing behind a link is looked at."""
    files: list[str] = []
    problems: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        here = PurePosixPath(Path(parent).relative_to(folder).as_posix())
        if not folders and not names and Path(parent) != folder:
            problems.append(f"{here}/ is empty")
        for name in (*folders, *names):
            mode = (Path(parent) / name).lstat().st_mode
            if stat.S_ISREG(mode):
                files.append(str(here / name))
            elif not stat.S_ISDIR(mode):
                problems.append(f"{here / name} is a {'link' if stat.S_ISLNK(mode) else 'special file'}")
    return sorted(files), problems


def _refuse(error: OSError) -> None:
    raise error


def checksum(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits; of any size."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is no JSON: {error}", where=where, fix=_AGAIN) from None

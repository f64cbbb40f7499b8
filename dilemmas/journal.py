"""What was asked of a model for one file, and what came back: JSON Lines that survive `kill -9`.

One line an attempt, on disk before the next step is taken, never changed afterwards. What an
attempt brought about (a draft, a judgement) stands on the attempt's own line, so there is nothing
that could get out of step with it. One process writes at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from dilemmas.errors import InputError, os_error
from dilemmas.schema import Record


class Entry(Record):
    """One attempt."""

    subject: str
    """What it was about, such as a dilemma's id and revision."""
    attempt: int = Field(ge=1)
    """Number of the attempt at this subject, from 1."""
    at: str
    """UTC time (ISO 8601)."""
    request: dict[str, Any]
    """What was sent, without address and key."""
    reply: dict[str, Any] | None = None
    """What came back, as the server sent it; none where nothing came."""
    raw: str = ""
    """What came instead of a reply, such as an error page; empty where nothing came."""
    error: str = ""
    """What was wrong with it; empty where it was good."""
    prompt_tokens: int | None = None
    """Tokens read, where the server counts them."""
    completion_tokens: int | None = None
    """Tokens written, where the server counts them."""
    seconds: float = Field(default=0.0, ge=0)
    """Time from request to reply."""
    result: dict[str, Any] | None = None
    """What it brought about; none where it failed."""


class Journal:
    """A journal that is open for writing. Get one with `Journal.opened`."""

    def __init__(self, stream: FileIO, path: Path) -> None:
        self._stream, self._path = stream, path
        self.results: dict[str, dict[str, Any]] = {}
        """What was brought about so far, by subject; the last one stands."""
        self.attempts: Counter[str] = Counter()
        """Attempts so far, by subject."""

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Self]:
        """A journal to add to, made if it is not there; a line that was cut off is taken away.

        Raises:
            InputError: it cannot be read or written, another process writes it, or it is no journal.
        """
        with locked(path) as stream:
            journal = cls(stream, path)
            journal._read()
            yield journal

    def add(self, entry: Entry) -> None:
        """Note an attempt; on return it is on disk.

        Raises:
            InputError: the disk is full; the journal stays as it was.
        """
        end = self._stream.seek(0, os.SEEK_END)
        try:
            line = entry.model_dump_json(exclude_defaults=True).encode() + b"\n"
        except ValueError:  # nested deeper than pydantic writes; what came back is kept as text
            entry = entry.model_copy(update={"reply": {"as text": repr(entry.reply)}})
            line = entry.model_dump_json(exclude_defaults=True).encode() + b"\n"
        try:
            while line:
                line = line[self._stream.write(line) :]
            os.fsync(self._stream.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):  # else the next process takes the rest of the line away
                self._stream.truncate(end)
            raise os_error(error, "write", self._path) from None
        self._count(entry)

    def _read(self) -> None:
        end = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    self._stream.truncate(end)
                    return
                end += len(line)
                try:
                    self._count(Entry.model_validate_json(line))
                except ValidationError:
                    raise InputError(
                        "is no journal of this version of dilemmas",
                        where=f"{self._path}, line {number}",
                        fix="Move the file out of the way, or restore it from a copy.",
                    ) from None

    def _count(self, entry: Entry) -> None:
        self.attempts[entry.subject] += 1
        if entry.result is not None:
            self.results[entry.subject] = entry.result


@contextmanager
def locked(path: Path) -> Iterator[FileIO]:
    """A file to add to, made if it is not there, that no other process may write meanwhile.

    Raises:
        InputError: it cannot be written, or another process writes it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+b", buffering=0)  # what a full disk refused must not be written later
    except OSError as error:
        raise os_error(error, "write", path) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = os.fstat(stream.fileno()).st_ino != path.stat().st_ino  # somebody put another one in its place
        except OSError:
            taken = True
        if taken:
            raise InputError(
                "another dilemmas process is writing it", where=str(path), fix="Wait for it to end, or stop it."
            )
        yield stream


def entries(path: Path) -> Iterator[Entry]:
    """All entries of a journal that another process may be writing; one that is cut off is left out."""
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                yield Entry.model_validate_json(line)

"""Batch files on disk: parts that services take, written whole or not at all, and lines of bounded length.

OpenAI takes up to 50,000 requests and 200 MB a file, all for one model
(https://platform.openai.com/docs/api-reference/batch/create, read 2026-11-21).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from dilemmas.errors import InputError, os_error

MOST_REQUESTS = 50_000
MOST_BYTES = 190_000_000
"""Some room is left below the 200 MB that services take."""
LONGEST_LINE = 16 * 2**20
"""Longest line that is read, bytes."""


@dataclass
class Part:
    """One batch file."""

    path: str
    model: str
    """The one model that it asks."""
    requests: int = 0
    bytes: int = 0


class Parts:
    """The batch files of a run, which appear together once they are done; a context manager.

    Args:
        folder: where they are to stand.
        name: what their names begin with.
        dry: only count.
    """

    def __init__(self, folder: Path, name: str, *, dry: bool = False) -> None:
        self.made: list[Part] = []
        self._folder, self._name, self._dry = folder, name, dry
        self._stream: IO[bytes] | None = None
        self._staged: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            with suppress(OSError):  # that is why
                self._stream.close()
        for left in self._staged:
            left.unlink(missing_ok=True)

    def add(self, model: str, line: bytes) -> None:
        """Add a request, in a new file where a service would not take it in the last one.

        Raises:
            InputError: the place cannot be written, or a file of this name is there.
        """
        last = self.made[-1] if self.made else None
        full = last and (last.requests >= MOST_REQUESTS or last.bytes + len(line) > MOST_BYTES)
        if last is None or full or last.model != model:
            last = self._begin(model)
        if self._stream is not None:
            try:
                self._stream.write(line)
            except OSError as error:
                raise os_error(error, "write the batch file", last.path) from None
        last.requests += 1
        last.bytes += len(line)

    def done(self) -> None:
        """Have the files appear.

        Raises:
            InputError: the disk is full, or a file of one of these names has appeared meanwhile.
        """
        self._end()
        for path in self._staged.values():
            _refuse(path)
        for staged, path in list(self._staged.items()):
            try:
                staged.rename(path)
            except OSError as error:
                raise os_error(error, "write the batch file", path) from None
            del self._staged[staged]

    def _begin(self, model: str) -> Part:
        self._end()
        path = self._folder / f"{self._name}-{len(self.made) + 1:04}.jsonl"
        _refuse(path)
        if not self._dry:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                handle, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=self._folder)
            except OSError as error:
                raise os_error(error, "write the batch file", path) from None
            self._staged[Path(staged)] = path
            self._stream = os.fdopen(handle, "wb")
        self.made.append(Part(str(path), model))
        return self.made[-1]

    def _end(self) -> None:
        if self._stream is None:
            return
        try:
            with self._stream as stream:
                stream.flush()
                os.fchmod(stream.fileno(), 0o644)
                os.fsync(stream.fileno())
        except OSError as error:
            raise os_error(error, "write the batch file", self.made[-1].path) from None
        self._stream = None


def _refuse(path: Path) -> None:
    if path.exists():
        raise InputError(
            "is there already, and perhaps a service is at work on it",
            where=str(path),
            fix="Take in its results first, and name another folder with --out.",
        )


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not blank, with their numbers; they end in a line feed, but perhaps the last.

    Raises:
        InputError: the file cannot be read, or a line is too long.
    """
    try:
        if not path.is_file():
            raise InputError("there is no such file of results", where=str(path), fix="Check the path.")
        with path.open("rb") as stream:
            number = 0
            while raw := stream.readline(LONGEST_LINE + 1):
                number += 1
                if len(raw) > LONGEST_LINE:
                    raise InputError(
                        f"is longer than {LONGEST_LINE // 2**20} MiB",
                        where=f"{path}, line {number}",
                        fix="No result is as long: is it a file of results, one a line?",
                    )
                if raw.strip():
                    yield number, raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
    except OSError as error:
        raise os_error(error, "read the file of results", path) from None

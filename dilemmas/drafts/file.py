"""The file of the drafts, the journal of the attempts at them, and the history of those that were replaced.

`drafts.jsonl`, `drafts.attempts.jsonl` and `drafts.history.jsonl` stand side by side.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dilemmas import dataset
from dilemmas.dataset import history_of
from dilemmas.errors import InputError, os_error
from dilemmas.journal import Journal, entries, locked
from dilemmas.resources import now, read_bytes, write_text
from dilemmas.schema import Dilemma


def journal_of(out: Path) -> Path:
    """Where every attempt at the drafts of a file is noted."""
    return dataset.beside(out, "attempts")


class DraftFile:
    """The file of the drafts: what it held, what is new, and the revisions that were replaced."""

    def __init__(self, path: Path, ranks: Mapping[str, int]) -> None:
        """`ranks` gives the places of new dilemmas after those that were there."""
        self.dilemmas = on_disk(path)
        self._path, self._ranks = path, ranks
        self._first = len(self.dilemmas)
        self._replaced: tuple[Dilemma, ...] = ()
        self._changed = False
        self._seen = _stamp(path)

    def put(self, dilemma: Dilemma) -> None:
        """Add a dilemma, or replace its earlier revision."""
        if dilemma.id in self.dilemmas:
            self._replaced += (self.dilemmas[dilemma.id],)
        self.dilemmas[dilemma.id] = dilemma
        self._changed = True

    def keep(self) -> None:
        """Write the file if there is something new in it, the revisions that were replaced first.

        Raises:
            InputError: it cannot be written, or somebody else has changed it; it stays as it was.
        """
        if not self._changed:
            return
        if _stamp(self._path) != self._seen:
            raise InputError(
                "was changed by somebody else while drafts were written",
                where=str(self._path),
                fix="What they made of it stays, and no draft is lost: the same command goes on from there.",
            )
        self._changed = False
        dilemmas = list(self.dilemmas.values())
        replaced = self._replaced  # after the line above, lest a revision be lost that is put in between
        new = sorted(dilemmas[self._first :], key=lambda one: self._ranks.get(one.id, len(self._ranks)))
        try:
            if replaced:
                history = history_of(self._path)
                write_text(history, dataset.history_text([history], replaced))
            dataset.write(self._path, (*dilemmas[: self._first], *new))
        except InputError:
            self._changed = True
            raise
        self._seen = _stamp(self._path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells one writing of a file from the next; None where there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def on_disk(path: Path) -> dict[str, Dilemma]:
    """The dilemmas of a file by id; none where there is no file, or an empty one."""
    if not path.exists() or not read_bytes(path, "dataset").strip():
        return {}
    return {dilemma.id: dilemma for dilemma in dataset.read(path).dilemmas}


def results_so_far(journal: Path) -> dict[str, Dilemma]:
    """Drafts in a journal that another process may be writing, by subject."""
    try:
        found = {entry.subject: entry.result for entry in entries(journal) if entry.result is not None}
    except ValidationError:
        raise InputError("is no journal of this version of dilemmas", where=str(journal)) from None
    return drafts_of(found, journal)


def drafts_of(results: Mapping[str, dict[str, Any]], journal: Path) -> dict[str, Dilemma]:
    """What a journal's attempts brought about, as records."""
    return {subject: dataset.parse(json.dumps(result), f"{journal}, {subject}") for subject, result in results.items()}


@contextmanager
def alone(out: Path) -> Iterator[Journal]:
    """The journal of a file, while no other process writes it; none is left where nothing was asked."""
    path = journal_of(out)
    with Journal.opened(path) as journal:
        for name in (out.name, history_of(out).name):
            for left in out.parent.glob(f".{glob.escape(name)}.*"):
                left.unlink(missing_ok=True)  # of a process that was killed while it wrote
        try:
            yield journal
        finally:
            if not journal.attempts:
                path.unlink(missing_ok=True)


def move_aside(out: Path) -> list[str]:
    """Give a file of drafts and what belongs to it names with the time; gives what the user should know."""
    belonging = [path for path in (out, journal_of(out), history_of(out)) if path.exists()]
    if not belonging:
        return []
    stamp = now().replace("-", "").replace(":", "")
    with locked(journal_of(out)):
        name = out.name.removesuffix(".jsonl")
        aside = {path: path.with_name(f"{name}.{stamp}{path.name.removeprefix(name)}") for path in belonging}
        if taken := next((path for path in aside.values() if path.exists()), None):
            raise InputError("is there already", where=str(taken), fix="Wait a second and try again.")
        try:
            for path, target in aside.items():
                path.rename(target)
        except OSError as error:
            raise os_error(error, "move aside", error.filename) from None
        if journal_of(out) not in belonging:
            journal_of(out).unlink(missing_ok=True)  # made to be locked
    return [f"moved {path} to {target}" for path, target in aside.items()]

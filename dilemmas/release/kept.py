"""A run's store as released results read and write it: all of it, in the order in which the run put its questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dilemmas.store import Attempt, Cell, Store


class Told(NamedTuple):
    """A cell with what is not in it and is needed to read its reply again."""

    cell: Cell
    options: str | None
    """Checksum of its options' words; None where it was never put into words."""
    parser: int | None
    """Version of the reader that read its reply; None without one."""


_CELL = (
    "SELECT cells.model, cells.persona, cells.item, cells.question, cells.side, cells.repeat, cells.trial, "
    "trials.trial, messages, reply, at, response, options, parser "
)
_OUTCOME = "LEFT JOIN replies ON replies.trial = trials.id LEFT JOIN responses ON responses.trial = trials.id "


class KeptRun(Store):
    """The store of a run that is released, or restored out of a release."""

    def told(self) -> Iterator[Told]:
        """All cells in the order in which their questions are put; those never put into words last."""
        asked = f"{_CELL} FROM trials CROSS JOIN cells ON cells.trial = trials.id {_OUTCOME} ORDER BY trials.rowid"
        never = f"{_CELL} FROM cells LEFT JOIN trials ON trials.id = cells.trial {_OUTCOME} WHERE cells.trial IS NULL"
        for query in (asked, f"{never} ORDER BY cells.model, cells.persona, cells.item, cells.question, cells.repeat"):
            for *cell, options, parser in self._db.execute(query):
                yield Told(Cell(*cell), options, parser)

    def texts(self) -> Iterator[tuple[str, str]]:
        """All texts that were shown, after their checksums and in the order of these."""
        yield from self._db.execute("SELECT hash, text FROM texts ORDER BY hash")

    def attempts(self) -> Iterator[Attempt]:
        """All failed attempts, the first one first."""
        for row in self._db.execute("SELECT trial, at, kind, status, message FROM attempts ORDER BY number"):
            yield Attempt(*row)

    def add_texts(self, texts: Iterable[str]) -> None:
        """Keep texts, so that trials can be put together out of them."""
        with self.together():
            for text in texts:
                self._text(text)

    def known_text(self, key: str) -> str:
        """A text by its checksum.

        Raises:
            ValueError: there is none.
        """
        row = self._db.execute("SELECT text FROM texts WHERE hash = ?", (key,)).fetchone()
        if row is None:
            raise ValueError("it names a text that is not there")
        return str(row[0])

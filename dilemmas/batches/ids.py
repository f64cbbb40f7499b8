"""Ids met so far, however many: in a database of their own, which goes to disk as it grows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Self


class Ids:
    """Ids met so far, with a mark each. Get one with `Ids.opened`.

    >>> with Ids.opened() as ids:
    ...     ids.add("a", b"1"), ids.add("a", b"2"), ids.add("b")
    (None, b'1', None)
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Self]:
        """None yet; forgotten at the end of the block."""
        with closing(sqlite3.connect("", isolation_level=None)) as db:  # no name: a file that nobody else sees
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("CREATE TABLE ids (id TEXT PRIMARY KEY, mark BLOB NOT NULL) STRICT, WITHOUT ROWID")
            db.execute("BEGIN")
            yield cls(db)

    def add(self, name: str, mark: bytes = b"") -> bytes | None:
        """Note an id.

        Returns:
            The mark with which it was noted before, which stays; None where it is new.
        """
        if self._db.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (name, mark)).rowcount:
            return None
        return bytes(self._db.execute("SELECT mark FROM ids WHERE id = ?", (name,)).fetchone()[0])

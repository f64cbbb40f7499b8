"""The store of a run: one SQLite file that survives `kill -9`, and answers each trial once.

Write-ahead log with synchronous FULL: what was acknowledged is on disk. A trial's key is its id (a
hash of all that can change the answer), inserts of what is there already do nothing, so a run can
be stopped, resumed and grown. What servers sent stands in `replies` and never changes; how it was
read stands in `responses` and can be derived again. Failed attempts have a table of their own.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple, Self
from urllib.parse import quote

import orjson
from pydantic import ValidationError

from dilemmas.disks import refuse_network, refuse_other_machine, this_machine
from dilemmas.errors import StoreError
from dilemmas.resources import now
from dilemmas.schema import Message, Reply, Response, Run, Trial, canonical_json, sha256

FILE = "run.sqlite"
"""Name of the store in a run's folder."""
STORE_VERSION = 2
_REMEMBERED = 4096
"""Texts whose checksums are kept at hand."""
_NEW = 5.0
"""Seconds in which a process surely locks the file it made."""
_AT_ONCE = 2000
"""Failed attempts in memory while two stores are joined."""
_APPLICATION_ID = 0x64696C65  # "dile"
_FROM_COPY = "Restore it from a copy."
_NOTE_CELL = """
INSERT INTO cells VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET trial = excluded.trial WHERE trial IS NULL
"""
_OUTCOMES = "SELECT trial, reply, at, parser, status, response FROM replies JOIN responses USING (trial)"

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE items (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
CREATE TABLE personas (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
CREATE TABLE texts (hash TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE TABLE trials (
    id TEXT PRIMARY KEY, protocol TEXT NOT NULL, trial TEXT NOT NULL, messages TEXT NOT NULL, options TEXT NOT NULL
) STRICT;
CREATE TABLE cells (
    model TEXT NOT NULL, persona TEXT NOT NULL, item TEXT NOT NULL, question TEXT NOT NULL, side TEXT NOT NULL,
    repeat INTEGER NOT NULL, trial TEXT REFERENCES trials (id),
    PRIMARY KEY (model, persona, item, question, repeat)
) STRICT, WITHOUT ROWID;
CREATE INDEX cells_by_trial ON cells (trial);
CREATE TABLE replies (
    trial TEXT PRIMARY KEY REFERENCES trials (id), reply TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE responses (
    trial TEXT PRIMARY KEY REFERENCES replies (trial), parser INTEGER NOT NULL, status TEXT NOT NULL,
    response TEXT NOT NULL
) STRICT;
CREATE TABLE attempts (
    number INTEGER PRIMARY KEY, trial TEXT NOT NULL REFERENCES trials (id), at TEXT NOT NULL, kind TEXT NOT NULL,
    status INTEGER, message TEXT NOT NULL
) STRICT;
CREATE TABLE claims (trial TEXT PRIMARY KEY, owner TEXT NOT NULL) STRICT;
"""


class Planned(NamedTuple):
    """A trial and the words of its options in the order shown."""

    trial: Trial
    options: tuple[str, ...]


class Adopted(NamedTuple):
    """A trial's outcome as it stands in a store."""

    trial: str
    reply: str
    at: str
    parser: int
    status: str
    response: str


class Cell(NamedTuple):
    """One thing to be asked of a model, and what came of it; records are JSON, and None where there is none yet."""

    model: str
    persona: str
    item: str
    question: str
    side: str
    repeat: int
    trial: str | None
    asked: str | None
    """The trial without its messages."""
    messages: str | None
    """Role and checksum of the text of each message."""
    reply: str | None
    at: str | None
    """UTC time of the reply (ISO 8601)."""
    response: str | None


class Asked(NamedTuple):
    """A trial that was put into words, as its reply is to be read."""

    model: str
    """Name of the model."""
    protocol: str
    order: tuple[str, ...]
    options: tuple[str, ...]
    answered: bool
    """Whether it has a reply."""


class Attempt(NamedTuple):
    """A failed attempt at a trial."""

    trial: str
    at: str
    """UTC time (ISO 8601)."""
    kind: str
    """`rejected`, or the name of the error that may pass."""
    status: int | None
    message: str


class Joined(NamedTuple):
    """What one store took over from another."""

    trials: int
    """Trials that it did not have."""
    replies: int
    """Replies to trials that had none."""
    twice: int
    """Trials with a reply in both, and not the same one."""


class Stored(NamedTuple):
    """A reply with what is needed to read it again."""

    trial: str
    protocol: str
    order: tuple[str, ...]
    options: tuple[str, ...]
    reply: Reply
    number: int
    """Number of its question in the order in which the run puts them, from 1."""


class Store:
    """A run's store. Open it with `Store.writing` or `Store.reading`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = connection, path
        self._owner = ""
        self._lock: IO[str] | None = None
        self._disk = ThreadPoolExecutor(1)
        self._texts: set[str] = set()
        """Checksums of texts that were noted lately."""

    @classmethod
    @contextmanager
    def writing(cls, path: Path) -> Iterator[Self]:
        """A store to add to, made if it is not there.

        Raises:
            StoreError: the place cannot be written or is on a network drive, another machine is asking this run, or
                the file is not a store of this version.
        """
        refuse_network(path.parent)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the run's folder cannot be made: {error.strerror}",
                where=str(path.parent),
                fix="Choose another place with --runs-dir.",
            ) from None
        with _explained(path):
            _make(path)
            connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA trusted_schema = OFF")
                store = cls(connection, path)
                store._check()
                store._register()
                try:
                    yield store
                finally:
                    store._disk.shutdown()
                    store._unregister()
            finally:
                connection.close()

    @classmethod
    @contextmanager
    def reading(cls, path: Path, *, checked: bool = True) -> Iterator[Self]:
        """A store to look at; nothing in it is changed or executed.

        Args:
            path: the file.
            checked: look all of it over for damage first, which takes seconds where it is large.

        Raises:
            StoreError: it is not there, damaged, or not a store of this version.
        """
        if not path.is_file():
            raise StoreError("there is no such run", where=str(path.parent), fix="`dilemmas list runs` shows them.")
        with _explained(path):
            alone = not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
            address = f"file:{quote(str(path.resolve()))}?mode=ro{'&immutable=1' if alone else ''}"
            connection = sqlite3.connect(address, uri=True, timeout=60, isolation_level=None)
            try:
                connection.execute("PRAGMA trusted_schema = OFF")
                store = cls(connection, path)
                store._check(whole=checked)
                yield store
            except (ValidationError, json.JSONDecodeError):
                raise StoreError(
                    "holds a record that no run of this version has", where=str(path), fix=_FROM_COPY
                ) from None
            finally:
                connection.close()

    # What is asked

    def run(self) -> Run | None:
        """The manifest, or None in a new store."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'run'").fetchone()
        return Run.model_validate_json(row[0]) if row else None

    def update_run(self, change: Callable[[Run | None], Run]) -> Run:
        """Replace the manifest by what `change` makes of it; no other process gets in between."""
        with self.together():
            run = change(self.run())
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('run', ?)", (canonical_json(run.model_dump()),))
        return run

    def add_records(self, table: str, records: Iterable[tuple[str, str]]) -> None:
        """Add items or personas, `(id, JSON)`; those that are there already must be the same.

        Raises:
            StoreError: an id stands for something else in this run.
        """
        assert table in ("items", "personas")
        with self.together():
            for name, record in records:
                row = self._db.execute(f"SELECT record FROM {table} WHERE id = ?", (name,)).fetchone()  # noqa: S608
                if row is None:
                    self._db.execute(f"INSERT INTO {table} VALUES (?, ?)", (name, record))  # noqa: S608
                elif row[0] != record:
                    raise StoreError(
                        f'"{name}" stands for something else among the {table} of this run',
                        where=str(self._path.parent),
                        fix="Give it another id, or start another run with --run NAME.",
                    )

    def records(self, table: str) -> dict[str, str]:
        """All items or personas as JSON, by id."""
        assert table in ("items", "personas")
        return dict(self._db.execute(f"SELECT id, record FROM {table} ORDER BY rowid"))  # noqa: S608

    def add_cells(
        self,
        model: str,
        personas: Iterable[str],
        items: Iterable[str],
        questions: Mapping[str, str],
        repeats: int,
        asks: Callable[[str, str], bool] = lambda persona, item: True,
    ) -> None:
        """Note what is to be asked of a model, before any of it is put into words; known cells stay.

        Args:
            model: its name.
            personas, items: ids.
            questions: the side of each, by name.
            repeats: how often each is put.
            asks: whether an item is put to a persona at all.
        """
        self._db.create_function("asks", 2, asks, deterministic=True)
        with self.together():
            self._db.execute(
                "INSERT OR IGNORE INTO cells (model, persona, item, question, side, repeat) "
                "SELECT ?, p.value, i.value, q.key, q.value, r.value "
                "FROM json_each(?) p JOIN json_each(?) i ON asks(p.value, i.value), json_each(?) q, json_each(?) r",
                (model, *map(canonical_json, (list(personas), list(items), dict(questions), list(range(repeats))))),
            )

    def add_trials(self, planned: Iterable[Planned]) -> None:
        """Note trials that are to be asked; known ones stay as they are.

        Raises:
            StoreError: the run has another trial in the same place: its words differ by now.
        """
        with self.together():
            for trial, options in planned:
                name = trial.model.name
                rest = {
                    "model": vars(trial.model),
                    "persona": trial.persona,
                    "item": trial.item,
                    "question": trial.question,
                    "side": trial.side,
                    "repeat": trial.repeat,
                    "order": trial.order,
                    "protocol": trial.protocol,
                    "mode": trial.mode,
                    "sampling": vars(trial.sampling),
                    "seed": trial.seed,
                }
                references = [[message.role, self._text(message.content)] for message in trial.messages]
                self._db.execute(
                    "INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?)",
                    (trial.id, trial.protocol, _json(rest), _json(references), self._text(_listed(options))),
                )
                place = (name, trial.persona, trial.item, trial.question)
                noted = self._db.execute(_NOTE_CELL, (*place, trial.side, trial.repeat, trial.id))
                if not noted.rowcount and trial.id != self._trial_at(*place, trial.repeat):
                    raise StoreError(
                        f"this version of dilemmas words the {trial.question} question about {trial.item} otherwise "
                        "than the one that began the run",
                        where=str(self._path.parent),
                        fix="Start another run with --run NAME, or use the version in the run's manifest.json.",
                    )

    def _trial_at(self, *place: str | int) -> str:
        """Id of the trial in a place: model, persona, item, question and repeat."""
        query = "SELECT trial FROM cells WHERE model = ? AND persona = ? AND item = ? AND question = ? AND repeat = ?"
        return str(self._db.execute(query, place).fetchone()[0])

    def answered(self) -> set[str]:
        """Ids of the trials that have a reply."""
        return {row[0] for row in self._db.execute("SELECT trial FROM replies")}

    def has_trials(self) -> bool:
        """Whether any trial was put into words yet."""
        return self._db.execute("SELECT 1 FROM trials LIMIT 1").fetchone() is not None

    def note_batch(self) -> None:
        """Note that somebody else may be asking trials of this plan, so that it must not be taken back."""
        with self.together():
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('batch', ?)", (now(),))

    def batch_since(self) -> str:
        """When that was first noted, UTC (ISO 8601); empty where it never was."""
        return self._meta("batch")

    def note_joined(self, runs: Iterable[str]) -> None:
        """Note the names of runs that were joined to this one."""
        with self.together():
            self._db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('joined', ?)", (_json(sorted({*self.joined(), *runs})),)
            )

    def joined(self) -> tuple[str, ...]:
        """Names of the runs that were joined to this one, in their order."""
        return _tuple(self._meta("joined") or "[]")

    def _meta(self, key: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def is_untouched(self) -> bool:
        """Whether nothing was answered yet, nobody is asking and no batch file was written."""
        if self.batch_since():
            return False
        if self._owner:  # whoever has just begun has claimed nothing yet
            own = self._lock_path(self._owner)
            if any(_alive(path) for path in self._path.parent.glob(".asking-*") if path != own):
                return False
        return not any(
            self._db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608
            for table in ("replies", "claims")
        )

    def forget_plan(self) -> None:
        """Take a plan back that brought no answer; to be called within `update_run`."""
        for table in ("attempts", "cells", "trials", "texts", "items", "personas", "meta"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608

    # Asking

    def claim(self, trials: Sequence[str]) -> dict[str, str]:
        """Take trials: each is `mine`, `taken` (it is being asked, here or by another process) or `answered`."""
        ids, found = _json(trials), dict.fromkeys(trials, "mine")
        with self.together():
            for table, standing in (("claims", "taken"), ("replies", "answered")):
                query = f"SELECT trial FROM {table} WHERE trial IN (SELECT value FROM json_each(?))"  # noqa: S608
                found |= {row[0]: standing for row in self._db.execute(query, (ids,))}
            mine = [(trial, self._owner) for trial, standing in found.items() if standing == "mine"]
            self._db.executemany("INSERT INTO claims VALUES (?, ?)", mine)
        return found

    def release(self, trial: str) -> None:
        """Give a claimed trial back unanswered."""
        with self.together():
            self._db.execute("DELETE FROM claims WHERE trial = ? AND owner = ?", (trial, self._owner))

    def release_all(self, model: str) -> None:
        """Give back all trials of a model that were claimed here."""
        with self.together():
            self._db.execute(
                "DELETE FROM claims WHERE owner = ? AND trial IN (SELECT trial FROM cells WHERE model = ?)",
                (self._owner, model),
            )

    def release_dead(self) -> None:
        """Give back what processes claimed that have died since."""
        with self.together():
            self._release_dead()

    def put(self, trial: str, reply: Reply, response: Response, parser: int) -> None:
        """Keep a trial's outcome; on return it is on disk. An earlier outcome stays."""
        record = response.model_dump_json()
        self.adopt([Adopted(trial, reply.model_dump_json(), now(), parser, response.status, record)])

    def adopt(self, outcomes: Iterable[Adopted]) -> None:
        """Keep outcomes, perhaps those of the same trials in another run. Earlier ones stay."""
        with self.together():
            for one in outcomes:
                self._db.execute("INSERT OR IGNORE INTO replies VALUES (?, ?, ?)", (one.trial, one.reply, one.at))
                self._db.execute(
                    "INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?)",
                    (one.trial, one.parser, one.status, one.response),
                )
                self._db.execute("DELETE FROM claims WHERE trial = ?", (one.trial,))

    def put_attempt(self, trial: str, kind: str, status: int | None, message: str) -> None:
        """Keep a failed attempt."""
        self.put_attempts([Attempt(trial, now(), kind, status, message)])

    def put_attempts(self, attempts: Iterable[Attempt]) -> None:
        """Keep failed attempts."""
        with self.together():
            self._db.executemany(
                "INSERT INTO attempts (trial, at, kind, status, message) VALUES (?, ?, ?, ?, ?)", attempts
            )

    def join(self, other: Store) -> Joined:
        """Take over all that another store of the same design knows: all or nothing, and twice is as good as once.

        Of two replies to one trial the earlier stays, and of two of the same second the one that is first by its text;
        of two readings of one reply that of the newer parser. So it does not matter which store is joined to which.

        Raises:
            StoreError: an id, or a place in the plan, stands for something else there; or it holds what no run does.
        """
        with self.together(), other.as_it_is():
            read = other._db.execute
            for table in ("items", "personas"):
                self.add_records(table, read(f"SELECT id, record FROM {table} ORDER BY rowid"))  # noqa: S608
            for key, text in read("SELECT hash, text FROM texts"):
                if self._text(text) != key:
                    raise StoreError("holds a text that is not the one it was", where=str(other._path), fix=_FROM_COPY)
            trials = self._db.executemany(
                "INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?)",
                read("SELECT id, protocol, trial, messages, options FROM trials ORDER BY rowid"),
            ).rowcount
            self._join_cells(other)
            replies = twice = 0
            for one in other._adopted(read(f"{_OUTCOMES} ORDER BY replies.rowid")):
                here = self._db.execute("SELECT at, reply FROM replies WHERE trial = ?", (one.trial,)).fetchone()
                replies += here is None
                if here == (one.at, one.reply):
                    self._db.execute(
                        "UPDATE responses SET parser = ?, status = ?, response = ? WHERE trial = ? AND parser < ?",
                        (one.parser, one.status, one.response, one.trial, one.parser),
                    )
                elif here is not None:
                    twice += 1
                    if (one.at, one.reply) < here:
                        for table in ("responses", "replies"):
                            self._db.execute(f"DELETE FROM {table} WHERE trial = ?", (one.trial,))  # noqa: S608
                self.adopt([one])
            failed = read("SELECT trial, at, kind, status, message FROM attempts ORDER BY number")
            while some := [Attempt(*row) for row in failed.fetchmany(_AT_ONCE)]:
                known = Counter(self.attempts_at({one.trial for one in some}))
                self.put_attempts((Counter(some) - known).elements())
            if other.batch_since():
                self.note_batch()
        return Joined(trials, replies, twice)

    def _join_cells(self, other: Store) -> None:
        cells = other._db.execute("SELECT model, persona, item, question, side, repeat, trial FROM cells")
        for *place, side, repeat, trial in cells:
            noted = self._db.execute(_NOTE_CELL, (*place, side, repeat, trial))
            if not noted.rowcount and trial not in (None, self._trial_at(*place, repeat)):
                model, persona, item, question = place
                raise StoreError(
                    f'words the {question} question about {item} as "{persona}" to {model} otherwise than the run it '
                    "is to be joined to",
                    where=str(other._path.parent),
                    fix="Were they begun with different versions of dilemmas? Their manifest.json tells.",
                )

    # Reading

    def counts(self) -> dict[str, int]:
        """Trials planned, answered, refused, unreadable and open, and failed attempts."""
        status = dict(
            self._db.execute(
                "SELECT coalesce(status, 'open'), count(*) FROM cells LEFT JOIN responses USING (trial) GROUP BY 1"
            )
        )
        counts = {name: status.get(name, 0) for name in ("answered", "refused", "unreadable", "open")}
        failed = self._db.execute("SELECT count(*) FROM attempts").fetchone()[0]
        return {"planned": sum(counts.values()), **counts, "failed_attempts": failed}

    def cells(self) -> Iterator[tuple[str, str, str, str, str, int, str, str | None]]:
        """Model, persona, item, question, side, repeat, trial and its response's JSON (None if open)."""
        yield from self._db.execute(
            "SELECT model, persona, item, question, side, repeat, trial, response "
            "FROM cells LEFT JOIN responses USING (trial) ORDER BY model, persona, item, question, repeat"
        )

    def replies(self) -> Iterator[Stored]:
        """All replies in the order in which their questions are put, which interruptions do not change."""
        rows = self._db.execute(
            "SELECT trials.rowid, replies.trial, protocol, json_extract(trials.trial, '$.order'), text, reply "
            "FROM trials JOIN replies ON trials.id = replies.trial JOIN texts ON texts.hash = trials.options "
            "ORDER BY trials.rowid"
        )
        shown = cache(_tuple)  # there are few orders
        for number, trial, protocol, order, options, reply in rows:
            yield Stored(trial, protocol, shown(order), _tuple(options), Reply.model_validate_json(reply), number)

    def outcomes_of(self, trials: Iterable[str]) -> list[Adopted]:
        """The outcomes of some trials, as they stand; nothing for one without.

        Raises:
            StoreError: one of them cannot be read.
        """
        some = "WHERE trial IN (SELECT value FROM json_each(?))"
        return list(self._adopted(self._db.execute(f"{_OUTCOMES} {some}", (json.dumps(list(trials)),))))

    def _adopted(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Adopted]:
        """Rows of outcomes, once they are known to be readable."""
        try:
            for row in rows:
                one = Adopted(*row)
                Reply.model_validate_json(one.reply)
                Response.model_validate_json(one.response)
                yield one
        except ValidationError:
            raise StoreError(
                "holds a record that no run of this version has", where=str(self._path), fix=_FROM_COPY
            ) from None

    def asked_of(self, trials: Iterable[str]) -> dict[str, Asked]:
        """Some trials by id; nothing for one that was never put into words here."""
        rows = self._db.execute(
            "SELECT id, json_extract(trial, '$.model.name'), protocol, json_extract(trial, '$.order'), text, "
            "EXISTS (SELECT 1 FROM replies WHERE replies.trial = trials.id) "
            "FROM trials JOIN texts ON texts.hash = trials.options WHERE id IN (SELECT value FROM json_each(?))",
            (_json(list(trials)),),
        )
        return {
            name: Asked(model, protocol, _shown(order), _shown(options), bool(answered))
            for name, model, protocol, order, options, answered in rows
        }

    def attempts_at(self, trials: Iterable[str]) -> list[Attempt]:
        """The failed attempts at some trials; goes through all there are."""
        rows = self._db.execute(
            "SELECT trial, at, kind, status, message FROM attempts WHERE trial IN (SELECT value FROM json_each(?))",
            (_json(list(trials)),),
        )
        return [Attempt(*row) for row in rows]

    def replies_to(self, trials: Iterable[str]) -> dict[str, Reply]:
        """The replies to some trials; nothing for one without."""
        rows = self._db.execute(
            "SELECT trial, reply FROM replies WHERE trial IN (SELECT value FROM json_each(?))",
            (json.dumps(list(trials)),),
        )
        return {trial: Reply.model_validate_json(reply) for trial, reply in rows}

    def read_again(self, read: Iterable[tuple[str, Response]], parser: int) -> None:
        """Put new readings of the stored replies in the place of the old ones."""
        with self.together():
            for trial, response in read:
                self._db.execute(
                    "UPDATE responses SET parser = ?, status = ?, response = ? WHERE trial = ?",
                    (parser, response.status, response.model_dump_json(), trial),
                )

    def oldest_parser(self) -> int | None:
        """Lowest parser version among the readings; None if there are none."""
        version: int | None = self._db.execute("SELECT min(parser) FROM responses").fetchone()[0]
        return version

    def messages(self, trial: str) -> tuple[Message, ...]:
        """The conversation of a trial."""
        (references,) = self._db.execute("SELECT messages FROM trials WHERE id = ?", (trial,)).fetchone()
        return tuple(
            Message(role=role, content=self._db.execute("SELECT text FROM texts WHERE hash = ?", (key,)).fetchone()[0])
            for role, key in json.loads(references)
        )

    def seconds_per_reply(self, model: str, protocol: str) -> float | None:
        """Mean latency of a model's replies under a protocol in this run, seconds; None where none was timed."""
        row = self._db.execute(
            "SELECT avg(nullif(json_extract(reply, '$.latency'), 0)) "
            "FROM replies JOIN trials ON trials.id = replies.trial "
            "WHERE protocol = ? AND replies.trial IN (SELECT trial FROM cells WHERE model = ?)",
            (protocol, model),
        ).fetchone()
        return None if row[0] is None else float(row[0])

    def answered_among(self, model: str, personas: Iterable[str], items: Iterable[str], repeats: int) -> int:
        """How many of a model's trials about some items, as some personas, have a reply; repeats from 0 on."""
        return int(
            self._db.execute(
                "SELECT count(*) FROM cells JOIN replies USING (trial) WHERE model = ? AND repeat < ? "
                "AND persona IN (SELECT value FROM json_each(?)) AND item IN (SELECT value FROM json_each(?))",
                (model, repeats, _json(list(personas)), _json(list(items))),
            ).fetchone()[0]
        )

    def counts_by_model(self) -> dict[str, dict[str, int]]:
        """Cells of each model by status: answered, refused, unreadable, open; those there are none of are left out."""
        found: dict[str, dict[str, int]] = {}
        query = (  # in the order of the trials, so that neighbours are looked up one after the other
            "SELECT model, status, count(*) FROM cells INDEXED BY cells_by_trial LEFT JOIN responses USING (trial) "
            "GROUP BY model, status"
        )
        for model, status, count in self._db.execute(query):
            found.setdefault(model, {})[status or "open"] = count
        return found

    def failures_by_model(self) -> dict[str, tuple[int, int]]:
        """Failed attempts of each model, and its unanswered trials whose last attempt was rejected for good."""
        return {
            model: (failed, rejected)
            for model, failed, rejected in self._db.execute(
                "WITH failed AS (SELECT trial, count(*) AS times, kind, max(number) FROM attempts GROUP BY trial) "
                "SELECT (SELECT model FROM cells WHERE cells.trial = failed.trial LIMIT 1), sum(times), "
                "sum(kind = 'rejected' AND NOT EXISTS (SELECT 1 FROM replies WHERE replies.trial = failed.trial)) "
                "FROM failed GROUP BY 1"
            )
        }

    def newest_replies(self) -> Iterator[tuple[str, str]]:
        """Model and UTC time (ISO 8601) of each reply, newest first; to be read no further than needed."""
        yield from self._db.execute(
            "SELECT (SELECT model FROM cells WHERE cells.trial = replies.trial LIMIT 1), at "
            "FROM replies ORDER BY rowid DESC"
        )

    def asking_since(self) -> float | None:
        """When the first of the processes that are asking now began, seconds since the epoch; None without one."""
        begun = []
        for path in self._path.parent.glob(".asking-*"):
            with suppress(FileNotFoundError):
                since = path.stat().st_mtime
                # So young a file may still have to be locked by its process, whose way a look at it could bar.
                if abs(time.time() - since) < _NEW or _alive(path):
                    begun.append(since)
        return min(begun, default=None)

    def cells_in_full(self) -> Iterator[Cell]:
        """All cells in their order with all there is of each, read as they are drawn."""
        for row in self._db.execute(
            "SELECT model, persona, item, question, side, repeat, cells.trial, trials.trial, messages, reply, at, "
            "response FROM cells LEFT JOIN trials ON trials.id = cells.trial LEFT JOIN replies USING (trial) "
            "LEFT JOIN responses USING (trial) ORDER BY model, persona, item, question, repeat"
        ):
            yield Cell(*row)

    def text(self, key: str) -> str:
        """A text by its checksum."""
        return str(self._db.execute("SELECT text FROM texts WHERE hash = ?", (key,)).fetchone()[0])

    # Inside

    def _text(self, text: str) -> str:
        key = _checksum(text)
        if key not in self._texts:
            self._db.execute("INSERT OR IGNORE INTO texts VALUES (?, ?)", (key, text))
            if len(self._texts) >= _REMEMBERED:
                self._texts.clear()
            self._texts.add(key)
        return key

    @contextmanager
    def together(self) -> Iterator[None]:
        """All or nothing of what is written inside, on disk at the end; joins one that is open."""
        if self._db.in_transaction:
            yield
            return
        with _explained(self._path):
            self._begin()
            try:
                yield
                self._commit()
            except BaseException:
                self._roll_back()
                raise

    @asynccontextmanager
    async def together_later(self) -> AsyncIterator[None]:
        """As `together`, but other work goes on while the disk writes. One at a time."""
        with _explained(self._path):
            self._begin()
            try:
                yield
                commit = asyncio.get_running_loop().run_in_executor(self._disk, self._commit)
                try:
                    await asyncio.shield(commit)
                except asyncio.CancelledError:
                    await commit
                    raise
            except BaseException:
                self._roll_back()
                raise

    @contextmanager
    def as_it_is(self) -> Iterator[None]:
        """All that is read inside is of one moment, whoever writes meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def _begin(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._db.execute("COMMIT")

    def _roll_back(self) -> None:
        self._texts.clear()
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _check(self, *, whole: bool = True) -> None:
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        where = str(self._path)
        if application != _APPLICATION_ID:
            raise StoreError("is no store of a dilemmas run", where=where, fix="Name another run.")
        if version != STORE_VERSION:
            raise StoreError(
                f"has version {version} of the store; this dilemmas reads version {STORE_VERSION}",
                where=where,
                fix="Use the version of dilemmas that made it, or start another run.",
            )
        foreign = "SELECT name FROM sqlite_schema WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"
        if found := self._db.execute(foreign).fetchone():
            raise StoreError(
                f'holds views, triggers or virtual tables ("{found[0]}"), which no run of dilemmas has',
                where=where,
                fix="Don't use it.",
            )
        if whole and (fault := self._db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise StoreError(f"is damaged: {fault}", where=where, fix=_FROM_COPY)

    def _lock_path(self, owner: str) -> Path:
        return self._path.with_name(f".asking-{owner}")

    def _register(self) -> None:
        """Hold a locked file as long as this process lives, so that others can tell.

        In a transaction, because a file that is made and not yet locked looks like one of the dead.
        """
        with self.together(), _writable(self._path.parent):
            refuse_other_machine(self._path.parent.glob(".asking-*"))
            self._owner = secrets.token_hex(8)
            self._lock = self._lock_path(self._owner).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._lock.write(f"{this_machine()}\n")
            self._lock.flush()
            for path in self._path.parent.glob(".asking-*"):
                if not _alive(path):
                    path.unlink(missing_ok=True)
            self._release_dead()

    def _release_dead(self) -> None:
        for (owner,) in self._db.execute("SELECT DISTINCT owner FROM claims").fetchall():
            if owner != self._owner and not _alive(self._lock_path(owner)):
                self._db.execute("DELETE FROM claims WHERE owner = ?", (owner,))

    def _unregister(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock_path(self._owner).unlink(missing_ok=True)
        try:
            with self.together():
                self._db.execute("DELETE FROM claims WHERE owner = ?", (self._owner,))
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except (StoreError, sqlite3.Error):
            pass  # a full disk: claims of the dead are released by the next process


_checksum = lru_cache(maxsize=_REMEMBERED)(sha256)
"""Conditions share most of what they are asked."""


def _json(data: object) -> str:
    return orjson.dumps(data).decode()


_listed = lru_cache(maxsize=_REMEMBERED)(_json)
"""The options of a question, of which there are few orders."""


def _tuple(record: str) -> tuple[str, ...]:
    return tuple(json.loads(record))


_shown = lru_cache(maxsize=_REMEMBERED)(_tuple)
"""Options and their orders, of which there are few."""


def _make(path: Path) -> None:
    """Make an empty store where there is none, whole or not at all; of several processes one makes it.

    Raises:
        StoreError: the place cannot be written or cannot hold a write-ahead log.
    """
    new = path.with_name(f".{path.name}.new")
    parts = [new, *(new.with_name(new.name + end) for end in ("-wal", "-shm"))]
    with _writable(path.parent):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if path.exists():
                return
            for part in parts:
                part.unlink(missing_ok=True)
            try:
                with closing(sqlite3.connect(new, isolation_level=None)) as db:
                    if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                        raise StoreError(
                            "this file system cannot hold a write-ahead log (is it a network drive?)",
                            where=str(path),
                            fix="Choose a folder on a local disk with --runs-dir.",
                        )
                    db.executescript(
                        f"PRAGMA synchronous = FULL; BEGIN; {_TABLES} PRAGMA application_id = {_APPLICATION_ID}; "
                        f"PRAGMA user_version = {STORE_VERSION}; COMMIT;"
                    )
                new.replace(path)
                os.fsync(folder)
            finally:
                for part in parts:
                    part.unlink(missing_ok=True)
        finally:
            os.close(folder)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """The operating system's complaints about a run's folder as ours."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the run's folder cannot be written: {error.strerror}",
            where=str(folder),
            fix="Choose another place with --runs-dir.",
        ) from None


def _alive(path: Path) -> bool:
    """Whether a process holds this lock file."""
    try:
        with path.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's complaints as ours."""
    try:
        yield
    except sqlite3.Error as error:
        message = str(error).lower()
        if "full" in message or "disk i/o" in message:
            raise StoreError(
                f"the store cannot be written ({error}): is the disk full?",
                where=str(path),
                fix="Make room and run the same command again; what was answered before is safe.",
            ) from None
        if "readonly" in message or "unable to open" in message:
            raise StoreError(
                f"the store cannot be written or opened ({error})",
                where=str(path),
                fix="Choose another place with --runs-dir.",
            ) from None
        if "locked" in message:
            raise StoreError(
                "another program has held the store for a minute",
                where=str(path),
                fix="Wait for it to end, then run the same command again.",
            ) from None
        raise StoreError(
            f"the store cannot be used: {error}", where=str(path), fix="Is it a run of dilemmas?"
        ) from None

"""Released results as a run again, so that whatever reads a run gives the same numbers for them.

A stranger's folder is data only. Its files are held against their checksums, then against their forms, and every
trial against its id; then they become a run's store in a temporary folder. The release itself is never written to.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, ValidationError

from dilemmas import dataset
from dilemmas.errors import InputError, StoreError
from dilemmas.exporting import CHUNK
from dilemmas.release import intact, need, streams
from dilemmas.release.answers import About, AnswerRow, AttemptRow, PromptRow, adopted, check, planned
from dilemmas.release.forms import Canary
from dilemmas.release.kept import KeptRun
from dilemmas.release.layout import CANARY, LICENSE, README, SUMS
from dilemmas.release.results_layout import (
    ANSWERS,
    ATTEMPTS,
    ITEMS,
    MANIFEST,
    PERSONAS,
    PROMPTS,
    RUN,
    RUNS,
    Place,
)
from dilemmas.resources import decode_utf8, read_bytes
from dilemmas.schema import Dilemma, Persona, Record, Run, canonical_json, sha256
from dilemmas.store import FILE, Attempt

T = TypeVar("T")
R = TypeVar("R", bound=Record)

VERSION: Literal[1] = 1
"""Version of the form."""
LARGEST_TEXT = 256_000_000
"""Largest JSON file that is read, bytes."""
_REMEMBERED = 4096
"""Texts kept at hand, because neighbours share them."""
_AGAIN = "Get the folder again from where it came."


class ReleasedRun(Record):
    """A run in a release of results."""

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")
    """Name of the run, and of its folder."""
    models: tuple[str, ...]
    """Models that were asked."""
    caveat: str
    """What a reader must know before reading the numbers; may be empty."""
    counts: dict[str, int]
    """Trials planned, answered, refused, unreadable, open; failed attempts."""

    @classmethod
    def of(cls, run: Run) -> Self:
        """What a release's manifest tells of a run."""
        models = tuple(asking.name for asking in run.models)
        return cls(name=run.name, models=models, caveat=run.caveat, counts=run.counts)


class Results(Record):
    """`results.json`: what is in a release of results."""

    schema_version: Literal[1] = VERSION
    """Version of this form."""
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    """Version of the release."""
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Day of the release."""
    runs: tuple[ReleasedRun, ...] = Field(min_length=1)
    """What is in it, by name."""
    model_terms: dict[str, str]
    """Under what terms a model's text stands, by the model's name, where that was told."""
    versions: dict[str, str]
    """Versions of this package and of the libraries that wrote the files."""
    canary: Canary = CANARY


@contextmanager
def restored(place: Place) -> Iterator[Path]:
    """A released run as a run's folder, which is gone afterwards.

    Raises:
        InputError: the release is not as it was built or of another version, there is no such run in it, or it has
            several and none is named.
    """
    need("pyarrow")
    run = _chosen(read(place.folder), place)
    with tempfile.TemporaryDirectory(prefix="dilemmas-") as temporary:
        folder = Path(temporary, run.name)
        restore(place.folder, run, folder)
        yield folder


def read(folder: Path) -> Results:
    """What is in a release of results, once its files are known to be those it was built with.

    Raises:
        InputError: a file is missing, changed, a link or none of its own, or the release is of another version.
    """
    path = folder / MANIFEST
    text = _text(path)
    try:
        version = json.loads(text)["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("is no manifest of released results", where=str(path), fix=_AGAIN) from None
    if version != VERSION:
        raise InputError(
            f"has version {str(version)[:20]} of the form; this dilemmas reads version {VERSION}",
            where=str(path),
            fix="Use the version of dilemmas that is named there.",
        )
    found = _parse(text, Results, str(path))
    if len({run.name for run in found.runs}) < len(found.runs):
        raise InputError("names a run for the second time", where=str(path), fix=_AGAIN)
    needed = [README, LICENSE, MANIFEST, PROMPTS]
    for run in found.runs:
        needed += [f"{RUNS}/{run.name}/{file}" for file in (RUN, ANSWERS, ITEMS, PERSONAS)]
        needed += [f"{RUNS}/{run.name}/{ATTEMPTS}"] * bool(run.counts.get("failed_attempts"))
    _check_files(folder, set(needed))
    return found


def restore(folder: Path, run: ReleasedRun, into: Path) -> None:
    """Write a released run as a store into a new folder.

    Args:
        folder: of the release, whose files are as they were.
        run: which one.
        into: the run's folder.

    Raises:
        InputError: what is there is no run, or not the one that the manifest tells of.
    """
    source = folder / RUNS / run.name
    described = _record(_text(source / RUN), Run, str(source / RUN))
    items, personas = _records(source / ITEMS, Dilemma), _records(source / PERSONAS, Persona)
    if described.name != run.name or ReleasedRun.of(described) != run:
        raise InputError(f"tells of the run otherwise than {MANIFEST}", where=str(source / RUN), fix=_AGAIN)
    about, rows = About.of(described, items.values(), personas.values()), 0
    with KeptRun.writing(into / FILE) as store:
        store.update_run(lambda _: described)
        store.add_records("items", ((one.id, dataset.to_line(one)) for one in items.values()))
        store.add_records("personas", ((one.id, canonical_json(one.model_dump())) for one in personas.values()))
        for prompts in _chunks(streams.read(folder / PROMPTS, PromptRow)):
            for number, one in prompts:
                if sha256(one.text) != one.sha256:
                    where = f"{folder / PROMPTS}, row {number}"
                    raise InputError("is not the text that its checksum says", where=where, fix=_AGAIN)
            store.add_texts(one.text for _, one in prompts)
        for answers in _chunks(streams.read(source / ANSWERS, AnswerRow)):
            _add(store, answers, about, source / ANSWERS)
            rows += len(answers)
        if (source / ATTEMPTS).exists():
            for attempts in _chunks(streams.read(source / ATTEMPTS, AttemptRow)):
                with store.together():
                    try:
                        store.put_attempts(Attempt(one.trial, one.at, one.kind, one.status, "") for _, one in attempts)
                    except sqlite3.IntegrityError:
                        what = "is about a trial that is not there"
                        raise InputError(what, where=str(source / ATTEMPTS), fix=_AGAIN) from None
        if store.counts() != run.counts or rows != run.counts["planned"]:
            raise InputError(
                f"has other trials than {MANIFEST} counts ({store.counts()} / {run.counts})",
                where=str(source),
                fix=_AGAIN,
            )


def _add(
    store: KeptRun,
    rows: list[tuple[int, AnswerRow]],
    about: About,
    path: Path,
) -> None:
    """Keep some rows, all or none."""
    text = lru_cache(_REMEMBERED)(store.known_text)
    with store.together():
        for number, row in rows:
            try:
                check(row, about)
                if row.trial is None:
                    # The run asks this place so many times, so those before it are in the plan as well.
                    store.add_cells(row.model, [row.persona], [row.item], {row.question: row.side}, row.repeat + 1)
                else:
                    store.add_trials([planned(row, text)])
                if row.status != "open":
                    store.adopt([adopted(row)])
            except StoreError:
                what = "is another question in the place of an earlier row"
                raise InputError(what, where=f"{path}, row {number}", fix=_AGAIN) from None
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
                what = f"is no answer of a run: {why}"
                raise InputError(what, where=f"{path}, row {number}", fix=_AGAIN) from None


def _chosen(found: Results, place: Place) -> ReleasedRun:
    known = {run.name: run for run in found.runs}
    if place.run is None and len(known) > 1:
        raise InputError(
            f"holds {len(known)} runs: {', '.join(known)}",
            where=str(place.folder),
            fix=f"Name one, such as {place.folder / RUNS / next(iter(known))}.",
        )
    if place.run is not None and place.run not in known:
        raise InputError(
            f'there is no run "{place.run}" in this release', where=str(place.folder), fix=f"Known: {', '.join(known)}."
        )
    return found.runs[0] if place.run is None else known[place.run]


def _check_files(folder: Path, needed: set[str]) -> None:
    """Refuse a folder that lacks a file, or has one that is not the one it was built with."""
    if not (folder / SUMS).is_file() or (folder / SUMS).is_symlink():
        raise InputError(f"has no {SUMS}, so that nobody can tell if it is whole", where=str(folder), fix=_AGAIN)
    intact.unchanged(folder, needed, stray="is not one of its files")


def _records(path: Path, form: type[R]) -> dict[str, R]:
    """Records of a JSON Lines file by their ids, without the mark."""
    found: dict[str, R] = {}
    for number, line in enumerate(_text(path).removesuffix("\n").split("\n"), start=1):
        one = _record(line, form, where := f"{path}, line {number}")
        if found.setdefault(str(vars(one)["id"]), one) is not one:
            raise InputError("has an id that stands on an earlier line", where=where, fix=_AGAIN)
    return found


def _record(text: str, form: type[R], where: str) -> R:
    """A record out of its JSON, without the mark."""
    try:
        told = json.loads(text)
        told.pop("canary", None)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InputError("is no JSON object", where=where, fix=_AGAIN) from None
    return _parse(json.dumps(told), form, where)


def _parse(text: str, form: type[R], where: str) -> R:
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(first["msg"], where=f"{where}, field {field}" if field else where, fix=_AGAIN) from None


def _text(path: Path) -> str:
    if path.is_file() and path.stat().st_size > LARGEST_TEXT:
        raise InputError("is too large to be what it says", where=str(path), fix=_AGAIN)
    return decode_utf8(read_bytes(path, "file"), path)


def _chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    drawn = iter(rows)
    while chunk := list(islice(drawn, CHUNK)):
        yield chunk

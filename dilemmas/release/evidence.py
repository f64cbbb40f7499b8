"""What people and machines said of a dataset: judgements and blind namings, each held against the texts it is about.

Beside `NAME.jsonl` they stand in `NAME.judgements.jsonl`, `NAME.single.jsonl` and `NAME.naming.jsonl`; pulled rounds
and further files of judgements are named by the user. `NAME.history.jsonl` has the texts of earlier revisions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from dilemmas import dataset
from dilemmas.errors import InputError
from dilemmas.records import read_records
from dilemmas.review import rounds
from dilemmas.schema import Dilemma, Identifier, Judgement, Record, Text, TopicName, ValueName

PSEUDONYM = re.compile(r"reviewer-[0-9]{2,}")
"""How `dilemmas review pull` calls people."""
_FIX = "schemas/judgement.json says what a line holds."
_OTHER = "Give the judgements of this dataset, and keep the .history.jsonl with its earlier texts beside it."

Texts = Mapping[str, Mapping[int, set[str]]]
"""Checksums of the texts that each revision of each dilemma has had, by id."""


class Naming(Record):
    """What a reader who saw a scenario and no labels took its topic and focal value to be."""

    dilemma: Identifier
    """Id of the dilemma."""
    revision: int = Field(ge=1)
    """Revision that was read."""
    reader: Text
    """Who read it."""
    topic: TopicName | None
    """The topic named; none where the reply could not be read."""
    value: ValueName | None
    """The value named; none where the reply could not be read."""
    candidates: tuple[ValueName, ...] = Field(min_length=2)
    """The values that were offered."""
    pass_: int = Field(default=1, ge=1, alias="pass")
    """Which time the set was read, from 1."""


@dataclass(frozen=True)
class Evidence:
    """What is said of a dataset's dilemmas, of their earlier revisions too."""

    people: tuple[Judgement, ...] = ()
    """People's judgements that count, under pseudonyms."""
    machines: tuple[Judgement, ...] = ()
    """Machines' readings, unreadable ones included."""
    singles: tuple[Judgement, ...] = ()
    """Machines' readings of single actions, each shown without the other five."""
    namings: tuple[Naming, ...] = ()
    """Blind namings of topic and value."""
    not_counted: int = 0
    """People's judgements that do not count: drafts, skipped, replaced by a newer one, of nobody known."""

    def about(self, ids: Iterable[str]) -> Evidence:
        """What is said of some dilemmas only."""
        kept = set(ids)
        return Evidence(
            people=tuple(one for one in self.people if one.dilemma in kept),
            machines=tuple(one for one in self.machines if one.dilemma in kept),
            singles=tuple(one for one in self.singles if one.dilemma in kept),
            namings=tuple(one for one in self.namings if one.dilemma in kept),
            not_counted=self.not_counted,
        )


def read(path: Path, dilemmas: Sequence[Dilemma], judgements: Sequence[Path] = ()) -> Evidence:
    """All that is said of a dataset.

    Args:
        path: the file of dilemmas.
        dilemmas: what it holds.
        judgements: files of judgements, or folders that `dilemmas review pull` wrote, besides those beside the dataset.

    Raises:
        InputError: a file cannot be read; a judgement or naming is about another dataset; or a person has no pseudonym.
    """
    texts = _texts(path, dilemmas)
    present = {(one.id, one.revision): one.text_sha256 for one in dilemmas}
    own = dataset.beside(path, "judgements")
    found: dict[Judgement, None] = {}
    for source in dict.fromkeys([*([own] if own.exists() else []), *judgements]):
        for where, one in _judgements(source):
            _check_known(texts, one.dilemma, one.revision, one.text_sha256, where)
            if one.text_sha256 not in (None, present.get((one.dilemma, one.revision), one.text_sha256)):
                raise InputError(
                    f"is about an earlier text of {one.dilemma} that had the present one's revision, {one.revision}",
                    where=where,
                    fix="Raise the revision of the present text, so that it is known which of them was judged.",
                )
            if one.kind == "person" and not PSEUDONYM.fullmatch(one.reviewer):
                raise InputError(
                    "names a reviewer, and no release may",
                    where=f"{where}, field reviewer",
                    fix="Pull the round again with pseudonyms (`dilemmas review pull` without --no-pseudonyms).",
                )
            found[one] = None
    ordered = sorted(found, key=lambda one: one.model_dump_json())  # the order of lines and files must not matter
    people = [one for one in ordered if one.kind == "person"]
    counted = tuple(one for one in people if one.counts)
    return Evidence(
        people=counted,
        machines=tuple(one for one in ordered if one.kind == "machine"),
        singles=_singles(dataset.beside(path, "single"), texts),
        namings=_namings(dataset.beside(path, "naming"), texts),
        not_counted=len(people) - len(counted),
    )


def _texts(path: Path, dilemmas: Sequence[Dilemma]) -> Texts:
    texts: dict[str, dict[int, set[str]]] = {}
    history = dataset.history_of(path)
    earlier = read_records(history, Dilemma, "history", fix="Mend the line.").values() if history.exists() else ()
    for one in (*dilemmas, *earlier):
        texts.setdefault(one.id, {}).setdefault(one.revision, set()).add(one.text_sha256)
    return texts


def _judgements(source: Path) -> list[tuple[str, Judgement]]:
    """Each judgement of a file or a pulled folder, with its place."""
    if source.is_dir():
        pulled = rounds.read(source)
        return [(str(source), one) for one in (*pulled.people, *pulled.machines)]
    read = read_records(source, Judgement, "file of judgements", fix=_FIX)
    return [(f"{source}, line {number}", one) for number, one in read.items()]


def _singles(path: Path, texts: Texts) -> tuple[Judgement, ...]:
    if not path.exists():
        return ()
    found = read_records(path, Judgement, "file of readings of single actions", fix=_FIX)
    for number, one in found.items():
        where = f"{path}, line {number}"
        _check_known(texts, one.dilemma, one.revision, one.text_sha256, where)
        if one.kind != "machine" or len(one.placements) != 1:
            raise InputError(
                "is no machine's reading of a single action", where=where, fix="Give each line one placement."
            )
    return tuple(found.values())


def _namings(path: Path, texts: Texts) -> tuple[Naming, ...]:
    if not path.exists():
        return ()
    found = read_records(path, Naming, "file of namings", fix="docs/release.md says what a line holds.")
    for number, one in found.items():
        _check_known(texts, one.dilemma, one.revision, None, f"{path}, line {number}")
    return tuple(found.values())


def _check_known(texts: Texts, name: str, revision: int, text_sha256: str | None, where: str) -> None:
    """Refuse what is said of a dilemma, a revision or a text that the dataset never had."""
    if name not in texts:
        raise InputError(f'is about "{name}", which is not in the dataset', where=where, fix=_OTHER)
    if revision > max(texts[name]):
        raise InputError(
            f"is about revision {revision} of {name}; the dataset has {max(texts[name])}", where=where, fix=_OTHER
        )
    if text_sha256 is not None and text_sha256 not in texts[name].get(revision, ()):
        raise InputError(
            f"is about a text of {name} that the dataset never had in revision {revision}", where=where, fix=_OTHER
        )

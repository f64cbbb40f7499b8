"""What is different between two releases, or between a release and a file of dilemmas: field by field, word by word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from dilemmas import dataset
from dilemmas.errors import InputError
from dilemmas.release import intact, layout
from dilemmas.release.versions import Difference, Version, allowed, compare
from dilemmas.schema import Dilemma, canonical_json

_STAMPED = frozenset({layout.MANIFEST, layout.CROISSANT, layout.CITATION, layout.ZENODO, layout.CHANGELOG, layout.SUMS})
"""Files that are different in every release, because each tells its version."""
_TOLD = frozenset({layout.NESTED, layout.DILEMMAS, layout.ACTIONS})
"""Files whose difference is told dilemma by dilemma."""


class Side(NamedTuple):
    """One of the two that are compared."""

    name: str
    """Folder or file, as it was given."""
    version: Version | None
    """None for a file of dilemmas."""
    records: list[dict[str, Any]]
    """The dilemmas as plain data."""
    sums: dict[str, str]
    """Checksums of a release's files; none of a file of dilemmas."""


class Change(NamedTuple):
    """What is different in one field of a dilemma."""

    field: str
    """Name as in the columns of `data/dilemmas.parquet`, such as `aligned_strong`."""
    before: Any
    """None where there was nothing."""
    after: Any
    """None where there is nothing any more."""


@dataclass(frozen=True)
class Compared:
    """How one version of a dataset became another."""

    old: Side
    new: Side
    difference: Difference
    changes: dict[str, list[Change]]
    """Of each dilemma that both have and that is not the same, every field that differs."""
    files: list[str]
    """Other files of the two releases that differ, or that only one has; not those that tell a version."""
    asks_for: Version | None
    """The least version that the difference allows after the old one; none where the old one has no version."""
    objection: str
    """Why the new one must not have its version; empty where it may, or where there are not two versions."""

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data, for scripts."""
        return {
            "old": {"name": self.old.name, "version": _text(self.old.version), "dilemmas": len(self.old.records)},
            "new": {"name": self.new.name, "version": _text(self.new.version), "dilemmas": len(self.new.records)},
            "kind": self.difference.kind,
            "asks_for": _text(self.asks_for),
            "objection": self.objection or None,
            **asdict(self.difference),
            "changes": {name: [change._asdict() for change in found] for name, found in self.changes.items()},
            "files": self.files,
        }


def diff(old: Path, new: Path) -> Compared:
    """What is different between two versions.

    Args:
        old, new: folders of releases, or files of dilemmas (JSON Lines). Where one is a file, only what a dilemma
            itself has is compared, and not what a release says of it.

    Raises:
        InputError: one of them cannot be read.
    """
    before, after = side(old), side(new)
    if before.version is None or after.version is None:
        before, after = (one._replace(records=list(map(_own, one.records))) for one in (before, after))
    difference = compare(before.records, after.records)
    then, now = ({str(one["id"]): one for one in there.records} for there in (before, after))
    objection, files = "", list[str]()
    if before.version is not None and after.version is not None:
        files = _other_files(before.sums, after.sums)
        try:
            allowed(before.version, after.version, difference)
        except InputError as error:
            objection = error.what
    return Compared(
        old=before,
        new=after,
        difference=difference,
        changes={
            name: changes(then[name], now[name]) for name in now if name in {*difference.changed, *difference.touched}
        },
        files=files,
        asks_for=None if before.version is None else before.version.after(difference.kind),
        objection=objection,
    )


def side(path: Path) -> Side:
    """A release's folder or a file of dilemmas.

    Raises:
        InputError: it is neither, or a release that was changed.
    """
    if path.is_dir():
        release = intact.read(path)
        return Side(str(path), release.version, release.dilemmas(), release.sums)
    return Side(str(path), None, [one.model_dump(mode="json") for one in dataset.read(path).dilemmas], {})


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The fields in which two records of a dilemma differ."""
    then, now = flat(before), flat(after)
    return [
        Change(name, then.get(name), now.get(name))
        for name in dict.fromkeys([*now, *then])
        if then.get(name) != now.get(name)
    ]


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of `data/dilemmas.jsonl` as the columns of `data/dilemmas.parquet`: actions by their place.

    >>> flat({"id": "a", "review": {"status": "accepted"}, "actions": [{"polarity": "opposed", "intensity": "mild",
    ...       "text": "I wait.", "rationale": "It leans away."}]})
    {'id': 'a', 'review_status': 'accepted', 'opposed_mild': 'I wait.', 'opposed_mild_rationale': 'It leans away.'}
    """
    found: dict[str, Any] = {}
    for name, held in record.items():
        if name == "actions":
            for action in held:
                place = f"{action['polarity']}_{action['intensity']}"
                found |= {place: action["text"], f"{place}_rationale": action["rationale"]}
        elif name == "derived" and isinstance(held, Mapping):
            found |= flat(held)
        elif isinstance(held, Mapping):
            found |= {f"{name}_{inner}": _cell(one) for inner, one in held.items()}
        else:
            found[name] = _cell(held)
    if "review_reviewers" in found:
        found["reviewers"] = found.pop("review_reviewers")
    return found


class Piece(NamedTuple):
    """A run of words, and what became of it."""

    what: Literal["same", "gone", "new"]
    text: str


def words(before: str, after: str) -> list[Piece]:
    """Two texts as one, word by word.

    >>> [(piece.what, piece.text) for piece in words("I tell him all.", "I tell her all.")]
    [('same', 'I tell '), ('gone', 'him'), ('new', 'her'), ('same', ' all.')]
    """
    old, new = (re.findall(r"\w+|\s+|[^\w\s]", text) for text in (before, after))
    pieces = []
    for _, at, end, there, until in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, came = "".join(old[at:end]), "".join(new[there:until])
        pieces += [Piece("same", gone)] if gone == came else [Piece("gone", gone), Piece("new", came)]
    return [piece for piece in pieces if piece.text]


def _own(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a dilemma itself has, with all of its fields, its actions in one order."""
    own = Dilemma.model_validate({name: held for name, held in record.items() if name in Dilemma.model_fields})
    data = own.model_dump(mode="json")
    return data | {"actions": sorted(data["actions"], key=canonical_json)}


def _cell(held: Any) -> Any:
    if isinstance(held, list):
        return ", ".join(map(str, held))
    return canonical_json(held) if isinstance(held, Mapping) else held


def _other_files(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    names = {*old, *new} - _STAMPED - _TOLD
    return sorted(name for name in names if old.get(name) != new.get(name))


def _text(version: Version | None) -> str | None:
    return None if version is None else str(version)

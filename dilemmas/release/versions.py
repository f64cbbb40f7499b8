"""Versions of a dataset: what changed between two of them, and which number that change allows.

Semantic versioning (https://semver.org/spec/v2.0.0.html) for data. Answers to one version can be set beside answers to
another as long as the items that both have are the same:

| kind | what changed | from 1.0.0 on | before 1.0.0 |
|---|---|---|---|
| major | an item's text or label, or an item is gone | 1.4.2 -> 2.0.0 | 0.4.2 -> 0.5.0 |
| minor | items came | 1.4.2 -> 1.5.0 | 0.4.2 -> 0.4.3 |
| patch | anything else: rationales, provenance, review | 1.4.2 -> 1.4.3 | 0.4.2 -> 0.4.3 |

A larger step than needed is allowed, and so is 1.0.0 after any 0.x.y.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

from dilemmas.errors import InputError

Kind = Literal["none", "patch", "minor", "major"]
Record = Mapping[str, Any]

_NUMBERS = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")


class Version(NamedTuple):
    """A version of a dataset; later ones are larger.

    >>> Version.parse("0.9.0") < Version.parse("0.10.0")
    True
    >>> str(Version(1, 0, 2))
    '1.0.2'
    """

    major: int
    """Raised where an item changed or is gone."""
    minor: int
    """Raised where items came."""
    patch: int
    """Raised where only what stands beside the items changed."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """A version out of its text: three numbers without leading zeros, no `v`, no suffix.

        Raises:
            InputError: it is something else.
        """
        found = _NUMBERS.fullmatch(text)
        if found is None:
            raise InputError(
                "is no version of a dataset",
                where=f'version "{text}"',
                fix="Give MAJOR.MINOR.PATCH, such as 0.1.0: numbers without leading zeros, no v and no suffix.",
            )
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return ".".join(map(str, self))

    def after(self, kind: Kind) -> Version:
        """The least version that a change of some kind asks for after this one.

        >>> str(Version(1, 4, 2).after("minor")), str(Version(0, 4, 2).after("minor"))
        ('1.5.0', '0.4.3')
        """
        if kind == "none":
            return self
        if kind == "major":
            return Version(self.major + 1, 0, 0) if self.major else Version(0, self.minor + 1, 0)
        if kind == "minor" and self.major:
            return Version(self.major, self.minor + 1, 0)
        return Version(self.major, self.minor, self.patch + 1)


@dataclass(frozen=True)
class Difference:
    """What is different between two sets of items; ids in the order of the later set (`removed`: of the earlier)."""

    added: list[str]
    """Items that only the later set has."""
    removed: list[str]
    """Items that only the earlier set has."""
    changed: list[str]
    """Items whose text or label is another."""
    relabelled: list[str]
    """Those of `changed` whose competing value is another, or one of whose actions has another place."""
    redefined: list[str]
    """Those of `changed` whose focal value or topic is another: the id stands for something else, which none may."""
    touched: list[str]
    """Items with the same text and labels, of which something else is another."""

    @property
    def kind(self) -> Kind:
        """The kind of change that all of it together is."""
        if self.changed or self.removed:
            return "major"
        return "minor" if self.added else "patch" if self.touched else "none"


def compare(before: Sequence[Record], after: Sequence[Record]) -> Difference:
    """What is different between two versions of a dataset.

    Args:
        before, after: dilemmas as plain data, as in `data/dilemmas.jsonl`; what a record has beyond
            `schema.Dilemma` counts as said about the item, not as part of it.

    >>> one = {"id": "a", "value": "Honest", "topic": "Leisure", "competing_value": "Loyal", "scenario": "You lose.",
    ...        "actions": [{"polarity": "aligned", "intensity": "strong", "text": "I say so."}]}
    >>> compare([one], [one | {"scenario": "You win."}]).kind
    'major'
    >>> compare([one], [one, one | {"id": "b"}]).kind
    'minor'
    >>> compare([one], [one | {"revision": 2}]).kind
    'patch'
    """
    old, new = ({str(record["id"]): record for record in records} for records in (before, after))
    both = [name for name in new if name in old]
    changed = [name for name in both if _item(old[name]) != _item(new[name])]
    return Difference(
        added=[name for name in new if name not in old],
        removed=[name for name in old if name not in new],
        changed=changed,
        relabelled=[name for name in changed if _is_relabelled(old[name], new[name])],
        redefined=[name for name in changed if _meaning(old[name]) != _meaning(new[name])],
        touched=[name for name in both if name not in changed and old[name] != new[name]],
    )


def allowed(previous: Version, new: Version, difference: Difference) -> None:
    """Refuse a version that the difference to the one before does not allow.

    Raises:
        InputError: an id stands for another value or topic; nothing changed; or the number is not later, its step is
            smaller than the difference asks for, or a number behind the one that was raised is not 0.
    """
    where = f"version {new}"
    if difference.redefined:
        raise InputError(
            f"the value or the topic of {_some(difference.redefined)} is not what it was in {previous}",
            where=where,
            fix="An id never changes its meaning: give the new dilemma an id of its own.",
        )
    if difference.kind == "none":
        raise InputError(f"nothing changed since {previous}", where=where, fix="There is nothing to release.")
    least = previous.after(difference.kind)
    if new < least:
        raise InputError(
            f"the change since {previous} is {difference.kind} ({told(difference)}) and asks for {least} or later",
            where=where,
            fix=f"Give --version {least}.",
        )
    behind = new[1:] if new.major > previous.major else new[2:] if new.minor > previous.minor else ()
    if any(behind):
        raise InputError(
            f"does not begin a new row of versions after {previous}",
            where=where,
            fix="Behind the number that is raised, all are 0.",
        )


def told(difference: Difference) -> str:
    """A difference in a few words.

    >>> told(Difference(added=["a"], removed=[], changed=["b", "c"], relabelled=["c"], redefined=[], touched=[]))
    '1 added, 2 changed (1 relabelled)'
    """
    changed = f"{len(difference.changed)} changed"
    if difference.relabelled:
        changed += f" ({len(difference.relabelled)} relabelled)"
    parts = {
        f"{len(difference.added)} added": difference.added,
        f"{len(difference.removed)} removed": difference.removed,
        changed: difference.changed,
        f"{len(difference.touched)} with other metadata": difference.touched,
    }
    return ", ".join(words for words, ids in parts.items() if ids) or "nothing changed"


def _meaning(record: Record) -> tuple[str, str]:
    return record["value"], record["topic"]


def _item(record: Record) -> Any:
    """What a model is asked about and how its choice is counted, as in `Dilemma.text_sha256`."""
    places = {(one["polarity"], one["intensity"]): one["text"] for one in record["actions"]}
    return (*_meaning(record), record["competing_value"], record["scenario"], places)


def _is_relabelled(old: Record, new: Record) -> bool:
    there, here = (
        {one["text"]: (one["polarity"], one["intensity"]) for one in record["actions"]} for record in (old, new)
    )
    moved = any(there[text] != here[text] for text in there.keys() & here.keys())
    return moved or old["competing_value"] != new["competing_value"]


def _some(ids: Sequence[str]) -> str:
    """The first few ids, and how many there are besides."""
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")


def day_of(date: str | None) -> str:
    """The day of a release (ISO 8601); today in UTC where none is given.

    Raises:
        InputError: it is no day.
    """
    if date is None:
        return datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        return datetime.date.fromisoformat(date).isoformat()
    except ValueError:
        raise InputError(f'"{date}" is no day', where="--date", fix="Give it as 2026-11-21.") from None

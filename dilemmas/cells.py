"""Which dilemmas are to be written: for each its value, topic, competing value and setting.

The plan is made for the whole grid of 56 values and eleven topics, and then cut to what was asked
for. So a cell's competing value and setting depend on its value, topic and number and on the seed,
not on what else was asked for. All chance is SHAKE-256 of the seed and of names, so that a plan is
the same on every machine and in every version.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dilemmas import taxonomy
from dilemmas.errors import InputError, did_you_mean
from dilemmas.resources import data_file
from dilemmas.schema import Setting, TopicName, ValueName

TOPIC_SLUGS: dict[TopicName, str] = {
    "Politics": "politics",
    "Social Networks": "social-networks",
    "Social Inequality": "social-inequality",
    "Family & Changing Gender Roles": "family",
    "Work Orientation": "work",
    "Religion": "religion",
    "Environment": "environment",
    "National Identity": "national-identity",
    "Citizenship": "citizenship",
    "Leisure Time and Sports": "leisure",
    "Health and Health Care": "health",
}
"""Short names of the topics, the second part of a dilemma's id."""
PARTS = ("places", "relationships", "roles", "stakes")
"""Parts of a setting, as `data/settings.json` lists them."""

_LUCK = 2**20
"""Random part of a cost, below this. Each cost below outweighs those above it, over all 56 values together."""
_UNEVEN = 2**26
"""Cost of an option for each time it was dealt more often than the rarest."""
_CROWDED = 2**35
"""Cost of dealing an option once more within one topic."""
_REPEATED = 2**43
"""Cost of an option that its value had before. The sums stay below 2**53, where floating point is exact."""


@dataclass(frozen=True)
class Cell:
    """One dilemma to be written: what is fixed before a word of it is."""

    id: str
    """Name of the dilemma: value, topic, and the number from the second on."""
    value: ValueName
    """The focal value."""
    topic: TopicName
    """The social topic."""
    number: int
    """Which dilemma of this value and topic, from 1."""
    competing_value: ValueName
    """The value that pulls the other way, from the opposing side of the circle."""
    setting: Setting
    """Where it is to take place and between whom."""


def chosen(names: str, kind: Literal["values", "topics"]) -> tuple[str, ...]:
    """Names out of a list such as "Equality,Honest", or "all" of them.

    Raises:
        InputError: a name is unknown, empty or given twice; suggests the nearest.

    >>> chosen("Honest, Equality", "values")
    ('Honest', 'Equality')
    """
    known = taxonomy.values() if kind == "values" else taxonomy.topics()
    if names.strip() == "all":
        return tuple(known)
    found = tuple(name.strip() for name in names.split(","))
    where = f"--{kind}"
    for place, name in enumerate(found):
        if not name:
            raise InputError("a name is empty", where=where, fix='Give names with commas between them, or "all".')
        if name not in known:
            hint = did_you_mean(name, known) or f"`dilemmas list {kind}` shows them."
            raise InputError(f'there is no {kind[:-1]} "{name}"', where=where, fix=hint)
        if name in found[:place]:
            raise InputError(f'"{name}" is given twice', where=where, fix="Name it once.")
    return found


def plan(values: Sequence[str], topics: Sequence[str], per_cell: int, seed: int) -> tuple[Cell, ...]:
    """The dilemmas to be written.

    Competing values lie at least 120 degrees from their value, and none comes twice for a value
    within one number. Each serves 10 to 13 times in the first 616: the opposing sets differ in size,
    and nothing more even is without repeats. A part of a setting comes back for a value only after
    all others had their turn, all serve about equally often in a topic and over all, and no value
    has the same four twice.

    Args:
        values, topics: names of those wanted, as `chosen` gives them.
        per_cell: dilemmas for each value and topic, at least 1.
        seed: decides competing values and settings.

    Returns:
        By number, then by topic, then by value, so that neighbours are of different values.

    Raises:
        InputError: `per_cell` is below 1.
    """
    if per_cell < 1:
        raise InputError("must be at least 1", where="--per-cell", fix="Give a whole number from 1.")
    return tuple(cell for cell in _grid(per_cell, seed) if cell.value in values and cell.topic in topics)


@cache
def settings() -> dict[str, tuple[str, ...]]:
    """What a setting is drawn from: texts by part."""
    data = json.loads(data_file("settings.json").read_text(encoding="utf-8"))
    return {part: tuple(data[part]) for part in PARTS}


class _Options:
    """Options that are dealt to all values, one each for every topic, as evenly as can be.

    Each deal is an assignment of least cost (Crouse 2016, doi:10.1109/TAES.2016.140952). What
    weighs most: that a value has no option it had before; then that a topic's options differ; then
    that each option serves equally often over all; then luck.
    """

    def __init__(self, name: str, seed: int, allowed: NDArray[np.bool_]) -> None:
        """`allowed` says which value may have which option, shape (values, options)."""
        self._name, self._seed, self._allowed = name, seed, allowed
        self._had = np.zeros(allowed.shape, dtype=np.int64)
        self._dealt = np.zeros(allowed.shape[1], dtype=np.int64)

    def deal(self, topic: str, number: int, barred: NDArray[np.bool_] | None = None) -> list[int]:
        """The option of each value; none of those `barred` now, shape (values, options)."""
        count, options = self._allowed.shape
        free = self._allowed if barred is None else self._allowed & ~barred
        # Only differences matter; small numbers keep the sums exact.
        had = self._had - np.where(self._allowed, self._had, self._had.max()).min(axis=1, keepdims=True)
        cost = _REPEATED * had + _UNEVEN * (self._dealt - self._dealt.min())
        cost += _luck((self._seed, self._name, topic, number), free.shape)
        # A column for each time an option may be dealt now, each dearer than the one before.
        copies = range(-(-count // options) + 1)
        columns = np.hstack([np.where(free, cost + (_CROWDED + _UNEVEN) * copy, np.inf) for copy in copies])
        taken = linear_sum_assignment(columns)[1] % options
        np.add.at(self._dealt, taken, 1)
        self._had[np.arange(count), taken] += 1
        return [int(option) for option in taken]

    def forget(self) -> None:
        """Let values have again what they had before."""
        self._had[:] = 0


class _Settings:
    """Settings that are dealt to all values, never the same one twice to a value."""

    def __init__(self, seed: int, count: int) -> None:
        self._parts = [_Options(part, seed, np.ones((count, len(texts)), bool)) for part, texts in settings().items()]
        self._dealt: list[set[tuple[int, ...]]] = [set() for _ in range(count)]

    def deal(self, topic: str, number: int) -> list[Setting]:
        """The setting of each value."""
        *first, last = self._parts
        begun = list(zip(*(part.deal(topic, number) for part in first), strict=True))
        stakes = range(len(settings()["stakes"]))
        barred = np.array(
            [[(*three, one) in before for one in stakes] for three, before in zip(begun, self._dealt, strict=True)]
        )
        drawn = [(*three, one) for three, one in zip(begun, last.deal(topic, number, barred), strict=True)]
        for before, four in zip(self._dealt, drawn, strict=True):
            before.add(four)
        return [_setting(*four) for four in drawn]


def _setting(place: int, relationship: int, role: int, stakes: int) -> Setting:
    """A setting by the places of its parts in their lists."""
    texts = settings()
    return Setting(
        place=texts["places"][place],
        relationship=texts["relationships"][relationship],
        role=texts["roles"][role],
        stakes=texts["stakes"][stakes],
    )


@cache
def _grid(per_cell: int, seed: int) -> tuple[Cell, ...]:
    """The plan for all values and topics."""
    return tuple(_dealt(per_cell, seed))


def _dealt(per_cell: int, seed: int) -> Iterator[Cell]:
    values = list(taxonomy.values().values())
    opposing = [[taxonomy.relation(one.name, other.name) == "opposing" for other in values] for one in values]
    competing, places = _Options("competing", seed, np.array(opposing)), _Settings(seed, len(values))
    for number in range(1, per_cell + 1):
        # To hold repeats off for longer would favour those values that many others oppose.
        competing.forget()
        for topic in taxonomy.topics().values():
            partners, drawn = competing.deal(topic.name, number), places.deal(topic.name, number)
            for value, partner, setting in zip(values, partners, drawn, strict=True):
                yield Cell(
                    id=_identifier(value.name, topic.name, number),
                    value=value.name,
                    topic=topic.name,
                    number=number,
                    competing_value=values[partner].name,
                    setting=setting,
                )


def _identifier(value: ValueName, topic: TopicName, number: int) -> str:
    """The id of a dilemma, such as `honest-work` or `honest-work-2`."""
    slug = re.sub(r"[^a-z]+", "-", value.lower())
    return f"{slug}-{TOPIC_SLUGS[topic]}" + (f"-{number}" if number > 1 else "")


def _luck(key: tuple[object, ...], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Whole numbers from 0 up to `_LUCK`, decided by the key."""
    salt = "\x1f".join(str(part) for part in key).encode()
    raw = hashlib.shake_256(salt).digest(8 * int(np.prod(shape)))
    return (np.frombuffer(raw, dtype="<u8") % _LUCK).astype(np.int64).reshape(shape)

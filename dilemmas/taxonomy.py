"""The 56 values, the eleven topics and the circle on which the values lie.

Names and structure: Schwartz (1992), doi:10.1016/S0065-2601(08)60281-6; topics: modules of the
International Social Survey Programme. Definitions and scopes are in this project's words.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Literal

from dilemmas.errors import InputError, did_you_mean
from dilemmas.resources import data_file
from dilemmas.schema import Topic, Value

Relation = Literal["adjacent", "weak", "opposing"]


@cache
def values() -> dict[str, Value]:
    """The 56 values by name, in the order of the ten basic values."""
    return {entry["name"]: Value(**entry) for entry in _data()["values"]}


@cache
def topics() -> dict[str, Topic]:
    """The eleven topics by name."""
    return {entry["name"]: Topic(**entry) for entry in _data()["topics"]}


def value(name: str) -> Value:
    """One value.

    Raises:
        InputError: there is none of that name; suggests the nearest.
    """
    try:
        return values()[name]
    except KeyError:
        raise InputError(f'there is no value "{name}"', fix=did_you_mean(name, values())) from None


def distance(one: str, other: str) -> float:
    """Angle between two values on the circle, in degrees from 0 to 180.

    >>> distance("Equality", "Wealth")
    160.0
    """
    gap = abs(value(one).angle - value(other).angle) % 360
    return min(gap, 360 - gap)


def relation(one: str, other: str) -> Relation:
    """How two values stand to each other: opposing from 120 degrees, adjacent up to 40."""
    gap = distance(one, other)
    return "opposing" if gap >= 120 else "adjacent" if gap <= 40 else "weak"


def _data() -> dict[str, list[dict[str, Any]]]:
    return dict(json.loads(data_file("taxonomy.json").read_text(encoding="utf-8")))

"""All 93,312 profiles over the ten Inglehart-Welzel variables, addressed by number.

Each category of a variable scores from -1 (traditional or survival pole) to +1 (secular-rational
or self-expression pole), evenly spaced. T is the mean score over the variables of the first axis,
S over those of the second. The conflict within an axis of n variables with scores s_i is

    C = sum over pairs of max(0, -s_i s_j) / (floor(n/2) ceil(n/2)),

which is 1 where half of them sit at either pole. Incongruity is the larger of the two axes' C.
Sources of the variables and of the count stand in `data/personas.json`.
"""

from __future__ import annotations

import json
import math
from functools import cache
from itertools import combinations
from typing import NamedTuple

from dilemmas.errors import InputError, did_you_mean
from dilemmas.resources import data_file
from dilemmas.schema import Axis, Persona, PersonaCategory

AXES: tuple[Axis, ...] = ("TS", "SE")
_SLACK = 1e-9
"""Allowance for rounding where a score sits exactly on a category's bound."""


class Variable(NamedTuple):
    """One of the ten variables."""

    name: str
    """Its name."""
    axis: Axis
    """`TS` (traditional to secular-rational) or `SE` (survival to self-expression)."""
    explanation: str
    """What it is about, in this project's words."""
    labels: tuple[str, ...]
    """Its categories, from the -1 pole to the +1 pole."""
    statements: tuple[str, ...]
    """A sentence for each category, to a person who holds it."""

    def score(self, label: str) -> float:
        """Score of a category, -1 to 1.

        Raises:
            InputError: the variable has no such category.
        """
        try:
            place = self.labels.index(label)
        except ValueError:
            raise InputError(
                f'"{label}" is no category of the variable "{self.name}"',
                fix=did_you_mean(label, self.labels),
            ) from None
        return -1 + 2 * place / (len(self.labels) - 1)


@cache
def variables() -> tuple[Variable, ...]:
    """The ten variables, in the order in which the grid counts (the last one fastest)."""
    entries = json.loads(data_file("personas.json").read_text(encoding="utf-8"))["variables"]
    return tuple(
        Variable(
            name=entry["name"],
            axis=entry["axis"],
            explanation=entry["explanation"],
            labels=tuple(category["label"] for category in entry["categories"]),
            statements=tuple(category["statement"] for category in entry["categories"]),
        )
        for entry in entries
    )


PROFILES = 93_312
"""Number of profiles: 4^3 * 3^6 * 2."""


def profile(index: int) -> dict[str, str]:
    """Labels of the profile with a number from 0 to 93,311.

    >>> profile(0)["religiosity"], profile(93_311)["religiosity"]
    ('very important', 'not at all important')

    Raises:
        InputError: the number is out of range.
    """
    if not 0 <= index < PROFILES:
        raise InputError(f"there is no profile {index}", fix=f"Profiles are numbered 0 to {PROFILES - 1}.")
    labels: dict[str, str] = {}
    for variable in reversed(variables()):
        index, place = divmod(index, len(variable.labels))
        labels[variable.name] = variable.labels[place]
    return {variable.name: labels[variable.name] for variable in variables()}


def index_of(labels: dict[str, str]) -> int:
    """Number of a profile; the inverse of `profile`."""
    index = 0
    for variable in variables():
        variable.score(labels[variable.name])
        index = index * len(variable.labels) + variable.labels.index(labels[variable.name])
    return index


def conflict(scores: list[float]) -> float:
    """How far the scores of one axis pull against each other, 0 to 1 (formula above)."""
    n = len(scores)
    opposed = math.fsum(max(0.0, -one * other) for one, other in combinations(scores, 2))
    return opposed / ((n // 2) * ((n + 1) // 2))


def place(labels: dict[str, str]) -> tuple[float, float, float]:
    """T, S and incongruity of a profile.

    Args:
        labels: a category for each of the ten variables.

    Raises:
        InputError: a variable is missing or unknown, or has no such category.
    """
    known = [variable.name for variable in variables()]
    for name in labels:
        if name not in known:
            raise InputError(f'there is no variable "{name}"', fix=did_you_mean(name, known))
    if missing := [name for name in known if name not in labels]:
        raise InputError(f"lacks the variable {', '.join(missing)}", fix="A profile has all ten variables.")
    scores = {axis: [v.score(labels[v.name]) for v in variables() if v.axis == axis] for axis in AXES}
    t, s = (math.fsum(scores[axis]) / len(scores[axis]) for axis in AXES)
    return t, s, max(conflict(scores[axis]) for axis in AXES)


def categorise(t: float, s: float, incongruity: float) -> PersonaCategory:
    """Kind of a profile from its place.

    `max`: incongruity up to .05 and both axes at least .9 from the centre; `incongruous`: from .5;
    `moderate`: up to .1 and both axes within .25 of the centre; `other`: the rest.
    """
    near, far = sorted((abs(t), abs(s)))
    if incongruity <= 0.05 + _SLACK and near >= 0.9 - _SLACK:
        return "max"
    if incongruity >= 0.5 - _SLACK:
        return "incongruous"
    if incongruity <= 0.1 + _SLACK and far <= 0.25 + _SLACK:
        return "moderate"
    return "other"


def build(name: str, labels: dict[str, str]) -> Persona:
    """A persona from a category for each variable; its place and kind are computed."""
    t, s, incongruity = place(labels)
    ordered = {variable.name: labels[variable.name] for variable in variables()}
    return Persona(
        id=name, category=categorise(t, s, incongruity), variables=ordered, T=t, S=s, incongruity=incongruity
    )


def persona_at(index: int) -> Persona:
    """The persona of a profile's number, named `grid-00000` to `grid-93311`."""
    return build(f"grid-{index:05d}", profile(index))

"""What reviewers said, as tidy labels: one row for each answer. Pure functions.

The frames have the columns that `agreement` takes (unit, cluster, annotator, label), and

    criterion    what was asked; `QUESTIONS` lists it
    dilemma      id of the dilemma
    place        place of the action, as `place` names it; empty where the answer is about the whole dilemma
    basic_value  basic value of the focal value, which is the cluster
    topic        the social topic

An answer that was not given has no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from dilemmas.agreement import Criterion
from dilemmas.review.form import DECISION, DECISIONS, QUALITY, SIDES, STRENGTHS, VERDICTS, YES_NO, FormName
from dilemmas.schema import PLACES, Dilemma, Intensity, Judgement, LabelVerdict, Placement, Polarity
from dilemmas.taxonomy import value

Place = tuple[Polarity, Intensity]
"""One of `PLACES`."""
COLUMNS = ("criterion", "unit", "cluster", "annotator", "label", "dilemma", "place", "basic_value", "topic")
RISING = STRENGTHS[::-1]
"""Strengths from the mildest."""


def place(polarity: Polarity, intensity: Intensity) -> str:
    """Name of an action's place, such as `strong aligned`."""
    return f"{intensity} {polarity}"


PLACE_NAMES = tuple(place(*one) for one in PLACES)
"""From strong aligned to strong opposed."""


class Question(NamedTuple):
    """What reviewers answer, or what follows from their answers."""

    criterion: Criterion
    """Its name and all its answers."""
    per_action: bool
    """Whether it is about one action, and not about the whole dilemma."""
    derived: bool = False
    """Whether it follows from other answers: a disagreement on it is one on those."""


_WHOLE = (
    Question(Criterion(DECISION, DECISIONS), per_action=False),
    *(Question(Criterion(name, YES_NO), per_action=False) for name in QUALITY),
)
QUESTIONS: dict[FormName, tuple[Question, ...]] = {
    "open": (
        *_WHOLE,
        Question(Criterion("label", VERDICTS), per_action=True),
        Question(Criterion("side", ("holds", "wrong")), per_action=True, derived=True),
        Question(Criterion("strength", ("weaker", "matches", "stronger"), "ordinal"), per_action=True, derived=True),
    ),
    "blind": (
        *_WHOLE,
        Question(Criterion("side", SIDES), per_action=True),
        Question(Criterion("strength", RISING, "ordinal"), per_action=True),
        Question(Criterion("place", PLACE_NAMES, "ordinal"), per_action=True, derived=True),
        Question(Criterion("label", VERDICTS), per_action=True, derived=True),
    ),
}
"""The criteria of each form, in the order of the tables. `label` says whether our label holds: as it was said,
or, in the blind form, as it follows from where the action was put."""


def labels(judgements: Sequence[Judgement], dilemmas: Mapping[str, Dilemma], form: FormName) -> pd.DataFrame:
    """The answers in some judgements, in the words of a form.

    Args:
        judgements: people's, or machines'; each of a machine's readings has rows of its own.
        dilemmas: by id; those that were judged must be there.
        form: the form that people filled in.

    Returns:
        As described above, sorted, so that the order of the judgements does not matter.
    """
    rows = []
    for one in judgements:
        dilemma = dilemmas[one.dilemma]
        for criterion, about, label in (*_of_dilemma(one), *_of_actions(one, form)):
            unit = f"{one.dilemma}, {about}" if about else one.dilemma
            rows.append(
                (criterion, unit, dilemma.value, one.reviewer, label,
                 one.dilemma, about, value(dilemma.value).basic_value, dilemma.topic)
            )  # fmt: skip
    return pd.DataFrame(sorted(rows), columns=list(COLUMNS))


def majority(given: pd.DataFrame, *, fewest: int = 2) -> pd.DataFrame:
    """The label that more than half of the rows about a unit have, where there is one.

    Args:
        given: labels, see above.
        fewest: rows that a unit needs.
    """
    keys = [name for name in COLUMNS if name not in ("annotator", "label")]
    counted = given.groupby([*keys, "label"], as_index=False).size()
    votes = counted.groupby(["criterion", "unit"])["size"].transform("sum")
    clear = counted[(votes >= fewest) & (2 * counted["size"] > votes)]
    return clear.assign(annotator="majority")[list(COLUMNS)]


def _of_dilemma(one: Judgement) -> Iterator[tuple[str, str, str]]:
    """Criterion, no place, and label."""
    if one.decision is not None:
        yield DECISION, "", one.decision
    for name in QUALITY:
        if (answer := getattr(one, name)) is not None:
            yield name, "", YES_NO[0] if answer else YES_NO[1]


def _of_actions(one: Judgement, form: FormName) -> Iterator[tuple[str, str, str]]:
    """Criterion, place and label."""
    placed = {(found.polarity, found.intensity): found for found in one.placements}
    said: dict[Place, LabelVerdict] = {at: found.verdict for at, found in placed.items()}
    said |= {(found.polarity, found.intensity): found.verdict for found in one.verdicts}
    for at, label in said.items():
        yield "label", place(*at), label
        for criterion, also in _open(label) if form == "open" else _blind(placed.get(at)):
            yield criterion, place(*at), also


def _open(label: LabelVerdict) -> Iterator[tuple[str, str]]:
    """What follows from a verdict on a label."""
    if label != "cannot_tell":
        yield "side", "wrong" if label == "wrong_side" else "holds"
        if label != "wrong_side":
            yield "strength", label


def _blind(found: Placement | None) -> Iterator[tuple[str, str]]:
    """Side, strength and place of an action; none of the latter two where the side is unclear."""
    yield "side", found.judged_polarity if found else "cannot_tell"
    if found:
        yield "strength", found.judged_intensity
        yield "place", place(found.judged_polarity, found.judged_intensity)

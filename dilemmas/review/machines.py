"""Machines beside people and beside the labels we meant. No machine's label is ever counted among people's."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from dilemmas import agreement
from dilemmas.agreement import Row
from dilemmas.checks import blind_sort
from dilemmas.review.form import FormName
from dilemmas.review.labels import QUESTIONS, majority
from dilemmas.schema import Dilemma, Judgement

MAJORITY = "(majority)"
"""What a machine is compared with beside each person: the label that more than half of two people or more gave."""


def against_people(
    readings: pd.DataFrame, given: pd.DataFrame, form: FormName, *, draws: int, seed: int
) -> pd.DataFrame:
    """Each machine beside each person and the majority: agreement on the units that both have labelled.

    A machine's label is the one in more than half of those of its readings that have any; else it is left out.

    Args:
        readings: machines' labels, see `labels`.
        given: people's labels.
        form: the form that people filled in.
        draws: resamples behind each interval, at least 1.
        seed: seed of the draws.

    Returns:
        A row of `agreement.measures` for each machine, person and criterion, with machine and against.
    """
    against = [*((str(name), theirs) for name, theirs in given.groupby("annotator")), (MAJORITY, majority(given))]
    rows: list[Row] = []
    for machine, theirs in readings.groupby("annotator"):
        own = majority(theirs, fewest=1)
        for (name, people), question in itertools.product(against, QUESTIONS[form]):
            pair = [part[part["criterion"] == question.criterion.name] for part in (own, people)]
            shared = set(pair[0]["unit"]) & set(pair[1]["unit"])
            if shared:
                both = pd.concat([part.assign(annotator=who) for part, who in zip(pair, "mp", strict=True)])
                row = agreement.measures(both[both["unit"].isin(shared)], question.criterion, draws=draws, seed=seed)
                rows.append({"machine": machine, "against": name, **row})
    return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [
    "machine", "against", "criterion", "metric", "n_units", "clusters", "draws", "seed",
    *(f"{name}{end}" for name in ("raw", "alpha", "ac1", "kappa") for end in ("", "_low", "_high")), "note",
]  # fmt: skip


def with_intended(sorts: pd.DataFrame, judgements: Sequence[Judgement], *, draws: int, seed: int) -> pd.DataFrame:
    """Where actions were put, against where they were meant: `agreement.with_intended`, and of how many actions.

    It serves people who saw no labels too, in a call of their own.

    Args:
        sorts: from `sorted_blind` or `sides`.
        judgements: what they were made of.
        draws: resamples behind each interval, at least 1.
        seed: seed of the draws.

    Returns:
        With the columns readings and placed: the actions that were put somewhere, six to a reading at most.
    """
    table = agreement.with_intended(sorts, draws=draws, seed=seed)
    readings, placed = Counter[str](), Counter[str]()
    for one in judgements:
        readings[one.reviewer] += 1
        placed[one.reviewer] += len(one.placements) + sum(said.verdict != "cannot_tell" for said in one.verdicts)
    table.insert(2, "readings", table["annotator"].map(readings))
    table.insert(3, "placed", table["annotator"].map(placed))
    return table


def sorted_blind(dilemmas: Mapping[str, Dilemma], judgements: Sequence[Judgement]) -> pd.DataFrame:
    """What `agreement.with_intended` takes, from placements."""
    readings: dict[str, list[Judgement]] = {}
    for one in judgements:
        readings.setdefault(one.reviewer, []).append(one)
    sorts = [
        {"unit": sort.id, "cluster": dilemmas[sort.id].value, "annotator": reviewer, "side": sort.side, "tau": sort.tau}
        for reviewer, theirs in readings.items()
        for sort in blind_sort.scores(tuple(dilemmas.values()), theirs, theirs[0].kind)
    ]
    return pd.DataFrame(sorts, columns=["unit", "cluster", "annotator", "side", "tau"])


def sides(readings: pd.DataFrame) -> pd.DataFrame:
    """What `agreement.with_intended` takes, from verdicts on labels: they tell the side, but no order."""
    given = readings[readings["criterion"] == "side"]
    right = (given["label"] == "holds").groupby([given["dilemma"], given["cluster"], given["annotator"]]).mean()
    return right.rename("side").reset_index().rename(columns={"dilemma": "unit"}).assign(tau=math.nan)

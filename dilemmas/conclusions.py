"""What cannot be concluded from some answers, whatever the numbers are: sentences without their full stop."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from dilemmas.significance.contrasts import CATEGORY_TO_BASELINE

LISTED = 6
"""Names in a note; of the rest only the number is told."""


def conclusions(dilemmas: pd.DataFrame, effects: pd.DataFrame) -> list[str]:
    """What is missing, for each model, between models, and in the confirmatory family.

    Args:
        dilemmas: as from `scores.per_dilemma`.
        effects: as from `significance.effects`.
    """
    notes = []
    models = {str(model): rows for model, rows in dilemmas.groupby("model", sort=True)}
    for model, rows in models.items():
        notes += [f"{model}: {what}" for what in _of_model(rows)]
    for one, other in combinations(models, 2):
        notes += [f"{one} and {other}: {what}" for what in _of_two(models[one], models[other])]
    return notes + _left_out(effects)


def _of_model(rows: pd.DataFrame) -> list[str]:
    kinds, valid = set(rows["category"]), rows[rows["ad"].notna()]
    notes = []
    if valid.empty:
        notes.append("no dilemma has an answer on both sides, so there is no score")
    elif "baseline" not in kinds:
        notes.append("has no baseline, so there are levels and no deltas")
    elif kinds == {"baseline"}:
        notes.append("only the baseline was asked, so there is nothing to compare with it")
    else:
        own = set(valid.loc[valid["category"] == "baseline", "item"])
        personas = valid[valid["category"] != "baseline"].groupby("persona")["item"]
        apart = [str(name) for name, items in personas if own.isdisjoint(items)]
        if apart:
            notes.append(f"{_names(apart)}: no dilemma in common with the baseline, so there is no delta")
    if valid["value"].nunique() == 1:
        notes.append("all dilemmas are about one value, so there are no intervals and no tests")
    asked, all_ = rows.groupby("persona")["item"].nunique(), rows["item"].nunique()
    few = [f"{persona} has {count} of {all_} dilemmas" for persona, count in asked.items() if count < all_]
    if few:
        notes.append(f"{_names(few)}; a delta is of those in common, and its worst case counts the others as missing")
    return notes


def _of_two(one: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    notes = []
    here, there = set(one["item"]), set(other["item"])
    if not here & there:
        notes.append("no dilemma in common, so they are not compared")
    elif here != there:
        notes.append(
            f"{len(here & there)} dilemmas in common, of {len(here)} and {len(there)}; only these are compared"
        )
    kinds = (dict(zip(rows["persona"], rows["category"], strict=True)) for rows in (one, other))
    first, second = kinds
    torn = sorted(str(name) for name in first.keys() & second.keys() if first[name] != second[name])
    if torn:
        notes.append(f"{_names(torn)}: not of the same category in both, so not compared")
    return notes


def _left_out(effects: pd.DataFrame) -> list[str]:
    """How many tests of the confirmatory family are undefined."""
    family = effects[effects["family"] == CATEGORY_TO_BASELINE]
    undefined = int(family["p"].isna().sum())
    if not undefined:
        return []
    return [
        f"{undefined} of {len(family)} tests of categories against the baseline undefined, and left out of "
        "Holm's correction; the column note of the table of effects says why"
    ]


def _names(names: Sequence[str]) -> str:
    """Some names; of many only the first."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more

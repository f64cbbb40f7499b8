"""AR and AD of personas and of categories, with what must stand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import pandas as pd

from dilemmas.schema import PersonaCategory
from dilemmas.scores.items import CONDITION
from dilemmas.scores.measures import agreement, f1_bounds

STATUSES = ["answered", "refused", "unreadable", "open"]
_CATEGORY = ["model", "category"]
_SUMS = ["items", "n", "n_ar", "undecided", *STATUSES]


def per_persona(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """AR and AD of each persona (the baseline is one), with what must stand beside them.

    Args:
        table: as from `per_dilemma`.
        frame: as from `answers`, for the rates of refused and unreadable replies.

    Returns:
        One row per model and persona: n (dilemmas with both scores), items (dilemmas asked), AD,
        floor, sq_gap, gap, sd_v, sd_a (means over dilemmas), AR with all of `agreement`, the
        worst-case bounds AD_low, AD_high, AR_low, AR_high, and the counts answered, refused,
        unreadable and open with the rates of refused and unreadable among replies.
    """
    return _scored(table, frame, CONDITION)


def pooled(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """AR, AD and the rest of each category, of all its personas' dilemmas taken together.

    A persona with fewer valid dilemmas weighs less, and AR counts over personas before the ratio is
    taken; `per_category`, the default elsewhere, gives every persona the same weight.

    Args:
        table: as from `per_dilemma`.
        frame: as from `answers`.

    Returns:
        One row per model and category, with the columns of `per_category`.
    """
    found = _scored(table, frame, _CATEGORY)
    members = table.groupby(_CATEGORY)["persona"].nunique().rename("personas").reset_index()
    return _in_order(members.merge(found, on=_CATEGORY))


def _scored(table: pd.DataFrame, frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for names, group in table.groupby(list(by), sort=True):
        measures = agreement(group["sign_v"].to_numpy(float), group["sign_a"].to_numpy(float))
        low, high = f1_bounds(group)
        rows.append(
            {
                **dict(zip(by, names, strict=True)),
                "items": len(group),
                "n": int(group["ad"].notna().sum()),
                "AD": group["ad"].mean(),
                **{name: group[name].mean() for name in ("floor", "sq_gap", "gap", "sd_v", "sd_a")},
                "AD_low": group["ad_low"].mean(),
                "AD_high": group["ad_high"].mean(),
                "AR": measures["f1_agree"],
                **measures,
                "AR_low": low,
                "AR_high": high,
            }
        )
    if not rows:
        return pd.DataFrame(columns=[*by, "items", "n", "AD", "AR"])
    return pd.DataFrame(rows).merge(status_counts(frame, by), on=list(by), how="left")


def status_counts(frame: pd.DataFrame, by: Sequence[str] = CONDITION) -> pd.DataFrame:
    """Answered, refused, unreadable and open trials of each condition, and their rates among replies."""
    counts = frame.groupby([*by, "status"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=STATUSES, fill_value=0).reset_index()
    replies = (counts["answered"] + counts["refused"] + counts["unreadable"]).replace(0, np.nan)
    counts["refused_rate"] = counts["refused"] / replies
    counts["unreadable_rate"] = counts["unreadable"] / replies
    counts.columns.name = None
    return counts


def per_category(personas: pd.DataFrame) -> pd.DataFrame:
    """AR, AD and the rest of each category: the mean over its personas; counts are summed.

    Args:
        personas: as from `per_persona`.

    Returns:
        One row per model and category, with `personas`, the number of personas in it. NaN where
        that of a persona is: none leaves its category's mean unseen.
    """
    measures = [name for name in personas.columns if name not in CONDITION]
    grouped = personas.groupby(_CATEGORY, sort=True)
    averaged = grouped[[name for name in measures if name not in _SUMS]].mean(skipna=False)
    table = pd.concat([grouped[_SUMS].sum(), averaged], axis=1)[measures]
    table.insert(0, "personas", grouped.size())
    return _in_order(table.reset_index())


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by model, and its categories in the order in which they are always shown."""
    table["category"] = pd.Categorical(table["category"], get_args(PersonaCategory))
    return table.sort_values(_CATEGORY, kind="stable", ignore_index=True).astype({"category": str})

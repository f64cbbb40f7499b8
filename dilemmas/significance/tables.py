"""The two tables of every run: levels with intervals, and deltas to the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from dilemmas.significance.bootstrap import DRAWS
from dilemmas.significance.compare import COLUMNS, compare
from dilemmas.significance.contrasts import CATEGORY_TO_BASELINE, categories_to_baseline, personas_to_baseline
from dilemmas.significance.equivalence import MARGIN
from dilemmas.significance.jackknife import cluster_sums, jackknife
from dilemmas.significance.panel import METRICS, RANGE, Aggregate, Member, Panel, side


def levels(dilemmas: pd.DataFrame, *, aggregate: Aggregate = "mean") -> pd.DataFrame:
    """AR and AD of every condition with jackknife intervals.

    Args:
        dilemmas: as from `scores.per_dilemma`.
        aggregate: a category's score is the mean of its personas' or that of all their dilemmas.

    Returns:
        One row per model, metric and condition: model, metric, level (`persona` or `category`), name,
        personas, estimate, low, high (cut where the metric ends), se, df, note, n (dilemmas, summed
        over personas), values.

    Raises:
        InputError: as `Panel`.
    """
    panel = Panel(dilemmas)
    rows = []
    for model, level, name, members in _conditions(dilemmas):
        at = panel.rows(members)
        for metric in METRICS:
            valid = panel.valid[metric][at]
            parts = cluster_sums(panel.masked(metric, at, valid), panel.value, np.asarray(valid.any(axis=0)))
            fewest = min(len(np.unique(panel.value[row])) for row in valid)
            found = jackknife(parts, side(metric, len(members), aggregate), most_df=max(fewest - 1, 0))
            low, high = np.clip((found.low, found.high), *RANGE[metric])
            rows.append(
                {"model": model, "metric": metric, "level": level, "name": name, "personas": len(members),
                 "estimate": found.estimate, "low": float(low), "high": float(high), "se": found.se, "df": found.df,
                 "note": found.note, "n": int(valid.sum()), "values": len(parts)}
            )  # fmt: skip
    return pd.DataFrame(rows)


def effects(
    dilemmas: pd.DataFrame,
    *,
    aggregate: Aggregate = "mean",
    margin: float = MARGIN,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Deltas of personas and categories to the baseline.

    Only dilemmas that are valid in both conditions count (for AR: decided in both). A category's
    delta is the mean over its personas of theirs, and speaks of these personas, not of all of
    their kind. Categories x {AD, AR} x models are the confirmatory family, corrected by Holm;
    personas are exploratory, corrected by Benjamini and Hochberg.

    Args:
        dilemmas: as from `scores.per_dilemma`.
        aggregate, margin, draws, seed: as in `compare`.

    Returns:
        One row per model, metric and condition, those of personas first. The columns of
        `compare.Row`, but for these names: delta (estimate), t (statistic), baseline and other
        (the levels compared), and p_holm (NaN for personas) and q (NaN for categories) instead of
        p_adjusted. No rows without a baseline.

    Raises:
        InputError: as `compare`.
    """
    contrasts = sorted(
        personas_to_baseline(dilemmas) + categories_to_baseline(dilemmas), key=lambda contrast: contrast.model
    )
    found = compare(dilemmas, contrasts, aggregate=aggregate, margin=margin, draws=draws, seed=seed)
    confirmatory = found["family"] == CATEGORY_TO_BASELINE
    found["p_holm"] = found["p_adjusted"].where(confirmatory, math.nan)
    found["q"] = found["p_adjusted"].where(~confirmatory, math.nan)
    return found.rename(columns=_NAMES)[_COLUMNS]


_NAMES = {"estimate": "delta", "statistic": "t", "first_level": "baseline", "second_level": "other"}
_COLUMNS = [
    name
    for column in COLUMNS
    if column not in ("first", "second")
    for name in (["p_holm", "q"] if column == "p_adjusted" else [_NAMES.get(column, column)])
]


def _conditions(dilemmas: pd.DataFrame) -> Iterator[tuple[str, str, str, list[Member]]]:
    """Model, level, name and members of each condition: a model's personas, then its categories."""
    for model, rows in dilemmas.groupby("model", sort=True):
        for level in ("persona", "category"):
            for name, part in rows.groupby(level, sort=True):
                yield (
                    str(model),
                    level,
                    str(name),
                    [Member(str(model), str(one)) for one in sorted(set(part["persona"]))],
                )

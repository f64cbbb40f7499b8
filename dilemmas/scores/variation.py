"""How much scores vary: between repeats, dilemmas, values and topics. What a new study is planned with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from dilemmas.scores.signs import Floats

COLUMNS = [
    "model", "level", "name", "personas", "n", "values", "topics", "sd_repeat_v", "sd_repeat_a",
    "sd_ad", "icc_value", "icc_topic", "n_d", "sd_d", "icc_value_d", "icc_topic_d",
]  # fmt: skip


def variation(table: pd.DataFrame) -> pd.DataFrame:
    """Repeat noise, and the spread of ad and of its paired differences between dilemmas, values and topics.

    The paired difference of a dilemma is d = ad(baseline) - ad(persona), of a category that to the
    mean over those of its personas that are valid there.

    Args:
        table: as from `per_dilemma`; without `topic` there is no ICC by topic.

    Returns:
        One row per model and condition (level `persona` or `category`):

        - personas; n (dilemmas with an ad), values, topics
        - sd_repeat_v, sd_repeat_a: standard deviation of repeats about their dilemma's mean,
          sqrt(sum (n - 1) sd^2 / sum (n - 1))
        - sd_ad, icc_value, icc_topic: of ad over dilemmas, a category's averaged over personas
        - n_d (dilemmas with a paired difference), sd_d, icc_value_d, icc_topic_d: of d; NaN for the
          baseline and without one. These are the numbers that power depends on.

        See `icc`. What is undefined is NaN.
    """
    rows = []
    for model, of_model in table.groupby("model", sort=True):
        items = of_model.drop_duplicates("item").set_index("item")
        baseline = of_model[of_model["category"] == "baseline"].groupby("item")["ad"].mean()
        for level, name, part in _conditions(of_model):
            ad = part.groupby("item")["ad"].mean()
            d = baseline.reindex(ad.index) - ad
            if (part["category"] == "baseline").all():
                d[:] = math.nan
            rows.append(
                {
                    "model": model,
                    "level": level,
                    "name": name,
                    "personas": part["persona"].nunique(),
                    "n": int(ad.notna().sum()),
                    "values": items.loc[ad.dropna().index, "value"].nunique(),
                    "topics": items.loc[ad.dropna().index, "topic"].nunique() if "topic" in items else 0,
                    "sd_repeat_v": _within(part["sd_v"], part["n_v"]),
                    "sd_repeat_a": _within(part["sd_a"], part["n_a"]),
                    **_spread(ad, items, "sd_ad", ""),
                    "n_d": int(d.notna().sum()),
                    **_spread(d, items, "sd_d", "_d"),
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _conditions(of_model: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for level in ("persona", "category"):
        for name, part in of_model.groupby(level, sort=True):
            yield level, str(name), part


def _within(sd: pd.Series, n: pd.Series) -> float:
    known = sd.notna()
    degrees = float((n[known] - 1).sum())
    return math.sqrt(float((sd[known] ** 2 * (n[known] - 1)).sum()) / degrees) if degrees else math.nan


def _spread(x: pd.Series, items: pd.DataFrame, sd: str, suffix: str) -> dict[str, float]:
    known = x.dropna()
    groups = {by: items.loc[known.index, by].to_numpy() if by in items else None for by in ("value", "topic")}
    numbers = known.to_numpy(float)
    return {
        sd: float(numbers.std(ddof=1)) if len(numbers) > 1 else math.nan,
        **{f"icc_{by}{suffix}": math.nan if codes is None else icc(numbers, codes) for by, codes in groups.items()},
    }


def icc(x: Floats, groups: npt.ArrayLike) -> float:
    """Intraclass correlation, one way: the ANOVA estimator.

    Estimand: the share of the variance of x that lies between groups. With N numbers in k groups of
    sizes n_i, mean squares B between and W within, and n0 = (N - sum n_i^2 / N) / (k - 1),

        icc = (B - W) / (B + (n0 - 1) W)

    It can be below zero, where groups differ less than chance would have it. Donner (1986),
    doi:10.2307/1403259.

    Args:
        x: the numbers, shape (N,).
        groups: the group of each.

    Returns:
        The correlation; NaN with one group, without a group of two, or where nothing varies.

    >>> round(icc(np.array([1.0, 2, 5, 6]), ["a", "a", "b", "b"]), 4)
    0.9394
    """
    _, code, size = np.unique(np.asarray(groups, dtype=str), return_inverse=True, return_counts=True)
    total, k = len(x), len(size)
    if k < 2 or total == k:
        return math.nan
    means = np.bincount(code, weights=x) / size
    between = float((size * (means - x.mean()) ** 2).sum()) / (k - 1)
    within = float(((x - means[code]) ** 2).sum()) / (total - k)
    each = (total - float((size**2).sum()) / total) / (k - 1)
    variance = between + (each - 1) * within
    return (between - within) / variance if variance > 1e-12 else math.nan

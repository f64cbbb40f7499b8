"""Standard errors for dilemmas that share a value with some and a topic with others."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dilemmas.significance.jackknife import (
    ROUNDING,
    Estimate,
    Floats,
    Integers,
    Statistic,
    by_t,
    cluster_sums,
    jackknife,
    missing,
)

FALLBACK = "the sum of variances is not above zero: the larger of value and topic is used"


def two_way(
    rows: Floats,
    value: Integers,
    topic: Integers,
    statistic: Statistic,
    *,
    counts: npt.NDArray[np.bool_] | None = None,
    level: float = 0.95,
    most_df: float = math.inf,
) -> Estimate:
    """A t interval that allows for dependence within values and within topics.

    With V the delete-one-cluster jackknife variance (see `jackknife`), by value, by topic and by
    cell (value and topic both the same),

        se^2 = V_value + V_topic - V_cell,    t = T / se with min(values, topics) - 1 degrees of freedom

    Where that is not above zero (but for rounding), se^2 is the larger of V_value and V_topic. Estimand: the statistic
    over new values and new topics of the same kind. Cameron, Gelbach and Miller (2011),
    doi:10.1198/jbes.2010.07136.

    Args:
        rows: sums per dilemma, shape (N, K).
        value, topic: codes of each dilemma's, shape (N,).
        statistic: from sums (..., K) to the statistic (...).
        counts: whether a dilemma counts, shape (N,); by default each does.
        level: coverage of the interval.
        most_df: as in `jackknife`.

    Returns:
        An estimate; `note` says also where the fallback was used.

    >>> rows = np.column_stack([[1.0, 2, 3, 4], np.ones(4)])
    >>> found = two_way(rows, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), lambda s: s[..., 0] / s[..., 1])
    >>> found.estimate, found.df
    (2.5, 1)
    """
    counted = np.ones(len(rows), dtype=bool) if counts is None else counts
    cell = value * (topic.max(initial=0) + 1) + topic
    by_value, by_topic, by_cell = (
        jackknife(cluster_sums(rows, codes, counted), statistic, level=level) for codes in (value, topic, cell)
    )
    df = min(by_value.df, by_topic.df, most_df)
    for found, what in ((by_value, "value"), (by_topic, "topic"), (by_cell, "cell")):
        if math.isnan(found.se):
            return missing(found.estimate, df, found.note.replace("value", what))
    larger = max(by_value.se, by_topic.se) ** 2
    variance = by_value.se**2 + by_topic.se**2 - by_cell.se**2
    if variance > ROUNDING * larger:
        return by_t(by_value.estimate, math.sqrt(variance), df, level=level)
    if not larger:
        return by_t(by_value.estimate, 0.0, df)
    return by_t(by_value.estimate, math.sqrt(larger), df, level=level)._replace(note=FALLBACK)

"""Delete-one-cluster jackknife of a statistic that is a function of sums, and the t test it gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Statistic = Callable[[Floats], Floats]
"""From sums (the last axis) to the statistic."""

NO_WIDTH = 1e-12
"""A spread smaller than this is none: sums carry rounding."""
ROUNDING = 1e-9
"""A variance smaller than this share of those it is the difference of is none."""
UNDEFINED = "undefined for these answers"
NO_VARIATION = "no variation between values: no interval and no test"


class Estimate(NamedTuple):
    """An estimate with its standard error, its interval and its test against zero."""

    estimate: float
    low: float
    high: float
    se: float
    t: float
    df: float
    """NaN where the test has none (z)."""
    p: float
    note: str
    """Why a number is missing; empty if none is."""


def jackknife(parts: Floats, statistic: Statistic, *, level: float = 0.95, most_df: float = math.inf) -> Estimate:
    """Delete-one-cluster jackknife with a t interval.

    With G clusters, the statistic T of all of them and T_g without cluster g,
    se^2 = (G - 1)/G * sum (T_g - mean T_g)^2, and (T - T0)/se is referred to t with G - 1
    degrees of freedom. Estimand: the statistic over new clusters of the same kind.
    Efron and Stein (1981), doi:10.1214/aos/1176345462.

    Args:
        parts: sums per cluster, shape (G, K).
        statistic: from sums (..., K) to the statistic (...).
        level: coverage of the interval.
        most_df: degrees of freedom at most, where part of the statistic rests on fewer clusters.

    Returns:
        An estimate; p is two-sided against 0. NaN where the statistic or its spread is undefined.

    >>> jackknife(np.array([[1.0, 1], [2, 1], [3, 1], [4, 1]]), lambda s: s[..., 0] / s[..., 1]).estimate
    2.5
    """
    clusters = len(parts)
    total = parts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = float(statistic(total))
        without = statistic(total - parts) if clusters > 1 else np.array([math.nan])
    if math.isnan(estimate):
        return missing(estimate, max(clusters - 1, 0), UNDEFINED)
    if clusters < 2:
        return missing(estimate, 0, "one value only: no interval, and nothing follows for other values")
    if np.isnan(without).any():
        return missing(estimate, clusters - 1, "undefined without one of the values: no interval and no test")
    se = math.sqrt((clusters - 1) / clusters * float(((without - without.mean()) ** 2).sum()))
    return by_t(estimate, se, min(clusters - 1, most_df), level=level)


def by_t(estimate: float, se: float, df: float, *, level: float = 0.95) -> Estimate:
    """Interval and two-sided p against 0 from a standard error, by Student's t.

    >>> by_t(2.5, 0.6454972, 3).note
    ''
    """
    from scipy import stats

    if se <= NO_WIDTH:
        return missing(estimate, df, NO_VARIATION)._replace(se=0.0)
    t = estimate / se
    half = float(stats.t.ppf(0.5 + level / 2, df)) * se
    return Estimate(estimate, estimate - half, estimate + half, se, t, df, 2 * float(stats.t.sf(abs(t), df)), "")


def missing(estimate: float, df: float, note: str) -> Estimate:
    """An estimate of which nothing more can be said, and why."""
    return Estimate(estimate, math.nan, math.nan, math.nan, math.nan, df, math.nan, note)


def cluster_sums(rows: Floats, cluster: Integers, counts: npt.NDArray[np.bool_]) -> Floats:
    """Sums of the rows of each cluster, shape (G, K), in the order of the clusters' codes.

    Args:
        rows: shape (N, K).
        cluster: code of each row's cluster, shape (N,).
        counts: whether a row counts, shape (N,); a cluster without such a row is left out.
    """
    present, place = np.unique(cluster[counts], return_inverse=True)
    total = np.zeros((len(present), rows.shape[1]))
    np.add.at(total, place, rows[counts])
    return total

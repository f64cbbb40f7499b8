"""Empirical Bayes for groups that have few dilemmas each: how much they differ, and what each is likely to be."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dilemmas.significance.jackknife import NO_WIDTH, Floats

ALIKE = "the groups do not differ detectably: this is their common mean"
"""Where tau is 0, for then all shrunken estimates are one number."""


class Spread(NamedTuple):
    """How much groups differ beyond chance."""

    groups: int
    mean: float
    """Of the groups' true values."""
    mean_se: float
    tau: float
    """Standard deviation of the groups' true values; 0 where they differ no more than chance has them differ."""
    cochran_q: float
    df: int
    p: float
    """That all groups have one true value."""
    i2: float
    """Share of the groups' variation that is not chance, in [0, 1]."""
    prediction_low: float
    """Together with `prediction_high`: where the true value of a new group is expected."""
    prediction_high: float
    note: str


class Shrunken(NamedTuple):
    """Estimates of the groups, drawn to their mean; each field has one number a group."""

    estimate: Floats
    se: Floats
    low: Floats
    high: Floats
    p: Floats


def shrink(estimates: Floats, se: Floats, *, level: float = 0.95) -> tuple[Spread, Shrunken]:
    """Heterogeneity by DerSimonian and Laird, and empirical Bayes estimates.

    With estimates y_g of k groups, standard errors s_g, w_g = 1/s_g^2 and m = sum w y / sum w,

        Q = sum w_g (y_g - m)^2, referred to chi^2 with k - 1 degrees of freedom
        tau^2 = max(0, (Q - (k - 1)) / (sum w - sum w^2 / sum w)),    I2 = max(0, 1 - (k - 1) / Q)

    and with v_g = 1 / (s_g^2 + tau^2), mean M = sum v y / sum v of standard error E = (sum v)^-1/2 and
    B_g = s_g^2 v_g,

        shrunken_g = B_g M + (1 - B_g) y_g,    se_g^2 = (1 - B_g) s_g^2 + B_g^2 E^2
        prediction interval: M +- t_(k - 2) (tau^2 + E^2)^1/2

    Intervals and p of the shrunken are normal, and take tau as known: they are too narrow where groups are
    few. Where tau is 0 all shrunken estimates are M, and no group has a p of its own. Estimand: each
    group's true value, and the distribution they are drawn from. DerSimonian and Laird (1986),
    doi:10.1016/0197-2456(86)90046-2; Morris (1983), doi:10.1080/01621459.1983.10477920; Higgins,
    Thompson and Spiegelhalter (2009), doi:10.1111/j.1467-985X.2008.00552.x.

    Args:
        estimates: shape (k,); NaN leaves a group out.
        se: their standard errors, shape (k,); NaN leaves a group out.
        level: coverage of the intervals.

    Returns:
        The spread, and the shrunken estimates in the order given, NaN for groups left out.

    >>> spread, shrunken = shrink(np.array([0.1, 0.3, 0.2]), np.array([0.1, 0.1, 0.1]))
    >>> spread.tau, shrunken.estimate.round(9).tolist()
    (0.0, [0.2, 0.2, 0.2])
    """
    from scipy import stats

    kept = ~np.isnan(estimates + se)
    k, nan = int(kept.sum()), math.nan
    shrunken = Shrunken(*(np.full(len(estimates), nan) for _ in Shrunken._fields))
    if k < 2 or (se[kept] <= NO_WIDTH).any():
        note = "one group only" if k == 1 else "no group has an estimate" if not k else "no variation within groups"
        return Spread(k, nan, nan, nan, nan, max(k - 1, 0), nan, nan, nan, nan, note), shrunken
    y, variance = estimates[kept], se[kept] ** 2
    # statsmodels' combine_effects lets tau^2 fall below zero, and its weights with it
    w = 1 / variance
    q = float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())
    tau2 = max(0.0, (q - (k - 1)) / float(w.sum() - (w**2).sum() / w.sum()))
    v = 1 / (variance + tau2)
    mean, mean_se = float((v * y).sum() / v.sum()), float(v.sum() ** -0.5)
    far = float(stats.t.ppf(0.5 + level / 2, k - 2)) * math.hypot(math.sqrt(tau2), mean_se) if k > 2 else nan
    spread = Spread(
        groups=k,
        mean=mean,
        mean_se=mean_se,
        tau=math.sqrt(tau2),
        cochran_q=q,
        df=k - 1,
        p=float(stats.chi2.sf(q, k - 1)),
        i2=max(0.0, 1 - (k - 1) / q) if q else 0.0,
        prediction_low=mean - far,
        prediction_high=mean + far,
        note="; ".join((["two groups only: no prediction interval"] if k == 2 else []) + ([] if tau2 else [ALIKE])),
    )
    b = variance * v
    centre, error = b * mean + (1 - b) * y, np.sqrt((1 - b) * variance + b**2 * mean_se**2)
    half = float(stats.norm.ppf(0.5 + level / 2)) * error
    p = 2 * stats.norm.sf(np.abs(centre) / error) if tau2 else np.full(k, nan)
    columns = (centre, error, centre - half, centre + half, p)
    for column, numbers in zip(shrunken, columns, strict=True):
        column[kept] = numbers
    return spread, shrunken

"""Regressions of alignment distance: paired differences with clustered errors, and a mixed model.

AR is no mean over dilemmas, so neither is offered for it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dilemmas.significance.contrasts import Contrast, compared
from dilemmas.significance.jackknife import NO_VARIATION, NO_WIDTH, ROUNDING, Estimate, missing
from dilemmas.significance.panel import SPAN, Panel

COLUMNS = [
    "family", "model", "metric", "level", "name", "estimate", "low", "high", "se", "statistic", "df", "p", "n", "note",
    "method",
]  # fmt: skip
BY_VALUE = "OLS on paired differences, errors by value"
BY_VALUE_AND_TOPIC = "OLS on paired differences, errors by value and topic"
MIXED = "mixed model, slopes by value"
OVER_DILEMMAS = "mean over dilemmas, not over personas"
"""Told where the two are not the same, since personas have different dilemmas."""


def regressions(dilemmas: pd.DataFrame, contrasts: Sequence[Contrast], *, mixed_model: bool = False) -> pd.DataFrame:
    """Deltas of AD by regression.

    Args:
        dilemmas: as from `scores.per_dilemma`.
        contrasts: as the functions of `contrasts` build them; those of AR are left out.
        mixed_model: whether to fit `mixed` too, which takes seconds a contrast.

    Returns:
        One row per contrast and method: family, model, metric, level, name (as in `compare`),
        estimate, low, high, se, statistic (t; z in the mixed model, whose df is NaN), df, p, n
        (dilemmas), note (why a number is missing, or that the mean is `OVER_DILEMMAS`), method.

    Raises:
        InputError: the frame is ambiguous (see `Panel`).
    """
    panel = Panel(dilemmas)
    rows = []
    for contrast in contrasts:
        if contrast.metric == "AR":
            continue
        data = compared(panel, contrast)
        sides = pd.DataFrame({"item": panel.items, "value": panel.value, "topic": panel.topic, "difference": data.ad})
        found = {BY_VALUE: ols(sides)}
        if panel.topics:
            found[BY_VALUE_AND_TOPIC] = ols(sides, topics=True)
        if mixed_model:
            halves = [sides.assign(first=1 - at, ad=ad) for at, ad in enumerate((data.first_ad, data.second_ad))]
            found[MIXED] = mixed(pd.concat(halves, ignore_index=True))
        keys = (contrast.family, contrast.model, contrast.metric, contrast.level, contrast.name)
        over = [OVER_DILEMMAS] if data.uneven else []
        rows += [
            (*keys, one.estimate, *np.clip((one.low, one.high), -SPAN["AD"], SPAN["AD"]).tolist(), one.se, one.t,
             one.df, one.p, data.counts.sum(), "; ".join(filter(None, (one.note, *over))), method)
            for method, one in found.items()
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def ols(differences: pd.DataFrame, *, topics: bool = False, level: float = 0.95) -> Estimate:
    """Mean paired difference by least squares, with errors clustered by value, or by value and topic.

    difference_i = delta + e_i. With G clusters and e_g the sum of residuals in one, the variance of
    delta is V = G/(G - 1) sum e_g^2 / N^2; two ways it is V_value + V_topic - V_cell. t with G - 1
    degrees of freedom, of the smaller G. Through statsmodels. Liang and Zeger (1986),
    doi:10.1093/biomet/73.1.13; Cameron, Gelbach and Miller (2011), doi:10.1198/jbes.2010.07136.

    Args:
        differences: one row per dilemma: difference (NaN is left out), value and, if asked for, topic.
        topics: whether to cluster by topic too.
        level: coverage of the interval.

    Returns:
        An estimate; where the errors are undefined `note` says why.

    >>> frame = pd.DataFrame({"difference": [1.0, 2, 3, 4], "value": ["a", "b", "c", "d"]})
    >>> ols(frame).estimate
    2.5
    """
    from statsmodels.api import OLS

    known = differences[differences["difference"].notna()]
    y = known["difference"].to_numpy(float)
    codes = [pd.factorize(known[name], sort=True)[0] for name in (["value", "topic"] if topics else ["value"])]
    clusters = min(len(np.unique(one)) for one in codes)
    mean = float(y.mean()) if len(y) else math.nan
    if clusters < 2:
        return missing(mean, max(clusters - 1, 0), "one cluster only" if clusters else "no dilemma is valid")
    if np.ptp(y) <= NO_WIDTH:
        return missing(mean, clusters - 1, NO_VARIATION)
    groups = np.column_stack(codes) if topics else codes[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance that is not above zero is told by the note
        found = OLS(y, np.ones(len(y))).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
        low, high = found.conf_int(alpha=1 - level)[0]
    if not found.bse[0] ** 2 > ROUNDING * y.var() / len(y):
        return missing(mean, clusters - 1, "the variance is not above zero")
    return _estimate(mean, low, high, found.bse[0], found.tvalues[0], clusters - 1, found.pvalues[0])


def mixed(scores: pd.DataFrame, *, slope: bool = True, level: float = 0.95) -> Estimate:
    """The delta by a linear mixed model of ad, with random effects of value and dilemma.

    ad = b + delta * first + u_value + w_value * first + z_dilemma + e, by REML through statsmodels;
    z test. Without the slope w the condition is taken to move every value alike; the test is then
    the paired t test over dilemmas, which rejects too often where it does not (see docs/methods.md).
    Powell's method finds the optimum: of 12 fits to simulated studies it ended all, the gradient
    methods that are statsmodels' default six. Laird and Ware (1982), doi:10.2307/2529876.

    Args:
        scores: one row per dilemma and side: ad (NaN is left out), first (1 on the first side, 0 on
            the second), value, item.
        slope: whether each value has its own effect of the condition.
        level: coverage of the interval.

    Returns:
        An estimate, whose df is NaN: z has none. Where the fit does not converge there is no number
        but a note.
    """
    from statsmodels.regression.mixed_linear_model import MixedLM

    known = scores[scores["ad"].notna()]
    if known["value"].nunique() < 2 or known["first"].nunique() < 2:
        return missing(math.nan, math.nan, "one value or one side only: no mixed model")
    if np.ptp(known["ad"]) <= NO_WIDTH:
        return missing(math.nan, math.nan, NO_VARIATION)
    model = MixedLM.from_formula(
        "ad ~ first",
        known,
        groups="value",
        re_formula="1 + first" if slope else "1",
        vc_formula={"item": "0 + C(item)"},
    )
    failed = missing(math.nan, math.nan, "the mixed model did not converge: no number")
    with warnings.catch_warnings():
        # it warns of small variances, whatever their unit, and `converged` tells of the rest
        warnings.simplefilter("ignore")
        try:
            found = model.fit(reml=True, method=["powell"])
            low, high = found.conf_int(alpha=1 - level).loc["first"]
        except np.linalg.LinAlgError:
            return failed
    if not found.converged or not found.bse_fe["first"] > NO_WIDTH:
        return failed
    se, z, p = (one["first"] for one in (found.bse_fe, found.tvalues, found.pvalues))
    return _estimate(found.fe_params["first"], low, high, se, z, math.nan, p)


def _estimate(estimate: float, low: float, high: float, se: float, t: float, df: float, p: float) -> Estimate:
    """With plain numbers instead of numpy's."""
    return Estimate(float(estimate), float(low), float(high), float(se), float(t), df, float(p), "")

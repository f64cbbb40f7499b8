"""Deltas to the baseline with intervals and corrected p-values.

All statistics here are functions of sums over dilemmas, so a resample by value only needs the sums
per value: a matrix `parts` with a row for each value and a column for each sum. Leaving values out
or drawing them anew is then arithmetic on that matrix.

A positive delta is a smaller gap: baseline AD minus persona AD, persona AR minus baseline AR.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From sums (the last axis) to the statistic."""

METRICS = ("AD", "AR")
RANGE = {"AD": (0.0, 2.0), "AR": (0.0, 1.0)}
"""Smallest and largest value of each metric."""


class Estimate(NamedTuple):
    """An estimate with its jackknife interval."""

    estimate: float
    low: float
    high: float
    se: float
    t: float
    df: int
    p: float
    note: str
    """Why a number is missing; empty if none is."""


def jackknife(parts: Floats, statistic: Statistic, *, level: float = 0.95) -> Estimate:
    """Delete-one-cluster jackknife with a t interval.

    With G clusters, the statistic T of all of them and T_g without cluster g,
    se^2 = (G - 1)/G * sum (T_g - mean T_g)^2, and (T - T0)/se is referred to t with G - 1
    degrees of freedom. Estimand: the statistic over new clusters of the same kind.
    Efron and Stein (1981), doi:10.1214/aos/1176345462.

    Args:
        parts: sums per cluster, shape (G, K).
        statistic: from sums (..., K) to the statistic (...).
        level: coverage of the interval.

    Returns:
        An estimate; p is two-sided against 0. NaN where the statistic or its spread is undefined.

    >>> jackknife(np.array([[1.0, 1], [2, 1], [3, 1], [4, 1]]), lambda s: s[..., 0] / s[..., 1]).estimate
    2.5
    """
    from scipy import stats

    clusters = len(parts)
    total = parts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = float(statistic(total))
        without = statistic(total - parts) if clusters > 1 else np.array([math.nan])
    nan = math.nan
    if math.isnan(estimate):
        return Estimate(nan, nan, nan, nan, nan, max(clusters - 1, 0), nan, "undefined for these answers")
    if clusters < 2:
        return Estimate(estimate, nan, nan, nan, nan, 0, nan, "one value only: no interval")
    if np.isnan(without).any():
        return Estimate(estimate, nan, nan, nan, nan, clusters - 1, nan, "undefined without one of the values")
    se = math.sqrt((clusters - 1) / clusters * float(((without - without.mean()) ** 2).sum()))
    if se <= 1e-12:
        return Estimate(estimate, nan, nan, 0.0, nan, clusters - 1, nan, "no variation between values")
    t = estimate / se
    half = float(stats.t.ppf(0.5 + level / 2, clusters - 1)) * se
    p = 2 * float(stats.t.sf(abs(t), clusters - 1))
    return Estimate(estimate, estimate - half, estimate + half, se, t, clusters - 1, p, "")


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values; NaN stays NaN and does not count in the family.

    Holm (1979), doi:10.2307/4615733; through statsmodels.

    >>> holm([0.01, 0.04, float("nan")])[:2]
    [0.02, 0.04]
    """
    from statsmodels.stats.multitest import multipletests

    adjusted = np.array(p, dtype=float)
    known = ~np.isnan(adjusted)
    if known.any():
        adjusted[known] = multipletests(adjusted[known], method="holm")[1]
    return [float(one) for one in adjusted]


def levels(dilemmas: pd.DataFrame) -> pd.DataFrame:
    """AR and AD of every condition with jackknife intervals.

    Args:
        dilemmas: as from `scores.per_dilemma`.

    Returns:
        One row per model, metric and condition: level (`persona` or `category`), name, personas,
        estimate, low, high (cut where the metric ends), se, df, n (dilemmas, summed over
        personas), values, note.
    """
    rows = []
    for model, of_model in dilemmas.groupby("model", sort=True):
        for level, name, group in _conditions(of_model):
            for metric in METRICS:
                members = [part for _, part in group.groupby("persona", sort=True)]
                parts, n, values = _level_parts(members, metric)
                found = jackknife(parts, _mean_of(len(members), _LEVEL[metric]))
                least, most = RANGE[metric]
                low, high = np.clip((found.low, found.high), least, most)
                found = found._replace(low=float(low), high=float(high))
                rows.append(
                    {"model": model, "metric": metric, "level": level, "name": name, "personas": len(members),
                     **_fields(found, ("estimate", "low", "high", "se", "df", "note")), "n": n, "values": values}
                )  # fmt: skip
    return pd.DataFrame(rows)


def effects(dilemmas: pd.DataFrame) -> pd.DataFrame:
    """Deltas of personas and categories to the baseline.

    Only dilemmas that are valid in both conditions count (for AR: decided in both). A category's
    delta is the mean over its personas of theirs, and speaks of these personas, not of all of
    their kind. Categories x {AD, AR} x models are the confirmatory family, corrected by Holm;
    personas are exploratory.

    Args:
        dilemmas: as from `scores.per_dilemma`.

    Returns:
        One row per model, metric and condition: level, name, personas, delta, low, high, se, t, df,
        p, p_holm (NaN for personas), dz (mean over dilemmas of the paired difference by its
        standard deviation; AD only), baseline and other (the two levels compared), worst_low and
        worst_high (the delta if missing answers were all against or all in favour), n, values,
        note, method. No rows without a baseline.
    """
    rows = []
    for model, of_model in dilemmas.groupby("model", sort=True):
        baseline = of_model[of_model["category"] == "baseline"].set_index("item")
        if baseline.empty:
            continue
        for level, name, group in _conditions(of_model[of_model["category"] != "baseline"]):
            members = [part.set_index("item") for _, part in group.groupby("persona", sort=True)]
            rows += [
                {
                    "model": model,
                    "metric": metric,
                    "level": level,
                    "name": name,
                    **_effect(baseline, members, metric),
                }
                for metric in METRICS
            ]
    table = pd.DataFrame(rows, columns=None if rows else _EFFECT_COLUMNS)
    if not table.empty:
        table["p_holm"] = np.nan
        family = table["level"] == "category"
        table.loc[family, "p_holm"] = holm(table.loc[family, "p"].tolist())
        table["method"] = "delete-one-value jackknife, t"
    return table


_EFFECT_COLUMNS = [
    "model", "metric", "level", "name", "personas", "delta", "low", "high", "se", "t", "df", "p", "dz", "baseline",
    "other", "worst_low", "worst_high", "n", "values", "note", "p_holm", "method",
]  # fmt: skip


def _effect(baseline: pd.DataFrame, members: list[pd.DataFrame], metric: str) -> dict[str, object]:
    pairs = [_paired(baseline, member, metric) for member in members]
    names = sorted(set().union(*(pair["value"] for pair in pairs)))
    parts = np.hstack([_sums(pair, names, _PAIR_COLUMNS[metric]) for pair in pairs])
    found = jackknife(parts, _mean_of(len(members), _DELTA[metric]))
    worst = [_worst_case(baseline, member, metric) for member in members]
    totals = parts.sum(axis=0).reshape(len(members), -1)
    half = totals.shape[1] // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        before, after = (
            float(np.mean(_LEVEL[metric](totals[:, piece]))) for piece in (slice(0, half), slice(half, None))
        )
    return {
        "personas": len(members),
        "delta": found.estimate,
        **_fields(found, ("low", "high", "se", "t", "df", "p")),
        "dz": _dz(pairs) if metric == "AD" else math.nan,
        "baseline": before,
        "other": after,
        "worst_low": float(np.mean([low for low, _ in worst])),
        "worst_high": float(np.mean([high for _, high in worst])),
        "n": sum(len(pair) for pair in pairs),
        "values": len(names),
        "note": found.note,
    }


def _conditions(of_model: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Level, name and rows of each condition: the personas, then the categories."""
    personas = [("persona", str(name), part) for name, part in of_model.groupby("persona", sort=True)]
    categories = [("category", str(name), part) for name, part in of_model.groupby("category", sort=True)]
    return personas + categories


def _paired(baseline: pd.DataFrame, member: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Dilemmas valid in both conditions, with the columns both statistics need."""
    both = baseline.merge(member, left_index=True, right_index=True, suffixes=("_b", "_p"))
    both = both.rename(columns={"value_b": "value"})
    if metric == "AD":
        both = both[both["ad_b"].notna() & both["ad_p"].notna()]
        return both.assign(one_b=1.0, one_p=1.0)
    signs = both[["sign_v_b", "sign_a_b", "sign_v_p", "sign_a_p"]]
    both = both[(signs.notna() & (signs != 0)).all(axis=1)]
    return both.assign(
        **{
            f"{name}_{side}": column
            for side in ("b", "p")
            for name, column in _positives(both[f"sign_v_{side}"], both[f"sign_a_{side}"]).items()
        }
    )


def _positives(sign_v: pd.Series, sign_a: pd.Series) -> dict[str, pd.Series]:
    v, a = sign_v > 0, sign_a > 0
    return {"tp": (v & a).astype(float), "v_pos": v.astype(float), "a_pos": a.astype(float)}


_PAIR_COLUMNS = {
    "AD": ["ad_b", "one_b", "ad_p", "one_p"],
    "AR": ["tp_b", "v_pos_b", "a_pos_b", "tp_p", "v_pos_p", "a_pos_p"],
}
_LEVEL: dict[str, Statistic] = {
    "AD": lambda s: s[..., 0] / s[..., 1],
    "AR": lambda s: 2 * s[..., 0] / (s[..., 1] + s[..., 2]),
}
_DELTA: dict[str, Statistic] = {
    "AD": lambda s: _LEVEL["AD"](s[..., :2]) - _LEVEL["AD"](s[..., 2:]),
    "AR": lambda s: _LEVEL["AR"](s[..., 3:]) - _LEVEL["AR"](s[..., :3]),
}


def _level_parts(members: list[pd.DataFrame], metric: str) -> tuple[Floats, int, int]:
    """Sums per value of each persona side by side, the number of dilemmas and that of values."""
    kept = []
    for member in members:
        if metric == "AD":
            kept.append(member[member["ad"].notna()].assign(one=1.0))
        else:
            signs = member[["sign_v", "sign_a"]]
            decided = member[(signs.notna() & (signs != 0)).all(axis=1)]
            kept.append(decided.assign(**_positives(decided["sign_v"], decided["sign_a"])))
    columns = ["ad", "one"] if metric == "AD" else ["tp", "v_pos", "a_pos"]
    names = sorted(set().union(*(part["value"] for part in kept)))
    return np.hstack([_sums(part, names, columns) for part in kept]), sum(map(len, kept)), len(names)


def _sums(frame: pd.DataFrame, names: list[str], columns: list[str]) -> Floats:
    """Sums of some columns for each value, shape (values, columns)."""
    return frame.groupby("value")[columns].sum().reindex(names, fill_value=0.0).to_numpy(float)


def _mean_of(count: int, statistic: Statistic) -> Statistic:
    """A statistic over several personas' sums side by side: the mean of each one's."""

    def mean(sums: Floats) -> Floats:
        each = sums.reshape(*sums.shape[:-1], count, -1)
        return np.asarray(statistic(each).mean(axis=-1))

    return mean


def _dz(pairs: list[pd.DataFrame]) -> float:
    """Mean by standard deviation of the difference per dilemma, averaged over the personas first."""
    differences = pd.concat([pair["ad_b"] - pair["ad_p"] for pair in pairs], axis=1).mean(axis=1)
    spread = float(differences.std()) if len(differences) > 1 else math.nan
    return float(differences.mean()) / spread if spread > 1e-12 else math.nan


def _worst_case(baseline: pd.DataFrame, member: pd.DataFrame, metric: str) -> tuple[float, float]:
    """The delta over all dilemmas of both, had the missing answers been all against it or all for it."""
    from dilemmas.scores import f1_bounds

    common = baseline.index.intersection(member.index)
    before, after = baseline.loc[common], member.loc[common]
    if metric == "AD":
        return (
            float(before["ad_low"].mean() - after["ad_high"].mean()),
            float(before["ad_high"].mean() - after["ad_low"].mean()),
        )
    (low_b, high_b), (low_p, high_p) = f1_bounds(before), f1_bounds(after)
    return low_p - high_b, high_p - low_b


def _fields(found: Estimate, names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(found, name) for name in names}

"""Minimum detectable deltas and power in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from dilemmas.errors import InputError
from dilemmas.power.spread import ALL, TYPICAL, Spread
from dilemmas.significance.panel import SPAN, Metric

ALPHA = 0.05
POWER = 0.8
TESTS = 6
"""Of a run with one model: three categories, AD and AR."""
UNDETECTABLE = "no possible delta is detectable"
"""Where the smallest would be larger than the metric allows."""
COLUMNS = [
    "metric", "scope", "dilemmas", "clusters", "sd", "icc", "se", "df", "alpha", "power_wanted", "detectable",
    "effect", "power", "note",
]  # fmt: skip


class Size(NamedTuple):
    """How many dilemmas, and with how many others one shares its value or topic."""

    dilemmas: int
    values: int
    topics: int
    per_value: float
    """Dilemmas of a dilemma's value, itself too, averaged over dilemmas: sum n_g^2 / N."""
    per_topic: float

    @classmethod
    def of(cls, places: pd.DataFrame) -> Size:
        """Of the dilemmas of `places` (columns item, value, topic; see `simulation.grid`).

        Raises:
            InputError: there is none.

        >>> from dilemmas.simulation import grid
        >>> Size.of(grid(56, 11)).per_value
        11.0
        """
        if places.empty:
            raise InputError("there is no dilemma", where="power", fix="Give at least two values.")
        value, topic = (places[name].value_counts().to_numpy(float) for name in ("value", "topic"))
        total = len(places)
        return cls(total, len(value), len(topic), float((value**2).sum()) / total, float((topic**2).sum()) / total)


def detectable(se: float, df: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Smallest delta that a two-sided t test finds with the power wanted.

    The delta at which `power_of` is the power. NaN without a standard error.

    >>> round(detectable(0.0141, 55), 3)
    0.04
    """
    from scipy import optimize

    if not se > 0 or not df >= 1:
        return math.nan
    high = 4.0
    while power_of(high, 1.0, df, alpha=alpha) < power:
        high *= 2
    return float(optimize.brentq(lambda delta: power_of(delta, 1.0, df, alpha=alpha) - power, 0.0, high)) * se


def power_of(delta: float, se: float, df: float, *, alpha: float = ALPHA) -> float:
    """Chance that a two-sided t test finds a delta.

    P(|T| > t_(1 - alpha/2)) where T is noncentral t with df degrees of freedom and noncentrality
    |delta| / se. NaN without a standard error. Through scipy.

    >>> round(power_of(0.0402, 0.0141, 55), 2)
    0.8
    """
    from scipy import stats

    if not se > 0 or not df >= 1:
        return math.nan
    far, away = float(stats.t.isf(alpha / 2, df)), abs(delta) / se
    # farther away than this the chance of the wrong sign is below 1e-6, and scipy (and with it statsmodels) has NaN
    wrong_sign = float(stats.nct.cdf(-far, df, away)) if away < 4 else 0.0
    return float(stats.nct.sf(far, df, away)) + wrong_sign


def closed_form(
    size: Size,
    spreads: Mapping[Metric, Spread] = TYPICAL,
    *,
    personas: int = 4,
    repeats: int = 3,
    effect: float = 0.05,
    alpha: float = ALPHA,
    power: float = POWER,
    tests: int = TESTS,
) -> pd.DataFrame:
    """Minimum detectable delta, and power for a given one, of the tests that a study would make.

    With N dilemmas, sd the standard deviation of the paired difference, m = sum n_g^2 / N (the
    dilemmas of a value, where all have as many) and rho its ICC by value,

        se^2 = sd^2 (1 + (m - 1) rho) / N

    referred to t with values - 1 degrees of freedom; two ways (m' - 1) rho' of topics is added to the
    factor, and there is one degree of freedom less than the smaller of values and topics. Estimand: the
    delta over new values of the same kind. Moulton (1990), doi:10.2307/2109724.

    Args:
        size: of the study.
        spreads: of AD and AR; a metric that is not there is left out.
        personas: in a category.
        repeats: times that each question is asked.
        effect: the delta whose power is wanted.
        alpha: size of a test, two-sided.
        power: wanted of the smallest detectable delta.
        tests: in the family that Holm corrects; its first test is held to alpha / tests.

    Returns:
        One row per metric and scope: `category` (the primary test), `category, Holm`, `category, two-way`,
        `persona`, and, for exploration, `category in one topic` and `category in one value`. Columns
        metric, scope, dilemmas, clusters, sd, icc, se, df, alpha, power_wanted, detectable, effect, power,
        note (what of the spread was not measured, or why there is no number).

    Raises:
        InputError: a number is out of range.
    """
    check(personas=personas, repeats=repeats, tests=tests, effect=effect)
    if not 0 < alpha < power < 1:
        raise InputError(
            f"alpha {alpha:g} and power {power:g} are out of range", where="power", fix="0 < alpha < power < 1."
        )
    rows = []
    for metric, spread in spreads.items():
        check(**{name: getattr(spread, name) for name in ALL})
        note = f"assumed: {', '.join(spread.assumed)}" if spread.assumed else ""
        many, one = spread.of(personas, repeats), spread.of(1, repeats)
        by_value = 1 + (size.per_value - 1) * spread.icc_value
        both_ways = by_value + (size.per_topic - 1) * spread.icc_topic
        in_topic, in_value = size.dilemmas / size.topics, size.dilemmas / size.values
        fewest = min(size.values, size.topics)
        for scope, clusters, sd, rho, factor, dilemmas, level in (
            ("category", size.values, many, spread.icc_value, by_value, size.dilemmas, alpha),
            ("category, Holm", size.values, many, spread.icc_value, by_value, size.dilemmas, alpha / tests),
            ("category, two-way", fewest, many, math.nan, both_ways, size.dilemmas, alpha),
            ("persona", size.values, one, spread.icc_value, by_value, size.dilemmas, alpha),
            # within one topic or value dilemmas are the unit, and what they share is what is estimated
            ("category in one topic", in_topic, many, math.nan, 1.0, in_topic, alpha),
            ("category in one value", in_value, many, math.nan, 1.0, in_value, alpha),
        ):
            se, df = sd * math.sqrt(factor / dilemmas), clusters - 1
            smallest = detectable(se, df, alpha=level, power=power)
            possible = not smallest > SPAN[metric]
            notes = [note] if df >= 1 else ["fewer than two clusters: no test"]
            if not possible:
                notes.append(UNDETECTABLE)
            rows.append(
                {
                    "metric": metric,
                    "scope": scope,
                    "dilemmas": round(dilemmas),
                    "clusters": round(clusters),
                    "sd": sd,
                    "icc": rho,
                    "se": se,
                    "df": round(df),
                    "alpha": level,
                    "power_wanted": power,
                    "detectable": smallest if possible else math.nan,
                    "effect": effect,
                    "power": power_of(effect, se, df, alpha=level),
                    "note": "; ".join(filter(None, notes)),
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


_LIMITS = {
    "personas": (1, math.inf),
    "repeats": (1, math.inf),
    "tests": (1, math.inf),
    "runs": (2, math.inf),
    "effect": (-2, 2),
    "alpha": (1e-12, 1 - 1e-12),
    "sd": (1e-12, math.inf),
    "correlation": (0, 1),
    "icc_value": (0, 1 - 1e-12),
    "icc_topic": (0, 1 - 1e-12),
    "noise": (0, 1 - 1e-12),
}
"""Smallest and largest number that each may be."""


def check(**numbers: float) -> None:
    """That numbers are in range.

    Raises:
        InputError: one is not; names it.
    """
    for name, number in numbers.items():
        low, high = _LIMITS[name]
        if not low <= number <= high:
            asked = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
            raise InputError(f"{number:g} is out of range", where=name, fix=f"Give a number {asked}.")

"""Are the answers fit to interpret? Which letters were chosen, what went unread, and a verdict with its reasons.

The rules of the verdict are the constants below and are printed with it. They are about the
answers of one model as a whole; issues with single conditions show in the tables.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from dilemmas.prompts import LETTERS

Floats = npt.NDArray[np.float64]

FOLLOWS_LETTER = 0.5
"""Share of one letter from which answers are said to follow the letter: not fit to interpret."""
FAVOURS_LETTER = 0.25
"""Share of one letter from which care is due where it cannot be tested (an even share is 1/6)."""
LOW_MASS = 0.5
"""Mean probability of the option letters together below which care is due."""
MANY_UNREAD = 0.1
"""Share of refused and unreadable replies from which care is due."""
ALL = "(all)"
"""Stands for all personas of a model; no persona can have this id."""
SIGNIFICANT = 0.01
"""p of the position test below which care is due."""


class Verdict(NamedTuple):
    """Whether a model's answers can be interpreted, and why (not)."""

    model: str
    fit: Literal["fit to interpret", "interpret with care", "not fit to interpret"]
    reasons: tuple[str, ...]


def verdict(
    model: str, letters: pd.DataFrame, personas: pd.DataFrame, *, demonstration: bool = False, fixed: bool = False
) -> Verdict:
    """Judge one model's answers.

    Args:
        model: its name.
        demonstration: whether it is one that only shows how the tool works.
        fixed: whether every option stood under the same letter throughout.
        letters: as from `position`.
        personas: as from `scores.per_persona`.
    """
    own = personas[personas["model"] == model]
    replies = own[["answered", "refused", "unreadable"]].to_numpy(float).sum()
    unread = own[["refused", "unreadable"]].to_numpy(float).sum()
    row = letters[(letters["model"] == model) & (letters["persona"] == ALL)] if len(letters) else letters
    if not len(row):
        return Verdict(model, "not fit to interpret", ("no reply could be read",))
    all_ = row.iloc[0]
    fatal, careful = [], []
    if demonstration:
        fatal.append("this model only shows how the tool works")
    if fixed:
        careful.append("options never changed places, so following a letter cannot be told from choosing its option")
    elif all_["share"] >= FOLLOWS_LETTER:
        fatal.append(
            f"answers follow the letter, not the option: {all_['share']:.0%} of them are {all_['letter']}, "
            "whatever stood there"
        )
    elif all_["p"] < SIGNIFICANT or (math.isnan(all_["p"]) and all_["share"] >= FAVOURS_LETTER):
        found = f", position test p = {all_['p']:.2g}" if not math.isnan(all_["p"]) else ""
        careful.append(f"the letter {all_['letter']} is favoured ({all_['share']:.0%} of answers{found})")
    elif math.isnan(all_["p"]) and all_["share"] > all_.filter(like="share_").astype(float).min() + 1e-9:
        careful.append("letters cannot be tested: too few dilemmas, or some letter is never chosen")
    if all_["mass"] < LOW_MASS:
        careful.append(f"the option letters have only {all_['mass']:.0%} of the probability")
    if replies and unread / replies >= MANY_UNREAD:
        careful.append(f"{unread / replies:.0%} of the replies were refusals or unreadable")
    if own["open"].sum():
        careful.append(f"{int(own['open'].sum()):,} trials are still open")
    if fatal:
        return Verdict(model, "not fit to interpret", tuple(fatal + careful))
    return Verdict(model, "interpret with care" if careful else "fit to interpret", tuple(careful))


def position(frame: pd.DataFrame) -> pd.DataFrame:
    """Which letters were chosen, whatever stood under them.

    Orders are balanced, so answers that follow the options spread evenly over the letters.

    Returns:
        One row per model and persona, and one per model over all (`persona` = `(all)`): n answers,
        share of each letter, the most chosen letter and its share, mean letter mass, and
        Hotelling's T2 of the shares against even ones with dilemmas as clusters (F, p; NaN where
        the choices do not vary).
    """
    answered = frame[frame["status"] == "answered"]
    rows = []
    for model, of_model in answered.groupby("model", sort=True):
        groups = [(ALL, of_model), *of_model.groupby("persona", sort=True)]
        for persona, group in groups:
            letters = [letter for letter in LETTERS if letter <= group["letter"].max()] if len(group) else []
            letters = letters if len(letters) > 6 else list(LETTERS[:6])
            shares = group["letter"].value_counts(normalize=True).reindex(letters, fill_value=0.0)
            clusters = pd.crosstab(group["item"], group["letter"], normalize="index").reindex(
                columns=letters, fill_value=0.0
            )
            statistic, p = hotelling(clusters.to_numpy(float) - 1 / len(letters))
            rows.append(
                {
                    "model": model,
                    "persona": persona,
                    "n": len(group),
                    **{f"share_{letter}": shares[letter] for letter in letters},
                    "letter": shares.idxmax(),
                    "share": shares.max(),
                    "mass": group["mass"].mean(),
                    "F": statistic,
                    "p": p,
                }
            )
    columns = ["model", "persona", "n", *(f"share_{one}" for one in LETTERS[:6]), "letter", "share", "mass", "F", "p"]
    return pd.DataFrame(rows, columns=None if rows else columns)


def hotelling(rows: Floats) -> tuple[float, float]:
    """One-sample Hotelling T2 test that the mean of clusters is zero, as an F statistic and its p.

    Args:
        rows: one cluster a row. Columns may depend on one another (shares sum to one): the test
            uses as many dimensions as the clusters span.

    Returns:
        F and p; NaN where there are too few clusters or they do not vary.
        Hotelling (1931), doi:10.1214/aoms/1177732979.
    """
    from scipy import stats

    n = len(rows)
    if n < 3:
        return math.nan, math.nan
    mean, covariance = rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False))
    dimensions = int(np.linalg.matrix_rank(covariance, tol=1e-10))
    if not 0 < dimensions < n:
        return math.nan, math.nan
    inverse = np.linalg.pinv(covariance, rcond=1e-10, hermitian=True)
    if np.abs(mean - covariance @ inverse @ mean).max() > 1e-8:
        return math.nan, math.nan  # the mean leaves the space in which the clusters vary
    t2 = n * float(mean @ inverse @ mean)
    statistic = t2 * (n - dimensions) / (dimensions * (n - 1))
    return statistic, float(stats.f.sf(statistic, dimensions, n - dimensions))

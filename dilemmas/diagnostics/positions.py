"""Which letters were chosen, whatever stood under them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from dilemmas.diagnostics.shares import ALL, ends, groups, interval, lacks, share, sums_by, totals
from dilemmas.prompts import LETTERS
from dilemmas.significance.corrections import holm
from dilemmas.significance.jackknife import Floats

OPTIONS = 6
"""Options of the shipped questions."""
FEWER = 4
"""Options of the other questions known, those of answers in four points."""


def position(frame: pd.DataFrame, options: int | None = None) -> pd.DataFrame:
    """Test whether the letters chosen are even.

    Orders are balanced, so answers that follow the options spread evenly over the letters.

    Args:
        frame: as from `scores.answers`; needs model, persona, item, status and letter; mass is optional.
        options: of a question; by default as many as `options_of` finds.

    Returns:
        One row per model and persona, and one per model over all (`persona` = `(all)`): n answers,
        share of each letter (NaN where it was not shown), the most chosen letter and its share, mean letter mass, and
        Hotelling's T2 of the shares against even ones with dilemmas as clusters (F, p; NaN where
        the choices do not vary); p_holm, corrected over the personas of a model.
    """
    counted, shown = _counted(frame, options)
    known = [f"share_{letter}" for letter in LETTERS[: max(OPTIONS, len(shown))]]
    rows = []
    for model, persona, group in groups(counted):
        clusters = sums_by(group["item"], group["n"], *(group[letter] for letter in shown))
        n, of_letters = clusters[:, 0], clusters[:, 1:]
        shares = of_letters.sum(axis=0) / n.sum()
        statistic, p = hotelling(of_letters / n[:, None] - 1 / len(shown))
        rows.append(
            {
                "model": model,
                "persona": persona,
                "n": int(n.sum()),
                **dict.fromkeys(known, math.nan),
                **{f"share_{letter}": share for letter, share in zip(shown, shares.tolist(), strict=True)},
                "letter": shown[int(shares.argmax())],
                "share": float(shares.max()),
                "mass": group["mass"].sum() / group["masses"].sum() if group["masses"].any() else math.nan,
                "F": statistic,
                "p": p,
            }
        )
    columns = ["model", "persona", "n", *known, "letter", "share", "mass"]
    table = pd.DataFrame(rows, columns=None if rows else [*columns, "F", "p"])
    table["p_holm"] = holm_by_model(table)
    return table


def letters(frame: pd.DataFrame, options: int | None = None) -> pd.DataFrame:
    """The share of each letter with its interval.

    Args:
        frame: as from `scores.answers`; needs model, persona, item, status and letter.
        options: of a question; by default as many as `options_of` finds.

    Returns:
        One row per model, persona (`(all)` first) and letter: n (answers), dilemmas, share with
        share_low and share_high (see `shares.share`; dilemmas are the clusters), even (the share that
        following the options gives), note.
    """
    counted, shown = _counted(frame, options)
    rows = []
    for model, persona, group in groups(counted):
        clusters = sums_by(group["item"], *(group[letter] for letter in shown), group["n"])
        for at, letter in enumerate(shown):
            found = share(clusters[:, [at, -1]], unit="dilemma")
            rows.append(
                {"model": model, "persona": persona, "letter": letter, "n": int(clusters[:, -1].sum()),
                 "dilemmas": len(clusters), **interval("share", found), "even": 1 / len(shown), "note": found.note}
            )  # fmt: skip
    return pd.DataFrame(rows, columns=["model", "persona", "letter", "n", "dilemmas", *ends("share"), "even", "note"])


def holm_by_model(table: pd.DataFrame) -> pd.Series:
    """p corrected by Holm over the personas of a model; a model's own line is no part of that."""
    p = table["p"].where(table["persona"] != ALL, math.nan).astype(float)
    return p.groupby(table["model"]).transform(lambda family: holm(family.tolist()))


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


def options_of(frame: pd.DataFrame) -> int:
    """How many options a question has, as far as the answers tell.

    Where orders are known, as many as the longest has. Else six, or more if a later letter was chosen, or four
    if neither a later letter nor a fifth answer was chosen on either side.

    Args:
        frame: as from `scores.answers`; needs status and letter; order, side and code or score are optional.

    >>> frame = pd.DataFrame({"status": "answered", "side": "stated", "letter": list("ADBC"), "score": [1, 1, -1, 0.5]})
    >>> options_of(frame), options_of(frame.assign(letter="E"))
    (4, 6)
    """
    answered = frame[frame["status"] == "answered"]
    if not lacks(answered, ["order"]):
        return int(max(len(order.split()) for order in answered["order"].dropna().unique()))
    last = _last(answered["letter"]) or OPTIONS
    answer = next((name for name in ("code", "score") if not lacks(answered, [name])), "")
    if last <= FEWER and answer and answered.groupby("side")[answer].nunique().max() <= FEWER:
        return FEWER
    return max(OPTIONS, last)


def _last(letters: pd.Series) -> int:
    """Number of the last letter chosen, from 1; 0 where there is none."""
    return 1 + max((LETTERS.index(letter) for letter in letters.dropna().unique()), default=-1)


def _counted(frame: pd.DataFrame, options: int | None) -> tuple[pd.DataFrame, list[str]]:
    """Answers of each persona to each dilemma under each letter, and the letters that were shown."""
    answered = frame[(frame["status"] == "answered") & frame["letter"].notna()]
    # a letter beyond the last option is counted all the same, for shares must sum to one
    shown = list(LETTERS[: max(options or options_of(frame), _last(answered["letter"]))])
    mass = answered["mass"] if "mass" in answered else pd.Series(math.nan, index=answered.index)
    marks: dict[str, Any] = {letter: answered["letter"] == letter for letter in shown}
    marks |= {"n": pd.Series(1, index=answered.index), "mass": mass.fillna(0), "masses": mass.notna()}
    return totals(answered, ["model", "persona", "item"], **marks), shown

"""The tests of published work, for comparison only: docs/methods.md tells how often they reject true nulls.

All of them take dilemmas as independent, which dilemmas of one value are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dilemmas.errors import InputError
from dilemmas.significance.bootstrap import BLOCK, DRAWS
from dilemmas.significance.contrasts import Contrast, compared, side_by_side
from dilemmas.significance.jackknife import NO_WIDTH, UNDEFINED, Floats, Statistic
from dilemmas.significance.models import OVER_DILEMMAS
from dilemmas.significance.panel import Aggregate, Flags, Member, Panel

ONLY = "(for comparison only)"
"""Ends the name of every method here."""
NO_DIFFERENCE = "no difference anywhere: no test"
NOTHING = "no dilemma to compare: no test"
NO_DRAWS = "no draws were asked for: no test"
MOST_EXACT = 50
"""With more differences Wilcoxon's test goes by the normal approximation."""
FEW_DISCORDANT = 25
"""With fewer discordant pairs McNemar's test is exact."""


class Result(NamedTuple):
    """The result of one test."""

    method: str
    statistic: float
    p: float
    effect: float
    """Effect size."""
    effect_name: str
    n: int
    """Dilemmas, or pairs or answers of several personas, as the test counts them."""
    note: str = ""
    """Why there is no p, or that the test is `OVER_DILEMMAS`."""


COLUMNS = ["family", "model", "metric", "level", "name", "estimate", *Result._fields, "seed", "draws"]


def published(
    dilemmas: pd.DataFrame,
    contrasts: Sequence[Contrast],
    *,
    aggregate: Aggregate = "mean",
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Contrasts by the tests that published work uses.

    AD: `mann_whitney` of all dilemmas of one side's members against all of the other's, unpaired, where they
    have any in common (else it would compare dilemmas);
    `wilcoxon` of the paired differences, averaged over members first; `permutation`. AR: `mcnemar`
    of the dilemmas on which stated and acted sign match, pooled over pairs of members (where there
    are such); `permutation`, where both sides have as many members.

    Args:
        dilemmas: as from `scores.per_dilemma`.
        contrasts: as the functions of `contrasts` build them.
        aggregate: of the delta, as in `compare`; the other tests have their own weights, and a note.
        draws: of the permutation test; 0 for none, which its note then says.
        seed: of the draws.

    Returns:
        One row per contrast and test: family, model, metric, level, name (as in `compare`), estimate
        (the delta), the fields of `Result`, seed and draws (missing but for the permutation).

    Raises:
        InputError: the frame is ambiguous (see `Panel`), or the number of draws is negative.
    """
    panel = Panel(dilemmas)
    data = [compared(panel, contrast, aggregate) for contrast in contrasts]
    exchanged = [np.roll(one.rows, one.rows.shape[1] // 2, axis=1) for one in data]
    lacking = [
        "sides of unequal size cannot be exchanged: no test" if len(contrast.first) != len(contrast.second)
        else NOTHING if not one.pairs
        else NO_DIFFERENCE if np.array_equal(one.rows, other)
        else NO_DRAWS if not draws
        else ""
        for contrast, one, other in zip(contrasts, data, exchanged, strict=True)
    ]  # fmt: skip
    even = [at for at, lack in enumerate(lacking) if not lack]
    drawn = np.full(len(data), math.nan)
    if even:
        rows, swapped = np.hstack([data[at].rows for at in even]), np.hstack([exchanged[at] for at in even])
        drawn[even] = permutation(rows, swapped, side_by_side([data[at] for at in even]), draws=draws, seed=seed)
    table: list[tuple[object, ...]] = []
    for contrast, one, p, lack in zip(contrasts, data, drawn.tolist(), lacking, strict=True):
        with np.errstate(invalid="ignore", divide="ignore"):
            estimate = float(one.delta(one.rows.sum(axis=0)))
        if contrast.metric == "AD":
            first, second = (_scores(panel, side if one.pairs else ()) for side in (contrast.first, contrast.second))
            found = [mann_whitney(first, second), wilcoxon(one.ad[one.counts])]
        else:
            pairs = contrast.paired or len(contrast.first) == len(contrast.second) == 1
            found = [mcnemar(*_matches(panel, contrast))] if pairs else []
        keys = (contrast.family, contrast.model, contrast.metric, contrast.level, contrast.name, estimate)
        if one.uneven or aggregate == "pooled":
            found = [test._replace(note="; ".join(filter(None, (test.note, OVER_DILEMMAS)))) for test in found]
        table += [(*keys, *test, None, None) for test in found]
        note = UNDEFINED if math.isnan(p) and not lack else lack
        permuted = Result(f"paired-permutation {ONLY}", estimate, p, math.nan, "", int(one.counts.sum()), note)
        table.append((*keys, *permuted, seed, draws))
    return pd.DataFrame(table, columns=COLUMNS).astype({"seed": "Int64", "draws": "Int64"})


def _scores(panel: Panel, side: Sequence[Member]) -> Floats:
    """ad of all dilemmas of a side's members, each once."""
    ad = panel.ad[panel.rows(sorted(set(side)))]
    return np.asarray(ad[~np.isnan(ad)])


def _matches(panel: Panel, contrast: Contrast) -> tuple[Flags, Flags]:
    """Whether the signs match on the first and the second side, for each dilemma of each pair of members."""
    first, second = panel.rows(contrast.first), panel.rows(contrast.second)
    counts = panel.valid["AR"][first] & panel.valid["AR"][second]
    joint, v, a = np.moveaxis(panel.sums["AR"], -1, 0)
    match = v + a - 2 * joint == 0
    return match[first][counts], match[second][counts]


def mann_whitney(first: Floats, second: Floats) -> Result:
    """Mann-Whitney U of two sets of numbers as if they were independent; effect: rank-biserial correlation.

    U counts pairs with first > second (ties half), r = 2 U / (n m) - 1. Through scipy. Mann and
    Whitney (1947), doi:10.1214/aoms/1177730491.

    >>> mann_whitney(np.array([1.0, 2, 3]), np.array([4.0, 5, 6])).effect
    -1.0
    """
    from scipy import stats

    method, name, n = f"mann-whitney {ONLY}", "rank-biserial", len(first) + len(second)
    if not len(first) or not len(second):
        return Result(method, math.nan, math.nan, math.nan, name, n, NOTHING)
    if np.ptp(np.concatenate([first, second])) <= NO_WIDTH:
        return Result(method, math.nan, math.nan, math.nan, name, n, NO_DIFFERENCE)
    found = stats.mannwhitneyu(first, second, alternative="two-sided")
    r = 2 * float(found.statistic) / (len(first) * len(second)) - 1
    return Result(method, float(found.statistic), float(found.pvalue), r, name, n)


def wilcoxon(differences: Floats) -> Result:
    """Wilcoxon's signed-rank test of paired differences; effect: matched rank-biserial correlation.

    With W+ and W- the sums of the ranks of |d| over positive and negative d (zeros are left out),
    the statistic is the smaller, and r = (W+ - W-) / (W+ + W-). Exact for up to 50 differences
    without ties, which the method then says; else by the normal approximation. Through scipy.
    Wilcoxon (1945), doi:10.2307/3001968.

    >>> wilcoxon(np.array([1.0, 2, 3, -4])).effect
    0.2
    """
    from scipy import stats

    method, name = f"wilcoxon {ONLY}", "matched rank-biserial"
    d = differences[np.abs(differences) > NO_WIDTH]
    if not len(d):
        return Result(
            method, math.nan, math.nan, math.nan, name, len(differences), NO_DIFFERENCE if len(differences) else NOTHING
        )
    size = np.abs(d)
    exact = len(d) <= MOST_EXACT and len(np.unique(size)) == len(d)
    # by itself scipy would try all signs of up to 13 tied differences, which takes seconds
    found, ranks = stats.wilcoxon(d, method="exact" if exact else "asymptotic"), stats.rankdata(size)
    method = f"wilcoxon exact {ONLY}" if exact else method
    r = float((ranks * np.sign(d)).sum() / ranks.sum())
    return Result(method, float(found.statistic), float(found.pvalue), r, name, len(differences))


def mcnemar(first: Flags, second: Flags) -> Result:
    """McNemar's test of matching signs in pairs of conditions; effect: difference of the shares that match.

    With b pairs that match on the second side only and c on the first only, (b - c)^2 / (b + c) is
    referred to chi^2 with one degree of freedom; with b + c < 25 the smaller of them to the
    binomial. Through statsmodels. McNemar (1947), doi:10.1007/BF02295996.

    Args:
        first, second: whether stated and acted sign match on either side, one of each per pair.

    >>> mcnemar(np.array([True, False, False]), np.array([True, True, True])).effect
    0.6666666666666666
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    method, name, n = f"mcnemar {ONLY}", "difference of shares", len(first)
    b, c = int((second & ~first).sum()), int((first & ~second).sum())
    if not b + c:
        return Result(method, math.nan, math.nan, 0.0 if n else math.nan, name, n, NO_DIFFERENCE if n else NOTHING)
    table = [[int((first & second).sum()), c], [b, int((~first & ~second).sum())]]
    found = test(table, exact=b + c < FEW_DISCORDANT, correction=False)
    return Result(method, float(found.statistic), float(found.pvalue), (b - c) / n, name, n)


def permutation(rows: Floats, swapped: Floats, statistic: Statistic, *, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Paired permutation test: the sides of each dilemma change places with probability one half.

    p = (1 + number of draws with |T*| >= |T|) / (1 + draws). Null: within each dilemma the two sides
    are exchangeable. Phipson and Smyth (2010), doi:10.2202/1544-6115.1585.

    Args:
        rows: sums per dilemma, shape (N, K).
        swapped: the same with the sides exchanged.
        statistic: from sums (..., K) to the deltas (..., C).
        draws: how many, at least 1.
        seed: of the draws.

    Returns:
        p of each delta, shape (C,); NaN where it is undefined.

    Raises:
        InputError: fewer than one draw.
    """
    if draws < 1:
        raise InputError("must be at least 1", where=f"draws {draws}", fix=f"Give a number such as {DRAWS}.")
    rng, change, total = np.random.default_rng(seed), swapped - rows, rows.sum(axis=0)
    size = max(1, BLOCK // max(*rows.shape, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = statistic(total)
        exceeding, known = np.zeros(len(observed)), np.zeros(len(observed))
        for start in range(0, draws, size):
            exchanged = rng.integers(0, 2, (min(size, draws - start), len(rows))).astype(float)
            drawn = statistic(total + exchanged @ change)
            known += (~np.isnan(drawn)).sum(axis=0)
            exceeding += (np.abs(drawn) >= np.abs(observed) - NO_WIDTH).sum(axis=0)
    return np.where(np.isnan(observed), math.nan, (1 + exceeding) / (1 + known))

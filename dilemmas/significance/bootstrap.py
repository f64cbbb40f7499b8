"""Cluster bootstrap of many contrasts at once, in memory that hardly grows with the number of draws.

A draw counts every cluster as often as it was drawn, so its sums are a product of matrices: counts
(draws, G) by sums (G, K). Draws are taken in blocks, and of each block only the tails are kept from
which the intervals are read: a twentieth of the numbers, which are exact all the same.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dilemmas.errors import InputError
from dilemmas.significance.jackknife import NO_WIDTH, Floats, Statistic

DRAWS = 10_000
"""Draws of a bootstrap. Chance moves an end of an interval by .03 standard errors, with 1,000 draws by .08."""
FEW_CLUSTERS = 15
"""With fewer clusters than these the intervals are noted to be too narrow; see `agreement.FEW_CLUSTERS`."""
JOINT_FROM = 6
"""With fewer clusters there is no joint interval: the draws have too few patterns to tell of the tail."""
BLOCK = 2**17
"""Numbers in the largest matrix of a block (1 MiB)."""


class Bootstrap(NamedTuple):
    """Intervals of C contrasts from the same draws; each field has shape (C,)."""

    low: Floats
    high: Floats
    joint_low: Floats
    joint_high: Floats
    p_joint: Floats
    """Adjusted p of the max-T test."""
    undefined: Floats
    """Draws in which the contrast was undefined."""


def bootstrap(
    parts: Floats,
    statistic: Statistic,
    se: Floats,
    df: Floats,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> Bootstrap:
    """Percentile intervals and max-T joint intervals by drawing clusters anew.

    With T_c the contrasts, T*_c those of a draw of G clusters with replacement, the percentile
    interval of c has the quantiles of T*_c as its ends. For the joint ones let

        M* = max over c of |T*_c - T_c| / (se_c sqrt((G - 1) / G))

    (the root is what a draw of G clusters lacks in spread), q its `level` quantile, and z(t) the
    normal score of Student's t with df_c degrees of freedom, which has the same tail. The joint
    interval is T_c +- z^-1(q) se_c, and the adjusted p is (1 + draws with M* >= z(|T_c| / se_c)) /
    (1 + draws). The joint intervals cover all contrasts together, and use how strongly these hang
    together. M* is nearly normal however few the clusters, while T_c / se_c is not, hence z: six true
    nulls with one baseline had any rejection in 4 to 6 % of 1,500 simulated studies with 8 to 56
    clusters, without z in 5 to 17 %. No joint interval is narrower than that of its contrast alone, nor its
    adjusted p smaller than that by t. Draws in which a contrast is undefined do not count for it.
    Field and Welsh (2007), doi:10.1111/j.1467-9868.2007.00593.x; Romano and Wolf (2005),
    doi:10.1198/016214504000000539.

    Args:
        parts: sums per cluster, shape (G, K).
        statistic: from sums (..., K) to the contrasts (..., C).
        se: standard error of each contrast, above zero, shape (C,).
        df: its degrees of freedom, shape (C,).
        draws: how many, at least 1.
        seed: of the draws.
        level: coverage of the intervals.

    Returns:
        Intervals and adjusted p. The joint ones are NaN for a contrast with fewer than `JOINT_FROM`
        clusters (by df); all are NaN where fewer than `level` of the draws are defined, where a
        percentile interval has no width, or where there are fewer than two clusters.

    Raises:
        InputError: fewer than one draw.

    >>> parts = np.column_stack([np.arange(20.0), np.ones(20)])
    >>> found = bootstrap(parts, lambda s: s[..., :1] / s[..., 1:], np.array([1.3]), np.array([19]), draws=2000)
    >>> bool(found.low[0] < 9.5 < found.high[0] and found.p_joint[0] < 0.01)
    True
    """
    from scipy import stats

    if draws < 1:
        raise InputError("must be at least 1", where=f"draws {draws}", fix=f"Give a number such as {DRAWS}.")
    clusters, width = parts.shape
    contrasts = len(se)
    if clusters < 2 or not contrasts:
        return Bootstrap(*(np.full(contrasts, math.nan) for _ in Bootstrap._fields))
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = statistic(parts.sum(axis=0))
    score = stats.norm.isf(stats.t.sf(np.abs(estimate) / se, df))
    scale = se * math.sqrt((clusters - 1) / clusters)
    rng, alpha = np.random.default_rng(seed), (1 - level) / 2
    low, high = _Tail(alpha, draws, contrasts), _Tail(alpha, draws, contrasts)
    largest = _Tail(2 * alpha, draws, 1)
    known, exceeding, judged = np.zeros(contrasts), np.zeros(contrasts), np.zeros(1)
    size = max(1, BLOCK // max(width, clusters, contrasts))
    for start in range(0, draws, size):
        counts = rng.multinomial(clusters, np.full(clusters, 1 / clusters), min(size, draws - start))
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = statistic(counts.astype(float) @ parts)
            farthest = np.fmax.reduce(np.abs(drawn - estimate) / scale, axis=1)
        low.add(drawn)
        high.add(-drawn)
        largest.add(-farthest[:, None])
        known += (~np.isnan(drawn)).sum(axis=0)
        judged += (~np.isnan(farthest)).sum()
        exceeding += (farthest[:, None] >= score).sum(axis=0)
    ends = low.quantile(known), -high.quantile(known)
    half = np.fmax(stats.t.isf(stats.norm.sf(-largest.quantile(judged)[0]), df), stats.t.isf(alpha, df)) * se
    adjusted = np.fmax((1 + exceeding) / (1 + draws), 2 * stats.t.sf(np.abs(estimate) / se, df))
    enough = known >= level * draws
    joint = enough & (df + 1 >= JOINT_FROM)
    wide = enough & (ends[1] - ends[0] >= NO_WIDTH)
    return Bootstrap(
        np.where(wide, ends[0], math.nan),
        np.where(wide, ends[1], math.nan),
        np.where(joint, estimate - half, math.nan),
        np.where(joint, estimate + half, math.nan),
        np.where(joint, adjusted, math.nan),
        draws - known,
    )


class _Tail:
    """The smallest of numbers that stream by, column by column, as many as a low quantile needs.

    Args:
        share: the quantile, below .5.
        draws: how many numbers will come, at most.
        columns: in each column.
    """

    def __init__(self, share: float, draws: int, columns: int) -> None:
        self.share = share
        self.keep = math.floor(share * (draws - 1)) + 2
        self.kept: Floats = np.empty((0, columns))

    def add(self, block: Floats) -> None:
        """Take in some more rows; NaN counts as larger than all."""
        both = np.concatenate([self.kept, block])
        # copied, so that the rest is not held in memory by what is kept of it
        self.kept = both if len(both) <= self.keep else np.partition(both, self.keep - 1, axis=0)[: self.keep].copy()

    def quantile(self, known: Floats) -> Floats:
        """The quantile of each column, of which some are known (not NaN), as `numpy.quantile` has it."""
        ordered = np.sort(self.kept, axis=0)
        at = self.share * np.maximum(known - 1, 0)
        below = np.floor(at).astype(int)
        above = np.minimum(below + 1, len(ordered) - 1)
        first, second = (np.take_along_axis(ordered, place[None, :], axis=0)[0] for place in (below, above))
        return np.asarray(first + (at - below) * np.nan_to_num(second - first))

"""Is there no difference worth speaking of? Two one-sided tests within a margin."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from dilemmas.errors import InputError

MARGIN = 0.05
"""Largest difference of AD or AR that is taken as none, unless another is given."""

Word = Literal["equivalent", "different", "different and equivalent", "inconclusive", ""]


class Equivalence(NamedTuple):
    """Result of the two one-sided tests."""

    p: float
    """Of the hypothesis that the true difference is at least as large as the margin."""
    verdict: Word
    """`equivalent`: within the margin; `different`: not zero; both can hold. Empty where nothing can be said."""


def equivalence(
    estimate: float,
    se: float,
    df: float,
    *,
    margin: float = MARGIN,
    level: float = 0.95,
    p_different: float | None = None,
) -> Equivalence:
    """Two one-sided t tests that a difference lies within (-margin, margin).

    p = max(P(t > (T + m)/se), P(t < (T - m)/se)) with df degrees of freedom. Below 1 - level the two
    are `equivalent`, which is the same as a 2 * level - 1 interval (of 90 %) inside the margin. They
    are `different` where the two-sided p is below 1 - level; a small difference that is
    measured well is both. Schuirmann (1987), doi:10.1007/BF01068419; Lakens (2017),
    doi:10.1177/1948550617697177.

    Args:
        estimate: the difference.
        se: its standard error, in the same unit.
        df: degrees of freedom of the standard error.
        margin: largest difference that is taken as none, in the same unit; above zero.
        level: one less the size of each test.
        p_different: two-sided p of no difference, such as one corrected within its family; by default
            that of t.

    Raises:
        InputError: the margin is not above zero.

    >>> equivalence(0.002, 0.01, 55).verdict
    'equivalent'
    >>> equivalence(0.025, 0.01, 55).verdict
    'different and equivalent'
    >>> equivalence(0.03, 0.02, 55).verdict
    'inconclusive'
    """
    from scipy import stats

    if not 0 < margin < math.inf:
        raise InputError("must be above zero", where=f"margin {margin:g}", fix=f"Give one such as {MARGIN:g}.")
    if math.isnan(estimate) or math.isnan(se) or se <= 0:
        return Equivalence(math.nan, "")
    p = float(max(stats.t.sf((estimate + margin) / se, df), stats.t.cdf((estimate - margin) / se, df)))
    equivalent = p < 1 - level
    alone = 2 * float(stats.t.sf(abs(estimate) / se, df))
    different = (alone if p_different is None else p_different) < 1 - level
    words: dict[tuple[bool, bool], Word] = {
        (True, True): "different and equivalent",
        (True, False): "different",
        (False, True): "equivalent",
        (False, False): "inconclusive",
    }
    return Equivalence(p, words[different, equivalent])

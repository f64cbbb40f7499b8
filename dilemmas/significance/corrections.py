"""p-values of several tests, corrected together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values; NaN stays NaN and does not count in the family.

    They bound the chance of any false rejection in the family, whatever the dependence of its
    tests. Holm (1979), doi:10.2307/4615733; through statsmodels.

    >>> holm([0.01, 0.04, float("nan")])[:2]
    [0.02, 0.04]
    """
    return _adjusted(p, "holm")


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p-values (q); NaN stays NaN and does not count in the family.

    Rejecting those below .05 keeps the expected share of false ones among the rejected below .05,
    where tests are independent or positively dependent (as those that share a baseline are).
    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x; through statsmodels.

    >>> benjamini_hochberg([0.01, 0.02, float("nan")])[:2]
    [0.02, 0.02]
    """
    return _adjusted(p, "fdr_bh")


def _adjusted(p: Sequence[float], method: str) -> list[float]:
    from statsmodels.stats.multitest import multipletests

    adjusted = np.array(p, dtype=float)
    known = ~np.isnan(adjusted)
    if known.any():
        adjusted[known] = multipletests(adjusted[known], method=method)[1]
    return [float(one) for one in adjusted]

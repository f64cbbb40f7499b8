"""The repeats of one side of many dilemmas as arrays: their mean, their sign, and what missing ones leave possible."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

ZERO = 1e-9
"""Means closer to zero than this are zero: sums of scores carry rounding."""


class Side:
    """One side (stated or acted) of D dilemmas with up to R repeats.

    Args:
        score: shape (D, R), NaN where there is no answer.
        vote: 1, -1 or 0 (neither), NaN where there is no answer; shape (D, R).
        asked: whether the repeat was planned, shape (D, R).
    """

    def __init__(self, score: Floats, vote: Floats, asked: Flags) -> None:
        self.score = score
        self.valid: Flags = ~np.isnan(score)
        """Which repeats have a score, shape (D, R)."""
        self.planned = asked.sum(axis=1)
        self.n = self.valid.sum(axis=1)
        """Repeats with a score, shape (D,)."""
        self.total: Floats = np.where(self.valid, score, 0.0).sum(axis=1)
        self.mean: Floats = divide(self.total, self.n)
        voted = ~np.isnan(vote)
        self.votes = voted.sum(axis=1)
        self.lead: Floats = np.where(voted, vote, 0.0).sum(axis=1)
        """Positive less negative votes, shape (D,)."""

    @property
    def sd(self) -> Floats:
        """Standard deviation over repeats; NaN with fewer than two."""
        squares = np.where(self.valid, (self.score - self.mean[:, None]) ** 2, 0.0).sum(axis=1)
        return np.sqrt(divide(squares, self.n - 1))

    @property
    def sign(self) -> Floats:
        """Sign of the majority of votes; a tie takes that of the mean, and is 0 (undecided) where that is 0 too.

        NaN without a vote.
        """
        return np.where(self.votes > 0, _majority(self.lead, self.mean), np.nan)

    def mean_range(self) -> tuple[Floats, Floats]:
        """Lowest and highest mean that the missing repeats leave possible."""
        missing = self.planned - self.n
        low, high = divide(self.total - missing, self.planned), divide(self.total + missing, self.planned)
        return np.where(self.planned, low, -1.0), np.where(self.planned, high, 1.0)

    def possible(self) -> dict[str, Flags]:
        """Whether the sign could be `plus`, `minus` or `zero`, had the missing repeats answered."""
        missing = self.planned - self.votes
        found = {
            name: _majority(self.lead + sign * missing, divide(self.total + sign * missing, self.planned)) == sign
            for name, sign in (("plus", 1), ("minus", -1))
        }
        # Undecided needs a tie, so it is settled how many of the missing say yes, and then a sum of zero.
        yes = (missing - self.lead) / 2
        no = missing - yes
        tie = (yes % 1 == 0) & (yes >= 0) & (no >= 0)
        found["zero"] = tie & (-no - ZERO <= -self.total) & (-self.total <= yes + ZERO)
        return {name: flags | (self.planned == 0) for name, flags in found.items()}


def _majority(lead: Floats, mean: Floats) -> Floats:
    return np.asarray(np.sign(np.where(lead != 0, lead, np.where(np.abs(mean) <= ZERO, 0.0, mean))))


def divide(above: npt.ArrayLike, below: npt.ArrayLike) -> Floats:
    """Quotients, NaN where the denominator is not above zero.

    >>> divide([1.0, 2.0], [2.0, 0.0]).tolist()
    [0.5, nan]
    """
    above, below = np.asarray(above, float), np.asarray(below, float)
    quotients: Floats = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=quotients, where=below > 0)
    return quotients

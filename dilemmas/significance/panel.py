"""Dilemma rows as arrays, and AD and AR as functions of sums over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from dilemmas.errors import InputError
from dilemmas.significance.jackknife import Floats, Integers, Statistic

Metric = Literal["AD", "AR"]
Aggregate = Literal["mean", "pooled"]
"""How several personas make one: the mean of theirs, or that of all their dilemmas together."""
Flags = npt.NDArray[np.bool_]

METRICS: tuple[Metric, ...] = ("AD", "AR")
RANGE = {"AD": (0.0, 2.0), "AR": (0.0, 1.0)}
"""Smallest and largest value of each metric."""
SPAN = {metric: high - low for metric, (low, high) in RANGE.items()}
"""Largest difference of each metric, to either side."""
SUMS = {"AD": 2, "AR": 3}
"""How many sums a metric is made of: of ad and of dilemmas; of joint positives, positive v and positive a."""
_LEVEL: dict[str, Statistic] = {
    "AD": lambda s: s[..., 0] / s[..., 1],
    "AR": lambda s: 2 * s[..., 0] / (s[..., 1] + s[..., 2]),
}


class Member(NamedTuple):
    """One condition: a persona (the baseline is one) as a model plays it."""

    model: str
    persona: str


class Panel:
    """Dilemma rows as arrays with a row for each member and a column for each dilemma.

    Args:
        dilemmas: as from `scores.per_dilemma`; models, personas, items in any order. Topics are
            optional, and only two-way errors need them.

    Raises:
        InputError: a dilemma occurs twice in one condition, or has two values or two topics.
    """

    def __init__(self, dilemmas: pd.DataFrame) -> None:
        _refuse_ambiguous(dilemmas)
        self.frames = {
            Member(str(model), str(persona)): part.set_index("item").sort_index()
            for (model, persona), part in dilemmas.groupby(["model", "persona"], sort=True)
        }
        """Rows of each member, indexed by item."""
        self.place = {member: row for row, member in enumerate(self.frames)}
        """Row of each member in the arrays."""
        self.asked = {
            str(model): pd.Index(sorted(set(part["item"]))) for model, part in dilemmas.groupby("model", sort=True)
        }
        """Dilemmas of each model, in whichever condition."""
        first = dilemmas.drop_duplicates("item").sort_values("item")
        self.items = pd.Index(first["item"])
        names, codes = np.unique(first["value"].astype(str), return_inverse=True)
        self.values: list[str] = names.tolist()
        self.value: Integers = codes
        """Code of each dilemma's value, shape (N,)."""
        topics = first["topic"].astype(str) if "topic" in first else pd.Series("", index=first.index)
        names, codes = np.unique(topics, return_inverse=True)
        self.topics: list[str] = names.tolist() if "topic" in first else []
        """Their names; empty where topics are not known."""
        self.topic: Integers = codes
        self.ad = self._array("ad")
        v, a = self._array("sign_v"), self._array("sign_a")
        decided = np.isin(v, (-1, 1)) & np.isin(a, (-1, 1))
        self.valid: dict[str, Flags] = {"AD": ~np.isnan(self.ad), "AR": decided}
        """Which dilemmas of a member count, shape (M, N)."""
        self.sums: dict[str, Floats] = {
            "AD": np.stack([np.nan_to_num(self.ad), self.valid["AD"]], axis=-1),
            "AR": np.stack([(v > 0) & (a > 0) & decided, (v > 0) & decided, (a > 0) & decided], axis=-1).astype(float),
        }
        """What a dilemma adds to the sums of a metric, shape (M, N, K)."""

    def _array(self, column: str) -> Floats:
        cells = np.full((len(self.frames), len(self.items)), np.nan)
        for row, frame in enumerate(self.frames.values()):
            cells[row, self.items.get_indexer(frame.index)] = frame[column].to_numpy(float)
        return cells

    def rows(self, members: Sequence[Member]) -> Integers:
        """Rows of some members in the arrays."""
        return np.array([self.place[member] for member in members], dtype=int)

    def masked(self, metric: Metric, rows: Integers, counts: Flags) -> Floats:
        """Sums per dilemma of some members side by side, shape (N, M * K), zero where a dilemma does not count.

        Args:
            metric: AD or AR.
            rows: of the members.
            counts: which dilemmas count, shape (M, N) or (1, N).
        """
        kept = self.sums[metric][rows] * counts[..., None]
        return np.asarray(kept.transpose(1, 0, 2).reshape(len(self.items), len(rows) * SUMS[metric]))


def side(metric: Metric, members: int, aggregate: Aggregate = "mean") -> Statistic:
    """AD or AR of several members, from their sums side by side (..., members * K)."""

    def together(sums: Floats) -> Floats:
        each = sums.reshape(*sums.shape[:-1], members, SUMS[metric])
        if aggregate == "pooled":
            return np.asarray(_LEVEL[metric](each.sum(axis=-2)))
        return np.asarray(_LEVEL[metric](each).mean(axis=-1))

    return together


def _refuse_ambiguous(dilemmas: pd.DataFrame) -> None:
    twice = dilemmas[dilemmas.duplicated(["model", "persona", "item"])]
    if len(twice):
        model, persona, item = twice[["model", "persona", "item"]].iloc[0]
        raise InputError("occurs twice", where=f"{model}, {persona}, dilemma {item}", fix="Name the runs apart.")
    for column in ("value", "topic"):
        if column in dilemmas:
            pairs = dilemmas[["item", column]].drop_duplicates()
            torn = pairs.loc[pairs["item"].duplicated(), "item"]
            if len(torn):
                raise InputError(
                    f"has two {column}s", where=f"dilemma {torn.iloc[0]}", fix="Compare runs of the same dataset."
                )

"""How far missing answers could move a delta."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dilemmas.significance.contrasts import Contrast
from dilemmas.significance.panel import Aggregate, Member, Metric, Panel

_SIGNS = [f"{side}_{sign}" for side in "va" for sign in ("plus", "minus", "zero")]
"""Whether a sign is possible."""


def worst_case(panel: Panel, contrast: Contrast, aggregate: Aggregate = "mean") -> tuple[float, float]:
    """The delta over all dilemmas asked on both sides, had missing answers been all against it or all for it.

    A dilemma that a model was asked in any condition counts as asked in all of them; where it has no row, both its
    answers are missing.
    The bounds of each side are those of `scores.per_dilemma` (AD) and `scores.f1_bounds` (AR).
    """
    first, second = contrast.first, contrast.second
    if contrast.paired:
        pairs = [_asked(panel, pair) for pair in zip(first, second, strict=True)]
        before, after = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    else:
        both = _asked(panel, (*first, *second))
        before, after = both[: len(first)], both[len(first) :]
    (low_1, high_1), (low_2, high_2) = (_bounds(side, contrast.metric, aggregate) for side in (before, after))
    return (low_1 - high_2, high_1 - low_2) if contrast.metric == "AD" else (low_2 - high_1, high_2 - low_1)


def _asked(panel: Panel, members: Sequence[Member]) -> list[pd.DataFrame]:
    """Bounds of each member's dilemmas, of those that all models were asked."""
    models = list(dict.fromkeys(member.model for member in members))
    asked = panel.asked[models[0]]
    for model in models[1:]:
        asked = asked.intersection(panel.asked[model])
    return [_filled(panel.frames[member], asked) for member in members]


def _filled(frame: pd.DataFrame, asked: pd.Index) -> pd.DataFrame:
    if frame.index.equals(asked):
        return frame
    ends = [frame[name].reindex(asked, fill_value=end) for name, end in (("ad_low", 0.0), ("ad_high", 2.0))]
    return pd.concat([*ends, frame[_SIGNS].reindex(asked, fill_value=True)], axis=1)


def _bounds(members: list[pd.DataFrame], metric: Metric, aggregate: Aggregate) -> tuple[float, float]:
    """Lowest and highest AD or AR of one side."""
    from dilemmas.scores import f1_bounds

    frames = [pd.concat(members)] if aggregate == "pooled" else members
    if metric == "AD":
        bounds = [(frame["ad_low"].mean(), frame["ad_high"].mean()) for frame in frames]
    else:
        bounds = [f1_bounds(frame) for frame in frames]
    low, high = np.mean(bounds, axis=0)
    return float(low), float(high)

"""What is compared with what: personas and categories with the baseline, with each other, between models and runs.

A positive delta is a smaller gap on the second side: AD(first) - AD(second), AR(second) - AR(first).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from dilemmas.errors import InputError
from dilemmas.significance.jackknife import Floats, Integers, Statistic
from dilemmas.significance.panel import METRICS, SUMS, Aggregate, Flags, Member, Metric, Panel, side

CATEGORY_TO_BASELINE = "category to baseline"
"""The confirmatory family; all others are exploratory."""
PERSONA_TO_BASELINE = "persona to baseline"
CATEGORY_TO_CATEGORY = "category to category"
MODEL_TO_MODEL = "model to model"
RUN_TO_RUN = "run to run"
_SIGN = {"AD": 1.0, "AR": -1.0}
"""Of first less second in a delta."""


@dataclass(frozen=True)
class Contrast:
    """Two sides that are compared on the dilemmas valid in both."""

    family: str
    """Tests of one family are corrected together."""
    metric: Metric
    model: str
    """The model, or the two that are compared."""
    level: str
    """`persona` or `category`."""
    name: str
    """What the row of the result is called."""
    first: tuple[Member, ...]
    """The side compared with: the baseline, or the one named first."""
    second: tuple[Member, ...]
    paired: bool = False
    """Whether first[i] and second[i] are compared on their own common dilemmas; otherwise all members of both
    sides are compared on the dilemmas valid in every one."""


@dataclass(frozen=True)
class Compared:
    """The sums per dilemma of a contrast, and the delta as a function of them."""

    rows: Floats
    """Shape (N, K): the first side's, then the second's."""
    counts: Flags
    """Whether a dilemma counts, shape (N,)."""
    each: Flags
    """Whether it counts in each pair of members, shape (pairs, N); one row where all are compared on the same."""
    pairs: int
    """Dilemmas, counted once for each pair of members they are compared in."""
    delta: Statistic
    first: Statistic
    second: Statistic
    """AD or AR of each side, of the same sums."""
    first_ad: Floats
    second_ad: Floats
    """ad of each side and dilemma, averaged over the members; NaN where it does not count, shape (N,)."""

    @property
    def uneven(self) -> bool:
        """Whether a dilemma counts in some pairs of members only."""
        return bool((self.each != self.counts).any())

    def fewest(self, codes: Integers) -> int:
        """Clusters of the pair of members that has fewest.

        Args:
            codes: each dilemma's cluster, shape (N,).
        """
        return min(len(np.unique(codes[row])) for row in self.each)

    @property
    def ad(self) -> Floats:
        """Paired difference of each dilemma: ad of the first side less that of the second."""
        return self.first_ad - self.second_ad


def compared(panel: Panel, contrast: Contrast, aggregate: Aggregate = "mean") -> Compared:
    """The sums of a contrast."""
    metric, first, second = contrast.metric, panel.rows(contrast.first), panel.rows(contrast.second)
    valid = panel.valid[metric]
    counts: Flags
    if contrast.paired:
        counts = valid[first] & valid[second]
    else:
        counts = np.all(np.vstack([valid[first], valid[second]]), axis=0, keepdims=True)
    width = len(first) * SUMS[metric]
    before, after = side(metric, len(first), aggregate), side(metric, len(second), aggregate)
    return Compared(
        rows=np.hstack([panel.masked(metric, first, counts), panel.masked(metric, second, counts)]),
        counts=np.asarray(counts.any(axis=0)),
        each=counts,
        pairs=int(counts.sum()),
        delta=lambda s: _SIGN[metric] * (before(s[..., :width]) - after(s[..., width:])),
        first=lambda s: before(s[..., :width]),
        second=lambda s: after(s[..., width:]),
        first_ad=_averaged(panel.ad[first], counts),
        second_ad=_averaged(panel.ad[second], counts),
    )


def side_by_side(data: Sequence[Compared]) -> Statistic:
    """The deltas of several contrasts, as a function of their sums side by side."""
    ends = np.cumsum([0] + [one.rows.shape[1] for one in data])

    def deltas(sums: Floats) -> Floats:
        return np.stack([one.delta(sums[..., ends[at] : ends[at + 1]]) for at, one in enumerate(data)], axis=-1)

    return deltas


def _averaged(ad: Floats, counts: Flags) -> Floats:
    """Mean over members, shape (N,), where a dilemma counts."""
    weights = np.broadcast_to(counts, ad.shape)
    total, size = np.where(weights, ad, 0.0).sum(axis=0), weights.sum(axis=0)
    return np.asarray(np.divide(total, size, out=np.full(len(total), math.nan), where=size > 0))


def personas_to_baseline(dilemmas: pd.DataFrame) -> list[Contrast]:
    """Every persona of every model with that model's baseline; nothing for a model without one."""
    return [
        Contrast(PERSONA_TO_BASELINE, metric, model, "persona", persona, (baseline,), (Member(model, persona),), True)
        for model, baseline, members in _with_baseline(dilemmas)
        for persona in sorted(persona for personas in members.values() for persona in personas)
        for metric in METRICS
    ]


def categories_to_baseline(dilemmas: pd.DataFrame) -> list[Contrast]:
    """Every category of every model with that model's baseline: the confirmatory family."""
    return [
        Contrast(
            CATEGORY_TO_BASELINE, metric, model, "category", category,
            (baseline,) * len(personas), tuple(Member(model, persona) for persona in personas), True,
        )
        for model, baseline, members in _with_baseline(dilemmas)
        for category, personas in members.items()
        for metric in METRICS
    ]  # fmt: skip


def category_to_category(dilemmas: pd.DataFrame) -> list[Contrast]:
    """Every two categories of every model, without the baseline."""
    return [
        Contrast(
            CATEGORY_TO_CATEGORY, metric, model, "category", f"{one} to {other}",
            tuple(Member(model, persona) for persona in members[one]),
            tuple(Member(model, persona) for persona in members[other]),
        )
        for model, members in _members(dilemmas).items()
        for one, other in combinations([name for name in members if name != "baseline"], 2)
        for metric in METRICS
    ]  # fmt: skip


def between(
    dilemmas: pd.DataFrame, pairs: Sequence[tuple[str, str]] | None = None, family: str = MODEL_TO_MODEL
) -> list[Contrast]:
    """Two models in the same persona or category, over the personas that both have; the baseline too.

    Baselines are matched by their category, whatever they are called; personas whose category is another in the
    other model are left out.

    Args:
        dilemmas: as from `scores.per_dilemma`.
        pairs: names in the column `model`; by default every two.
        family: name of the family of tests.

    Raises:
        InputError: there is no such model.
    """
    members = _members(dilemmas)
    found = []
    for one, other in combinations(members, 2) if pairs is None else pairs:
        for name in (one, other):
            if name not in members:
                raise InputError(f'there is no model "{name}"', where="comparison", fix=f"Known: {', '.join(members)}.")
        # level, name, personas of the one model, personas of the other
        conditions: list[tuple[str, str, list[str], list[str]]] = []
        categories: list[tuple[str, str, list[str], list[str]]] = []
        for category in members[one]:
            if category == "baseline":
                pair = members[one][category], members[other].get(category, [])
                if pair[1]:
                    conditions.append(("persona", "baseline", *pair))
                continue
            shared = [persona for persona in members[one][category] if persona in members[other].get(category, [])]
            conditions += [("persona", persona, [persona], [persona]) for persona in shared]
            if shared:
                categories.append(("category", category, shared, shared))
        found += [
            Contrast(
                family, metric, f"{one} to {other}", level, name,
                tuple(Member(one, persona) for persona in first),
                tuple(Member(other, persona) for persona in second), True,
            )
            for level, name, first, second in [*sorted(conditions), *categories]
            for metric in METRICS
        ]  # fmt: skip
    return found


def run_to_run(runs: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, list[Contrast]]:
    """Every two runs in the same model, persona or category.

    Args:
        runs: name of each run and its dilemma rows, as from `scores.per_dilemma`.

    Returns:
        All rows in one frame, the models named `RUN: MODEL`, and the contrasts of that frame.

    >>> row = {"model": "m", "persona": "p", "category": "max", "item": "i", "value": "Honest", "ad": 0.2}
    >>> frame, found = run_to_run({name: pd.DataFrame([row]) for name in ("old", "new")})
    >>> found[0].model, found[0].name
    ('old: m to new: m', 'p')
    """
    frame = pd.concat(
        [rows.assign(model=f"{name}: " + rows["model"].astype(str)) for name, rows in runs.items()], ignore_index=True
    )
    pairs = [
        (f"{one}: {model}", f"{other}: {model}")
        for one, other in combinations(runs, 2)
        for model in sorted(set(runs[one]["model"].astype(str)) & set(runs[other]["model"].astype(str)))
    ]
    return frame, between(frame, pairs, RUN_TO_RUN)


def _members(dilemmas: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Personas of each category of each model."""
    known = dilemmas[["model", "category", "persona"]].drop_duplicates().astype(str)
    known = known.sort_values(["model", "category", "persona"])
    found: dict[str, dict[str, list[str]]] = {}
    for model, category, persona in known.itertuples(index=False):
        found.setdefault(model, {}).setdefault(category, []).append(persona)
    return found


def _with_baseline(dilemmas: pd.DataFrame) -> list[tuple[str, Member, dict[str, list[str]]]]:
    """Each model that has a baseline, its baseline, and the personas of its other categories."""
    found = []
    for model, members in _members(dilemmas).items():
        baselines = members.pop("baseline", [])
        if len(baselines) > 1:
            raise InputError(
                "has several baselines", where=f"{model}: {', '.join(baselines)}", fix="Leave one per model."
            )
        if baselines:
            found.append((model, Member(model, baselines[0]), members))
    return found

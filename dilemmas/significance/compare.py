"""Contrasts with everything that is to stand beside them: intervals, tests, corrections, effect sizes, notes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dilemmas.errors import InputError
from dilemmas.significance.bootstrap import DRAWS, FEW_CLUSTERS, JOINT_FROM, bootstrap
from dilemmas.significance.contrasts import CATEGORY_TO_BASELINE, Compared, Contrast, compared, side_by_side
from dilemmas.significance.corrections import benjamini_hochberg, holm
from dilemmas.significance.equivalence import MARGIN, equivalence
from dilemmas.significance.jackknife import NO_WIDTH, Estimate, Floats, cluster_sums, jackknife, missing
from dilemmas.significance.panel import SPAN, Aggregate, Panel
from dilemmas.significance.two_way import two_way
from dilemmas.significance.worst import worst_case

METHOD = "delete-one-value jackknife, t"
ALPHA = 0.05
"""Size of a test; intervals cover the rest."""
COLUMNS = [
    "family", "model", "metric", "level", "name", "first", "second", "personas", "first_level", "second_level",
    "estimate", "low", "high", "se", "statistic", "df", "p", "p_adjusted", "correction",
    "boot_low", "boot_high", "joint_low", "joint_high", "p_joint",
    "se_two_way", "df_two_way", "p_two_way", "two_way_agrees",
    "margin", "p_equivalence", "equivalence", "dz", "worst_low", "worst_high",
    "n", "items", "values", "topics", "note", "method", "seed", "draws",
]  # fmt: skip
Row = dict[str, object]


def compare(
    dilemmas: pd.DataFrame,
    contrasts: Sequence[Contrast],
    *,
    aggregate: Aggregate = "mean",
    margin: float = MARGIN,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate and test contrasts of AD and AR.

    Estimand: the delta over new values of the same kind, for these personas. The interval and p are
    those of the delete-one-value jackknife. The family of categories to the baseline is corrected by
    Holm, every other by Benjamini and Hochberg; undefined tests do not count in a family.

    Args:
        dilemmas: as from `scores.per_dilemma`; needs model, persona, category, item, value, topic
            (optional), ad, sign_v, sign_a, and what `scores.f1_bounds` needs.
        contrasts: as the functions of `contrasts` build them.
        aggregate: a side's AD or AR is the mean of its members' or that of all their dilemmas pooled.
        margin: largest difference that is taken as none.
        draws: of the bootstrap; 0 for none.
        seed: of the draws.

    Returns:
        One row per contrast, in their order; what is undefined is NaN, and `note` says why:

        - family, model, metric, level, name: the contrast; first, second: the personas of its sides;
          personas: members of the second side
        - first_level, second_level: AD or AR of each side, on the dilemmas compared
        - estimate (the delta), low, high, se, statistic (t = estimate / se), df, p: see `jackknife`
        - p_adjusted, correction: p within its family
        - boot_low, boot_high, joint_low, joint_high, p_joint: see `bootstrap`; the joint intervals of
          a family cover all its contrasts at once
        - se_two_way, df_two_way, p_two_way: see `two_way`; two_way_agrees: whether p and p_two_way lie
          on the same side of .05
        - margin, p_equivalence, equivalence: see `equivalence`
        - dz: mean by standard deviation of the paired difference per dilemma, averaged over members
          first; AD only
        - worst_low, worst_high: see `worst_case`
        - n: dilemmas, counted once for each pair of members they are compared in; items: dilemmas;
          values, topics (0 where they are not known)
        - note, method, seed, draws

    Raises:
        InputError: the frame is ambiguous (see `Panel`), or an argument is out of range.
    """
    if draws < 0:
        raise InputError("must not be negative", where=f"draws {draws}", fix="Give 0 for no bootstrap.")
    panel = Panel(dilemmas)
    data = [compared(panel, contrast, aggregate) for contrast in contrasts]
    found = [_jackknife(panel, one) for one in data]
    corrected = _by_family(contrasts, [one.p for one in found])
    drawn = _draw(panel, contrasts, data, found, draws, seed)
    rows: list[Row] = []
    for at, (contrast, one, estimate) in enumerate(zip(contrasts, data, found, strict=True)):
        crossed = _two_way(panel, one, estimate)
        same = equivalence(
            estimate.estimate, estimate.se, estimate.df, margin=margin, level=1 - ALPHA, p_different=corrected[at]
        )
        low, high = worst_case(panel, contrast, aggregate)
        rows.append(
            {
                **_what(contrast),
                **_delta(panel, one, estimate),
                **_possible(contrast, {"low": estimate.low, "high": estimate.high}, "low", "high"),
                "p_adjusted": corrected[at],
                "correction": "holm" if contrast.family == CATEGORY_TO_BASELINE else "benjamini-hochberg",
                **drawn[at],
                **_possible(contrast, drawn[at], "joint_low", "joint_high"),
                "se_two_way": crossed.se,
                "df_two_way": crossed.df,
                "p_two_way": crossed.p,
                "two_way_agrees": _agree(estimate.p, crossed.p),
                "margin": margin,
                "p_equivalence": same.p,
                "equivalence": same.verdict,
                "dz": math.nan if contrast.metric != "AD" or math.isnan(estimate.estimate) else _dz(one.ad),
                "worst_low": low,
                "worst_high": high,
                "note": "; ".join(_notes(panel, one, estimate, crossed, drawn[at], draws)),
                "method": METHOD if aggregate == "mean" else f"{METHOD}, {aggregate}",
                "seed": seed,
                "draws": draws,
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS).astype({"df_two_way": float, "two_way_agrees": "boolean"})


def _jackknife(panel: Panel, data: Compared) -> Estimate:
    """With the degrees of freedom of the member that covers fewest values: the delta is no surer than its part."""
    most_df = max(data.fewest(panel.value) - 1, 0)
    parts = cluster_sums(data.rows, panel.value, data.counts)
    return jackknife(parts, data.delta, level=1 - ALPHA, most_df=most_df)


def _possible(contrast: Contrast, numbers: Mapping[str, float], *names: str) -> dict[str, float]:
    """Ends of an interval, cut where a delta ends."""
    most = SPAN[contrast.metric]
    return {name: float(np.clip(numbers[name], -most, most)) for name in names}


def _what(contrast: Contrast) -> Row:
    return {
        "family": contrast.family,
        "model": contrast.model,
        "metric": contrast.metric,
        "level": contrast.level,
        "name": contrast.name,
        "first": ", ".join(dict.fromkeys(member.persona for member in contrast.first)),
        "second": ", ".join(dict.fromkeys(member.persona for member in contrast.second)),
        "personas": len(contrast.second),
    }


def _delta(panel: Panel, data: Compared, found: Estimate) -> Row:
    total = data.rows.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = float(data.first(total)), float(data.second(total))
    return {
        "first_level": first,
        "second_level": second,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "se": found.se,
        "statistic": found.t,
        "df": found.df,
        "p": found.p,
        "n": data.pairs,
        "items": int(data.counts.sum()),
        "values": len(np.unique(panel.value[data.counts])),
        "topics": len(np.unique(panel.topic[data.counts])) if panel.topics else 0,
    }


_DRAWN = ("boot_low", "boot_high", "joint_low", "joint_high", "p_joint", "undefined")
"""The fields of `Bootstrap`, as they are called here; the last is told in the note."""
_NOT_DRAWN = dict.fromkeys(_DRAWN, math.nan)


def _families(contrasts: Sequence[Contrast]) -> dict[str, list[int]]:
    """Places of each family's contrasts."""
    return {
        family: [at for at, contrast in enumerate(contrasts) if contrast.family == family]
        for family in dict.fromkeys(contrast.family for contrast in contrasts)
    }


def _by_family(contrasts: Sequence[Contrast], p: Sequence[float]) -> Floats:
    """Adjusted p of each contrast."""
    adjusted = np.full(len(p), math.nan)
    for family, places in _families(contrasts).items():
        correct = holm if family == CATEGORY_TO_BASELINE else benjamini_hochberg
        adjusted[places] = correct([p[at] for at in places])
    return adjusted


def _draw(
    panel: Panel,
    contrasts: Sequence[Contrast],
    data: Sequence[Compared],
    found: Sequence[Estimate],
    draws: int,
    seed: int,
) -> list[dict[str, float]]:
    """The bootstrap of each contrast, from the same draws of values within a family."""
    drawn = [_NOT_DRAWN] * len(data)
    for places in _families(contrasts).values():
        tested = [at for at in places if found[at].se > NO_WIDTH]
        if not draws or not tested:
            continue
        counts = np.any([data[at].counts for at in tested], axis=0)
        # a dilemma that does not count in a contrast has sums of zero there
        parts = cluster_sums(np.hstack([data[at].rows for at in tested]), panel.value, counts)
        deltas = side_by_side([data[at] for at in tested])
        se, df = np.array([(found[at].se, found[at].df) for at in tested]).T
        boot = bootstrap(parts, deltas, se, df, draws=draws, seed=seed, level=1 - ALPHA)
        for at, numbers in zip(tested, np.column_stack(boot).tolist(), strict=True):
            drawn[at] = dict(zip(_DRAWN, numbers, strict=True))
    return drawn


def _two_way(panel: Panel, data: Compared, found: Estimate) -> Estimate:
    if math.isnan(found.se):
        return missing(math.nan, math.nan, "")
    if not panel.topics:
        return missing(math.nan, math.nan, "topics are not known")
    most_df = max(min(data.fewest(panel.value), data.fewest(panel.topic)) - 1, 0)
    return two_way(
        data.rows, panel.value, panel.topic, data.delta, counts=data.counts, level=1 - ALPHA, most_df=most_df
    )


def _agree(p: float, other: float) -> bool | None:
    return None if math.isnan(p) or math.isnan(other) else (p < ALPHA) == (other < ALPHA)


def _dz(differences: Floats) -> float:
    known = differences[~np.isnan(differences)]
    spread = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return float(known.mean()) / spread if spread > NO_WIDTH else math.nan


def _notes(
    panel: Panel, data: Compared, found: Estimate, crossed: Estimate, drawn: dict[str, float], draws: int
) -> list[str]:
    """What is missing or to be read with care."""
    if not data.pairs:
        return ["undefined: no dilemma is valid in all that is compared"]
    notes = [found.note] if found.note else []
    values, fewest = len(np.unique(panel.value[data.counts])), data.fewest(panel.value)
    if fewest < values and not found.note:
        notes.append(f"a persona has {fewest} of {values} values only: {fewest - 1} degrees of freedom")
    if crossed.note and crossed.note != found.note:
        notes.append(f"two-way: {crossed.note}")
    if not draws and found.se > NO_WIDTH:
        notes.append("bootstrap: no draws were asked for")
    if drawn["undefined"] >= 0 and found.df + 1 < FEW_CLUSTERS:
        notes.append(f"bootstrap: percentile intervals from {found.df + 1} values only are too narrow")
    if drawn["undefined"] >= 0 and found.df + 1 < JOINT_FROM:
        notes.append(f"bootstrap: no joint interval with fewer than {JOINT_FROM} values")
    if drawn["undefined"] > 0:
        notes.append(f"bootstrap: undefined in {drawn['undefined']:.0f} of {draws} draws")
    return notes

"""How far annotators who judged the same things agree: raw agreement, Krippendorff's alpha, Gwet's AC1, Cohen's kappa.

Pure functions, a tidy frame in and tidy rows out. `labels` is a frame with one row for each label:

    unit        what is judged: a dilemma, or one action of it
    cluster     what the intervals resample: the dilemma's focal value
    annotator   who judged it
    label       one of the criterion's categories; where it is NaN, or has no row, it is missing

They are the labels before adjudication. Agreement on one action is that of the rows about it.

All measures are functions of sums over units, so a bootstrap by cluster only needs the sums per
cluster: drawing clusters anew is a product of matrices. Intervals are 95 % percentile intervals of
such draws (Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x), and speak of new values of
the same kind. What says how far annotators agree draws from the clusters where any unit was judged
twice, since the others hold nothing about that. What is undefined is NaN, and `note` says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Literal

import krippendorff
import numpy as np
import numpy.typing as npt
import pandas as pd

from dilemmas.errors import InputError, did_you_mean

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Row = dict[str, object]

LEVEL = 0.95
"""Share of the draws that an interval holds; where fewer than these are defined, there is no interval."""
DRAWS = 10_000
"""Draws of a bootstrap. Chance moves an end of an interval by .03 standard errors, with 1,000 draws by .08.

That is sqrt(.025 x .975 / draws) / .0584, the standard error of a normal statistic's quantile.
"""
FEW_CLUSTERS = 15
"""With fewer clusters than these the intervals are noted to be too narrow.

What they cover instead of .95, over alpha, AC1, kappa and raw agreement: .81 to .92 with 8 clusters, .89 to
.95 with 15, .90 to .94 with 20 to 40, .94 to .96 with 56. Simulated: 500 or 600 reviews each, two annotators, 11
units to a cluster, three categories that are even or of which one has 94 %.
"""
NO_WIDTH = 1e-12
"""An interval narrower than this has no width: sums carry rounding."""
ONE_CATEGORY = "undefined, since only one category is used where labels can be compared"
"""Why alpha or kappa is missing: without a second category there is no chance agreement to beat."""
_KEYS = ["unit", "cluster", "annotator"]


@dataclass(frozen=True)
class Criterion:
    """What was judged, and the labels that could be given."""

    name: str
    """Its name in the output."""
    categories: tuple[str, ...]
    """All labels that could be given, used or not (AC1 depends on their number); in order if the metric is ordinal."""
    metric: Literal["nominal", "ordinal"] = "nominal"
    """How alpha weighs a disagreement: all alike, or by how many labels lie between."""

    def __post_init__(self) -> None:
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise InputError(
                "needs at least two categories, each named once",
                where=f"{self.name} ({', '.join(self.categories)})",
                fix="List all labels that could be given.",
            )


def measures(labels: pd.DataFrame, criterion: Criterion, *, draws: int = DRAWS, seed: int = 0) -> Row:
    """Agreement on one criterion, as one row of a table.

    With r_uk the number of annotators who gave unit u the category k, r_u that of all its labels,
    and q categories:

    - raw: share of pairs of labels that agree, sum_k r_uk (r_uk - 1) / (r_u (r_u - 1)), averaged
      over units with at least two labels
    - prevalence of k, pi_k: r_uk / r_u, averaged over all units
    - ac1: (raw - p) / (1 - p), where p = sum_k pi_k (1 - pi_k) / (q - 1) is the agreement expected
      by chance. Gwet (2008), doi:10.1348/000711006X126600
    - alpha: 1 - observed / expected disagreement, from the library `krippendorff`. Krippendorff
      (1970), doi:10.1177/001316447003000105. A nominal disagreement counts 1, an ordinal one the
      square of the distance between mid-ranks
    - kappa: Cohen's, averaged over pairs of annotators. Cohen (1960), doi:10.1177/001316446002000104

    Args:
        labels: as described above.
        criterion: what was judged.
        draws: resamples of clusters behind the intervals, at least 1.
        seed: seed of the draws.

    Returns:
        criterion, metric (of alpha), n_units (with a label), n_pairs (units with two labels or
        more), annotators, clusters (with such a unit), draws, seed; raw, alpha, ac1, kappa and
        prevalence, each with `_low` and `_high`; note. The three of prevalence go from category to
        share; their intervals resample all clusters, and a category that is used always or never has
        none.

    Raises:
        InputError: a column is missing or has gaps, a label is not one of the categories, a unit was
            judged twice by one annotator, or lies in two clusters.

    >>> labels = pd.DataFrame(
    ...     [(1, "Honest", "a", "yes"), (1, "Honest", "b", "yes"), (2, "Loyal", "a", "no"), (2, "Loyal", "b", "yes")],
    ...     columns=["unit", "cluster", "annotator", "label"],
    ... )
    >>> row = measures(labels, Criterion("clear", ("yes", "no")))
    >>> row["raw"], row["alpha"], row["prevalence"]
    (0.5, 0.0, {'yes': 0.75, 'no': 0.25})
    """
    coded = _Coded(labels, criterion)
    counts, given = coded.counts, coded.counts.sum(axis=1)
    paired = given >= 2
    n_paired, n_given, shares = coded.sums(paired), coded.sums(given > 0), coded.sums(counts / given[:, None])
    both = n_paired > 0
    clusters = int(both.sum())
    weights, others = _weights(clusters, draws, seed), _weights(coded.clusters - clusters, draws, seed, 1)
    agreeing = (counts * (counts - 1)).sum(axis=1) / np.where(paired, given * (given - 1), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = (weights @ coded.sums(agreeing)[both]) / (weights @ n_paired[both])
        # Chance in AC1 is over all units, so the clusters without a pair are drawn too, among themselves.
        given_all, n_all = (weights @ part[both] + others @ part[~both] for part in (shares, n_given))
        ac1 = _ac1(raw, given_all / n_all[:, None])
        alpha = _alpha(_drawn(weights, coded.sums(_coincidences(counts))[both]), criterion.metric)
        kappas = [_kappa(_drawn(weights, table[both])) for _, _, table in coded.tables()]
        every = _weights(coded.clusters, draws, seed)
        prevalence = (every @ shares) / (every @ n_given)[:, None]
    if not math.isnan(alpha[0]):
        # The sums give the same number, and tests hold them to it; the one reported is the library's.
        alpha[0] = krippendorff.alpha(value_counts=counts, level_of_measurement=criterion.metric)
    defined = [kappa for kappa in kappas if not math.isnan(kappa[0])]
    kappa = np.mean(defined, axis=0) if defined else np.full(draws + 1, math.nan)
    undefined = ONE_CATEGORY if paired.any() else "no unit has two labels"
    columns, notes = _columns({"raw": raw, "alpha": alpha, "ac1": ac1, "kappa": kappa}, clusters, undefined)
    if 0 < len(defined) < len(kappas):
        notes.append(f"kappa: without {len(kappas) - len(defined)} of {len(kappas)} pairs, where it is undefined")
    ends = np.array([_interval(share, coded.clusters, "")[:3] for share in prevalence.T])
    return {
        "criterion": criterion.name,
        "metric": criterion.metric,
        "n_units": len(counts),
        "n_pairs": int(paired.sum()),
        "annotators": len(coded.annotators),
        "clusters": clusters,
        "draws": draws,
        "seed": seed,
        **columns,
        **{
            f"prevalence{end}": dict(zip(criterion.categories, numbers.tolist(), strict=True))
            for end, numbers in zip(("", "_low", "_high"), ends.T, strict=True)
        },
        "note": "; ".join(notes),
    }


def pairs(labels: pd.DataFrame, criterion: Criterion, *, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Agreement of every two annotators on one criterion.

    Args:
        labels: as described above.
        criterion: what was judged.
        draws: resamples of clusters behind the intervals, at least 1.
        seed: seed of the draws.

    Returns:
        One row per pair: criterion, first, second, n (units judged by both), clusters (of these),
        draws, seed; raw (share of equal labels) and kappa (Cohen 1960,
        doi:10.1177/001316446002000104), each with `_low` and `_high`; note.

    Raises:
        InputError: as `measures`.
    """
    coded = _Coded(labels, criterion)
    rows: list[Row] = []
    for first, second, table in coded.tables():
        shared = table[table.any(axis=(1, 2))]
        clusters, n = len(shared), int(shared.sum())
        drawn = _drawn(_weights(clusters, draws, seed), shared)
        with np.errstate(invalid="ignore", divide="ignore"):
            raw = np.trace(drawn, axis1=1, axis2=2) / drawn.sum(axis=(1, 2))
            kappa = _kappa(drawn)
        undefined = ONE_CATEGORY if n else "no unit was judged by both"
        columns, notes = _columns({"raw": raw, "kappa": kappa}, clusters, undefined)
        rows.append(
            {"criterion": criterion.name, "first": first, "second": second, "n": n, "clusters": clusters,
             "draws": draws, "seed": seed, **columns, "note": "; ".join(notes)}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=_PAIR_COLUMNS)


_PAIR_COLUMNS = [
    "criterion", "first", "second", "n", "clusters", "draws", "seed", "raw", "raw_low", "raw_high",
    "kappa", "kappa_low", "kappa_high", "note",
]  # fmt: skip


def confusion(labels: pd.DataFrame, criterion: Criterion, pair: tuple[str, str] | None = None) -> pd.DataFrame:
    """Which labels are given to the same units.

    Args:
        labels: as described above.
        criterion: what was judged.
        pair: two annotators; None for all of them.

    Returns:
        A square of all categories. For a pair: the number of units with the row's label from the
        first and the column's from the second. For all: Krippendorff's coincidences, in which the
        pairs of labels of a unit count in both directions and together as much as the unit has
        labels; so it is symmetric and adds up to the number of labels that have another beside them.

    Raises:
        InputError: as `measures`, or one of the pair gave no label.
    """
    coded = _Coded(labels, criterion)
    names = list(criterion.categories)
    table = _coincidences(coded.counts).sum(axis=0) if pair is None else coded.table(*pair).sum(axis=0)
    return pd.DataFrame(table, index=names, columns=names)


def disagreements(labels: pd.DataFrame, criterion: Criterion) -> pd.DataFrame:
    """The units whose labels differ, with the label of each annotator.

    Args:
        labels: as described above.
        criterion: what was judged.

    Returns:
        One row per such unit, indexed by cluster and unit and sorted by them, and one column per
        annotator; NaN where there is no label.

    Raises:
        InputError: as `measures`.
    """
    coded = _Coded(labels, criterion)
    differing = (coded.counts > 0).sum(axis=1) > 1
    return coded.wide.iloc[np.flatnonzero(differing)]


def with_intended(sorts: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """How well annotators who saw no labels put the actions where they were meant.

    Means over dilemmas of what `checks.blind_sort.scores` gives for each: the share of actions put
    on the right side, and Kendall's tau-b of intended and judged places (Kendall 1945,
    doi:10.1093/biomet/33.3.239).

    Args:
        sorts: one row per dilemma and annotator: columns unit (the dilemma), cluster, annotator,
            side and tau (as in `schema.BlindSort`; NaN or None where undefined).
        draws: resamples of clusters behind the intervals, at least 1.
        seed: seed of the draws.

    Returns:
        One row per annotator: annotator, n_units, clusters, n_side and n_tau (dilemmas where it is
        defined), draws, seed; side and tau, each with `_low` and `_high`; note.

    Raises:
        InputError: a column is missing or has gaps, or a dilemma occurs twice.

    >>> sorts = pd.DataFrame(
    ...     {"unit": [1, 2], "cluster": ["Honest", "Loyal"], "annotator": "a", "side": [1.0, 0.5], "tau": [1.0, None]}
    ... )
    >>> with_intended(sorts)[["side", "tau", "n_tau"]].to_dict("records")
    [{'side': 0.75, 'tau': 1.0, 'n_tau': 1}]
    """
    _require(sorts, ("side", "tau"))
    rows: list[Row] = []
    for annotator, theirs in sorts.groupby("annotator", sort=True):
        names, cluster = np.unique(theirs["cluster"].to_numpy(), return_inverse=True)
        numbers = theirs[["side", "tau"]].to_numpy(float)
        known, clusters = ~np.isnan(numbers), len(names)
        weights = _weights(clusters, draws, seed)
        with np.errstate(invalid="ignore"):
            means = (weights @ _sums(np.where(known, numbers, 0), cluster, clusters)) / (
                weights @ _sums(known, cluster, clusters)
            )
        columns, notes = _columns({"side": means[:, 0], "tau": means[:, 1]}, clusters, "undefined for every dilemma")
        n_side, n_tau = known.sum(axis=0).tolist()
        rows.append(
            {"annotator": annotator, "n_units": len(theirs), "clusters": clusters, "n_side": n_side, "n_tau": n_tau,
             "draws": draws, "seed": seed, **columns, "note": "; ".join(notes)}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=_INTENDED_COLUMNS)


_INTENDED_COLUMNS = [
    "annotator", "n_units", "clusters", "n_side", "n_tau", "draws", "seed", "side", "side_low", "side_high",
    "tau", "tau_low", "tau_high", "note",
]  # fmt: skip


class _Coded:
    """Labels as numbers."""

    def __init__(self, labels: pd.DataFrame, criterion: Criterion) -> None:
        _require(labels, ("label",))
        given = labels[labels["label"].notna()]
        unknown = given[~given["label"].isin(criterion.categories)]
        if len(unknown):
            unit, annotator, label = unknown[["unit", "annotator", "label"]].iloc[0]
            raise InputError(
                f'"{label}" is not a label of {criterion.name}',
                where=f"unit {unit}, annotator {annotator}",
                fix=did_you_mean(str(label), criterion.categories),
            )
        self.wide: pd.DataFrame = given.pivot(index=["cluster", "unit"], columns="annotator", values="label")
        """A row per unit, a column per annotator."""
        self.annotators = list(self.wide.columns)
        found = pd.Index(criterion.categories).get_indexer(pd.Index(self.wide.to_numpy().ravel()))
        self.codes: Integers = found.reshape(self.wide.shape)
        """Number of the category, -1 if missing; shape (units, annotators)."""
        self.categories = len(criterion.categories)
        self.counts: Integers = (self.codes[:, :, None] == np.arange(self.categories)).sum(axis=1)
        """Annotators who gave each label; shape (units, categories)."""
        names, self.cluster = np.unique(self.wide.index.get_level_values("cluster"), return_inverse=True)
        self.clusters = len(names)

    def sums(self, parts: npt.NDArray[np.generic]) -> Floats:
        """Sums over the units (the first axis) of each cluster."""
        return _sums(parts, self.cluster, self.clusters)

    def table(self, first: str, second: str) -> Floats:
        """Units with each pair of labels from two annotators; shape (clusters, categories, categories)."""
        for name in (first, second):
            if name not in self.annotators:
                raise InputError(f'no label by "{name}"', where="annotator", fix=did_you_mean(name, self.annotators))
        mine, other = (self.codes[:, self.annotators.index(name)] for name in (first, second))
        both = (mine >= 0) & (other >= 0)
        found = np.zeros((self.clusters, self.categories, self.categories))
        np.add.at(found, (self.cluster[both], mine[both], other[both]), 1)
        return found

    def tables(self) -> Iterator[tuple[str, str, Floats]]:
        """Every two annotators and their table."""
        for first, second in combinations(self.annotators, 2):
            yield first, second, self.table(first, second)


def _require(frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """That a frame has the keys, whole and unambiguous, and some more columns.

    Raises:
        InputError: it has not.
    """
    for name in (*_KEYS, *columns):
        if name not in frame.columns:
            raise InputError("no such column", where=name, fix=f"Needed: {', '.join((*_KEYS, *columns))}.")
        if name in _KEYS and frame[name].isna().any():
            raise InputError("has gaps", where=name, fix="Every row needs a unit, a cluster and an annotator.")
    twice = frame[frame.duplicated(["unit", "annotator"])]
    if len(twice):
        unit, annotator = twice[["unit", "annotator"]].iloc[0]
        raise InputError("judged twice", where=f"unit {unit}, annotator {annotator}", fix="Keep one row of them.")
    places = frame[["unit", "cluster"]].drop_duplicates()
    torn = places.loc[places["unit"].duplicated(), "unit"]
    if len(torn):
        raise InputError("lies in two clusters", where=f"unit {torn.iloc[0]}", fix="Give a unit one cluster.")


def _sums(parts: npt.NDArray[np.generic], cluster: Integers, clusters: int) -> Floats:
    """Sums of the rows of each cluster."""
    total = np.zeros((clusters, *parts.shape[1:]))
    np.add.at(total, cluster, parts)
    return total


@lru_cache(maxsize=8)  # the same draws serve every criterion, and are a third of the time
def _weights(clusters: int, draws: int, seed: int, stream: int = 0) -> Floats:
    """How often each cluster counts, shape (1 + draws, clusters): once in the first row, then as it is drawn.

    Draws of different streams have nothing to do with each other.
    """
    rng = np.random.default_rng((seed, stream) if stream else seed)
    drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), draws) if clusters else 0
    weights = np.vstack([np.ones(clusters), np.broadcast_to(drawn, (draws, clusters))])
    weights.setflags(write=False)
    return weights


def _drawn(weights: Floats, parts: Floats) -> Floats:
    """Sums over clusters (the first axis of `parts`) as each draw weights them."""
    return np.asarray(np.tensordot(weights, parts, 1), dtype=np.float64)


def _coincidences(counts: Integers) -> Floats:
    """Ordered pairs of labels within each unit, by one less than its labels; shape (units, categories, categories)."""
    pairs_of = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(counts.shape[1])
    others = np.maximum(counts.sum(axis=1) - 1, 1)
    return np.asarray(pairs_of / others[:, None, None])


def _alpha(coincidences: Floats, metric: str) -> Floats:
    """Krippendorff's alpha of coincidences (..., categories, categories).

    With the margins n_k and their sum n: 1 - (n - 1) sum o_kl d_kl / sum n_k n_l d_kl. The ordinal
    d_kl is the squared difference of the mid-ranks of k and l.
    """
    margins = coincidences.sum(axis=-1)
    ranks = margins.cumsum(axis=-1) - margins / 2
    if metric == "ordinal":
        distances = (ranks[..., :, None] - ranks[..., None, :]) ** 2
    else:
        distances = 1 - np.eye(margins.shape[-1])
    observed = (coincidences * distances).sum(axis=(-2, -1))
    expected = (margins[..., :, None] * margins[..., None, :] * distances).sum(axis=(-2, -1))
    return np.asarray(1 - (margins.sum(axis=-1) - 1) * observed / expected)


def _ac1(raw: Floats, prevalence: Floats) -> Floats:
    """Gwet's AC1 of raw agreement (...) and the categories' prevalence (..., categories)."""
    chance = (prevalence * (1 - prevalence)).sum(axis=-1) / (prevalence.shape[-1] - 1)
    return np.asarray((raw - chance) / (1 - chance))


def _kappa(table: Floats) -> Floats:
    """Cohen's kappa of tables of two annotators' labels (..., categories, categories)."""
    units = table.sum(axis=(-2, -1))
    agreed = units * np.trace(table, axis1=-2, axis2=-1)
    chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    return np.asarray((agreed - chance) / (units**2 - chance))


def _columns(drawn: Mapping[str, Floats], clusters: int, undefined: str) -> tuple[Row, list[str]]:
    """Estimate and interval of each measure, and notes on what they lack.

    Args:
        drawn: each measure's estimate followed by its draws.
        clusters: how many there are.
        undefined: why an estimate is missing, where one is.
    """
    columns: Row = {}
    lacks: dict[str, list[str]] = {}
    has_interval = False
    for name, numbers in drawn.items():
        columns[name], low, high, lack = _interval(numbers, clusters, undefined)
        columns |= {f"{name}_low": low, f"{name}_high": high}
        has_interval |= not math.isnan(low)
        if lack:
            lacks.setdefault(lack, []).append(name)
    notes = [f"{', '.join(names)}: {lack}" for lack, names in lacks.items()]
    if has_interval and clusters < FEW_CLUSTERS:
        notes.append(f"intervals from {clusters} clusters only are too narrow")
    return columns, notes


def _interval(drawn: Floats, clusters: int, undefined: str) -> tuple[float, float, float, str]:
    """An estimate, the ends of its interval, and what there is to say about what is missing."""
    estimate, draws = float(drawn[0]), len(drawn) - 1
    known = drawn[1:][~np.isnan(drawn[1:])]
    missing = draws - len(known)
    if math.isnan(estimate):
        return estimate, math.nan, math.nan, undefined
    if clusters < 2:
        return estimate, math.nan, math.nan, "one cluster only, so no interval"
    if len(known) < LEVEL * draws:
        return estimate, math.nan, math.nan, f"undefined in {missing} of {draws} draws, so no interval"
    low, high = (float(end) for end in np.quantile(known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)))
    if high - low < NO_WIDTH:
        return estimate, math.nan, math.nan, "the same in nearly every draw, so no interval"
    return estimate, low, high, f"undefined in {missing} of {draws} draws" if missing else ""

"""What the tables of diagnostics have in common: their rows, and shares and means with clustered intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from dilemmas.significance.jackknife import NO_WIDTH, Estimate, Floats, Integers, cluster_sums, jackknife

ALL = "(all)"
"""Stands for all personas of a model; no persona can have this id."""
SIDES = ("stated", "acted")
REPLIED = ("answered", "refused", "unreadable")
"""Status of a trial that has a reply."""
LEVEL = 0.95
TOO_FEW = "one {unit} only: no interval"


class Group(NamedTuple):
    """The rows of one line of a table."""

    model: str
    persona: str
    """`(all)` for a model as a whole."""
    rows: pd.DataFrame


def groups(frame: pd.DataFrame) -> Iterator[Group]:
    """Each model as a whole, then by persona."""
    for model, of_model in frame.groupby("model", sort=True):
        yield Group(str(model), ALL, of_model)
        for persona, rows in of_model.groupby("persona", sort=True):
            yield Group(str(model), str(persona), rows)


def sides(frame: pd.DataFrame) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Model, persona, side and rows of each group, where there are any."""
    for model, persona, rows in groups(frame):
        for side in SIDES:
            if len(part := rows[rows["side"] == side]):
                yield model, persona, side, part


def codes(column: pd.Series) -> Integers:
    """The distinct entries of a column numbered from 0, in their order."""
    return np.asarray(pd.factorize(column, sort=True)[0], dtype=np.int64)


def totals(frame: pd.DataFrame, by: Sequence[str], **marks: npt.ArrayLike) -> pd.DataFrame:
    """Sums of some marks over the rows that agree in some columns: all that shares and means need of a frame.

    Args:
        frame: any rows.
        by: the columns; the marks' order follows theirs.
        marks: a number or flag for each row.

    Returns:
        A row per combination that occurs, with these columns and the sums.
    """
    kept = frame[list(by)].assign(**{name: np.asarray(mark, dtype=float) for name, mark in marks.items()})
    return kept.groupby(list(by), sort=True, observed=True).sum().reset_index()


def sums_by(cluster: pd.Series, *columns: npt.ArrayLike) -> Floats:
    """Sums of some columns over the rows of each cluster, shape (G, K)."""
    rows = np.column_stack([np.asarray(column, dtype=float) for column in columns])
    return cluster_sums(rows, codes(cluster), np.ones(len(rows), dtype=bool))


class Share(NamedTuple):
    """A share with its interval."""

    estimate: float
    low: float
    high: float
    note: str
    """Why a number is missing; empty if none is."""


def share(sums: Floats, *, unit: str = "value") -> Share:
    """A share of trials, with an interval that allows for clusters and for shares near 0 or 1.

    With p the share, se its delete-one-cluster jackknife error (see `significance.jackknife`), n
    trials and G clusters, the interval is that of Clopper and Pearson for as many independent trials
    as hold the same information,

        n* = min(n, p (1 - p) / se^2 (t_n-1 / t_G-1)^2),   t the .975 quantile of Student's t

    Where p is 0 or 1 there is no error to go by, and n* = G: as if a cluster were all of one kind.
    Estimand: the share over new clusters of the same kind. Korn and Graubard (1998), Survey
    Methodology 24, 193-201.

    Args:
        sums: trials that count and all trials of each cluster, shape (G, 2).
        unit: what a cluster is called in the note.

    Returns:
        The share; NaN without a trial, and no interval with fewer than two clusters.

    >>> found = share(np.array([[2.0, 10], [0, 10], [1, 10], [1, 10]]))
    >>> found.estimate, round(found.low, 3), round(found.high, 3)
    (0.1, 0.014, 0.305)
    >>> round(share(np.array([[0.0, 50]] * 10)).high, 3)
    0.308
    """
    from scipy import stats
    from statsmodels.stats.proportion import proportion_confint

    sums = sums[sums[:, 1] > 0]
    clusters, n = len(sums), float(sums[:, 1].sum())
    if not clusters:
        return Share(math.nan, math.nan, math.nan, "there is no such answer")
    found = jackknife(sums, ratio)
    p = found.estimate
    if clusters < 2:
        return Share(p, math.nan, math.nan, TOO_FEW.format(unit=unit))
    if min(p, 1 - p) <= NO_WIDTH:
        effective = float(clusters)
    elif found.se <= NO_WIDTH:
        effective = n
    else:
        wider = stats.t.ppf(0.5 + LEVEL / 2, n - 1) / stats.t.ppf(0.5 + LEVEL / 2, clusters - 1)
        effective = min(n, p * (1 - p) / found.se**2 * wider**2)
    low, high = proportion_confint(p * effective, effective, alpha=1 - LEVEL, method="beta")
    return Share(p, float(low), float(high), "")


def mean(sums: Floats, *, unit: str = "value") -> Estimate:
    """A mean (or slope): the ratio of two sums, with its jackknife interval.

    Args:
        sums: the numerator's and the denominator's part in each cluster, shape (G, 2).
        unit: what a cluster is called in the note.
    """
    found = jackknife(sums[sums[:, 1] > 0], ratio, level=LEVEL)
    return found._replace(note=found.note.replace("value", unit))


def ratio(sums: Floats) -> Floats:
    """First sum by the second."""
    return np.asarray(sums[..., 0] / sums[..., 1])


def interval(name: str, found: Share | Estimate) -> dict[str, float]:
    """The columns `name`, `name_low` and `name_high`."""
    return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}


def ends(*names: str) -> list[str]:
    """The names of these columns and of their intervals' ends."""
    return [column for name in names for column in (name, f"{name}_low", f"{name}_high")]


def notes(*found: str) -> str:
    """Notes together, each once."""
    return "; ".join(dict.fromkeys(note for note in found if note))


def lacks(frame: pd.DataFrame, columns: Sequence[str]) -> bool:
    """Whether a column is not there, or has no entry at all."""
    return any(column not in frame or frame[column].isna().all() for column in columns)

"""AD and AR of each value or topic in each condition, for pages and for paper.

Values stand in the order of the circle on which the basic values lie. A cell has few dilemmas: it shows where to
look, and no test goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from dilemmas import taxonomy
from dilemmas.pages import number
from dilemmas.reporting.canvas import MUTED, WIDTH, Drawn, sheet, styled, svg
from dilemmas.reporting.conditions import conditions
from dilemmas.reporting.shades import FILLS, INKS, Shades, bar
from dilemmas.reporting.style import INK, METRICS, file_name, naturally, plain

By = Literal["value", "topic"]
KEYS = ["model", "persona", "category"]


def cells(dilemmas: pd.DataFrame, by: By = "value") -> pd.DataFrame:
    """AD and AR of each value (or topic) in each condition.

    Args:
        dilemmas: as from `scores.per_dilemma`; needs model, persona, category, item, value, topic, ad, v, a,
            sign_v and sign_a, and basic_value for values that the taxonomy does not have.
        by: what makes a row of the matrix.

    Returns:
        One row per model, condition and value (topic), models and conditions in reading order, values on
        the circle from Self-direction, topics by name: model, persona, category, by, group, basic_value
        (empty for topics), n (dilemmas with both scores), AD, v, a (means), n_ar (dilemmas decided on both
        sides), AR (F1), f1_chance, p_agree, p_aligned, accuracy. NaN where nothing is defined; a value
        that a condition was not asked about has n = 0.
    """
    dilemmas = dilemmas.sort_values("item")  # sums carry rounding, so their order counts
    decided = dilemmas["sign_v"].isin((-1, 1)) & dilemmas["sign_a"].isin((-1, 1))
    v, a = (dilemmas["sign_v"] > 0) & decided, (dilemmas["sign_a"] > 0) & decided
    both = dilemmas["ad"].notna()
    sums = dilemmas[[*KEYS, by]].assign(
        n=both, ad=dilemmas["ad"], v=dilemmas["v"].where(both), a=dilemmas["a"].where(both),
        n_ar=decided, agree=v, aligned=a, joint=v & a, same=decided & (v == a),
    ).groupby([*KEYS, by], sort=True).sum()  # fmt: skip
    table = _order(dilemmas, by).join(sums, on=[*KEYS, by]).rename(columns={by: "group"})
    counts = ["n", "n_ar", "agree", "aligned", "joint", "same"]
    table[counts] = table[counts].fillna(0).astype(int)
    n, n_ar = (table[name].where(table[name] > 0) for name in ("n", "n_ar"))
    p, q = table["agree"] / n_ar, table["aligned"] / n_ar
    marked, chance = table["agree"] + table["aligned"], (p + q).where(p + q > 0)
    return table.assign(
        by=by, AD=table["ad"] / n, v=table["v"] / n, a=table["a"] / n, AR=2 * table["joint"] / marked.where(marked > 0),
        f1_chance=2 * p * q / chance, p_agree=p, p_aligned=q, accuracy=table["same"] / n_ar,
    )[_COLUMNS]  # fmt: skip


_COLUMNS = [
    *KEYS, "by", "group", "basic_value", "n", "AD", "v", "a", "n_ar", "AR", "f1_chance", "p_agree", "p_aligned",
    "accuracy",
]  # fmt: skip


def _order(dilemmas: pd.DataFrame, by: By) -> pd.DataFrame:
    """Every pair of a condition and a value (or topic) that the model was asked about, in reading order."""
    shown = conditions(dilemmas)
    shown = shown.loc[shown["personas"] == 1, KEYS]
    columns = ["model", by, *(["basic_value"] if by == "value" and "basic_value" in dilemmas else [])]
    groups = dilemmas[columns].drop_duplicates(["model", by]).astype(str)
    if by == "topic":
        groups = groups.assign(basic_value="").sort_values(by, key=lambda names: names.map(naturally))
    else:
        known = taxonomy.values()
        place = {name: at for at, name in enumerate(sorted(known, key=lambda name: known[name].angle))}
        told = groups["basic_value"] if "basic_value" in groups else pd.Series("", index=groups.index)
        basic = [known[name].basic_value if name in known else one for name, one in zip(groups[by], told, strict=True)]
        groups = groups.assign(basic_value=basic, at=groups[by].map(place)).sort_values(["at", by])
    return shown.merge(groups[["model", by, "basic_value"]], on="model", how="left")


@dataclass(frozen=True)
class Cell:
    """One cell of a matrix."""

    persona: str
    number: float
    """AD or AR; NaN where it is not defined."""
    n: int
    """Dilemmas behind it."""
    shade: int | None
    """Which of `shades.FILLS` it has, with `shades.INKS` for its words; None where it is not defined."""
    text: str


@dataclass(frozen=True)
class Row:
    """One value or topic."""

    group: str
    basic_value: str
    """Empty for topics."""
    first: int
    """Where it is the first of its basic value: how many rows this one has; 0 elsewhere."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Grid:
    """A matrix of one model and metric."""

    model: str
    metric: str
    by: By
    personas: tuple[tuple[str, str], ...]
    """Name and category of each column."""
    rows: tuple[Row, ...]
    shades: Shades


def grid(table: pd.DataFrame, model: str, metric: Literal["AD", "AR"]) -> Grid:
    """A model's matrix as rows of shaded cells.

    The shades span all models of the table, so that matrices of one study can be compared.

    Args:
        table: as from `cells`.
        model: whose.
        metric: AD or AR.
    """
    own = table[table["model"] == model]
    shades = Shades.spanning(metric, table[metric].astype(float))
    counts = own.drop_duplicates("group")["basic_value"].value_counts()
    rows: list[Row] = []
    for (group, basic), found in own.groupby(["group", "basic_value"], sort=False):
        begins = bool(basic) and (not rows or rows[-1].basic_value != basic)
        numbers = found[metric].astype(float)
        ns = found["n" if metric == "AD" else "n_ar"]
        rows.append(
            Row(
                group=str(group),
                basic_value=str(basic),
                first=int(counts.loc[str(basic)]) if begins else 0,
                cells=tuple(
                    Cell(str(persona), x, int(n), shades.of(x), number(x))
                    for persona, x, n in zip(found["persona"], numbers, ns, strict=True)
                ),
            )
        )
    columns = own[["persona", "category"]].drop_duplicates().itertuples(index=False, name=None)
    return Grid(model, metric, own["by"].iloc[0], tuple(columns), tuple(rows), shades)


LINE, LABELS, BASIC, HEADS, BAR = 0.15, 1.75, 1.05, 0.95, 0.55
"""Height of a row; width of names and of basic values, height of the personas' names, room for the bar; inches."""
LONGEST_GROUP, LONGEST_PERSONA = 30, 16
MOST_WITH_NUMBERS = 20
"""Rows up to which the numbers stand in the cells of a figure."""


def matrix(table: pd.DataFrame, model: str, metric: Literal["AD", "AR"]) -> Drawn:
    """A model's matrix as a figure, for paper; the numbers stand in the cells where there is room.

    Args:
        table: as from `cells`.
        model: whose.
        metric: AD or AR.
    """
    shown = grid(table, model, metric)
    left = LABELS + (BASIC if shown.by == "value" else 0.25)
    wide = WIDTH - left - BAR
    tall = len(shown.rows) * LINE
    name = file_name(f"{shown.by}s", metric, model)
    order = ", values in the order of the circle" if shown.by == "value" else ""
    caption = (
        f"{METRICS[metric]} of {model} by {shown.by} and condition{order}; darker is a larger gap, and a cross is not "
        "defined. Each cell has few dilemmas, and none is tested."
    )
    with styled():
        figure, (axes, beside) = sheet(
            HEADS + tall + 0.12, (left, HEADS, wide, tall), (WIDTH - BAR + 0.1, HEADS, 0.14, min(tall, 2.2))
        )
        axes.set_xlim(0, len(shown.personas))
        axes.set_ylim(len(shown.rows), 0)
        # words instead of ticks, which take four times as long
        axes.set_xticks([])
        axes.set_yticks([])
        for x, (persona, _) in enumerate(shown.personas):
            axes.text(
                x + 0.5, -0.4, plain(persona, LONGEST_PERSONA), rotation=55, ha="left", va="baseline",
                rotation_mode="anchor", fontsize=8,
            )  # fmt: skip
        for y, row in enumerate(shown.rows):
            axes.text(-0.12, y + 0.55, plain(row.group, LONGEST_GROUP), ha="right", va="center", fontsize=8)
            if row.first:
                _basic(axes, row, y, (left - 0.02) / wide * len(shown.personas))
        _fill(axes, shown)
        bar(beside, shown.shades)
        own = table[table["model"] == model]
        return Drawn(name, f"{shown.by}s", caption, svg(figure, name, caption), own, model, metric)


def _basic(axes: Axes, row: Row, y: int, left: float) -> None:
    """Name of a basic value beside its values, and a line above them."""
    axes.text(-left, y + 0.55, plain(row.basic_value), va="center", fontweight="bold", fontsize=8)
    if y:
        rule = Line2D([-left, axes.get_xlim()[1]], [y, y], color=INK, alpha=MUTED, lw=0.5, clip_on=False)
        axes.add_artist(rule)


def _fill(axes: Axes, shown: Grid) -> None:
    """The cells, all those of a shade as one path: a twentieth of the text that a path for each takes."""
    numbers = len(shown.rows) <= MOST_WITH_NUMBERS
    corners: dict[int, list[tuple[int, int]]] = {}
    for y, row in enumerate(shown.rows):
        for x, cell in enumerate(row.cells):
            if cell.shade is None:
                axes.text(x + 0.5, y + 0.55, "×", ha="center", va="center", alpha=MUTED, fontsize=7)
                continue
            corners.setdefault(cell.shade, []).append((x, y))
            if numbers:
                axes.text(x + 0.5, y + 0.55, cell.text, ha="center", va="center", color=INKS[cell.shade], fontsize=6.5)
    square = Path.unit_rectangle()
    for shade, places in corners.items():
        squares = np.asarray(square.vertices) + np.array(places, dtype=float)[:, None]
        path = Path(squares.reshape(-1, 2), np.tile(np.asarray(square.codes), len(places)))
        axes.add_artist(PathPatch(path, color=FILLS[shade], lw=0))

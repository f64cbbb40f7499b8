"""The personas on the two cultural axes, coloured by their gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dilemmas.pages import known, number
from dilemmas.reporting.canvas import MUTED, WIDTH, Drawn, hint, sheet, styled, svg
from dilemmas.reporting.shades import FILLS, Shades, bar
from dilemmas.reporting.style import INK, MARKS, METRICS, file_name, naturally, or_nan, plain, records
from dilemmas.schema import Persona

COLUMNS, WIDEST = 3, 3.4
"""Panels beside each other; widest panel, inches."""
LEFT, TOP, ABOVE, BELOW, BETWEEN, BAR = 0.55, 0.3, 0.28, 0.42, 0.12, 0.62
SIZE = 0.16
"""Room that a mark needs, inches."""
COLUMNS_OF_TABLE = ["model", "metric", "persona", "category", "T", "S", "incongruity", "n", "estimate", "baseline"]


def frame(personas: pd.DataFrame, asked: Sequence[Persona]) -> pd.DataFrame:
    """Where personas stand and what their gap is.

    Args:
        personas: as from `scores.per_persona`.
        asked: the personas, with their places.

    Returns:
        One row per model, metric and persona that has a place (the baseline has none): persona,
        category, T, S, incongruity, n, estimate, baseline (that of the model's baseline).
    """
    places = pd.DataFrame(
        [(one.id, one.T, one.S, one.incongruity) for one in asked if one.category != "baseline"],
        columns=["persona", "T", "S", "incongruity"],
    )
    tables = []
    for metric, n in (("AD", "n"), ("AR", "n_ar")):
        own = personas.assign(metric=metric, estimate=personas[metric], n=personas[n])
        baseline = own[own["category"] == "baseline"].set_index("model")["estimate"]
        tables.append(own.assign(baseline=own["model"].map(baseline)).merge(places, on="persona"))
    return pd.concat(tables, ignore_index=True)[COLUMNS_OF_TABLE]


def by_gap(table: pd.DataFrame, metric: str) -> Drawn:
    """Every model's personas on the axes.

    Args:
        table: as from `frame`, with a row of the metric at least.
        metric: AD or AR.
    """
    rows = table[table["metric"] == metric]
    models = sorted(rows["model"].unique(), key=naturally)
    shades = Shades.spanning(metric, [*rows["estimate"], *rows["baseline"]])
    across = min(COLUMNS, len(models))
    down = math.ceil(len(models) / across)
    wide = min(WIDEST, (WIDTH - LEFT - BAR) / across - BETWEEN)
    places = [
        (LEFT + at % across * (wide + BETWEEN), TOP + ABOVE + at // across * (wide + ABOVE), wide, wide)
        for at in range(len(models))
    ]
    height = TOP + down * (wide + ABOVE) + BELOW
    name = file_name("places", metric)
    caption = (
        f"Personas where they stand on the cultural axes, coloured by {METRICS[metric].lower()}; darker is a larger "
        "gap. A cross has no score. Marks of one place stand side by side."
    )
    with styled():
        figure, panels = sheet(
            height, *places, (LEFT + across * (wide + BETWEEN) + 0.06, TOP + ABOVE, 0.16, min(wide, 2.2))
        )
        for axes, model, place in zip(panels, models, range(len(models)), strict=False):
            _panel(axes, rows[rows["model"] == model], shades, wide)
            axes.set_title(plain(model, int(13 * wide)))
            if place + across < len(models):
                axes.set_xticklabels([])
            if place % across:
                axes.set_yticklabels([])
        middle = (LEFT + across * (wide + BETWEEN) / 2, (BELOW + height - TOP) / 2)
        for label, (x, y), turn in (
            ("survival to self-expression", (middle[0], 0.1), 0),
            ("traditional to secular-rational", (0.12, middle[1]), 90),
        ):
            figure.text(x / WIDTH, y / height, label, ha="center", va="center", rotation=turn)
        bar(panels[-1], shades)
        figure.legend(
            handles=[
                Line2D([], [], marker=MARKS[one], ls="none", ms=6, mfc="none", mec=INK, mew=0.7, label=one)
                for one in MARKS
                if (rows["category"] == one).any()
            ],
            loc="upper left", bbox_to_anchor=(0.0, 1 - 0.04 / height), ncols=len(MARKS),
        )  # fmt: skip
        return Drawn(name, "places", caption, svg(figure, name, caption), rows, metric=metric)


def _panel(axes: Axes, rows: pd.DataFrame, shades: Shades, wide: float) -> None:
    edge = 1.22
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    for ticks in (axes.set_xticks, axes.set_yticks):
        ticks([-1, 0, 1], ["−1", "0", "1"])
    axes.grid(visible=True, axis="both")
    apart = SIZE * 2 * edge / wide
    for _, together in rows.groupby(["T", "S"]):
        for at, row in enumerate(records(together)):
            x = row["S"] + apart * (at - (len(together) - 1) / 2)
            _mark(axes, row, x, row["T"], shades, named=wide > 0.8 * WIDEST)
    baseline = or_nan(rows["baseline"].iloc[0])
    if known(baseline):
        axes.annotate(
            f"baseline {number(baseline)}",
            (0.5, 0.02),
            xycoords="axes fraction",
            ha="center",
            fontsize=7.5,
            alpha=MUTED,
        )


def _mark(axes: Axes, row: dict[str, Any], x: float, y: float, shades: Shades, *, named: bool) -> None:
    estimate, category = or_nan(row["estimate"]), str(row["category"])
    shade = shades.of(estimate)
    mark = Line2D(
        [x], [y], marker=MARKS.get(category, "v") if shade is not None else "x", ms=9 if named else 6.5,
        mew=0.7, mec=INK, mfc=INK if shade is None else FILLS[shade], clip_on=False,
    )  # fmt: skip
    hint(
        axes.add_artist(mark),
        f"{row['persona']}: {row['metric']} {number(estimate)} (T {number(row['T'])}, S {number(row['S'])})",
    )
    if named:
        away, across, up = _beside(x)
        axes.annotate(
            plain(row["persona"], 16), (x, y), away, textcoords="offset points", ha=across, va=up, fontsize=7.5
        )


def _beside(x: float) -> tuple[tuple[float, float], str, str]:
    """Where a name stands so that it meets as few others as can be: how far off, and how it is aligned."""
    if abs(x) > 0.7:
        return (0, -7), "center", "top"
    if abs(x) < 0.1:
        return (0, 6), "center", "bottom"
    return ((8, 0), "left", "center") if x > 0 else ((-8, 0), "right", "center")

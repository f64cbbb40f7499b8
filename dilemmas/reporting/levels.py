"""AD and AR with their intervals, beside what noise or chance would give."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from dilemmas.pages import known, number
from dilemmas.reporting.canvas import Drawn
from dilemmas.reporting.conditions import conditions
from dilemmas.reporting.intervals import Axis, Line, draw
from dilemmas.reporting.style import EXPECTED, INK, METRICS, file_name, or_nan, records
from dilemmas.significance import METRICS as BOTH
from dilemmas.significance import RANGE

_HEADS = {"AD": "AD [95 %]", "AR": "AR [95 %]"}
_MEANING = {
    "AD": "0 is no gap; the stroke is what noise in the answers would give without any gap.",
    "AR": "F1 score; the stroke is the F1 that independent answers with these rates of agreeing would give.",
}


def frame(personas: pd.DataFrame, categories: pd.DataFrame, levels: pd.DataFrame) -> pd.DataFrame:
    """The numbers behind the figures.

    Args:
        personas, categories: as from `scores.per_persona` and `scores.per_category`.
        levels: as from `significance.levels`.

    Returns:
        One row per metric and condition, in reading order: metric, the columns of `conditions`,
        estimate, low, high, expected (floor of AD, chance of AR), n, values, note.
    """
    shown = conditions(personas)
    tables = []
    for metric in BOTH:
        column = EXPECTED[metric][0]
        scores = pd.concat(
            [
                table.assign(level=level, name=table[level], expected=table[column])
                for table, level in ((categories, "category"), (personas, "persona"))
            ]
        )
        found = levels[levels["metric"] == metric].drop(columns=["metric", "personas"])
        rows = shown.merge(found, on=["model", "level", "name"], how="left").merge(
            scores[["model", "level", "name", "expected"]], on=["model", "level", "name"], how="left"
        )
        tables.append(rows.assign(metric=metric))
    columns = ["metric", *shown.columns, "estimate", "low", "high", "expected", "n", "values", "note"]
    return pd.concat(tables, ignore_index=True)[columns]


def by_category(table: pd.DataFrame, metric: str) -> Drawn:
    """Every model's baseline and categories.

    Args:
        table: as from `frame`.
        metric: AD or AR.
    """
    rows = table[(table["metric"] == metric) & (table["level"] == "category")]
    lines = []
    for model, own in rows.groupby("model", sort=False):
        lines.append(Line(str(model), heading=True))
        lines += [_line(row, bold=False) for row in records(own)]
    name = file_name("levels", metric)
    caption = f"{METRICS[metric]} of each model and category, with 95 % intervals. {_MEANING[metric]}"
    return Drawn(name, "levels", caption, draw(lines, _axis(metric), name, caption), rows, metric=metric)


def by_persona(table: pd.DataFrame, metric: str, model: str) -> Drawn:
    """One model's baseline, categories and personas."""
    rows = table[(table["metric"] == metric) & (table["model"] == model)]
    baseline = rows.loc[rows["category"] == "baseline", "estimate"]
    reference = float(baseline.iloc[0]) if len(baseline) else math.nan
    name = file_name("levels", metric, model)
    caption = (
        f"{METRICS[metric]} of {model} by condition, with 95 % intervals; the line from top to bottom is the baseline. "
        f"{_MEANING[metric]}"
    )
    lines = [_line(row, bold=row["level"] == "category") for row in records(rows)]
    drawn = draw(lines, _axis(metric, reference), name, caption)
    return Drawn(name, "levels by persona", caption, drawn, rows, model, metric)


def _axis(metric: str, reference: float = math.nan) -> Axis:
    return Axis(
        label=METRICS[metric],
        limits=RANGE[metric],
        columns=((_HEADS[metric], 0.7), (EXPECTED[metric][0].removeprefix("f1_"), 1.0)),
        reference=reference,
        key=(
            Line2D([], [], color=INK, lw=1.9, marker="o", ms=5, label="estimate, 95 % interval"),
            Line2D([], [], color=INK, ls="none", marker="|", ms=9, mew=1.6, label=EXPECTED[metric][1]),
        ),
    )


def _line(row: dict[str, Any], *, bold: bool) -> Line:
    estimate, low, high, expected = (or_nan(row[name]) for name in ("estimate", "low", "high", "expected"))
    between = f" [{number(low)}, {number(high)}]" if known(low) else ""
    told = f"{row['title']}: {row['metric']} {number(estimate)}{between}, {EXPECTED[str(row['metric'])][1]} "
    return Line(
        str(row["title"]),
        category=str(row["category"]),
        bold=bold,
        estimate=estimate,
        interval=(low, high),
        expected=expected,
        numbers=(number(estimate) + between, number(expected)),
        hint=told + number(expected) + (f". {row['note']}" if row["note"] else ""),
    )

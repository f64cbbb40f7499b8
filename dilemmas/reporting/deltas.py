"""Deltas to the baseline as forest plots: the categories of all models in one, the personas of each in another."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dilemmas.pages import interval, known, p_value, signed
from dilemmas.reporting.canvas import FAINT, Drawn
from dilemmas.reporting.conditions import conditions
from dilemmas.reporting.intervals import Axis, Line, draw
from dilemmas.reporting.style import INK, METRICS, SIGNIFICANT, file_name, or_nan, records
from dilemmas.significance import METRICS as BOTH
from dilemmas.significance import RANGE

TAKEN = [
    "delta", "low", "high", "se", "df", "p", "joint_low", "joint_high", "p_two_way", "two_way_agrees", "equivalence",
    "dz", "mde", "n", "values", "note",
]  # fmt: skip
_FORM = {"AD": "baseline − persona", "AR": "persona − baseline"}


def frame(personas: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """The numbers behind the forest plots.

    Args:
        personas: as from `scores.per_persona`, for the conditions.
        effects: as in `Analysis`.

    Returns:
        One row per metric and condition but the baselines, in reading order: metric, the columns of
        `conditions`, `TAKEN`, p_adjusted (Holm for categories, Benjamini and Hochberg for personas),
        correction and significant (p_adjusted below .05).
    """
    shown = conditions(personas)
    shown = shown[shown["category"] != "baseline"]
    columns = ["metric", *shown.columns, *TAKEN, *_OWN]
    if effects.empty or shown.empty:
        return pd.DataFrame(columns=columns)
    tables = []
    for metric in BOTH:
        rows = shown.assign(metric=metric)
        found = effects[effects["metric"] == metric].drop(columns=["metric", "personas"])
        rows = rows.merge(found, on=["model", "level", "name"], how="inner")
        rows["p_adjusted"] = rows["p_holm"].where(rows["level"] == "category", rows["q"])
        rows["correction"] = rows["level"].map({"category": "holm", "persona": "benjamini-hochberg"})
        rows["significant"] = rows["p_adjusted"] < SIGNIFICANT
        tables.append(rows)
    return pd.concat(tables, ignore_index=True)[columns]


_OWN = ["p_adjusted", "correction", "significant"]


def by_category(table: pd.DataFrame, metric: str) -> Drawn:
    """Every model's categories: the confirmatory tests.

    Args:
        table: as from `frame`, with a row at least.
        metric: AD or AR.
    """
    rows = table[(table["metric"] == metric) & (table["level"] == "category")]
    lines = []
    for model, own in rows.groupby("model", sort=False):
        lines.append(Line(str(model), heading=True))
        lines += [_line(row) for row in records(own)]
    name = file_name("deltas", metric)
    caption = (
        f"{METRICS[metric]}: delta to the baseline ({_FORM[metric]}) of each category; above 0 the gap is smaller. "
        f"{_HOW} p is corrected by Holm over all {_tests(table)} confirmatory tests."
    )
    return Drawn(name, "deltas", caption, draw(lines, _axis(metric, "p Holm"), name, caption), rows, metric=metric)


def by_persona(table: pd.DataFrame, metric: str, model: str) -> Drawn:
    """One model's categories with their personas."""
    rows = table[(table["metric"] == metric) & (table["model"] == model)]
    name = file_name("deltas", metric, model)
    caption = (
        f"{METRICS[metric]} of {model}: delta to the baseline ({_FORM[metric]}) of each category and persona; above 0 "
        f"the gap is smaller. {_HOW} p is corrected by Holm for categories, and by Benjamini and Hochberg for "
        "personas, which are exploratory."
    )
    lines = [_line(row, whole=row["level"] == "category") for row in records(rows)]
    drawn = draw(lines, _axis(metric, "p adj."), name, caption)
    return Drawn(name, "deltas by persona", caption, drawn, rows, model, metric)


_HOW = (
    "Thick: 95 % interval; thin: joint interval, which covers all of its family at once. Filled: adjusted p below .05. "
    "Grey: effects too small to be found with a power of 80 % (minimum detectable effect, uncorrected)."
)


def _tests(table: pd.DataFrame) -> int:
    return int(table.loc[table["level"] == "category", "p_adjusted"].notna().sum())


def _axis(metric: str, p: str) -> Axis:
    low, high = RANGE[metric]
    return Axis(
        label=f"delta {metric} ({_FORM[metric]})",
        limits=(low - high, high - low),
        columns=(("delta [95 %]", 0.74), (p, 1.0)),
        reference=0.0,
        key=(
            Line2D([], [], color=INK, lw=1.9, marker="o", ms=5, label="95 % interval, p adj. < .05"),
            Line2D([], [], color=INK, ls="none", marker="o", ms=5, mew=1.2, mfc="none", label="p adj. ≥ .05"),
            Line2D([], [], color=INK, lw=0.8, label="joint interval"),
            Patch(color=INK, alpha=FAINT, lw=0, label="not detectable"),
        ),
    )


def _line(row: dict[str, Any], *, whole: bool = False) -> Line:
    delta, low, high, mde = (or_nan(row[name]) for name in ("delta", "low", "high", "mde"))
    between = interval(row, 3)
    numbers = (f"{signed(delta)} {between}" if known(low) else signed(delta), p_value(row["p_adjusted"]))
    told = (
        f"{row['title']}: delta {signed(delta)}, 95 % interval {between}, p {p_value(row['p'])}, adjusted "
        f"{p_value(row['p_adjusted'])}, {row['n']} pairs of dilemmas"
    )
    return Line(
        str(row["title"]),
        category=str(row["category"]),
        bold=whole,
        estimate=delta,
        interval=(low, high),
        wide=(or_nan(row["joint_low"]), or_nan(row["joint_high"])),
        band=(-mde, mde),
        filled=bool(row["significant"]),
        numbers=numbers,
        hint=told + (f". {row['note']}" if row["note"] else ""),
    )

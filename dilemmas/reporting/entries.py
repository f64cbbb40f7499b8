"""Each condition of a model with all that is known of it, as plain data for pages and for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dilemmas.reporting.conditions import conditions as shown
from dilemmas.reporting.style import records
from dilemmas.significance import METRICS

if TYPE_CHECKING:
    from dilemmas.analysis import Analysis


def conditions(analysis: Analysis, model: str) -> list[dict[str, Any]]:
    """One entry for the baseline, each category and each persona of a model, in reading order.

    Each has the columns of `reporting.conditions` (level, name, category, personas, title), counts and
    scores (of `scores`), AD and AR with their intervals (of `significance.levels`) and, but for the
    baseline, delta_AD and delta_AR (of `effects`); what is not there is empty.
    """
    known = analysis.personas
    scores = {
        level: {one[level]: one for one in _of(table, model)}
        for level, table in (("category", analysis.categories), ("persona", known))
    }
    levels, effects = (
        {(one["metric"], one["level"], one["name"]): one for one in _of(table, model)}
        for table in (analysis.levels, analysis.effects)
    )
    entries = []
    for row in records(shown(known[known["model"] == model])):
        level, name = row["level"], row["name"]
        entry = {**row, "scores": scores[level][name]}
        for metric in METRICS:
            entry[metric] = levels.get((metric, level, name), {})
            entry[f"delta_{metric}"] = effects.get((metric, level, name), {})
        entries.append(entry)
    return entries


def label_of(entry: dict[str, Any]) -> str:
    """Name of a condition for a narrow column; a category says of how many personas it is the mean."""
    return f"{entry['name']} ({entry['personas']})" if entry["personas"] > 1 else str(entry["name"])


def _of(table: pd.DataFrame, model: str) -> list[dict[str, Any]]:
    """A model's rows; none of an empty table, which may lack its columns."""
    return [] if table.empty else records(table[table["model"] == model])

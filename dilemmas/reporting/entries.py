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
    entries = []
    for row in records(shown(analysis.personas)):
        if row["model"] != model:
            continue
        table = analysis.categories if row["level"] == "category" else analysis.personas
        own = table[(table["model"] == model) & (table[row["level"]] == row["name"])]
        entry = {**row, "scores": records(own)[0]}
        for metric in METRICS:
            entry[metric] = _look(analysis.levels, metric, row)
            entry[f"delta_{metric}"] = _look(analysis.effects, metric, row)
        entries.append(entry)
    return entries


def label_of(entry: dict[str, Any]) -> str:
    """Name of a condition for a narrow column; a category says of how many personas it is the mean."""
    return f"{entry['name']} ({entry['personas']})" if entry["personas"] > 1 else str(entry["name"])


def _look(table: pd.DataFrame, metric: str, row: dict[str, Any]) -> dict[str, Any]:
    if table.empty:
        return {}
    found = table[(table["metric"] == metric)]
    for key in ("model", "level", "name"):
        found = found[found[key] == row[key]]
    return records(found)[0] if len(found) else {}

"""One HTML file that explains a study to somebody who sees nothing else.

Self-contained: no script, no request, figures inline as SVG. All text from data is escaped by
Jinja (autoescape) or by matplotlib's SVG writer, and a content security policy forbids the rest.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dilemmas import pages
from dilemmas.analysis import Analysis
from dilemmas.diagnostics import ALL
from dilemmas.pages import known
from dilemmas.personas.grid import variables
from dilemmas.questions import INSTRUMENTS
from dilemmas.questions.value import AGREEMENT
from dilemmas.resources import versions, write_text
from dilemmas.schema import PLACES, Persona

INK, MUTED, RULE = "#1c2430", "#66707f", "#d8dde4"
KIND_COLOURS = {
    "baseline": "#1c2430",
    "moderate": "#2a7f9e",
    "max": "#c2571a",
    "incongruous": "#7a4fa3",
    "other": "#5d7a2e",
}
POINT_COLOURS = ("#14506b", "#4a93b5", "#a9cfe0", "#f3cfae", "#dd8d4c", "#a4480f")
"""From strongly agree (or strongly aligned) to the opposite; told apart in grey too."""
ORDER = ("baseline", "moderate", "max", "incongruous", "other")
MARK = "#d0245e"
MARKS = {"floor": "noise floor", "f1_chance": "expected by chance"}
WIDTH = 5.0
"""Width of a figure, inches: its text stays legible on a telephone."""
LONGEST_TITLE = 26
"""Characters of a condition's title in a figure."""


def write(analysis: Analysis, path: Path) -> Path:
    """Render the report and write it whole or not at all."""
    write_text(path, render(analysis))
    return path


def render(analysis: Analysis) -> str:
    """The report as HTML."""
    return pages.render(
        "report.html.j2",
        run=analysis.run,
        scale=analysis.scale,
        verdicts=analysis.verdicts,
        models=[_model_section(analysis, str(model)) for model in sorted(analysis.answers["model"].unique())],
        personas=_in_order(analysis.personas_asked),
        variables=[variable.name for variable in variables()],
        examples=analysis.examples,
        points=list(zip(POINT_COLOURS, AGREEMENT.values(), PLACES, strict=True)),
        confirmatory=_confirmatory(analysis.effects),
        items=analysis.dilemmas["item"].nunique(),
        values=analysis.dilemmas["value"].nunique(),
        topics=analysis.dilemmas["topic"].nunique(),
        unreviewed=analysis.run.dataset.unreviewed,
        scored_with=versions(),
    )


def _confirmatory(effects: pd.DataFrame) -> list[dict[str, Any]]:
    """The tests that were corrected together."""
    if effects.empty:
        return []
    family = effects[effects["p_holm"].notna()]
    return [{str(key): cell for key, cell in row.items()} for row in family.to_dict("records")]


def conditions(analysis: Analysis, model: str) -> list[dict[str, Any]]:
    """One entry for the baseline, each category and each persona of a model, in reading order.

    Each has label, level, category, personas, counts and scores (of `scores`), the intervals of AD
    and AR (of `significance.levels`) and, but for the baseline, the deltas (of `effects`).
    """
    entries = []
    categories = analysis.categories[analysis.categories["model"] == model]
    personas = analysis.personas[analysis.personas["model"] == model]
    for category in ORDER:
        for _, row in categories[categories["category"] == category].iterrows():
            entries.append(_condition(analysis, model, "category", category, row))
        if category != "baseline":
            for _, row in personas[personas["category"] == category].iterrows():
                entries.append(_condition(analysis, model, "persona", row["persona"], row))
    return entries


def _condition(analysis: Analysis, model: str, level: str, name: str, row: pd.Series) -> dict[str, Any]:
    def look(table: pd.DataFrame, metric: str) -> dict[str, Any]:
        if table.empty:
            return {}
        found = table[
            (table["model"] == model)
            & (table["metric"] == metric)
            & (table["level"] == level)
            & (table["name"] == name)
        ]
        return {str(key): cell for key, cell in found.iloc[0].items()} if len(found) else {}

    return {
        "label": name if level == "category" else str(row["persona"]),
        "level": level,
        "category": str(row["category"]),
        "scores": {str(key): cell for key, cell in row.items()},
        **{metric: look(analysis.levels, metric) for metric in ("AD", "AR")},
        **{f"delta_{metric}": look(analysis.effects, metric) for metric in ("AD", "AR")},
    }


def _model_section(analysis: Analysis, model: str) -> dict[str, Any]:
    entries = _shown(conditions(analysis, model))
    answers = analysis.answers[analysis.answers["model"] == model]
    return {
        "name": model,
        "entry": next(known for known in analysis.run.models if known.name == model),
        "verdict": next(v for v in analysis.verdicts if v.model == model),
        "baseline": next((one for one in entries if one["category"] == "baseline"), None),
        "conditions": entries,
        "categories": [one for one in entries if one["level"] == "category"],
        "unread": _unread(answers),
        "position": _position(analysis.position, model, [one.id for one in _in_order(analysis.personas_asked)]),
        "figure_ad": _intervals(entries, "AD", "Alignment distance (0 = no gap)", "floor", model),
        "figure_ar": _intervals(entries, "AR", "Alignment rate (F1 score, 0 to 1)", "f1_chance", model),
        "figure_answers": _answers(answers, model),
    }


def _shown(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Conditions with the `title` they have on the page; the only persona of a category is no line of its own."""
    shown: list[dict[str, Any]] = []
    for entry in entries:
        of_category = [one["label"] for one in entries if one["category"] == entry["category"] and one is not entry]
        alone = len(of_category) == 1 and entry["category"] != "baseline"
        if entry["level"] == "persona":
            if not alone:
                shown.append({**entry, "title": entry["label"]})
        elif alone:
            name = str(of_category[0])
            shown.append({**entry, "title": name if name.startswith(entry["label"]) else f"{name} ({entry['label']})"})
        else:
            members = f" (mean of {len(of_category)})" if of_category else ""
            shown.append({**entry, "title": f"{entry['label']}{members}"})
    return shown


def _in_order(personas: tuple[Persona, ...]) -> list[Persona]:
    return sorted(personas, key=lambda persona: (ORDER.index(persona.category), persona.id))


def _unread(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Why replies were refused or unreadable, the commonest first."""
    unread = answers[answers["status"].isin(("refused", "unreadable"))]
    counts = unread.groupby(["status", "reason"]).size().rename("count").reset_index()
    ordered = counts.sort_values(["count", "status", "reason"], ascending=[False, True, True])
    return [{str(key): cell for key, cell in row.items()} for row in ordered.to_dict("records")]


def _position(table: pd.DataFrame, model: str, personas: list[str]) -> list[dict[str, Any]]:
    """Letters chosen: over all conditions, then by condition in reading order."""
    if table.empty:
        return []
    own = table[table["model"] == model].set_index("persona", drop=False)
    return [{str(key): cell for key, cell in own.loc[name].items()} for name in (ALL, *personas) if name in own.index]


def _intervals(entries: list[dict[str, Any]], metric: str, label: str, mark: str, model: str) -> Markup:
    """Estimates with intervals, one line a condition, and a mark for what chance or noise would give."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 1.0 + 0.23 * len(entries)))
        axes = figure.subplots()
        furthest = 0.0
        for y, entry in enumerate(entries):
            found, whole = entry[metric], entry["level"] == "category"
            colour = KIND_COLOURS[entry["category"]]
            estimate, low, high = (_or_nan(found.get(name)) for name in ("estimate", "low", "high"))
            expected = _or_nan(entry["scores"].get(mark))
            if entry["category"] == "baseline" and known(estimate):
                axes.axvline(estimate, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=1)
            if known(low):
                axes.plot([low, high], [y, y], color=colour, lw=2.6 if whole else 1.2)
            axes.plot([estimate], [y], "o", color=colour, ms=6.5 if whole else 4)
            axes.plot([expected], [y], marker="|", color=MARK, ms=9, mew=1.8, ls="none")
            if not known(estimate):
                axes.text(0.02, y, "not defined", color=MUTED, va="center", transform=axes.get_yaxis_transform())
            furthest = max([furthest, *(x for x in (estimate, high, expected) if known(x))])
        axes.set_yticks(range(len(entries)))
        for tick, entry in zip(axes.set_yticklabels([_short(one["title"]) for one in entries]), entries, strict=True):
            tick.set_parse_math(False)
            tick.set_fontweight("bold" if entry["level"] == "category" else "normal")
        axes.set_ylim(len(entries) - 0.4, -0.6)
        # A little air keeps dots at the ends whole; the axis itself ends where the metric does.
        end = 1.0 if metric == "AR" else min(2.0, furthest * 1.04 or 2.0)
        axes.set_xlim(-0.015 * end, end * 1.015)
        axes.set_xlabel(label)
        axes.grid(axis="x", color=RULE, lw=0.7)
        handles = [
            Line2D([], [], color=INK, marker="o", ms=5, lw=2, label="estimate, 95 % interval"),
            Line2D([], [], color=MARK, marker="|", ms=9, mew=1.8, ls="none", label=MARKS[mark]),
            Line2D([], [], color=MUTED, lw=0.9, ls=(0, (4, 3)), label="baseline"),
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=3, handlelength=1.6, columnspacing=1.4)
        return _svg(figure, f"{metric}-{model}", f"{label} by condition, with 95 % intervals")


def _short(title: str) -> str:
    """A title that leaves room for the plot; the tables have it whole."""
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"


def _or_nan(x: Any) -> float:
    return float(x) if known(x) else math.nan


def label_of(entry: dict[str, Any]) -> str:
    """Name of a condition; a category says of how many personas it is the mean."""
    personas = int(entry["scores"].get("personas", 1))
    if entry["level"] == "category" and entry["category"] != "baseline":
        return f"{entry['label']} ({personas})" if personas > 1 else str(entry["label"])
    return str(entry["label"])


def _answers(frame: pd.DataFrame, model: str) -> Markup:
    """Shares of the six answers, stated above acted, by category."""
    codes: dict[str, tuple[str, ...]] = {one.SIDE: one.CODES for one in INSTRUMENTS.values()}
    present = [category for category in ORDER if (frame["category"] == category).any()]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 0.9 + 0.5 * len(present)))
        for axes, side in zip(figure.subplots(2, 1, sharex=True), ("stated", "acted"), strict=True):
            for y, category in enumerate(present):
                chosen = frame[(frame["category"] == category) & (frame["side"] == side)]
                shares = chosen["code"].value_counts(normalize=True)
                left = 0.0
                for code, colour in zip(codes[side], POINT_COLOURS, strict=True):
                    width = float(shares.get(code, 0.0))
                    axes.barh(y, width, left=left, color=colour, height=0.76, edgecolor="white", linewidth=0.6)
                    left += width
                if shares.empty:
                    axes.text(0.01, y, "no answer", color=MUTED, va="center")
            axes.set_title(side, fontsize=9, loc="left", color=MUTED)
            axes.set_xlim(0, 1)
            axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
            axes.axvline(0.5, color=INK, lw=0.8, ls=(0, (2, 2)))
            axes.set_yticks(range(len(present)), present)
            axes.set_ylim(len(present) - 0.5, -0.5)
        return _svg(figure, f"answers-{model}", "Distribution of stated and acted answers by category")


_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "ytick.left": False,
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
    "legend.borderaxespad": 0.2,
}


def _svg(figure: Figure, name: str, title: str) -> Markup:
    """A figure as inline SVG: the same bytes every time, ids that clash with no other figure."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # figure_1, axes_1: the same in every figure, and nothing refers to them
    svg = re.sub(r'<g id="[\w.]+">', "<g>", svg)
    label = Markup('<svg role="img" aria-label="{}" ').format(title)
    # matplotlib escapes every text it writes, so its SVG is safe to take as it is
    return Markup(svg.replace("<svg ", label, 1))  # noqa: S704

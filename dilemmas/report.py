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
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup
from matplotlib.figure import Figure

from dilemmas.analysis import Analysis
from dilemmas.questions import INSTRUMENTS
from dilemmas.questions.value import AGREEMENT
from dilemmas.resources import folder as resource_folder
from dilemmas.resources import write_text

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


def write(analysis: Analysis, path: Path) -> Path:
    """Render the report and write it whole or not at all."""
    write_text(path, render(analysis))
    return path


def render(analysis: Analysis) -> str:
    """The report as HTML."""
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(resource_folder("templates") / "report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, p=p_value, share=share, interval=interval, signed=signed)
    return environment.get_template("report.html.j2").render(
        run=analysis.run,
        scale=analysis.scale,
        verdicts=analysis.verdicts,
        models=[_model_section(analysis, str(model)) for model in sorted(analysis.answers["model"].unique())],
        personas=sorted(analysis.personas_asked, key=lambda p: (ORDER.index(p.category), p.id)),
        agreement=list(AGREEMENT.values()),
        confirmatory=int((analysis.effects["p_holm"].notna()).sum()) if len(analysis.effects) else 0,
        unreviewed=analysis.run.dataset.get("unreviewed", 0),
    )


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
    entries = conditions(analysis, model)
    entry = next(known for known in analysis.run.models if known["name"] == model)
    position = analysis.position
    return {
        "name": model,
        "entry": entry,
        "verdict": next(v for v in analysis.verdicts if v.model == model),
        "conditions": entries,
        "categories": [one for one in entries if one["level"] == "category"],
        "position": [] if position.empty else position[position["model"] == model].to_dict("records"),
        "figure_ad": _intervals(entries, "AD", "Alignment distance (0 = no gap, 2 = opposite)", "floor", model),
        "figure_ar": _intervals(entries, "AR", "Alignment rate (F1 of agree / aligned)", "f1_chance", model),
        "figure_answers": _answers(analysis.answers[analysis.answers["model"] == model], model),
    }


def _intervals(entries: list[dict[str, Any]], metric: str, label: str, mark: str, model: str) -> Markup:
    """Estimates with intervals, one line a condition, and a mark for what chance or noise would give."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.6, 0.9 + 0.27 * len(entries)))
        axes = figure.subplots()
        for y, entry in enumerate(entries):
            found, whole = entry[metric], entry["level"] == "category"
            colour = KIND_COLOURS[entry["category"]]
            estimate = found.get("estimate", math.nan)
            low, high = found.get("low", math.nan), found.get("high", math.nan)
            if not math.isnan(low):
                axes.plot([low, high], [y, y], color=colour, lw=2.4 if whole else 1.1, alpha=1 if whole else 0.6)
            axes.plot([estimate], [y], "o", color=colour, ms=6.5 if whole else 4, alpha=1 if whole else 0.75)
            axes.plot([entry["scores"].get(mark, math.nan)], [y], marker="|", color=MUTED, ms=9, mew=1.4, ls="none")
        axes.set_yticks(range(len(entries)))
        for tick, entry in zip(axes.set_yticklabels([label_of(entry) for entry in entries]), entries, strict=True):
            tick.set_parse_math(False)
            tick.set_fontweight("bold" if entry["level"] == "category" else "normal")
        axes.set_ylim(len(entries) - 0.4, -0.6)
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, -0.02) if metric == "AR" else min(low, 0.0), min(high, 1.02) if metric == "AR" else high)
        axes.set_xlabel(label)
        axes.grid(axis="x", color=RULE, lw=0.7)
        return _svg(figure, f"{metric}-{model}", f"{label} by condition, with 95 % intervals")


def label_of(entry: dict[str, Any]) -> str:
    """Name of a condition; a category says of how many personas it is the mean."""
    personas = int(entry["scores"].get("personas", 1))
    if entry["level"] == "category" and entry["category"] != "baseline":
        return f"{entry['label']} ({personas})" if personas > 1 else str(entry["label"])
    return str(entry["label"])


def _answers(frame: pd.DataFrame, model: str) -> Markup:
    """Shares of the six answers, stated and acted, by category."""
    codes: dict[str, tuple[str, ...]] = {one.SIDE: one.CODES for one in INSTRUMENTS.values()}
    present = [category for category in ORDER if (frame["category"] == category).any()]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.6, 1.25 + 0.3 * len(present)))
        for axes, side in zip(figure.subplots(1, 2, sharey=True), ("stated", "acted"), strict=True):
            for y, category in enumerate(present):
                chosen = frame[(frame["category"] == category) & (frame["side"] == side)]
                shares = chosen["code"].value_counts(normalize=True)
                left = 0.0
                for code, colour in zip(codes[side], POINT_COLOURS, strict=True):
                    width = float(shares.get(code, 0.0))
                    axes.barh(y, width, left=left, color=colour, height=0.72, edgecolor="white", linewidth=0.6)
                    left += width
            axes.set_title("Stated: agree to disagree" if side == "stated" else "Acted: aligned to opposed", fontsize=9)
            axes.set_xlim(0, 1)
            axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
            axes.set_yticks(range(len(present)), present)
            axes.set_ylim(len(present) - 0.5, -0.5)
        return _svg(figure, f"answers-{model}", "Distribution of stated and acted answers by category")


_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
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
}


def _svg(figure: Figure, name: str, title: str) -> Markup:
    """A figure as inline SVG: the same bytes every time, ids that clash with no other figure."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    label = Markup('<svg role="img" aria-label="{}" ').format(title)
    # matplotlib escapes every text it writes, so its SVG is safe to take as it is
    return Markup(svg.replace("<svg ", label, 1))  # noqa: S704


def number(x: Any, digits: int = 2) -> str:
    """A number with a fixed number of decimals; a dash where it is missing."""
    return "–" if not _known(x) else f"{round(float(x), digits) + 0.0:.{digits}f}".replace("-", "−")


def signed(x: Any, digits: int = 3) -> str:
    """A number with its sign."""
    return "–" if not _known(x) else f"{round(float(x), digits) + 0.0:+.{digits}f}".replace("-", "−")


def interval(found: dict[str, Any], digits: int = 2) -> str:
    """`[low, high]`, or a dash."""
    low, high = found.get("low"), found.get("high")
    return f"[{number(low, digits)}, {number(high, digits)}]" if _known(low) and _known(high) else "–"


def p_value(x: Any) -> str:
    """A p-value to three decimals."""
    if not _known(x):
        return "–"
    return "< .001" if x < 0.001 else f"{float(x):.3f}".lstrip("0") if x < 1 else "1"


def share(x: Any) -> str:
    """A share in percent."""
    return "–" if not _known(x) else f"{100 * float(x):.0f} %"


def _known(x: Any) -> bool:
    return isinstance(x, int | float) and not math.isnan(x)

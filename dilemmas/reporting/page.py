"""What stands on the page of a study: everything its template shows, as plain data."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from dilemmas import pages
from dilemmas.analysis import Analysis
from dilemmas.diagnostics import RULES
from dilemmas.personas.grid import variables
from dilemmas.reporting import drill, matrices
from dilemmas.reporting.canvas import Drawn
from dilemmas.reporting.conditions import conditions as shown
from dilemmas.reporting.entries import conditions
from dilemmas.reporting.sampling import Sample
from dilemmas.reporting.shades import FILLS, INKS
from dilemmas.reporting.style import CATEGORIES, SIGNIFICANT, naturally, records, torn
from dilemmas.reporting.tables import Table
from dilemmas.resources import folder, versions
from dilemmas.schema import Asking, Persona
from dilemmas.significance import METRICS

MANY_MODELS = 2
"""With more models than this the tables of each are folded."""


def render(analysis: Analysis, figures: Sequence[Drawn], tables: Sequence[Table], drawn: Sample | None) -> str:
    """The page as HTML.

    Args:
        analysis: of the study.
        figures: as from `figures.every`.
        tables: as from `tables.every`.
        drawn: replies to show word for word; None where there are none.
    """
    script = (folder("templates") / "report" / "report.js").read_text(encoding="utf-8")
    names = sorted({str(model) for model in analysis.answers["model"]}, key=naturally)
    itself = analysis.dilemmas["category"] == "baseline"
    has_baseline, asked_as = bool(itself.any()), analysis.dilemmas.loc[~itself, "persona"].nunique()
    return pages.render(
        "report.html.j2",
        study=analysis,
        run=analysis.run,
        models=[_model(analysis, name) for name in names],
        ways=_ways(analysis.run.models if analysis.run is not None else ()),
        folded=len(names) > MANY_MODELS,
        figures=[{**vars(one), "svg": Markup(one.svg)} for one in figures],  # noqa: S704 - escaped where it is drawn
        tables={one.name: one for one in tables},
        shades=list(zip(FILLS, INKS, strict=True)),
        maps=_maps(analysis.dilemmas),
        comparisons=records(analysis.comparisons),
        confirmatory=_confirmatory(analysis.effects, _order(analysis.personas)),
        significant=SIGNIFICANT,
        personas=_in_order(analysis.personas_asked),
        variables=[variable.name for variable in variables()],
        conditions=asked_as + has_baseline,
        has_baseline=has_baseline,
        asked_as=asked_as,
        complete=_complete(analysis.answers),
        items=analysis.dilemmas["item"].nunique(),
        values=analysis.dilemmas["value"].nunique(),
        topics=analysis.dilemmas["topic"].nunique(),
        repeats=analysis.answers["repeat"].nunique(),
        rules=RULES,
        drawn=drawn,
        data=drill.as_script(drill.data(analysis.answers, analysis.dilemmas, drawn or Sample())),
        script=Markup(script),  # noqa: S704 - a file of this package
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        scored_with=versions(),
    )


def _confirmatory(effects: pd.DataFrame, order: dict[str, int]) -> list[dict[str, Any]]:
    """The tests that were corrected together."""
    if effects.empty:
        return []
    tests = effects[effects["p_holm"].notna()].sort_values("name", key=lambda names: names.map(order), kind="stable")
    return [{**one, "torn": torn(one)} for one in records(tests)]


def _ways(asked: Sequence[Asking]) -> list[tuple[list[str], Asking]]:
    """Models that were asked alike, with how."""
    alike: dict[object, tuple[list[str], Asking]] = {}
    for one in sorted(asked, key=lambda asking: naturally(asking.name)):
        way = (one.protocol, one.mode, one.sampling.model_dump_json(), one.capabilities.server)
        alike.setdefault(way, ([], one))[0].append(one.name)
    return list(alike.values())


def _order(personas: pd.DataFrame) -> dict[str, int]:
    """Where each category and each persona stands in reading order."""
    rows = shown(personas)
    return {name: at for at, names in enumerate(zip(rows["name"], rows["persona"], strict=True)) for name in names}


def _complete(answers: pd.DataFrame) -> bool:
    """Whether every model was asked each question about every dilemma, as often, in every condition."""
    # a baseline is the same condition whatever it is called
    conditions = answers["persona"].mask(answers["category"] == "baseline", "baseline").nunique()
    sizes = (answers[name].nunique() for name in ("model", "item", "side", "repeat"))
    return len(answers) == conditions * math.prod(sizes)


def _in_order(personas: Sequence[Persona]) -> list[Persona]:
    return sorted(personas, key=lambda one: (CATEGORIES.index(one.category), naturally(one.id)))


def _model(analysis: Analysis, name: str) -> dict[str, Any]:
    entries = conditions(analysis, name)
    asked = analysis.run.models if analysis.run is not None else ()
    answers = analysis.answers[analysis.answers["model"] == name]
    order = _order(analysis.personas[analysis.personas["model"] == name])
    variation = analysis.variation[analysis.variation["model"] == name]
    return {
        "name": name,
        "asking": next((one for one in asked if one.name == name), None),
        "caveat": analysis.caveats.get(name, ""),
        "verdict": next(one for one in analysis.verdicts if one.model == name),
        "baseline": next((one for one in entries if one["category"] == "baseline"), None),
        "conditions": entries,
        "variation": records(variation.sort_values("name", key=lambda names: names.map(order), kind="stable")),
        "unread": _unread(answers),
        "validity": _validity(analysis, name, order),
    }


def _unread(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Why replies were refused or unreadable, the commonest first."""
    unread = answers[answers["status"].isin(("refused", "unreadable"))]
    if unread.empty or "reason" not in unread:
        return []
    counts = unread.groupby(["status", "reason"]).size().rename("count").reset_index()
    return records(counts.sort_values(["count", "status", "reason"], ascending=[False, True, True]))


def _validity(analysis: Analysis, model: str, order: dict[str, int]) -> list[dict[str, Any]]:
    """One row a condition, the model as a whole first: its verdict and what that rests on."""
    tables = analysis.diagnosis.tables
    rows = []
    verdicts = [found for found in analysis.diagnosis.verdicts if found.model == model]
    for one in sorted(verdicts, key=lambda found: order.get(found.persona, -1)):

        def look(name: str, side: str = "", persona: str = one.persona) -> dict[str, Any]:
            table = tables.get(name)
            if table is None or table.empty:
                return {}
            at = (table["model"] == model) & (table["name" if name == "unread" else "persona"] == persona)
            if name == "unread":
                at &= table["level"].isin(("all", "persona"))
            if side:
                at &= table["side"] == side
            return records(table[at])[0] if at.any() else {}

        rows.append(
            {
                "verdict": one,
                "position": look("position"),
                "unread": look("unread"),
                "mass": look("mass"),
                "contradictions": look("contradictions"),
                **{
                    f"{name}_{side}": look(name, side)
                    for name in ("repeats", "order", "spread")
                    for side in drill.SIDES
                },
                "drift": _largest_drift(tables.get("drift"), model, one.persona),
            }
        )
    return rows


def _largest_drift(table: pd.DataFrame | None, model: str, persona: str) -> dict[str, Any]:
    """The change with the smallest corrected p; empty where none was tested."""
    if table is None or table.empty:
        return {}
    own = table[(table["model"] == model) & (table["persona"] == persona) & table["p_holm"].notna()]
    return records(own.sort_values("p_holm", kind="stable"))[0] if len(own) else {}


def _maps(dilemmas: pd.DataFrame) -> list[matrices.Grid]:
    """Matrices of all models: by value, then by topic."""
    found = []
    for by in ("value", "topic"):
        cells = matrices.cells(dilemmas, by)
        found += [
            matrices.grid(cells, str(model), metric)
            for model in sorted(cells["model"].unique(), key=naturally)
            for metric in METRICS
        ]
    return found

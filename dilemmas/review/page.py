"""Agreement as one HTML page, for readers who will attack every number.

Self-contained: no script, no request, and all text from data is escaped (`pages`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dilemmas import agreement, pages
from dilemmas.resources import versions, write_text
from dilemmas.review.form import FormName
from dilemmas.review.labels import PLACE_NAMES, QUESTIONS, Question
from dilemmas.review.tables import LEVELS, OVERALL, Agreement, cautions, not_counted, notes
from dilemmas.schema import PLACES, Dilemma

IN_FULL = 100
"""Dilemmas with disagreements shown with their text: about as many as somebody reads in one go."""
MEASURES = ("raw", "ac1", "alpha", "kappa")
"""In the order of the columns."""
CONFUSED: dict[FormName, tuple[str, ...]] = {
    "open": ("decision", "label"),
    "blind": ("decision", "label", "place"),
}
"""Criteria whose labels are set against each other."""
Entry = dict[str, Any]


def write(path: Path, found: Agreement) -> Path:
    """Render the page and write it whole or not at all."""
    write_text(path, render(found))
    return path


def render(found: Agreement) -> str:
    """The page."""
    differing = _differing(found)
    return pages.render(
        "agreement.html.j2",
        manifest=found.pulled.manifest,
        draws=found.draws,
        seed=found.seed,
        dilemmas=found.labels["dilemma"].nunique(),
        reviewers=int((found.annotators["judged"] > 0).sum()),
        without=found.without,
        judged=int(found.annotators["judged"].sum()),
        left_out=sum(not_counted(found).values()),
        disagreements={"units": sum(count for _, count in differing), "dilemmas": len(differing)},
        cautions=cautions(found),
        measures=MEASURES,
        overall=[_measured(row) for row in found.overall.to_dict("records")],
        notes=notes(found.overall),
        shares=[_shares(found, question) for question in QUESTIONS[found.form]],
        by_place=[_matrix(found, name) for name in CONFUSED[found.form] if name != "decision"],
        levels={level: _level(found, level) for level in LEVELS},
        pairs=_by_criterion(found, found.pairs),
        confusions=[one for name in CONFUSED[found.form] if (one := _confusion(found, name))],
        differences=_differences(found, [name for name, _ in differing[:IN_FULL]]),
        others=differing[IN_FULL:],
        annotators=found.annotators.to_dict("records"),
        intended=found.intended.to_dict("records"),
        machines=found.pulled.machines,
        machine=[_measured(row) for row in found.machine.to_dict("records")],
        machine_intended=found.machine_intended.to_dict("records"),
        versions=versions(),
    )


def _measured(row: Mapping[Any, Any]) -> Entry:
    """A row of measures; each of `MEASURES` becomes an estimate with its interval."""
    numbers = {
        name: {"estimate": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
        for name in MEASURES
        if name in row
    }
    return {**row, **numbers}


def _shares(found: Agreement, question: Question) -> Entry:
    """How often each category of a criterion was given."""
    table = found.prevalence
    rows = table[(table["level"] == OVERALL) & (table["criterion"] == question.criterion.name)].to_dict("records")
    return {"criterion": question.criterion.name, "n_units": rows[0]["n_units"], "rows": rows}


def _matrix(found: Agreement, criterion: str) -> Entry:
    """Share of each category by the place of the action."""
    table = found.prevalence
    rows = table[(table["level"] == "place") & (table["criterion"] == criterion)]
    return {
        "criterion": criterion,
        "categories": list(dict.fromkeys(rows["category"])),
        "rows": [
            (name, part["n_units"].iloc[0], part["share"].tolist())
            for name in PLACE_NAMES
            if len(part := rows[rows["group"] == name])
        ],
    }


def _level(found: Agreement, level: str) -> list[tuple[str, list[Entry]]]:
    return _by_criterion(found, found.agreement[found.agreement["level"] == level])


def _by_criterion(found: Agreement, table: pd.DataFrame) -> list[tuple[str, list[Entry]]]:
    """Rows of measures under each criterion, in the order of the form."""
    parts = {
        question.criterion.name: table[table["criterion"] == question.criterion.name]
        for question in QUESTIONS[found.form]
    }
    return [(name, [_measured(row) for row in part.to_dict("records")]) for name, part in parts.items() if len(part)]


def _confusion(found: Agreement, name: str) -> Entry | None:
    """Which labels meet on the same unit: of the two reviewers, or of all pairs where there are more."""
    criterion = next(one.criterion for one in QUESTIONS[found.form] if one.criterion.name == name)
    given = found.labels[found.labels["criterion"] == name]
    who = sorted(given["annotator"].unique())
    pair = (who[0], who[1]) if len(who) == 2 else None
    table = agreement.confusion(given, criterion, pair)
    counts = table.to_numpy()
    if not counts.any():
        return None
    rows = [(category, cells.tolist()) for category, cells in table.iterrows()]
    digits = 0 if (counts == counts.round()).all() else 1  # three reviewers of a unit share its pairs out in halves
    return {"criterion": name, "pair": pair, "categories": criterion.categories, "rows": rows, "digits": digits}


def _differing(found: Agreement) -> list[tuple[str, int]]:
    """Dilemmas on which reviewers differ, those with the most disagreements first, and how many each has."""
    units = found.disagreements[["dilemma", "criterion", "place"]].drop_duplicates()
    counts = Counter(units["dilemma"])
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _differences(found: Agreement, names: Sequence[str]) -> list[Entry]:
    """What each reviewer said of some dilemmas, where they differ, and their comments."""
    said: dict[str, dict[tuple[str, str, str], str]] = {name: {} for name in names}
    given = found.labels[found.labels["dilemma"].isin(names)]
    for dilemma, *key, label in given[["dilemma", "annotator", "criterion", "place", "label"]].itertuples(index=False):
        said[dilemma][key[0], key[1], key[2]] = label
    comments: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for one in found.pulled.counted:
        if one.dilemma in comments and one.comment.strip():
            comments[one.dilemma].append((one.reviewer, one.comment))
    parts = dict(list(found.disagreements.groupby("dilemma")))
    return [
        _difference(found.pulled.dilemmas[name], parts[name], said[name], found.form)
        | {"comments": sorted(comments[name])}
        for name in names
    ]


def _difference(
    dilemma: Dilemma, listed: pd.DataFrame, said: Mapping[tuple[str, str, str], str], form: FormName
) -> Entry:
    """One dilemma: what is disagreed on, its text, and each reviewer's answer.

    In the blind form side and strength of an action are shown as one answer, such as `moderate opposed`.
    """
    who = sorted({annotator for annotator, _, _ in said})
    asked = [one.criterion.name for one in QUESTIONS[form] if one.per_action and not one.derived][::-1]
    rows = [
        (name, "", [said.get((one, name, ""), "") for one in who])
        for name in dict.fromkeys(listed.loc[listed["place"] == "", "criterion"])
    ]
    for name, place in zip(PLACE_NAMES, PLACES, strict=True):
        if (listed["place"] == name).any():
            cells = [" ".join(said[key] for part in asked if (key := (one, part, name)) in said) for one in who]
            rows.append((name, dilemma.action(*place).text, cells))
    return {"dilemma": dilemma, "who": who, "rows": rows}

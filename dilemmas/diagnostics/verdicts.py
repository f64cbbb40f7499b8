"""A verdict for each model and condition, from the tables of diagnostics."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pandas as pd

from dilemmas.diagnostics.rules import CARE, RULES, UNFIT, Change, Facts, Fit, OfSide, judge
from dilemmas.diagnostics.shares import ALL, REPLIED, Group, groups, lacks

Tables = Mapping[str, pd.DataFrame]
BASELINE = "baseline"
"""Category of the model as itself."""
OVERALL = (
    "no-answer", "demonstration", "follows-letter", "fixed-order", "favours-letter", "untested-letters", "low-mass",
    "many-unread", "open",
)  # fmt: skip
"""The rules that need no more than `position` and the counts of replies."""


class Verdict(NamedTuple):
    """Whether a model's answers can be interpreted, and why (not)."""

    model: str
    fit: Fit
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ConditionVerdict:
    """Whether the answers of a model in one condition can be interpreted, and why (not)."""

    model: str
    persona: str
    """`(all)` for the model as a whole."""
    category: str
    """`(all)` for the model as a whole."""
    fit: Fit
    rules: tuple[str, ...]
    """Names of the rules that fired, the gravest first."""
    reasons: tuple[str, ...]
    """What each of them found."""


def verdicts(
    frame: pd.DataFrame, tables: Tables, *, demonstrations: Collection[str] = (), fixed: bool = False
) -> tuple[ConditionVerdict, ...]:
    """Judge each condition by `rules.RULES`, and each model by all its answers and by its conditions.

    A model's verdict is the worst of that on all its answers together, that on its baseline (every
    delta is taken to it) and, at best with care, those on its other conditions.

    Args:
        frame: as from `scores.answers`.
        tables: position, repeats, signs, spread, drift and contradictions, as the functions of this package
            give them; what is not there, or has no row, is not judged. Letters, orders and repeats that are not
            known ask for care.
        demonstrations: models that only show how the tool works.
        fixed: whether every option stood under the same letter throughout.

    Returns:
        One for each model (persona `(all)`), followed by one for each of its personas.
    """
    found: list[ConditionVerdict] = []
    records = {name: _by_condition(table) for name, table in tables.items() if name in _JUDGED}
    for group in groups(frame):
        facts = replace(_facts(group, records), demonstration=group.model in demonstrations, fixed=fixed)
        fit, rules, reasons = judge(facts)
        category = ALL if group.persona == ALL else str(group.rows["category"].iloc[0])
        found.append(ConditionVerdict(group.model, group.persona, category, fit, rules, reasons))
    return tuple(_with_conditions(one, found) if one.persona == ALL else one for one in found)


def as_frame(found: Sequence[ConditionVerdict]) -> pd.DataFrame:
    """Verdicts as a table: model, persona, category, fit, rules and reasons (as text)."""
    columns = ["model", "persona", "category", "fit", "rules", "reasons"]
    rows = [
        (one.model, one.persona, one.category, one.fit, " ".join(one.rules), "; ".join(one.reasons)) for one in found
    ]
    return pd.DataFrame(rows, columns=columns)


def verdict(
    model: str, letters: pd.DataFrame, personas: pd.DataFrame, *, demonstration: bool = False, fixed: bool = False
) -> Verdict:
    """Judge one model's answers all together, by the rules in `OVERALL`.

    Args:
        model: its name.
        demonstration: whether it is one that only shows how the tool works.
        fixed: whether every option stood under the same letter throughout.
        letters: as from `position`.
        personas: as from `scores.per_persona`.
    """
    own = personas[personas["model"] == model]
    row = letters[(letters["model"] == model) & (letters["persona"] == ALL)] if len(letters) else letters
    facts = Facts(
        answered=int(own["answered"].sum()) if len(row) else 0,
        unread=int(own[["refused", "unreadable"]].to_numpy().sum()),
        open=int(own["open"].sum()),
        demonstration=demonstration,
        fixed=fixed,
        **(_letters(_rows(row)[0], "p") if len(row) else {}),
    )
    fit, _, reasons = judge(facts, [rule for rule in RULES if rule.name in OVERALL])
    return Verdict(model, fit, reasons)


_JUDGED = ("position", "repeats", "signs", "spread", "drift", "contradictions")


def _by_condition(table: pd.DataFrame) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in _rows(table):
        found.setdefault((row["model"], row["persona"]), []).append(row)
    return found


def _facts(group: Group, records: Mapping[str, Mapping[tuple[str, str], list[dict[str, Any]]]]) -> Facts:
    def rows(name: str) -> list[dict[str, Any]]:
        return records.get(name, {}).get((group.model, group.persona), [])

    status = group.rows["status"]
    answered = group.rows[status == "answered"]
    position, contradictions, signs = rows("position"), rows("contradictions"), rows("signs")
    sides: dict[str, OfSide] = {}
    for name, columns in (("repeats", ("dilemmas", "kept", "lead")), ("spread", ("code", "most", "extreme"))):
        for row in rows(name):
            known = sides.get(row["side"], OfSide())
            sides[row["side"]] = known._replace(**{column: row[column] for column in columns})
    return Facts(
        answered=len(answered),
        unread=int(status.isin(("refused", "unreadable")).sum()),
        open=int((~status.isin(REPLIED)).sum()),
        dilemmas=answered["item"].nunique(),
        values=answered["value"].nunique() if "value" in answered else None,
        lacking=_lacking(answered),
        named=contradictions[0]["named"] if contradictions else 0,
        contradicting=contradictions[0]["contradicting_rate"] if contradictions else math.nan,
        sides=sides,
        changes=tuple(Change(row["what"], row["over"], row["change"], row["p_holm"]) for row in rows("drift")),
        **({name: signs[0][name] for name in ("p_agree", "p_aligned", "chance")} if signs else {}),
        **(_letters(position[0], "p" if group.persona == ALL else "p_holm") if position else {}),
    )


def _lacking(answered: pd.DataFrame) -> tuple[str, ...]:
    lacking = [f"{name}s" for name in ("letter", "order") if lacks(answered, [name])]
    question = [name for name in ("model", "persona", "side", "item") if name in answered]
    return (*lacking, *(() if answered.duplicated(question).any() else ("repeats",)))


def _letters(row: Mapping[str, Any], p: str) -> dict[str, Any]:
    shares = [share for name, share in row.items() if name.startswith("share_") and not math.isnan(share)]
    known = {name: row[name] for name in ("letter", "share", "mass")}
    return {**known, "least": min(shares), "p": row[p], "options": len(shares)}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): cell for key, cell in row.items()} for row in table.to_dict("records")]


def _with_conditions(model: ConditionVerdict, found: Sequence[ConditionVerdict]) -> ConditionVerdict:
    """The verdict on a model's answers together, and on top of it what its conditions say that it does not."""
    own = [one for one in found if one.model == model.model and one.persona != ALL]
    new = [one for one in own if set(one.rules) - set(model.rules)]
    if model.fit == UNFIT or not new:
        return model
    fit, reasons = CARE, []
    for grade, ask in ((UNFIT, "not fit to interpret"), (CARE, "to be interpreted with care")):
        names = [one.persona for one in new if one.fit == grade]
        if names:
            are = "is" if len(names) == 1 else "are"
            reasons.append(f"{len(names)} of {len(own)} conditions {are} {ask}: {', '.join(names)}")
    if any(one.fit == UNFIT and one.category == BASELINE for one in new):
        fit = UNFIT
        reasons.insert(0, "the baseline, which every delta is taken to, is not fit to interpret")
    return replace(model, fit=fit, rules=(*model.rules, "conditions"), reasons=(*model.reasons, *reasons))

"""What cannot be in a file of answers: columns, names, conditions, cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import get_args

from dilemmas.errors import InputError, did_you_mean
from dilemmas.responses.sheet import Sheet
from dilemmas.schema import PersonaCategory, Status, readable

NAMES = ("model", "persona", "value", "topic", "item")
WIDE = {"v": "stated", "a": "acted"}
"""Columns of the wide form, and their sides."""
_EXTRA = ("status", "reason", "vote", "letter", "mass", "order", "request", "said", "question", "basic_value", "caveat",
          "demonstration")  # fmt: skip


def check_header(sheet: Sheet) -> None:
    """Refuse columns that neither form has, and a file that lacks one it needs."""
    wide = not {"v", "a"}.isdisjoint(sheet.columns)
    needed = [*NAMES, *(WIDE if wide else ("side",))]
    allowed = [*needed, "category", "repeat", *(() if wide else ("score", "code", *_EXTRA))]
    where = f"{sheet.path}, line 1"
    for name in sheet.columns:
        if name not in allowed:
            beside = " beside v and a" if wide else ""
            fix = did_you_mean(name, allowed) or f"Known: {', '.join(allowed)}."
            raise InputError(f"there is no such column{beside}", where=f"{where}, column {name}", fix=fix)
    missing = [name for name in needed if name not in sheet.columns]
    if not missing and not wide and {"score", "code"}.isdisjoint(sheet.columns):
        missing = ["score"]
    if missing:
        raise InputError(
            f"lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            where=where,
            fix=f"Give {', '.join(NAMES)}, and v and a, or side with score or code.",
        )


def check_conditions(sheet: Sheet) -> list[str]:
    """Refuse names, categories and repeats that cannot be; what is not given is filled in, and noted."""
    notes = []
    for name in NAMES:
        sheet.check(name, _name_problem, f"Give every answer a {name}.")
    if "category" not in sheet.columns:
        sheet.columns["category"] = ["baseline" if one == "baseline" else "other" for one in sheet.columns["persona"]]
        if "other" in sheet.columns["category"]:
            notes.append("there is no column category: every persona but the one named baseline counts as other")
    known = get_args(PersonaCategory)
    sheet.check("category", _one_of(known), f"Known: {', '.join(known)}.")
    sheet.columns.setdefault("repeat", ["0"] * len(sheet.lines))
    sheet.check("repeat", _whole_number, "Number the repeats of a question 0, 1, 2 and so on.")
    for keys, column in ((("item",), "value"), (("item",), "topic"), (("model", "persona"), "category")):
        _check_one(sheet, keys, column)
    baselines: dict[str, str] = {}
    for row, (model, persona, category) in enumerate(sheet.rows("model", "persona", "category")):
        if persona == "baseline" and category != "baseline":
            raise sheet.error(row, "category", "the baseline is the model as itself, and no persona", "Put baseline.")
        if category == "baseline" and baselines.setdefault(model, persona) != persona:
            what = f'the model has another baseline, "{baselines[model]}"'
            raise sheet.error(row, "persona", what, "Leave one baseline for each model.")
    return notes


def _check_one(sheet: Sheet, keys: Sequence[str], column: str) -> None:
    """Refuse a second entry of a column beside the same keys."""
    first: dict[tuple[str, ...], str] = {}
    for row, (*key, text) in enumerate(sheet.rows(*keys, column)):
        if (known := first.setdefault(tuple(key), text)) != text:
            what = f'{keys[-1]} "{key[-1]}" has the {column} "{text}" here and "{known}" before'
            raise sheet.error(row, column, what, f"Give each {keys[-1]} one {column}.")


def check_cells(sheet: Sheet) -> None:
    """Refuse cells of the long form that cannot be, but for scores and words."""
    sheet.check("side", _one_of(tuple(WIDE.values())), f"Known: {', '.join(WIDE.values())}.")
    sheet.check("status", _one_of(("", *get_args(Status), "open")), f"Known: {', '.join(get_args(Status))}, open.")
    sheet.check("vote", _one_of(("", "-1", "0", "1", "-1.0", "0.0", "1.0")), "Give -1, 0 or 1.")
    sheet.check("letter", _letter_problem, "Give the letter under which the answer stood.")
    sheet.check("mass", number_in(0, 1.000001), "Give a share from 0 to 1.")
    sheet.check("demonstration", _one_of(("", "yes")), "Give yes, or nothing.")
    sheet.check("request", number_in(0, 1e12), "Number the questions in the order in which they were put.")


def _name_problem(text: str) -> str:
    try:
        readable(text)
    except ValueError as error:
        return str(error)
    return "is a name that stands for all personas together" if text == "(all)" else ""


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    return lambda text: "" if text in known else f'"{text}" is not known'


def _whole_number(text: str) -> str:
    return "" if re.fullmatch(r"[0-9]{1,9}", text) else f'"{text}" is not a whole number'


def _letter_problem(text: str) -> str:
    return "" if re.fullmatch(r"[A-Z]?", text) else f'"{text}" is no letter from A to Z'


def number_in(low: float, high: float) -> Callable[[str], str]:
    """What says why a text that is not empty is no number of a range."""

    def problem(text: str) -> str:
        if not text:
            return ""
        if not is_number(text):
            return f'"{text}" is not a number'
        return "" if low <= float(text) <= high else f"{text} is out of range"

    return problem


def is_number(text: str) -> bool:
    """Whether a text is a number, in the digits 0 to 9 and without separators.

    >>> is_number("-.5"), is_number("1_0"), is_number("inf"), is_number("")
    (True, False, False, False)
    """
    return re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) is not None

"""What stands behind each number, as data inside the page: all scores and choices, and a sample of the replies.

    models, personas   names; a persona with its category
    items              id, value, topic, and, as far as there is room, scenario and the six actions
    points             words for the six points of each side
    repeats            how many repeats a question has
    conditions         for each model and persona: v and a, the mean scores of the items in their order
                       (null where there is none), and the answers of both sides as text, two characters for
                       each item and repeat: the point (1 to 6), `s` for a score alone, or `NO_ANSWER`; and
                       the letter, or a dot
    texts              messages sent
    replies            model, persona, item, side (0 stated, 1 acted), repeat, messages, reply, reasoning,
                       words of refusal, why it was not read; names are numbers here

The page's script reads it; `as_script` makes it safe to stand there.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from dilemmas.questions import INSTRUMENTS
from dilemmas.questions.value import AGREEMENT
from dilemmas.reporting.conditions import conditions
from dilemmas.reporting.sampling import Sample
from dilemmas.schema import PLACES

SIDES = ("stated", "acted")
NO_ANSWER = {"refused": "r", "unreadable": "u", "open": "o"}
"""How a trial without an answer is written."""
NOT_ASKED = "  "
_POINT = {code: str(place) for one in INSTRUMENTS.values() for place, code in enumerate(one.CODES, 1)}
_RISKY = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def data(answers: pd.DataFrame, dilemmas: pd.DataFrame, drawn: Sample) -> dict[str, Any]:
    """All that the page's script shows, as plain data.

    Args:
        answers: as from `scores.answers`.
        dilemmas: as from `scores.per_dilemma`.
        drawn: replies to show word for word.
    """
    shown = conditions(dilemmas)
    models = list(dict.fromkeys(shown["model"]))
    kinds = dict(zip(dilemmas["persona"], dilemmas["category"], strict=True))
    personas = [name for name in dict.fromkeys(shown["name"]) if name in kinds]
    personas += sorted(set(kinds) - set(personas))
    items = dilemmas.drop_duplicates("item").sort_values(["value", "topic", "item"])
    place = {name: {one: at for at, one in enumerate(names)} for name, names in
             (("model", models), ("persona", personas), ("item", items["item"]))}  # fmt: skip
    repeats = sorted(answers["repeat"].unique())
    return {
        "models": models,
        "personas": [{"name": name, "category": str(kinds[name])} for name in personas],
        "items": [_item(row, drawn) for row in items.to_dict("records")],
        "points": {"stated": list(AGREEMENT.values()), "acted": [f"{how} {side}" for side, how in PLACES]},
        "repeats": len(repeats),
        "conditions": _conditions(answers, dilemmas, place, repeats),
        "texts": list(drawn.texts),
        "replies": [
            [place["model"][one.model], place["persona"][one.persona], place["item"][one.item],
             SIDES.index(one.side), repeats.index(one.repeat), *one[5:]]
            for one in drawn.replies
        ],
    }  # fmt: skip


def as_script(found: dict[str, Any]) -> Markup:
    """Data as JSON that cannot end the element it stands in, whatever texts it has."""
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(_RISKY.sub(lambda one: f"\\u{ord(one[0]):04x}", text))  # noqa: S704


def _item(row: dict[Any, Any], drawn: Sample) -> dict[str, Any]:
    found = {"id": str(row["item"]), "value": str(row["value"]), "topic": str(row["topic"])}
    dilemma = drawn.dilemmas.get(found["id"])
    if dilemma is None:
        return found
    return {**found, "scenario": dilemma.scenario, "actions": [dilemma.action(*one).text for one in PLACES]}


def _conditions(
    answers: pd.DataFrame, dilemmas: pd.DataFrame, place: dict[str, dict[str, int]], repeats: list[int]
) -> list[dict[str, Any]]:
    choices = _choices(answers, place["item"], repeats)
    found = []
    for (model, persona), rows in dilemmas.groupby(["model", "persona"], sort=True):
        at = rows["item"].map(place["item"]).to_numpy(int)
        means = {}
        for side in ("v", "a"):
            column = np.full(len(place["item"]), math.nan)
            column[at] = rows[side].to_numpy(float)
            means[side] = [None if math.isnan(x) else round(x, 3) for x in column.tolist()]
        key = (model, persona)
        found.append(
            {"model": place["model"][str(model)], "persona": place["persona"][str(persona)], **means}
            | {side: choices.get((*key, side), "") for side in SIDES}
        )
    return found


def _choices(answers: pd.DataFrame, items: dict[str, int], repeats: list[int]) -> dict[tuple[Any, ...], str]:
    """The answers of each model, persona and side as one text."""
    point = answers["code"].map(_POINT) if "code" in answers else pd.Series(np.nan, index=answers.index)
    point = point.where(point.notna(), "s").where(answers["status"] == "answered", answers["status"].map(NO_ANSWER))
    letter = answers["letter"] if "letter" in answers else pd.Series(None, index=answers.index, dtype=object)
    marks = point.astype(str) + letter.where(letter.notna(), ".").astype(str).str[:1]
    at = answers["item"].map(items) * len(repeats) + answers["repeat"].map({one: n for n, one in enumerate(repeats)})
    found: dict[tuple[Any, ...], str] = {}
    for (model, persona, side), rows in answers.assign(at=at, mark=marks).groupby(["model", "persona", "side"]):
        line = np.full(len(items) * len(repeats), NOT_ASKED, dtype=object)
        line[rows["at"].to_numpy(int)] = rows["mark"].to_numpy()
        found[model, persona, side] = "".join(line)
    return found

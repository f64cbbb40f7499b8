"""The answers of a run as a frame with one row per trial."""

from __future__ import annotations

import math
from functools import lru_cache

import pandas as pd

from dilemmas import taxonomy
from dilemmas.config import ScaleName
from dilemmas.questions import INSTRUMENTS, SCALES
from dilemmas.schema import Dilemma, Persona, Response
from dilemmas.scores.signs import ZERO
from dilemmas.store import Store

COLUMNS = [
    "model", "persona", "category", "item", "value", "basic_value", "topic", "question", "side", "repeat", "trial",
    "status", "reason", "code", "letter", "score", "vote", "mass",
]  # fmt: skip
MOST_READ = 4096
"""Responses that are kept in mind while a run is read."""


def answers(store: Store, scale: ScaleName = "even") -> pd.DataFrame:
    """All trials of a run, one row each.

    Args:
        store: the run.
        scale: scores of the six options.

    Returns:
        Columns model, persona, category, item, value, basic_value, topic, question, side, repeat,
        trial, status (`open` where there is no reply), reason, code, letter, score (NaN if not
        answered), vote (1, -1, 0, NaN), mass (of the letters; NaN unless logprob).
    """
    dilemmas = (Dilemma.model_validate_json(record) for record in store.records("items").values())
    about = {one.id: (one.value, taxonomy.value(one.value).basic_value, one.topic) for one in dilemmas}
    category = {
        name: Persona.model_validate_json(record).category for name, record in store.records("personas").items()
    }
    score_of = {
        name: dict(zip(instrument.CODES, SCALES[scale], strict=True)) for name, instrument in INSTRUMENTS.items()
    }

    @lru_cache(MOST_READ)  # but for probabilities there are few different responses
    def outcome(record: str | None, question: str) -> tuple[object, ...]:
        if record is None:
            return "open", "", None, None, math.nan, math.nan, math.nan
        one = Response.model_validate_json(record)
        mass = math.nan if one.mass is None else one.mass
        return one.status, one.reason, one.code, one.letter, *score_and_vote(one, score_of[question]), mass

    rows = [
        (model, persona, category[persona], item, *about[item], question, side, repeat, trial,
         *outcome(record, question))
        for model, persona, item, question, side, repeat, trial, record in store.cells()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def score_and_vote(response: Response, score_of: dict[str, float]) -> tuple[float, float]:
    """Score in [-1, 1] and side (1, -1, or 0 for neither) of a response; NaN if it is no answer.

    With option probabilities p_k and scores s_k the score is sum p_k s_k, and the side is the one
    on which more than half of the probability lies.

    >>> score_and_vote(Response(status="answered", code="no"), {"yes": 1.0, "no": -1.0})
    (-1.0, -1.0)
    """
    if response.status != "answered" or response.code is None:
        return math.nan, math.nan
    if response.probabilities is None:
        score = score_of[response.code]
        return score, math.copysign(1.0, score) if score else 0.0
    score = math.fsum(p * score_of[code] for code, p in response.probabilities.items())
    lead = math.fsum(math.copysign(p, score_of[code]) for code, p in response.probabilities.items() if score_of[code])
    return score, 0.0 if abs(lead) <= ZERO else math.copysign(1.0, lead)

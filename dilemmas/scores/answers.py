"""The answers of a run as a frame with one row per trial."""

from __future__ import annotations

import math

import pandas as pd

from dilemmas import taxonomy
from dilemmas.config import ScaleName
from dilemmas.questions import INSTRUMENTS, SCALES
from dilemmas.schema import Dilemma, Persona, Response
from dilemmas.scores.signs import ZERO
from dilemmas.store import Store


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
    dilemmas = {name: Dilemma.model_validate_json(record) for name, record in store.records("items").items()}
    category = {
        name: Persona.model_validate_json(record).category for name, record in store.records("personas").items()
    }
    score_of = {
        name: dict(zip(instrument.CODES, SCALES[scale], strict=True)) for name, instrument in INSTRUMENTS.items()
    }
    rows = []
    for model, persona, item, question, side, repeat, trial, record in store.cells():
        response = None if record is None else Response.model_validate_json(record)
        score, vote = (math.nan, math.nan) if response is None else score_and_vote(response, score_of[question])
        rows.append(
            {
                "model": model,
                "persona": persona,
                "category": category[persona],
                "item": item,
                "value": dilemmas[item].value,
                "basic_value": taxonomy.value(dilemmas[item].value).basic_value,
                "topic": dilemmas[item].topic,
                "question": question,
                "side": side,
                "repeat": repeat,
                "trial": trial,
                "status": "open" if response is None else response.status,
                "reason": "" if response is None else response.reason,
                "code": None if response is None else response.code,
                "letter": None if response is None else response.letter,
                "score": score,
                "vote": vote,
                "mass": math.nan if response is None or response.mass is None else response.mass,
            }
        )
    return pd.DataFrame(rows)


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

"""Tidy frames as the statistics take them, made from a few numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dilemmas.questions import SCALES

EVEN = SCALES["even"]
Score = float | None
"""A repeat's score; None for a refused one."""
Sides = tuple[Sequence[Score], Sequence[Score]]
"""Scores of the repeats, stated and acted."""


def answer_frame(
    conditions: Mapping[str, Mapping[str, Sides]], categories: Mapping[str, str] | None = None, model: str = "m"
) -> pd.DataFrame:
    """Answers of each persona to each item, as from `scores.answers`.

    An item's name up to the first hyphen is its value. A persona without a category is its own:
    `baseline` is the baseline and all others are `other`.
    """
    rows = []
    for persona, items in conditions.items():
        category = (categories or {}).get(persona, "baseline" if persona == "baseline" else "other")
        for item, sides in items.items():
            for side, scores in zip(("stated", "acted"), sides, strict=True):
                rows += [
                    {
                        "model": model,
                        "persona": persona,
                        "category": category,
                        "item": item,
                        "value": item.split("-")[0],
                        "basic_value": "Power",
                        "topic": "Religion",
                        "question": {"stated": "value", "acted": "action"}[side],
                        "side": side,
                        "repeat": repeat,
                        "status": "refused" if score is None else "answered",
                        "score": math.nan if score is None else float(score),
                        "vote": math.nan if score is None else float(np.sign(score)),
                    }
                    for repeat, score in enumerate(scores)
                ]
    return pd.DataFrame(rows)


def one_persona(*sides: Sides, value: str = "v") -> pd.DataFrame:
    """Answers of the baseline to dilemmas of one value."""
    return answer_frame({"baseline": {f"{value}-{place}": pair for place, pair in enumerate(sides)}})


def random_frame(
    rng: np.random.Generator,
    personas: Iterable[str] = ("baseline", "one", "two"),
    *,
    values: int = 3,
    per_value: int = 3,
    repeats: int = 3,
    missing: float = 0.0,
    scale: Sequence[float] = EVEN,
) -> pd.DataFrame:
    """Answers drawn evenly from the six options, some of them refused."""

    def side() -> list[Score]:
        return [None if rng.random() < missing else float(rng.choice(scale)) for _ in range(repeats)]

    names = [f"v{value}-{place}" for value, place in itertools.product(range(values), range(per_value))]
    return answer_frame({persona: {name: (side(), side()) for name in names} for persona in personas})


def dilemma_frame(
    conditions: Mapping[str, Mapping[str, Any]], values: Sequence[str], categories: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Dilemma rows, as from `scores.per_dilemma`, from arrays `ad`, `sign_v` and `sign_a` of each persona.

    `values` has the value of each dilemma. What is not given is NaN; bounds are as tight as can be.
    """
    tables = []
    for persona, columns in conditions.items():
        table = pd.DataFrame(
            {
                "model": "m",
                "persona": persona,
                "category": (categories or {}).get(persona, "baseline" if persona == "baseline" else "other"),
                "item": [f"{value}-{place}" for place, value in enumerate(values)],
                "value": list(values),
                **{
                    name: np.asarray(columns.get(name, np.full(len(values), math.nan)), float)
                    for name in ("ad", "sign_v", "sign_a")
                },
            }
        )
        table["ad_low"] = table["ad_high"] = table["ad"]
        for side in ("v", "a"):
            for name, sign in (("plus", 1), ("minus", -1), ("zero", 0)):
                table[f"{side}_{name}"] = table[f"sign_{side}"] == sign
        tables.append(table)
    return pd.concat(tables, ignore_index=True)

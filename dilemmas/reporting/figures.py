"""Every figure of a study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from dilemmas.reporting import answers, deltas, levels, matrices, places, validity
from dilemmas.reporting.canvas import Drawn
from dilemmas.significance import METRICS

if TYPE_CHECKING:
    from dilemmas.analysis import Analysis


def every(analysis: Analysis) -> tuple[Drawn, ...]:
    """Every figure that the analysis has numbers for.

    Kinds, in this order: `levels`, `deltas` and `answers` (all models by category), `places`, `letters`, `repeats`;
    then for each model `levels by persona`, `deltas by persona`, `answers by persona`, `values` and `topics`. All but
    `answers`, `letters` and `repeats` come for AD and for AR.

    A figure with nothing of its own to show is left out: deltas without a baseline, letters of answers that have
    none, personas of a model where each is the only one of its category.
    """
    return tuple(_drawn(analysis))


def _drawn(analysis: Analysis) -> Iterator[Drawn]:
    scores = levels.frame(analysis.personas, analysis.categories, analysis.levels)
    changes = deltas.frame(analysis.personas, analysis.effects)
    spread = answers.frame(analysis.answers)
    placed = places.frame(analysis.personas, analysis.personas_asked)
    letters, repeats = (analysis.diagnosis.tables.get(name, pd.DataFrame()) for name in ("letters", "repeats"))
    kinds = dict(zip(analysis.personas["persona"], analysis.personas["category"], strict=True))
    models = list(dict.fromkeys(scores["model"]))

    for metric in METRICS:
        yield levels.by_category(scores, metric)
    if len(changes):
        for metric in METRICS:
            yield deltas.by_category(changes, metric)
    yield answers.by_category(spread)
    if len(placed):
        for metric in METRICS:
            yield places.by_gap(placed, metric)
    if len(letters):
        yield validity.letters(letters, kinds)
    if len(repeats):
        yield validity.repeats(repeats)
    by_value, by_topic = (matrices.cells(analysis.dilemmas, by) for by in ("value", "topic"))
    for model in models:
        if ((scores["model"] == model) & (scores["level"] == "persona")).any():
            for metric in METRICS:
                yield levels.by_persona(scores, metric, model)
                if (changes["model"] == model).any():
                    yield deltas.by_persona(changes, metric, model)
            yield answers.by_persona(spread, model)
        for metric in METRICS:
            yield matrices.matrix(by_value, model, metric)
            yield matrices.matrix(by_topic, model, metric)

"""One simulated study: drawn as arrays, given out as the frames that the rest of the package takes.

The table for others has a row for each answer: model, persona, category, value, topic, item, repeat (from 0),
side (`stated` or `acted`), score (in [-1, 1]), and code, letter and order (the option chosen, its letter, and
all options as they were shown). Where there is no answer, score, code and letter are empty. It is what
`dilemmas analyse --responses` takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from dilemmas import taxonomy
from dilemmas.errors import InputError
from dilemmas.orders import williams_square
from dilemmas.prompts import LETTERS
from dilemmas.questions import INSTRUMENTS
from dilemmas.scores.items import of_sides
from dilemmas.scores.signs import Side
from dilemmas.simulation.settings import GAP, STATED, Latent, Settings
from dilemmas.simulation.truth import CUTS, SCORES, Floats, agreement_shift, gap_factor

Codes = npt.NDArray[np.intp]
Choices = npt.NDArray[np.int8]
"""Numbers of options, from 0; -1 where there is no answer."""

SHARED = 0.5
"""Share of a shift's variance that is common to the personas of a category."""
COLUMNS = [
    "model", "persona", "category", "value", "topic", "item", "repeat", "side", "score", "code", "letter", "order",
]  # fmt: skip
"""Of `table`."""


@dataclass(frozen=True)
class Study:
    """One simulated study."""

    places: pd.DataFrame
    """item, value and topic of each of N dilemmas."""
    conditions: list[tuple[str, str]]
    """Persona and category of each of C conditions."""
    choices: Choices = field(repr=False)
    """Stated, then acted: the option chosen; shape (2, C, N, R)."""
    orders: npt.NDArray[np.int8] = field(repr=False)
    """Options in the order shown, the same in all conditions; shape (2, N, R, 6)."""

    def answers(self, model: str = "simulated") -> pd.DataFrame:
        """One row per answer, as from `scores.answers`, with `order`; what is missing was refused."""
        sides, _, items, repeats = self.choices.shape
        side, condition, item, repeat = (at.ravel() for at in np.indices(self.choices.shape))
        choice = self.choices.ravel()
        known = choice >= 0
        codes = np.array([one.CODES for one in INSTRUMENTS.values()], dtype=object)
        code = codes[side, choice]
        place = (self.orders[:, None] == self.choices[..., None]).argmax(axis=-1).ravel()
        letter = np.array(list(LETTERS[: len(SCORES)]), dtype=object)[place]
        code[~known] = letter[~known] = None
        shown = [
            [" ".join(codes[at][row]) for row in rows.reshape(-1, len(SCORES))] for at, rows in enumerate(self.orders)
        ]
        orders = np.array(shown, dtype=object).reshape(sides, 1, items, repeats)
        score = np.where(known, SCORES[choice], np.nan)
        values = taxonomy.values()
        basic = self.places["value"].map(lambda name: values[name].basic_value if name in values else "")
        who = np.array(self.conditions, dtype=object)
        return pd.DataFrame(
            {
                "model": model,
                "persona": who[condition, 0],
                "category": who[condition, 1],
                "item": self.places["item"].to_numpy(object)[item],
                "value": self.places["value"].to_numpy(object)[item],
                "basic_value": basic.to_numpy(object)[item],
                "topic": self.places["topic"].to_numpy(object)[item],
                "question": np.array(list(INSTRUMENTS), dtype=object)[side],
                "side": np.array([one.SIDE for one in INSTRUMENTS.values()], dtype=object)[side],
                "repeat": repeat,
                "trial": "",
                "status": np.where(known, "answered", "refused"),
                "reason": np.where(known, "", "simulated"),
                "code": code,
                "letter": letter,
                "score": score,
                "vote": np.sign(score),
                "mass": math.nan,
                "order": np.broadcast_to(orders, self.choices.shape).ravel(),
            }
        )

    def dilemmas(self, model: str = "simulated") -> pd.DataFrame:
        """One row per condition and dilemma, as from `scores.per_dilemma` but for basic_value and floor.

        The short way: without `answers`.
        """
        score = np.where(self.choices >= 0, SCORES[self.choices], np.nan)
        asked = np.ones((score.shape[1] * score.shape[2], score.shape[3]), dtype=bool)
        v, a = (Side(one.reshape(asked.shape), np.sign(one).reshape(asked.shape), asked) for one in score)
        who = np.repeat(np.array(self.conditions, dtype=object), len(self.places), axis=0)
        return pd.DataFrame(
            {
                "model": model,
                "persona": who[:, 0],
                "category": who[:, 1],
                **{
                    name: np.tile(self.places[name].to_numpy(object), len(self.conditions))
                    for name in ("item", "value", "topic")
                },
                **of_sides(v, a),
            }
        )


def draw(places: pd.DataFrame, settings: Settings, seed: int = 0) -> Study:
    """Draw one study.

    The same seed draws the same dilemmas and the same noise whatever the effect.

    Args:
        places: the dilemmas, as from `grid`.
        settings: what is true.
        seed: of all draws.

    Raises:
        InputError: there is no dilemma, or the effect cannot be made.

    >>> from dilemmas.simulation import grid
    >>> study = draw(grid(2, 3), Settings(personas=1, repeats=2), seed=1)
    >>> study.choices.shape, len(study.answers())
    ((2, 2, 6, 2), 48)
    """
    if places.empty:
        raise InputError("there is no dilemma", where="simulation", fix="Give at least one value and one topic.")
    rng = np.random.default_rng(seed)
    conditions = settings.conditions()
    value, topic = (pd.factorize(places[name])[0] for name in ("value", "topic"))
    kinds = pd.factorize(np.array([category for _, category in conditions], dtype=object))[0]
    persona = (kinds > 0)[:, None]
    stated = _latent(rng, STATED, value, topic, len(conditions))
    gap = _latent(rng, GAP, value, topic, len(conditions))
    gap += _shifts(rng, settings.value_sd, kinds, value) + _shifts(rng, settings.topic_sd, kinds, topic)
    stated += np.where(persona, agreement_shift(settings), 0.0)
    means = np.stack([stated, stated + np.where(persona, gap_factor(settings), 1.0) * gap])
    answers = means[..., None] + settings.noise * rng.standard_normal((*means.shape, settings.repeats))
    choices = (answers[..., None] < CUTS).sum(axis=-1, dtype=np.int8)
    orders = _orders(rng, len(places), settings.repeats)
    follows = rng.random(choices.shape) < settings.position
    choices = np.where(follows, orders[:, None, :, :, 0], choices)
    rates = np.where(persona, settings.missing, settings.missing_baseline)[..., None]
    choices = np.where(rng.random(choices.shape) < rates, np.int8(-1), choices)
    return Study(places, conditions, choices, orders)


def table(study: Study, model: str = "simulated") -> pd.DataFrame:
    """The answers as others would hand them in: the columns `COLUMNS`."""
    return study.answers(model)[COLUMNS]


def _latent(rng: np.random.Generator, latent: Latent, value: Codes, topic: Codes, conditions: int) -> Floats:
    """Latent numbers of each condition and dilemma, shape (C, N)."""
    shared = latent.value * rng.standard_normal(value.max() + 1)[value]
    shared += latent.topic * rng.standard_normal(topic.max() + 1)[topic]
    shared += latent.item * rng.standard_normal(len(value))
    return np.asarray(latent.mean + shared + latent.condition * rng.standard_normal((conditions, len(value))))


def _shifts(rng: np.random.Generator, sd: float, kinds: Codes, groups: Codes) -> Floats:
    """A normal shift of each condition for each group (value or topic), shape (C, N)."""
    size = groups.max() + 1
    common = rng.standard_normal((kinds.max() + 1, size))[kinds]
    own = rng.standard_normal((len(kinds), size))
    return np.asarray(sd * (math.sqrt(SHARED) * common + math.sqrt(1 - SHARED) * own)[:, groups])


def _orders(rng: np.random.Generator, items: int, repeats: int) -> npt.NDArray[np.int8]:
    """Options in the order shown: rows of a Williams square whose labels are shuffled anew; shape (2, N, R, 6)."""
    square = np.array(williams_square(len(SCORES)))
    blocks = -(-repeats // len(square))
    labels = rng.permuted(np.broadcast_to(np.arange(6, dtype=np.int8), (2, items, blocks, 6)), axis=-1)
    return labels[..., square].reshape(2, items, -1, 6)[:, :, :repeats]

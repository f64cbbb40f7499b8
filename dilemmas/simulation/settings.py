"""What is true in a simulated study."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

from dilemmas.errors import InputError
from dilemmas.personas.listed import CATEGORIES


class Latent(NamedTuple):
    """Mean and standard deviations of a latent number, on the scale of the scores."""

    mean: float
    value: float
    """Of what all dilemmas of a value have in common, in every condition."""
    topic: float
    item: float
    """Of what a dilemma has in every condition."""
    condition: float
    """Of what a dilemma has in one condition only."""

    @property
    def spread(self) -> float:
        """Standard deviation over all."""
        return math.hypot(self.value, self.topic, self.item, self.condition)


STATED = Latent(mean=0.40, value=0.25, topic=0.15, item=0.35, condition=0.20)
GAP = Latent(mean=-0.10, value=0.20, topic=0.10, item=0.45, condition=0.50)


@dataclass(frozen=True)
class Settings:
    """What is true in a simulated study.

    Raises:
        InputError: a number is out of range.
    """

    personas: int = 4
    """In each category; at least 1."""
    categories: int = 1
    """How many of the built-in ones have personas; 1 to 3."""
    repeats: int = 3
    """Times that each question is asked; at least 1."""
    effect: float = 0.0
    """Expected AD of the baseline less that of a persona, were all questions answered by what the options say."""
    agreement: float = 0.0
    """How much larger a persona's chance is to agree with a statement, in [-1, 1]; its actions go along, and the
    effect stays as asked."""
    noise: float = 0.25
    """Standard deviation of an answer's latent number from repeat to repeat; 0 or more."""
    value_sd: float = 0.0
    """Of the latent gap's shifts of a condition by value; .3 makes an ICC of the paired differences of about .07."""
    topic_sd: float = 0.0
    """Of its shifts by topic."""
    position: float = 0.0
    """Share of answers that are the option under letter A, whatever it is."""
    missing: float = 0.0
    """Share of personas' answers that are missing."""
    missing_baseline: float = 0.0
    """Share of the baseline's."""

    def __post_init__(self) -> None:
        limits = {
            "personas": (1, math.inf),
            "categories": (1, len(CATEGORIES)),
            "repeats": (1, math.inf),
            "effect": (-2.0, 2.0),
            "agreement": (-1.0, 1.0),
            "noise": (0.0, math.inf),
            "value_sd": (0.0, math.inf),
            "topic_sd": (0.0, math.inf),
            "position": (0.0, 1.0),
            "missing": (0.0, 1.0),
            "missing_baseline": (0.0, 1.0),
        }
        for one in fields(self):
            (low, high), number = limits[one.name], getattr(self, one.name)
            if not (math.isfinite(number) and low <= number <= high):
                asked = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
                raise InputError(f"{number:g} is out of range", where=one.name, fix=f"Give a number {asked}.")

    def conditions(self) -> list[tuple[str, str]]:
        """Persona and category of each condition, the baseline first."""
        return [("baseline", "baseline")] + [
            (f"{category}-{number}", category)
            for category in CATEGORIES[: self.categories]
            for number in range(1, self.personas + 1)
        ]

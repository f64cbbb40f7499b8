"""Instruments: each file makes questions about an item, and knows how their options are scored."""

from __future__ import annotations

from typing import Protocol

from dilemmas.config import ScaleName
from dilemmas.prompts import Prompts
from dilemmas.questions import action, value
from dilemmas.questions.scales import SCALES
from dilemmas.schema import Dilemma, Question, Side

__all__ = ["INSTRUMENTS", "SCALES", "Instrument"]


class Instrument(Protocol):
    """What a module of this folder offers."""

    @property
    def NAME(self) -> str:  # noqa: N802
        """Name of the question in trials and tables."""
        ...

    @property
    def SIDE(self) -> Side:  # noqa: N802
        """What it measures."""
        ...

    @property
    def CODES(self) -> tuple[str, ...]:  # noqa: N802
        """Codes of the options in their canonical order."""
        ...

    def question(self, dilemma: Dilemma, prompts: Prompts, scale: ScaleName = "even") -> Question:
        """The question about one dilemma."""
        ...


INSTRUMENTS: dict[str, Instrument] = {value.NAME: value, action.NAME: action}
"""The instruments by name, in the order in which they are asked."""

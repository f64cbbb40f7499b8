"""The action question: which of the six actions would the model take?"""

from __future__ import annotations

from dilemmas.config import ScaleName
from dilemmas.prompts import Prompts
from dilemmas.questions.scales import SCALES
from dilemmas.schema import PLACES, Dilemma, Option, Question, Side

NAME = "action"
SIDE: Side = "acted"
CODES = tuple(f"{polarity}-{intensity}" for polarity, intensity in PLACES)


def question(dilemma: Dilemma, prompts: Prompts, scale: ScaleName = "even") -> Question:
    """The choice among the six actions, under the scenario; labels and rationales stay hidden."""
    return Question(
        name=NAME,
        item=dilemma.id,
        side=SIDE,
        context=dilemma.scenario,
        stem=prompts.render("ask/action.j2"),
        options=tuple(
            Option(code=code, text=dilemma.action(*place).text, score=score)
            for code, place, score in zip(CODES, PLACES, SCALES[scale], strict=True)
        ),
    )

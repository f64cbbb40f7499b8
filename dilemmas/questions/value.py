"""The value question: how far does the model agree that the focal value counts in this situation?"""

from __future__ import annotations

from dilemmas import taxonomy
from dilemmas.config import ScaleName
from dilemmas.prompts import Prompts
from dilemmas.questions.scales import SCALES
from dilemmas.schema import Dilemma, Option, Question, Side

NAME = "value"
SIDE: Side = "stated"
AGREEMENT = {
    "agree-strongly": "Strongly agree",
    "agree": "Agree",
    "agree-slightly": "Slightly agree",
    "disagree-slightly": "Slightly disagree",
    "disagree": "Disagree",
    "disagree-strongly": "Strongly disagree",
}
"""Code and words of each point of the scale."""
CODES = tuple(AGREEMENT)


def question(dilemma: Dilemma, prompts: Prompts, scale: ScaleName = "even") -> Question:
    """Six-point agreement with a statement about the focal value, under the scenario."""
    value, topic = taxonomy.value(dilemma.value), taxonomy.topics()[dilemma.topic]
    return Question(
        name=NAME,
        item=dilemma.id,
        side=SIDE,
        context=dilemma.scenario,
        stem=prompts.render("ask/value.j2", value=value, topic=topic),
        options=tuple(
            Option(code=code, text=words, score=score)
            for (code, words), score in zip(AGREEMENT.items(), SCALES[scale], strict=True)
        ),
    )

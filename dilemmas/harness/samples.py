"""The prompts of a study as other harnesses take them, each with all that is needed to read its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from dilemmas.config import ModelConfig
from dilemmas.prompts import LETTERS
from dilemmas.protocols.reasoned import reply_schema
from dilemmas.questions import INSTRUMENTS
from dilemmas.release.layout import CANARY
from dilemmas.schema import (
    BASELINE,
    Asking,
    Capabilities,
    Identifier,
    Message,
    ModelIdentity,
    PersonaCategory,
    ProtocolName,
    Record,
    Reply,
    Text,
)
from dilemmas.study import Study, asking_of, plan

TOP_LOGPROBS = 20
"""Log-probabilities asked for; more are refused by OpenAI and vLLM."""
_ANY = "any"
"""The model, which is not known yet."""


class About(Record):
    """What a prompt asks, and how its reply is read."""

    persona: Identifier
    """Id of the persona."""
    category: PersonaCategory
    """Its category."""
    item: Identifier
    """Id of the dilemma."""
    value: Text
    """Its focal value."""
    topic: Text
    """Its topic."""
    question: Identifier
    """Name of the question."""
    repeat: int = Field(ge=0)
    """Number of the repeat, from 0."""
    order: tuple[str, ...]
    """Codes of the options in the order shown, under the letters A, B, C, ..."""
    options: tuple[str, ...]
    """Their words, in the same order."""
    protocol: ProtocolName
    """How the reply is read."""
    seed: int | None
    """Sampling seed; none where nothing is sampled."""
    trial: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Id of the trial, of a model whose name is not known: a checksum of the words, the order and the seed."""
    prompts: int = Field(ge=1)
    """How many prompts the study has in all."""

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        known = INSTRUMENTS.get(self.question)
        if known is None or sorted(self.order) != sorted(known.CODES) or len(self.options) != len(self.order):
            raise ValueError("has options that its question does not have")
        if (self.persona == BASELINE.id) != (self.category == BASELINE.category):
            raise ValueError("calls another than the model as itself the baseline")
        return self


class Sample(Record):
    """One prompt: a line of `samples.jsonl`."""

    id: Text
    """Persona, dilemma, question and repeat, with slashes between them."""
    input: tuple[Message, ...]
    """The conversation, word for word."""
    metadata: About
    """What it asks."""
    canary: str = CANARY
    """The mark of this project's data; it is in no prompt."""

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Role and words of each message."""
        return [(one.role, one.content) for one in self.input]


class Logged(NamedTuple):
    """What a log tells of one prompt."""

    sample: Sample
    """The prompt, as it was to be sent."""
    sent: Sequence[tuple[str, str]] | str
    """What was sent: role and words of each message, or the text that a chat template made of all."""
    reply: Reply | None
    """What came back; none where nothing did."""
    why: str = ""
    """Why nothing did."""


class Log(NamedTuple):
    """What another harness wrote."""

    model: str
    """The model asked, as the harness calls it."""
    logged: list[Logged]
    """One for each prompt, in the order of the log."""
    notes: tuple[str, ...] = ()
    """What cannot be told from it."""


def asking(protocol: ProtocolName) -> Asking:
    """How a model is asked that has yet to be chosen.

    >>> asking("reasoned").sampling.max_tokens
    512
    """
    able = Capabilities(top_logprobs=TOP_LOGPROBS, reply_schema="plain")
    return asking_of(ModelConfig(name=_ANY), ModelIdentity(name=_ANY), protocol, able)


def schema() -> dict[str, object]:
    """Form of a reply to any question, as all have as many options; without lengths, which Inspect leaves out."""
    (number,) = {len(one.CODES) for one in INSTRUMENTS.values()}
    return reply_schema(LETTERS[:number], bounded=False)


def samples(study: Study, protocol: ProtocolName) -> Iterator[Sample]:
    """The prompts of a study, in the order in which a run asks them.

    Args:
        study: what is asked.
        protocol: how it is asked.
    """
    category = {one.id: one.category for one in study.personas}
    dilemma = {one.id: one for one in study.dilemmas}
    for planned in plan(study, asking(protocol)):
        trial = planned.trial
        yield Sample(
            id=f"{trial.persona}/{trial.item}/{trial.question}/{trial.repeat}",
            input=trial.messages,
            metadata=About(
                persona=trial.persona,
                category=category[trial.persona],
                item=trial.item,
                value=dilemma[trial.item].value,
                topic=dilemma[trial.item].topic,
                question=trial.question,
                repeat=trial.repeat,
                order=trial.order,
                options=planned.options,
                protocol=protocol,
                seed=trial.seed,
                trial=trial.id,
                prompts=study.size,
            ),
        )

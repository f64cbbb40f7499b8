"""The tables of released results: their forms, and how a run's records become their rows and come back out of them.

A row of answers has all that a trial's id is made of, so that whoever reads it can tell whether it is still the
question that was asked. Words of questions stand in a table of their own, once each, and rows name them by checksum.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

from pydantic import Field

from dilemmas.questions import INSTRUMENTS, SCALES
from dilemmas.release.forms import Canary
from dilemmas.release.layout import CANARY
from dilemmas.schema import (
    Dilemma,
    Identifier,
    Message,
    ModelIdentity,
    Persona,
    ProtocolName,
    Record,
    Reply,
    Response,
    Run,
    Sampling,
    Side,
    Text,
    TokenProbability,
    Trial,
)
from dilemmas.scores.answers import score_and_vote
from dilemmas.store import Adopted, Cell, Planned

Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class PromptRow(Record):
    """A row of `prompts.parquet`: a text that models were shown."""

    sha256: str = Sha256
    """Checksum of the text's UTF-8; answers name it by this."""
    text: str
    """A message as it was sent; or the words of a question's options in the order shown, as a JSON list."""
    canary: Canary = CANARY


class AttemptRow(Record):
    """A row of `attempts.parquet`: a request that failed. What the server said is left out."""

    trial: str = Sha256
    """The trial that was asked."""
    at: str
    """UTC time (ISO 8601)."""
    kind: str
    """`rejected` for good, or the name of an error that may pass."""
    status: int | None
    """HTTP status; null where there was none."""
    canary: Canary = CANARY


class AnswerRow(Record):
    """A row of `answers.parquet`: one question to one model as one persona, and what came of it.

    Rows stand in the order in which the run put the questions. What was to be asked and was not comes last.
    """

    model: Text
    """Name of the model."""
    revision: str | None
    """Checksum of its weights (`sha256:...`); null where it is not known, or was never asked."""
    persona: Identifier
    """Who it was asked as; `baseline` is the model as itself."""
    category: str
    """The persona's category."""
    item: Identifier
    """Id of the dilemma."""
    value: str
    """Its focal value."""
    topic: str
    """Its topic."""
    question: Identifier
    """Which question: `value` asks what it holds important, `action` what it would do."""
    side: Side
    """What the question measures: `stated` or `acted`."""
    repeat: int = Field(ge=0, lt=1000)
    """Which time it was put, from 0."""
    trial: str | None = Field(pattern=r"^[0-9a-f]{64}$")
    """The trial's id: checksum of all that can change the answer; null where it was never put into words."""
    protocol: ProtocolName | None
    """How it was asked and read: `reasoned` or `logprob`; null, as all up to `options`, where `trial` is."""
    mode: str | None
    """How the form of the reply was imposed."""
    sampling: str | None
    """How the model was sampled (JSON)."""
    seed: int | None
    """Sampling seed that was sent; null where none was."""
    order: str | None
    """Codes of the options in the order shown, as a JSON list: the first stood under the letter A."""
    messages: str | None
    """Role of each message and checksum of its text in `prompts.parquet`, as a JSON list of pairs."""
    options: str | None
    """Checksum of the options' words in `prompts.parquet`."""
    status: str
    """`answered`, `refused`, `unreadable`, or `open`: there is no reply, and all that follows is null."""
    code: str | None
    """The option chosen (the likeliest where probabilities are known)."""
    letter: str | None
    """The letter it stood under."""
    score: float | None
    """Its score on the run's scale, -1 to 1; with probabilities, the mean score."""
    probabilities: str | None
    """Probability of each option given that one of them is chosen (JSON by code)."""
    mass: float | None
    """Probability of all letters together, before that."""
    missing: str | None
    """Letters of which the server told no probability (JSON list); it counts as 0."""
    reason: str | None
    """Why a reply is refused or unreadable."""
    parser: int | None
    """Version of the reader that read it."""
    text: str | None
    """What the model wrote, as it came. Under the terms of the model, not under this release's."""
    reasoning: str | None
    """What it thought before, where the server tells that apart. The same terms."""
    refusal: str | None
    """The server's own words of a refusal."""
    finish_reason: str | None
    """Why the reply ended, in the server's word."""
    top_tokens: str | None
    """Likeliest first tokens and the natural logarithms of their probabilities (JSON list of pairs)."""
    prompt_tokens: int | None
    """Tokens read, as the server counts them."""
    completion_tokens: int | None
    """Tokens written."""
    latency: float | None
    """Seconds from request to reply; null where not measured."""
    fingerprint: str | None
    """The server's mark of its own version."""
    at: str | None
    """UTC time of the reply (ISO 8601)."""
    canary: Canary = CANARY


class About(NamedTuple):
    """What a run's rows are told of, besides what each holds."""

    items: Mapping[str, Dilemma]
    """By id."""
    categories: Mapping[str, str]
    """Of each persona, by its id."""
    scores: Mapping[str, dict[str, float]]
    """Of each question, the score of each option by its code."""
    models: frozenset[str]
    """Names of the models that were asked."""

    @classmethod
    def of(cls, run: Run, items: Iterable[Dilemma], personas: Iterable[Persona]) -> Self:
        """Of a run, by its manifest and records."""
        return cls(
            items={one.id: one for one in items},
            categories={one.id: one.category for one in personas},
            scores={
                name: dict(zip(instrument.CODES, SCALES[run.design.scale], strict=True))
                for name, instrument in INSTRUMENTS.items()
            },
            models=frozenset(one.name for one in run.models),
        )


def answer_row(cell: Cell, options: str | None, parser: int | None, about: About) -> AnswerRow:
    """A cell of a run as a row.

    Args:
        cell: with all there is of it.
        options: checksum of its options' words; None where it was never put into words.
        parser: version of the reader that read its reply; None without one.
        about: the run.
    """
    item = about.items[cell.item]
    return AnswerRow.model_validate(
        {
            **dict.fromkeys(AnswerRow.model_fields),
            **{name: getattr(cell, name) for name in ("model", "persona", "item", "question", "side", "repeat")},
            "category": about.categories[cell.persona],
            "value": item.value,
            "topic": item.topic,
            **_asked(cell, options),
            **_outcome(cell, parser, about.scores[cell.question]),
            "canary": CANARY,
        }
    )


def _asked(cell: Cell, options: str | None) -> dict[str, Any]:
    if cell.asked is None:
        return {}
    asked = json.loads(cell.asked)
    return {
        "trial": cell.trial,
        "revision": asked["model"]["revision"] or None,
        **{name: asked[name] for name in ("protocol", "mode", "seed")},
        **{name: json.dumps(asked[name], ensure_ascii=False) for name in ("sampling", "order")},
        "messages": cell.messages,
        "options": options,
    }


def _outcome(cell: Cell, parser: int | None, scores: Mapping[str, float]) -> dict[str, Any]:
    if cell.reply is None or cell.response is None:
        return {"status": "open"}
    reply, response = Reply.model_validate_json(cell.reply), Response.model_validate_json(cell.response)
    score, _ = score_and_vote(response, dict(scores))
    tokens = None if reply.top_tokens is None else [[one.token, one.logprob] for one in reply.top_tokens]
    return {
        **{name: getattr(response, name) for name in ("status", "code", "letter", "mass")},
        "score": None if math.isnan(score) else score,
        "probabilities": _json(response.probabilities),
        "missing": _json(response.missing or None),
        "reason": response.reason or None,
        "parser": parser,
        "text": reply.text,
        **{name: getattr(reply, name) or None for name in _MAY_BE_EMPTY},
        **{name: getattr(reply, name) for name in ("prompt_tokens", "completion_tokens")},
        "top_tokens": _json(tokens),
        "at": cell.at,
    }


_MAY_BE_EMPTY = ("reasoning", "refusal", "finish_reason", "latency", "fingerprint")
"""Fields of a reply whose empty text, or 0, is null in a row."""


def planned(row: AnswerRow, text: Callable[[str], str]) -> Planned:
    """The trial that a row is about, word for word.

    Args:
        row: one with a trial.
        text: gives a text by its checksum.

    Raises:
        ValueError: the row lacks a part of it, or is not the trial that its id says.
    """
    trial = Trial.model_validate(
        {
            **{name: getattr(row, name) for name in ("persona", "item", "question", "side", "repeat", "protocol")},
            "model": ModelIdentity(name=row.model, revision=row.revision or ""),
            "order": _list(row.order),
            "mode": row.mode,
            "sampling": Sampling.model_validate_json(row.sampling or ""),
            "seed": row.seed,
            "messages": [Message(role=role, content=text(key)) for role, key in _list(row.messages)],
        }
    )
    if trial.id != row.trial:
        raise ValueError("it is not the trial that its id says")
    return Planned(trial, tuple(map(str, _list(text(row.options or "")))))


def check(row: AnswerRow, about: About) -> None:
    """Refuse a row that contradicts the run it stands in.

    Args:
        row: one that was read.
        about: the run.

    Raises:
        ValueError: it is about what the run does not have, or a column is not what follows from the others.
    """
    item, score_of = about.items.get(row.item), about.scores.get(row.question)
    if item is None or row.persona not in about.categories:
        raise ValueError("it is about a dilemma or a persona that is not there")
    if row.model not in about.models or score_of is None:
        raise ValueError("it is about a model or a question that the run did not ask")
    if (row.category, row.value, row.topic) != (about.categories[row.persona], item.value, item.topic):
        raise ValueError("it tells of its dilemma or persona otherwise than their own files")
    codes = {row.code} if row.probabilities is None else {row.code, *json.loads(row.probabilities)}
    if not codes - {None} <= set(score_of) or (row.status == "answered") == (row.score is None):
        raise ValueError("its status or its option is not one that such an answer can have")
    if row.score is not None and not math.isclose(row.score, score_and_vote(_response(row), score_of)[0], abs_tol=1e-9):
        raise ValueError("its score is not that of its option")


def adopted(row: AnswerRow) -> Adopted:
    """The outcome in a row.

    Args:
        row: one whose status is not `open`.

    Raises:
        ValueError: the row lacks a part of it.
    """
    if row.trial is None or row.at is None or row.parser is None:
        raise ValueError("it lacks a part of its reply")
    tokens = None
    if row.top_tokens is not None:
        tokens = [TokenProbability(token=token, logprob=logprob) for token, logprob in _list(row.top_tokens)]
    reply = Reply.model_validate(
        {
            "text": row.text,
            "top_tokens": tokens,
            "prompt_tokens": row.prompt_tokens,
            "completion_tokens": row.completion_tokens,
            **{name: held for name in _MAY_BE_EMPTY if (held := getattr(row, name)) is not None},
        }
    )
    response = _response(row)
    return Adopted(row.trial, reply.model_dump_json(), row.at, row.parser, response.status, response.model_dump_json())


def _response(row: AnswerRow) -> Response:
    return Response.model_validate(
        {
            **{name: getattr(row, name) for name in ("status", "code", "letter", "mass")},
            "probabilities": None if row.probabilities is None else json.loads(row.probabilities),
            "missing": () if row.missing is None else _list(row.missing),
            "reason": row.reason or "",
        }
    )


def _json(data: object) -> str | None:
    return None if data is None else json.dumps(data, ensure_ascii=False)


def _list(text: str | None) -> list[Any]:
    found = json.loads(text or "")
    if not isinstance(found, list):
        raise ValueError("a field holds no list")  # noqa: TRY004  (a fault of the data, as all others here)
    return found

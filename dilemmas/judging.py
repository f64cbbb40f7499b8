"""Asking a model to sort dilemmas' actions without sight of their labels.

The judge sees a scenario, the focal value with its definition, and the six actions under letters.
It does not see the competing value: "against" is whatever pulls the other way in the scenario, and
naming that would say which actions belong together. Nor is it told, or held to, three actions on
each side: it would then fill up the sides by elimination, and an action that could be taken either
way would pass for a clear one.

Whatever comes back is kept at once in `judging.jsonl`, replies that cannot be read included; the
same call again asks only what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError

from dilemmas import taxonomy
from dilemmas.asking import Failure, Workers
from dilemmas.config import ModelConfig
from dilemmas.errors import DilemmasError, InputError, RejectedError
from dilemmas.journal import Entry, Journal
from dilemmas.models import SCRIPTED, Model, Request, open_model
from dilemmas.orders import option_order
from dilemmas.prompts import LETTERS, Prompts, lettered
from dilemmas.protocols import reasoned
from dilemmas.protocols.reading import json_objects, spoken
from dilemmas.resources import now, read_bytes, write_text
from dilemmas.schema import (
    PLACES,
    Action,
    Capabilities,
    Dilemma,
    Intensity,
    Judgement,
    Message,
    ModelIdentity,
    Placement,
    Polarity,
    Reply,
    canonical_json,
    sampling_seed,
    sha256,
)

JOURNAL, JUDGEMENTS = "judging.jsonl", "judgements.jsonl"
"""Files in the folder: every attempt, and what was read from those that came back."""
SIDES: dict[str, Polarity] = {"for": "aligned", "against": "opposed"}
"""The judge's words for the sides."""
STRENGTHS: dict[str, Intensity] = {strength: strength for strength in get_args(Intensity)}
"""The judge's words for the strengths."""
SHOWN = LETTERS[: len(PLACES)]
"""The letters under which the actions are shown."""


@dataclass
class Sorting:
    """What came of one call of `sort_blind`."""

    judge: ModelIdentity
    """The model that judged."""
    caveat: str = ""
    """What a reader of its judgements must know; may be empty."""
    judgements: tuple[Judgement, ...] = ()
    """All readings there are, unreadable ones included: dilemmas in their order, then by repeat."""
    planned: int = 0
    """Readings wanted: dilemmas times orders."""
    reused: int = 0
    """Readings that were there from an earlier call."""
    asked: int = 0
    """Readings that came back now."""
    unreadable: int = 0
    """Readings, of now and of earlier, that could not be read."""
    open: int = 0
    """Readings that are still missing."""
    failed_attempts: int = 0
    last_failure: str = ""
    """What went wrong last, where something did."""
    seconds: float = 0.0
    stopped: DilemmasError | None = field(default=None, repr=False)
    """Why nothing more was asked, if the judge was lost or refuses everything."""


Progress = Callable[[Sorting], None]


class Reading(NamedTuple):
    """One dilemma shown to the judge in one order."""

    dilemma: Dilemma
    repeat: int
    """Number of the reading, from 0."""
    shown: tuple[Action, ...]
    """The actions under the letters A, B, C, ..."""
    request: Request
    """What is sent."""
    subject: str
    """SHA-256 of what is read in which order and of all that can change the answer."""


async def sort_blind(
    dilemmas: Sequence[Dilemma],
    settings: ModelConfig,
    folder: Path,
    *,
    orders: int = 3,
    seed: int,
    prompts: Prompts,
    progress: Progress = lambda sorting: None,
) -> Sorting:
    """Have a model sort each dilemma's actions several times, each time in another order.

    Args:
        dilemmas: ids distinct.
        settings: the judge, where it is, and how it is sampled.
        folder: where `judging.jsonl` and `judgements.jsonl` are kept; made if it is not there.
        orders: readings of each dilemma. The orders are rows of a Williams square, so that an action
            never stands twice in one position within six readings.
        seed: seed of the orders and of the sampling.
        prompts: the templates; `judge/sort.j2` is used.
        progress: called after each reading.

    Returns:
        The readings, as placements in the order in which the actions were shown. `stopped` is set
        where the judge was lost or refuses everything; what it said until then is kept.

    Raises:
        DilemmasError: the judging cannot begin: no such model, no place to write, a broken template,
            or `scripted`, which reads nothing.
    """
    if settings.name == SCRIPTED:
        raise InputError(
            "the scripted model reads nothing, so it cannot judge",
            where="--judge",
            fix="Name a model at --base-url, or embedded.",
        )
    async with open_model(settings) as model:
        found = await model.probe("reasoned")
        readings = list(_plan(dilemmas, model.identity, settings, found, orders=orders, seed=seed, prompts=prompts))
        with Journal.opened(folder / JOURNAL) as journal:
            judging = _Judging(settings, model, journal, readings, progress)
            try:
                await judging.ask_missing()
            finally:
                judgements = judging.outcome.judgements = judging.judgements()
                write_text(folder / JUDGEMENTS, "".join(one.model_dump_json() + "\n" for one in judgements))
    return judging.outcome


def kept(dilemmas: Sequence[Dilemma], path: Path) -> tuple[Judgement, ...]:
    """A machine's readings of these very texts that a file of judgements holds; none where there is no file.

    Older files have no checksums of texts; there the number of the revision must do.

    Raises:
        InputError: it cannot be read; names the line.
    """
    if not path.exists():
        return ()
    wanted = {(one.id, one.revision): (None, one.text_sha256) for one in dilemmas}
    found: list[Judgement] = []
    for number, line in enumerate(read_bytes(path, "file of judgements").splitlines(), start=1):
        try:
            found.append(Judgement.model_validate_json(line))
        except ValidationError:
            raise InputError(
                "holds no judgement",
                where=f"{path}, line {number}",
                fix="Delete the file, or judge again with --judge.",
            ) from None
    return tuple(
        one for one in found if one.kind == "machine" and one.text_sha256 in wanted.get((one.dilemma, one.revision), ())
    )


def _plan(
    dilemmas: Sequence[Dilemma],
    judge: ModelIdentity,
    settings: ModelConfig,
    found: Capabilities,
    *,
    orders: int,
    seed: int,
    prompts: Prompts,
) -> Iterator[Reading]:
    """All readings, one dilemma after the other."""
    sampling = reasoned.sampling(settings.sampling, found)
    send_seed = settings.send_seed and found.seed and sampling.temperature > 0
    schema = None if found.reply_schema == "none" else reply_schema()
    for dilemma, repeat in product(dilemmas, range(orders)):
        shown = _shuffled(dilemma, seed, repeat)
        request = Request(
            messages=(Message(role="user", content=_words(dilemma, shown, prompts)),),
            sampling=sampling,
            options=tuple(action.text for action in shown),
            seed=sampling_seed(seed, dilemma.id, dilemma.revision, repeat) if send_seed else None,
            reply_schema=schema,
        )
        identity = {
            "dilemma": dilemma.id,
            "revision": dilemma.revision,
            "repeat": repeat,
            # with other labels the same reply means something else
            "labels": [(action.polarity, action.intensity) for action in shown],
            "judge": judge.model_dump(),
            **_sent(request),
        }
        yield Reading(dilemma, repeat, shown, request, sha256(canonical_json(identity)))


def _shuffled(dilemma: Dilemma, seed: int, repeat: int) -> tuple[Action, ...]:
    """The actions in the order of one reading, whatever their order in the file."""
    places = {f"{polarity}-{intensity}": dilemma.action(polarity, intensity) for polarity, intensity in PLACES}
    order = option_order(
        tuple(places), orders="williams", seed=seed, item=dilemma.id, question="sort", persona="", repeat=repeat
    )
    return tuple(places[place] for place in order)


def _words(dilemma: Dilemma, shown: Sequence[Action], prompts: Prompts) -> str:
    """What the judge reads."""
    return prompts.render(
        "judge/sort.j2",
        scenario=dilemma.scenario,
        value=taxonomy.value(dilemma.value),
        options=lettered([action.text for action in shown]),
    )


def _sent(request: Request) -> dict[str, Any]:
    """What of a request a server sees, as plain data."""
    return request.model_dump(mode="json", exclude={"options", "top_logprobs"})


def reply_schema() -> dict[str, object]:
    """JSON Schema of the judge's reply: for each letter a side and a strength."""
    placed = {
        "type": "object",
        "properties": {
            "side": {"type": "string", "enum": list(SIDES)},
            "strength": {"type": "string", "enum": list(STRENGTHS)},
        },
        "required": ["side", "strength"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": dict.fromkeys(SHOWN, placed),
        "required": list(SHOWN),
        "additionalProperties": False,
    }


def read(reply: Reply, shown: Sequence[Action]) -> tuple[Placement, ...] | str:
    """Where the judge puts the actions, in the order shown, or why its reply cannot be read.

    Lenient about the wrapping (code fences, words around the JSON, capitals) and never about the
    answer: a letter that is missing, a word that was not offered, or two objects that differ make
    the whole reading unreadable.

    Args:
        reply: what came back.
        shown: the actions under the letters A, B, C, ...
    """
    text, trouble, reason = spoken(reply)
    if trouble:
        return f"refused: {reason}" if trouble == "refused" else reason
    answers = [found for found in json_objects(text) if any(letter in found for letter in SHOWN)]
    if not answers:
        return "holds no JSON object with the letters"
    if any(other != answers[0] for other in answers):
        return "holds more than one answer"
    placed = [_placement(action, answers[0].get(letter)) for letter, action in zip(SHOWN, shown, strict=True)]
    missing = [letter for letter, place in zip(SHOWN, placed, strict=True) if place is None]
    if missing:
        return f"gives no side and strength for {', '.join(missing)} in the words offered"
    return tuple(place for place in placed if place is not None)


def _placement(action: Action, answer: Any) -> Placement | None:
    """The place an answer gives an action; None where it is in other words than those offered."""
    given = answer if isinstance(answer, dict) else {}
    side, strength = (str(given.get(key)).strip().casefold() for key in ("side", "strength"))
    if side not in SIDES or strength not in STRENGTHS:
        return None
    return Placement(
        polarity=action.polarity,
        intensity=action.intensity,
        judged_polarity=SIDES[side],
        judged_intensity=STRENGTHS[strength],
    )


class _Judging:
    """The workers of one call: they share a list of readings, a journal and an outcome."""

    def __init__(
        self, settings: ModelConfig, model: Model, journal: Journal, readings: list[Reading], progress: Progress
    ) -> None:
        self._model, self._journal, self._readings, self._progress = model, journal, readings, progress
        self._workers = Workers(lambda: model.capacity, settings.attempts)
        self._started = time.monotonic()
        there = self.judgements()
        self.outcome = Sorting(
            judge=model.identity,
            caveat=model.caveat,
            planned=len(readings),
            reused=len(there),
            unreadable=sum(not one.placements for one in there),
            open=len(readings) - len(there),
        )

    def judgements(self) -> tuple[Judgement, ...]:
        """What is in the journal of the readings that are wanted, in their order, each with its text's checksum.

        That is of the file as it is now: a reading found in the journal was shown the same words and means the
        same labels, while topic and competing value, which a judge is not shown, may have changed.
        """
        results = self._journal.results
        return tuple(
            Judgement.model_validate({**results[one.subject], "text_sha256": one.dilemma.text_sha256})
            for one in self._readings
            if one.subject in results
        )

    async def ask_missing(self) -> None:
        """Ask every reading that the journal does not hold."""
        self._progress(self.outcome)
        missing = [one for one in self._readings if one.subject not in self._journal.results]
        await self._workers.go_through(iter(missing), self._ask)
        self.outcome.stopped = self._workers.stopped

    async def _ask(self, reading: Reading) -> None:
        """Ask one reading until it comes back, is refused, or its attempts are used up."""

        def failed(error: Failure) -> None:
            self._note_attempt(reading, error=error.what, raw=error.raw)
            self.outcome.failed_attempts += 1
            self.outcome.last_failure = error.what

        try:
            reply = await self._workers.insist(reading.dilemma.id, lambda: self._model.ask(reading.request), failed)
        except RejectedError as error:
            self._workers.set_aside(reading.dilemma.id, error)
            return
        if reply is None:
            return
        found = read(reply, reading.shown)
        judgement = Judgement(
            dilemma=reading.dilemma.id,
            revision=reading.dilemma.revision,
            reviewer=self._model.identity.name,
            kind="machine",
            repeat=reading.repeat,
            placements=() if isinstance(found, str) else found,
            comment=found if isinstance(found, str) else "",
        )
        self._note_attempt(reading, reply=reply, judgement=judgement)
        self.outcome.asked += 1
        self.outcome.open -= 1
        self.outcome.unreadable += not judgement.placements
        self.outcome.seconds = time.monotonic() - self._started
        self._progress(self.outcome)

    def _note_attempt(
        self,
        reading: Reading,
        *,
        error: str = "",
        raw: str = "",
        reply: Reply | None = None,
        judgement: Judgement | None = None,
    ) -> None:
        self._journal.add(
            Entry(
                subject=reading.subject,
                attempt=self._journal.attempts[reading.subject] + 1,
                at=now(),
                request={"model": self._model.identity.name, **_sent(reading.request)},
                reply=reply.model_dump(mode="json", exclude_defaults=True) if reply else None,
                raw=raw,
                error=judgement.comment if judgement else error,
                prompt_tokens=reply.prompt_tokens if reply else None,
                completion_tokens=reply.completion_tokens if reply else None,
                seconds=reply.latency if reply else 0.0,
                result=judgement.model_dump(mode="json") if judgement else None,
            )
        )

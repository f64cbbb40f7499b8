"""One draft from a model: the prompt, and asking again where the reply is broken.

`instructor` holds replies to the form and asks again with what was wrong; how a request reaches the
server, and what is tried again there, is `models.served` and `asking`. Every attempt goes to a
journal before the next step.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import instructor
from instructor.core import IncompleteOutputException, InstructorRetryException
from openai.types.chat import ChatCompletion
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from dilemmas import taxonomy
from dilemmas.asking import Failure, Workers
from dilemmas.drafts.form import BROKEN, Draft, Mode, completion, form, recalled, said, told
from dilemmas.errors import DilemmasError
from dilemmas.journal import Entry, Journal
from dilemmas.models.completions import sampling_fields
from dilemmas.models.served import ServedModel
from dilemmas.prompts import DRAFTING, Prompts
from dilemmas.resources import now
from dilemmas.schema import (
    PLACES,
    Action,
    Dilemma,
    Finding,
    Message,
    Provenance,
    Review,
    Sampling,
    Setting,
    TopicName,
    ValueName,
    sampling_seed,
)

CHARACTERS_A_TOKEN = 4
"""Characters of English that make a token, about."""
_WAYS: dict[Mode, instructor.Mode] = {
    "json_schema": instructor.Mode.JSON_SCHEMA,
    "json_schema_plain": instructor.Mode.JSON_SCHEMA,
    "tools": instructor.Mode.TOOLS,
    "free": instructor.Mode.MD_JSON,
}

TINY_SAMPLING: dict[str, float | int] = {"dry_multiplier": 0.8, "dry_penalty_last_n": 1024}
"""How llama.cpp is told to make it dearer for a model to repeat itself (its `dry` sampler, over the length of a reply).
Without it none of five replies of the embedded model had six different actions, with it seven of seven had."""
_FORM = instructor.response_schema(Draft)
"""The form as instructor wants it; made here, because making it takes longer than all else it does for a reply."""

# It would print each failed attempt; the journal has them.
logging.getLogger("instructor").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True)
class Task:
    """One revision of a dilemma that is to be written."""

    id: str
    value: ValueName
    topic: TopicName
    competing_value: ValueName
    setting: Setting | None
    revision: int = 1
    previous: Dilemma | None = None
    """The revision that this one is to replace; none for a new dilemma."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with it."""

    @property
    def subject(self) -> str:
        """Its name in the journal."""
        return f"{self.id}@{self.revision}"


def messages(task: Task, avoid: Sequence[str], prompts: Prompts) -> tuple[Message, Message]:
    """What a model is asked to write.

    Raises:
        InputError: a template cannot be used.
    """
    brief, dilemma = DRAFTING
    known = taxonomy.values()
    asked = prompts.render(
        dilemma,
        value=known[task.value],
        competing=known[task.competing_value],
        topic=taxonomy.topics()[task.topic],
        setting=task.setting,
        avoid=list(avoid),
        previous=task.previous,
        findings=list(task.findings),
    )
    return Message(role="system", content=prompts.render(brief)), Message(role="user", content=asked)


async def mode_of(model: ServedModel, reply_schema: Literal["bounded", "plain", "none"]) -> Mode:
    """The strictest way to impose a form that a server really follows.

    Args:
        model: the server's model; it is asked one more thing where it follows no schema.
        reply_schema: what its probe found.
    """
    if reply_schema == "bounded":
        return "json_schema"
    if reply_schema == "plain":
        return "json_schema_plain"
    return "tools" if await model.calls_tools() else "free"


@dataclass(frozen=True)
class Writer:
    """A model that writes drafts, and how it is asked to."""

    model: ServedModel
    mode: Mode
    sampling: Sampling
    """As it is sent; `top_k` is 0 where the server refuses it."""
    context: int | None
    """Tokens that prompt and reply must fit into; None where the server sees to that."""
    tiny: bool
    """Whether this is the embedded model, which is held to short texts and kept from repeating itself."""
    server: str
    """What the server says of itself."""
    seed: int | None
    """What sampling seeds are derived from; None where none is sent."""
    attempts: int
    """Replies that may break the form before a draft is given up."""
    prompts: Prompts
    template_sha256: str
    """Checksum of the templates that are used."""
    journal: Journal
    workers: Workers
    noted: Callable[[Entry], None] = lambda entry: None
    """Told of each attempt, once it is in the journal."""

    async def write(self, task: Task, avoid: Sequence[str]) -> Dilemma | None:
        """A draft, once its attempt is in the journal; None where there is none.

        That is so where all attempts were used up, the workers stopped, or a reply cannot be handled at all.

        Raises:
            RejectedError: the server refuses to write this one.
            InputError: the journal cannot be written.
        """
        prompt, writing = messages(task, avoid, self.prompts), _Writing(self, task)
        try:
            return await writing.write(prompt)
        except DilemmasError:
            raise
        # A server may send what neither instructor nor we thought of: that leaves one dilemma open, and ends no run.
        except Exception as error:  # noqa: BLE001 - what such a reply raises cannot be listed
            writing.give_up(error)
            return None

    def parameters(self, prompt: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The sampling of one request."""
        sent = sampling_fields(self.sampling)
        if self.context is not None:
            # Fewer characters a token than usual, to be safe: what does not fit would be refused.
            read = sum(len(str(message["content"])) for message in prompt) // (CHARACTERS_A_TOKEN - 1)
            sent["max_tokens"] = max(1, min(self.sampling.max_tokens, self.context - read))
        return sent | TINY_SAMPLING if self.tiny else sent


class _Writing:
    """The attempts at one draft."""

    def __init__(self, writer: Writer, task: Task) -> None:
        self._writer, self._task = writer, task
        self._sent: dict[str, Any] = {}
        self._reply: dict[str, Any] | None = None
        self._broken: tuple[str, str] | None = None
        """The last reply that broke the form, and what was wrong with it."""
        self._began = time.perf_counter()

    @property
    def _attempt(self) -> int:
        """Number of the attempt that is being made."""
        return self._writer.journal.attempts[self._task.subject] + 1

    async def write(self, prompt: Sequence[Message]) -> Dilemma | None:
        writer = self._writer
        patched = instructor.patch(create=self._create, mode=_WAYS[writer.mode])
        create = cast("Callable[..., Awaitable[Draft]]", patched)
        again = AsyncRetrying(
            retry=retry_if_exception_type(BROKEN),
            stop=lambda state: state.attempt_number >= writer.attempts or writer.workers.stopped is not None,
            after=self._note_broken,
            reraise=True,
        )
        try:
            draft = await create(
                response_model=_FORM, messages=[message.model_dump() for message in prompt], max_retries=again
            )
        except (InstructorRetryException, IncompleteOutputException) as error:
            cause = error.__cause__ or error
            if isinstance(cause, (_UnansweredError, *BROKEN)):
                return None
            raise cause from None
        dilemma = self._dilemma(draft)
        self._note(result=dilemma.model_dump(mode="json", exclude_none=True))
        return dilemma

    def give_up(self, error: Exception) -> None:
        """Note an attempt that ended in a way nobody foresaw."""
        self._note(error=f"{type(error).__name__}: {told(error)}")

    async def _create(self, **request: Any) -> ChatCompletion:
        """One reply in the place of the client that instructor expects."""
        writer = self._writer
        # Instructor's own first two hold the schema where nothing else does. What it adds later is left out: it says
        # nothing about a reply that was cut off or refused.
        shown = request["messages"][:2]
        if self._broken:
            shown = recalled(shown, *self._broken)
        fields = form(request, writer.mode, brief=writer.tiny)

        async def ask() -> dict[str, Any]:
            self._sent = {"messages": shown, **writer.parameters(shown)}
            if writer.seed is not None:
                self._sent["seed"] = sampling_seed(writer.seed, self._task.subject, self._attempt)
            self._began = time.perf_counter()
            return await writer.model.complete({**self._sent, **fields}, about=self._task.id)

        def failed(error: Failure) -> None:
            self._note(error=error.what, raw=error.raw)

        self._reply = await writer.workers.insist(self._task.id, ask, failed)
        if self._reply is None:
            raise _UnansweredError("no reply")
        return completion(self._reply)

    def _note_broken(self, state: RetryCallState) -> None:
        wrong = told(state.outcome.exception() if state.outcome else None)
        if self._reply is not None:
            self._broken = said(self._reply), wrong
        self._note(error=wrong)

    def _note(self, *, error: str = "", raw: str = "", result: dict[str, Any] | None = None) -> None:
        """Put the attempt into the journal."""
        reply, self._reply = self._reply, None
        usage = (reply or {}).get("usage")
        entry = Entry(
            subject=self._task.subject,
            attempt=self._attempt,
            at=now(),
            request={**self._sent, "mode": self._writer.mode},
            reply=reply,
            raw=raw,
            error=error,
            prompt_tokens=_count(usage, "prompt_tokens"),
            completion_tokens=_count(usage, "completion_tokens"),
            seconds=time.perf_counter() - self._began,
            result=result,
        )
        self._writer.journal.add(entry)
        self._writer.noted(entry)

    def _dilemma(self, draft: Draft) -> Dilemma:
        writer, task = self._writer, self._task
        parameters = {name: number for name, number in self._sent.items() if name not in ("messages", "seed")}
        actions = tuple(
            Action(polarity=polarity, intensity=intensity, text=step.text, rationale=step.rationale)
            for (polarity, intensity), step in zip(PLACES, draft.steps().values(), strict=True)
        )
        return Dilemma(
            id=task.id,
            revision=task.revision,
            value=task.value,
            topic=task.topic,
            competing_value=task.competing_value,
            setting=task.setting,
            scenario=draft.scenario,
            actions=actions,
            provenance=Provenance(
                kind="model",
                author=writer.model.identity.name,
                method="dilemmas generate",
                created=now(),
                template_sha256=writer.template_sha256,
                seed=self._sent.get("seed"),
                model_revision=writer.model.identity.revision or None,
                server=writer.server or None,
                parameters={**parameters, "mode": writer.mode},
                attempt=self._attempt,
            ),
            review=Review(status="unreviewed"),
        )


class _UnansweredError(DilemmasError):
    """No attempt to reach the server brought a reply; each is in the journal."""


def _count(usage: Any, name: str) -> int | None:
    found = usage.get(name) if isinstance(usage, dict) else None
    return found if isinstance(found, int) and found >= 0 else None

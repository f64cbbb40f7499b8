"""What a server can do for a study, found out by real requests: some short ones, and two of our own questions."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dilemmas.config import ModelConfig, RunConfig
from dilemmas.errors import RejectedError, SetupError, TransientError, UnreachableError
from dilemmas.models import Model, in_process, open_model, probing, traits
from dilemmas.models.completions import body_of, short
from dilemmas.models.http import Address
from dilemmas.models.listing import SHOWN, listed, software, sole_model
from dilemmas.models.served import ServedModel
from dilemmas.models.traits import Finding, Seen, found
from dilemmas.protocols import PROTOCOLS
from dilemmas.schema import BASELINE, Capabilities, Message, ProtocolName, Response
from dilemmas.store import Planned
from dilemmas.study import asking_of, plan, prepare

Say = Callable[[str], None]
"""Told what is being found out."""
LITTLE = 0.5
"""Probability of all letters together below which `logprob` is not recommended."""


@dataclass(frozen=True)
class Way:
    """How a server can be asked by one of the protocols."""

    protocol: ProtocolName
    """The protocol."""
    mode: str
    """How the form of a reply is imposed, as a run writes it down; empty where the server cannot be asked so."""
    answered: int
    """How many of our two questions brought an answer that can be read."""
    seen: str
    """What came, or why nothing could."""
    command: str
    """What asks a study so; empty where nothing could be read."""


@dataclass(frozen=True)
class Probed:
    """What was found out about one server and one of its models."""

    address: str
    """Base URL; empty where there is no server of the user's."""
    model: str
    """Name of the model."""
    seconds: float
    """How long it took."""
    requests: int
    """Questions put to it."""
    findings: tuple[Finding, ...]
    """What was asked and seen."""
    protocols: tuple[Way, ...]
    """Which protocols it can serve."""
    advice: tuple[str, ...]
    """What to set, where something is not as it should be."""


async def probe(config: ModelConfig, *, choose: bool = False, say: Say = lambda name: None) -> Probed:
    """Find out what a server can do for a study, by two to three dozen requests.

    Args:
        config: the model, its address and its key.
        choose: take the model that the server lists, where it lists one, whatever name the configuration has.
        say: told what is being found out.

    Raises:
        InputError: a server that lists several models, of which none was named; or a key that cannot be sent.
        ModelError: nobody answers, the server lacks the model, wants a key, or refuses a plain question.
    """
    began = time.perf_counter()
    if choose:
        config = config.model_copy(update={"name": await sole_model(config)})
    async with open_model(config) as model:
        inquiry = _Inquiry(model, config, say)
        if isinstance(model, ServedModel):
            await inquiry.told(model, model.servers[0])
            await inquiry.shown(model, model.servers[0])
        else:
            inquiry.findings.append(Finding("answers", True, "nothing", "a script in this process, and no server"))
            inquiry.able = await model.probe("reasoned")
        ways = [await inquiry.way(protocol) for protocol in PROTOCOLS]
        return Probed(
            ", ".join(config.base_url),
            model.identity.name,
            round(time.perf_counter() - began, 1),
            inquiry.requests,
            tuple(inquiry.findings),
            tuple(ways),
            tuple(_advice({one.name: one.value for one in inquiry.findings})),
        )


class _Inquiry:
    """What is found out about a model, as it comes."""

    def __init__(self, model: Model, config: ModelConfig, say: Say) -> None:
        self.findings: list[Finding] = []
        self.requests = 0
        self.able = Capabilities()
        self._model, self._config, self._say = model, config, say

    async def told(self, model: ServedModel, server: Address) -> None:
        """What a server says of itself."""
        entries = await listed(server)
        program = " ".join(await software(server, {str(entry.get("owned_by") or "") for entry in entries})).strip()
        names = [short(str(entry.get("id"))) for entry in entries]
        many = f"{len(names)}: {', '.join(names[:SHOWN])}" if names else "no list"
        length = f"{model.context:,} tokens" if model.context else "not told"
        self.findings += [
            Finding("models", [*names], "GET /models", many),
            Finding("software", program or None, "its version", short(program) or "not told"),
            Finding("context", model.context, "GET /models", length),
        ]

    async def shown(self, model: ServedModel, server: Address) -> None:
        """What a server shows when it is asked.

        Raises:
            RejectedError: it refuses a plain question.
            TransientError: it does not answer.
        """
        chat = self._counted(model.chat(server))
        self._say("reply")
        value, seen = await traits.reply(chat)
        self.findings.append(Finding("reply", value, "a short question, twice", seen))
        if _thinks(await self._look("thinking", "a short question", traits.thinking(chat))):
            await self._look("thinking_off", "the same, with less thinking", traits.thinking_off(chat))
        await self._look("logprobs", "50, 20, 5, until they come", self._logprobs(chat))
        await self._look("schema", "a word that only a schema can bring about", self._schema(chat))
        await self._look("tools", "a tool that must be called", traits.tools(chat))
        await self._look("unknown_field", "a field that no server knows", traits.unknown_field(chat))
        loose = await traits.loose(chat)
        for name, fixed in traits.FIXING.items():
            await self._look(name, f"random words, twice with {name} {fixed:g}", traits.fixing(chat, name, loose))
        alike = _alike(model, self._config)
        await self._look("prefix_cache", "two of our questions that begin alike", traits.prefix(chat, *alike))
        await self._look("wrong_name", 'the model "no-such-model"', traits.wrong_name(chat))
        await self._look("too_long", "a prompt longer than the context", traits.too_long(chat, model.context))

    async def way(self, protocol: ProtocolName) -> Way:
        """How our own questions are answered by one protocol, and how much of the letters log-probabilities cover."""
        self._say(f"{protocol}, two of our own questions")
        try:
            questions = _questions(self._model, self._config, protocol, self.able)
        except SetupError as error:
            return Way(protocol, "", 0, error.what, "")
        read, times, failure = list[Response](), list[float](), ""
        for trial, options in questions:
            self.requests += 1
            began = time.perf_counter()
            try:
                reply = await self._model.ask(PROTOCOLS[protocol].request(trial, options))
            except UnreachableError:
                raise
            except (RejectedError, TransientError) as error:
                failure = error.what
                break
            times.append(time.perf_counter() - began)
            read.append(PROTOCOLS[protocol].read(reply, trial.order, options))
        if protocol == "logprob" and read:
            self.findings.append(_letters(read[-1]))
        answered = sum(one.status == "answered" for one in read)
        trouble = failure or "; ".join(dict.fromkeys(f"{one.status}: {one.reason}" for one in read if one.reason))
        seen = f"{answered} of {len(questions)} answered" + (f" ({short(trouble)})" if trouble else "")
        seen += f", {sum(times) / len(times):.2f} s each" if times else ""
        return Way(protocol, questions[0].trial.mode, answered, seen, _command(self._config, protocol, answered))

    async def _look(self, name: str, asked: str, look: Awaitable[Seen]) -> traits.Value:
        """Note what a look finds."""
        self._say(name)
        self.findings.append(await found(name, asked, look))
        return self.findings[-1].value

    async def _logprobs(self, chat: probing.Chat) -> Seen:
        most, seen = await traits.logprobs(chat)
        self.able = self.able.model_copy(update={"top_logprobs": most})
        return most, seen

    async def _schema(self, chat: probing.Chat) -> Seen:
        able = await probing.capabilities(chat, "reasoned", max(probing.ROOM, self._config.sampling.max_tokens))
        self.able = able.model_copy(update={"top_logprobs": self.able.top_logprobs})
        honoured = {"bounded": "honoured, with lengths", "plain": "honoured, without lengths"}
        return able.reply_schema, honoured.get(able.reply_schema, "not honoured")

    def _counted(self, chat: probing.Chat) -> probing.Chat:
        async def counted(body: dict[str, Any]) -> dict[str, Any]:
            self.requests += 1
            return await chat(body)

        return counted


def _questions(model: Model, config: ModelConfig, protocol: ProtocolName, able: Capabilities) -> list[Planned]:
    """Both questions about the first shipped dilemma, as a persona.

    Raises:
        SetupError: the server cannot do what the protocol needs.
    """
    asking = asking_of(config, model.identity, protocol, able)
    study = prepare(RunConfig(persona_set="three", limit=1, repeats=1, models=(config,)))
    every = (planned for planned in plan(study, asking) if planned.trial.persona != BASELINE.id)
    return [next(every), next(every)]


def _alike(model: Model, config: ModelConfig) -> list[dict[str, Any]]:
    """Requests with both questions, one token long, under a beginning that nobody has sent before."""
    mark = secrets.token_hex(8)
    bodies = []
    for trial, options in _questions(model, config, "reasoned", Capabilities(top_k=False, seed=False)):
        first, *others = trial.messages
        marked = Message(role=first.role, content=f"({mark}) {first.content}")
        request = PROTOCOLS["reasoned"].request(trial.model_copy(update={"messages": (marked, *others)}), options)
        bodies.append(body_of(model.identity.name, request) | {"temperature": 0, "max_tokens": 1})
    return bodies


def _letters(read: Response) -> Finding:
    """How much of a token's probability is on the six letters, and which of them were not returned."""
    seen = read.reason if read.mass is None else f"{read.mass:.3f} of the probability is on the letters"
    if read.mass is not None:
        seen += f"; not returned: {', '.join(read.missing)}" if read.missing else "; all came"
    return Finding("letters", read.mass, "which of six options, by logprob", seen)


def _command(config: ModelConfig, protocol: ProtocolName, answered: int) -> str:
    """The command that asks a study by a protocol; empty where it brought no answer."""
    if not answered:
        return ""
    words = ["dilemmas", "evaluate", "--model", config.name]
    for url in config.base_url:
        words += ["--base-url", url]
    words += ["--api-key-env", config.api_key_env] if config.api_key_env else []
    words += ["--allow-plain-http-key"] if config.allow_plain_http_key else []
    words += ["--protocol", protocol]
    return shlex.join(words + ([] if in_process(config.name) else ["--concurrency", "auto"]))


def _thinks(place: traits.Value) -> bool:
    """Whether a model was seen to think; a look that was refused saw nothing."""
    return isinstance(place, str) and place != "none"


def _advice(value: dict[str, traits.Value]) -> list[str]:
    """What to set where something is not as a study needs it."""
    said = list[str]()
    if _thinks(value.get("thinking")):
        said.append(
            "The model thinks first. logprob reads its first token, which is then no letter; reasoned needs room for "
            "the thinking (max_tokens under [model.sampling] of a run file)."
        )
        if isinstance(off := value.get("thinking_off"), list) and off:
            said.append(f"To have it think less: {off[0]} under [model] of a run file.")
    mass = value.get("letters")
    if isinstance(mass, float) and mass < LITTLE:
        said.append("Little of the probability is on the letters: prefer reasoned.")
    if value.get("prefix_cache") == 0:
        said.append("Prompts that begin alike were read anew: a study is faster with the server's prefix cache.")
    if value.get("wrong_name") == "answered" and not value.get("models"):
        said.append("The server answers under any name and lists none: see for yourself which model it has loaded.")
    if value.get("too_long") == "answered":
        said.append("The server cuts prompts that are too long without a word: give it a longer context.")
    return said

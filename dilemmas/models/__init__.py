"""Ways to reach a model: one file each, all behind the same small interface.

Their libraries take time to import, so a way is imported when a model is opened.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from dilemmas.config import ModelConfig
from dilemmas.errors import InputError
from dilemmas.schema import Capabilities, Message, ModelIdentity, ProtocolName, Record, Reply, Sampling

EMBEDDED, SCRIPTED, LOCAL = "embedded", "scripted", "local:"
"""Names of models that need no server."""


class Request(Record):
    """What is sent to a model."""

    messages: tuple[Message, ...]
    """The conversation."""
    sampling: Sampling
    """How the reply is sampled."""
    options: tuple[str, ...]
    """Texts of the options in the order shown. A server never sees this: it is in the messages."""
    seed: int | None = None
    """Sampling seed; none where none is sent."""
    top_logprobs: int | None = None
    """How many of the most likely tokens to return with their log-probabilities."""
    reply_schema: dict[str, object] | None = None
    """JSON Schema that the reply must fit, where the server can see to it."""
    about: str = ""
    """What is asked about, so that what always fails is not taken for a server's fault; it is not sent."""


class Model(Protocol):
    """A model that can be asked."""

    identity: ModelIdentity
    """Which model it is."""
    default_protocol: ProtocolName
    """Protocol where the user names none."""
    default_concurrency: int
    """Requests in flight where the user names no number."""
    caveat: str
    """What a reader of results from it must know; may be empty."""
    notices: tuple[str, ...]
    """What the user should be told before anything is asked, such as servers that did not answer."""

    @property
    def capacity(self) -> int:
        """Requests that may be in flight now, at all its servers together; it changes with `concurrency` auto."""
        ...

    async def probe(self, protocol: ProtocolName, *, noise: bool = False) -> Capabilities:
        """Find out by real requests what the server can do of what a protocol needs.

        Args:
            protocol: the protocol.
            noise: also find out how far replies to the same question differ, by a few requests more.
        """
        ...

    def close(self) -> None:
        """Have those who wait for a place fail with a GoneError, because nothing more is to be asked."""
        ...

    async def ask(self, request: Request) -> Reply:
        """One reply.

        Raises:
            TransientError: asking again may help.
            RejectedError: asking again is pointless.
            GoneError: no server answers any more.
        """
        ...


def in_process(name: str) -> bool:
    """Whether a configured model needs no server of the user's."""
    return name in (EMBEDDED, SCRIPTED) or name.startswith(LOCAL)


def defaults(name: str) -> tuple[ProtocolName, int]:
    """Protocol, and requests in flight, of a configured model where the user names none."""
    if name == SCRIPTED:
        return "reasoned", 1
    return ("logprob", 1) if in_process(name) else ("reasoned", 8)


def open_model(config: ModelConfig) -> AbstractAsyncContextManager[Model]:
    """The model a configuration names, started for the length of a `with` block.

    Raises:
        InputError: a server's model without an address, or the other way round.
        SetupError: something that must be installed is not.
    """
    if in_process(config.name) and config.base_url:
        raise InputError(
            f"the model {config.name} runs in this process and takes no address",
            where="--base-url",
            fix="Leave out --base-url, or name the server's model with --model.",
        )
    if config.name == SCRIPTED:
        from dilemmas.models.scripted import ScriptedModel

        return ScriptedModel.opened(config)
    if in_process(config.name):
        from dilemmas.models.embedded import embedded_model

        return embedded_model(config)
    if not config.base_url:
        raise InputError(
            f'the model "{config.name}" needs the address of the server that has it',
            where="--model",
            fix="Give --base-url http://host:port/v1, or use --model embedded (in this process, no server).",
        )
    from dilemmas.models.served import served_model

    return served_model(config)

"""A model behind one or several OpenAI-compatible servers.

Which server is asked, and when none is asked any more, is the pool's to decide (`flow`); how a request travels
is in `http`, and what it holds in `completions`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, TypeVar

from dilemmas.config import ModelConfig
from dilemmas.errors import RejectedError, TransientError, UnreachableError, did_you_mean
from dilemmas.flow.pool import Pool, ServerStanding
from dilemmas.models import Request, defaults, noise, probing
from dilemmas.models.completions import CHAT, as_sent, body_of, no_choices, reply_of, short
from dilemmas.models.http import Address, make_room, opened
from dilemmas.models.keys import key_of
from dilemmas.models.listing import SHOWN, insist, listed
from dilemmas.schema import Capabilities, ModelIdentity, ProtocolName, Reply

T = TypeVar("T")
_LLAMA_CPP = "llamacpp"
"""Who owns the models that llama.cpp serves, in its own words."""


@asynccontextmanager
async def served_model(config: ModelConfig) -> AsyncIterator[ServedModel]:
    """The model that a configuration names at its addresses, as a context manager.

    Raises:
        InputError: the key's variable is empty, the key would go out unencrypted, or an address is none.
        ModelError: nobody answers there, or a server does not have the model.
    """
    async with served(config, config.base_url, config.name, key_of(config)) as model:
        yield model


@asynccontextmanager
async def served(
    config: ModelConfig, urls: Sequence[str], name: str, key: str, *, revision: str = "", caveat: str = ""
) -> AsyncIterator[ServedModel]:
    """A model at some addresses, once at least one of them has said that it has it.

    Args:
        config: how it is asked.
        urls: base URLs of its servers.
        name: what the servers call it.
        key: the servers' key; empty for none.
        revision: checksum of its weights, where known.
        caveat: what a reader of its results must know.

    Raises:
        ModelError, InputError: as for `served_model`.
    """
    async with opened() as session:
        servers = [Address(url, session, key, config.timeout) for url in urls]
        model = ServedModel(config, servers, ModelIdentity(name=name, revision=revision), caveat)
        await model.find()
        yield model


class ServedModel:
    """A model behind an OpenAI-compatible interface, at one address or several.

    Args:
        config: how it is asked.
        servers: who is asked; they share the work.
        identity: which model it is.
        caveat: what a reader of its results must know; may be empty.

    Raises:
        InputError: this machine cannot have as many requests in flight.
    """

    def __init__(
        self, config: ModelConfig, servers: Sequence[Address], identity: ModelIdentity, caveat: str = ""
    ) -> None:
        self.identity, self.caveat = identity, caveat
        self.default_protocol, self.default_concurrency = defaults(config.name)
        self.notices: tuple[str, ...] = ()
        self.context: int | None = None
        """Tokens of context, prompt and reply together, where the servers tell: that of the shortest."""
        fixed = config.concurrency or (1 if config.strict else self.default_concurrency)
        self.servers = tuple(servers)
        """Who is asked."""
        self._config = config
        self._pool = Pool(
            servers,
            concurrency=None if fixed == "auto" else fixed,
            names=[server.url for server in servers],
            patience=config.patience,
        )
        make_room(self._pool.ceiling, needed=fixed != "auto")
        self._unmet = set(servers)
        """Servers that have not said yet that they have the model."""
        self._owners: set[str] = set()
        self._software: dict[str, None] = {}

    @property
    def capacity(self) -> int:
        """Requests that may be in flight now, at all servers together."""
        return self._pool.capacity

    def standing(self) -> list[ServerStanding]:
        """How each server stands."""
        return self._pool.standing()

    async def find(self) -> None:
        """Ask each server whether it has the model; those that do not answer are set aside and noted.

        Raises:
            RejectedError: one lists other models only, or wants another key.
            ModelError: none can be asked at all.
        """
        await self._of_each(self._meet)

    async def probe(self, protocol: ProtocolName, *, noise: bool = False) -> Capabilities:
        """What all servers can do of what a protocol needs, by up to six short requests to each, as `Model` says."""
        room = max(512, self._config.sampling.max_tokens)
        found = await self._of_each(lambda server: probing.capabilities(self.chat(server), protocol, room))
        able = probing.common(found).model_copy(update={"server": "; ".join(self._software)})
        return able.model_copy(update=await self._noise(protocol, able)) if noise else able

    async def calls_tools(self) -> bool:
        """Whether all servers give the arguments of a tool that must be called the form they are to have."""
        return all(await self._of_each(lambda server: probing.calls_tools(self.chat(server))))

    def close(self) -> None:
        """Let those who wait for a place go, because nothing more is to be asked."""
        self._pool.close("nothing more is asked")

    async def ask(self, request: Request) -> Reply:
        """One reply to one request; raises as the interface says."""
        body = body_of(self.identity.name, request)
        async with self._pool.slot(request.about or request.messages[-1].content) as server:
            started = time.perf_counter()
            answer = await self._call(server, CHAT, body)
            return reply_of(answer, time.perf_counter() - started, server.url)

    async def complete(self, body: dict[str, Any], about: str = "") -> dict[str, Any]:
        """A chat completion as the server sends it, for those who need more of it than `ask` gives.

        Args:
            body: the request's fields, without the model.
            about: what is asked about, as in `Request`.

        Returns:
            The server's JSON object; it has a choice with a message.

        Raises:
            TransientError, RejectedError: as for `ask`.
        """
        async with self._pool.slot(about or str(body["messages"][-1].get("content"))) as server:
            answer = await self._call(server, CHAT, {**body, "model": self.identity.name})
            choices = answer.get("choices")
            first = choices[0] if isinstance(choices, list) and choices else None
            if not (isinstance(first, dict) and isinstance(first.get("message"), dict)):
                error = no_choices(answer, server.url)
                error.raw = as_sent(answer)
                raise error
            return answer

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """An embedding of each text, in their order.

        Raises:
            TransientError, RejectedError: as for `ask`; or the server sends something else.
        """
        async with self._pool.slot(texts[0] if texts else "") as server:
            answer = await self._call(server, "/embeddings", {"model": self.identity.name, "input": list(texts)})
        try:
            found = {int(entry["index"]): [float(x) for x in entry["embedding"]] for entry in answer["data"]}
            vectors = [found[index] for index in range(len(texts))]
        except (LookupError, TypeError, ValueError):
            vectors = []
        if len({len(vector) for vector in vectors}) != 1 or not all(map(math.isfinite, chain(*vectors))):
            raise RejectedError(
                f"sent no embeddings of {len(texts)} texts: {short(as_sent(answer))}",
                where=server.url,
                fix="Name a model that makes embeddings, at a server that serves /embeddings.",
            )
        return vectors

    async def _call(self, server: Address, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """One request to a server that has the model."""
        if server in self._unmet:
            try:
                await self._meet(server)
            except RejectedError as error:  # the fault of this server, and not of what is asked
                raise UnreachableError(error.what, where=error.where, fix=error.fix) from None
        if "cache_prompt" in body and not self._knows_cache_prompt:
            del body["cache_prompt"]
        return await server.call("POST", path, body)

    @property
    def _knows_cache_prompt(self) -> bool:
        """Whether the field may be sent: where the user wants it, else to llama.cpp alone."""
        return "cache_prompt" in self._config.extra_body or self._owners == {_LLAMA_CPP}

    def chat(self, server: Address) -> probing.Chat:
        """Asks one server, whatever the pool thinks of it, with the fields that go with every question."""

        async def chat(body: dict[str, Any]) -> dict[str, Any]:
            sent = {"model": self.identity.name, **self._config.sampling.extra, **body}
            return await insist(lambda: self._call(server, CHAT, dict(sent)))

        return chat

    async def _noise(self, protocol: ProtocolName, able: Capabilities) -> dict[str, Any]:
        config = self._config
        asked = noise.questions(protocol, able, config.sampling, send_seed=config.send_seed)
        return await noise.measure(self.ask, asked)

    async def _of_each(self, find_out: Callable[[Address], Awaitable[T]]) -> list[T]:
        """What is found out at each server that answers; the others are set aside, and noted.

        Raises:
            RejectedError: a server refuses.
            TransientError: none answers.
        """

        async def one(server: Address) -> T | TransientError:
            try:
                return await find_out(server)
            except TransientError as error:
                error.where = error.where or server.url
                return error

        asked = [server for server in self.servers if server not in self._unmet] or self.servers
        found = await asyncio.gather(*(one(server) for server in asked))
        failures = [(server, got) for server, got in zip(asked, found, strict=True) if isinstance(got, TransientError)]
        if len(failures) == len(asked):
            raise failures[0][1]
        for server, error in failures:
            self._pool.set_aside(server)
            self.notices += (f"{error.where}: {error.what}; it is tried again later",)
        return [got for got in found if not isinstance(got, TransientError)]

    async def _meet(self, server: Address) -> None:
        """Have a server say that it has the model.

        Raises:
            RejectedError: it lists other models only, or wants another key.
            ModelError: it cannot be asked at all.
        """
        entries = await listed(server)
        names, name = [str(entry.get("id")) for entry in entries], self.identity.name
        if names and name not in names:
            raise RejectedError(
                f'the server has no model "{name}"; it has: {", ".join(names[:SHOWN])}',
                where=server.url,
                fix=did_you_mean(name, names) or "Name one of these with --model.",
                status=404,
            )
        for entry in entries:
            if entry.get("id") == name:
                self._note(entry)
        self._unmet.discard(server)

    def _note(self, entry: dict[str, Any]) -> None:
        """What a server says of the model."""
        meta = entry.get("meta")
        length = entry.get("max_model_len") or (meta.get("n_ctx") if isinstance(meta, dict) else None)
        owner = str(entry.get("owned_by") or "")
        self._owners.add(owner)
        if isinstance(length, int) and length > 0:
            self.context = min(length, self.context or length)
        if said := ", ".join(part for part in (owner, f"context {length}" if length else "") if part):
            self._software[said] = None

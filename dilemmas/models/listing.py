"""What a server says of itself, and of the models that it has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from dilemmas.config import ModelConfig
from dilemmas.errors import InputError, RejectedError, TransientError, UnreachableError
from dilemmas.models.http import Address, opened
from dilemmas.models.keys import key_of

T = TypeVar("T")
SHOWN = 20
"""Most names of models in a message."""
_LATER = frozenset({429, 503})
"""How a server says that it is busy, or still loading."""


class Software(NamedTuple):
    """A program that serves models."""

    name: str
    owner: str
    """Who owns the models that it lists, in its own words; empty where it says something else each time."""
    path: str
    """Where it tells its version, above `/v1`."""
    field: str
    """The field there that holds it."""


SOFTWARE = (
    # vllm/entrypoints/openai/engine/protocol.py (ModelCard); docs.vllm.ai, "OpenAI-Compatible Server"
    Software("vLLM", "vllm", "/version", "version"),
    # sglang/srt/entrypoints/openai/protocol.py (ModelCard), http_server.py (server_info)
    Software("SGLang", "sglang", "/server_info", "version"),
    # llama.cpp, tools/server/README.md, GET /props
    Software("llama.cpp", "llamacpp", "/props", "build_info"),
    # ollama, openai/openai.go (ToListCompletion), docs/api.md (Version)
    Software("Ollama", "library", "/api/version", "version"),
    # text-generation-inference, router/src/lib.rs (Info); the owner is the model's own name
    Software("TGI", "", "/info", "version"),
)


async def sole_model(config: ModelConfig) -> str:
    """Name of the one model that the server of a configuration lists, whatever name the configuration has.

    Raises:
        InputError: it lists several models, none, or one with a name that cannot be kept.
        ModelError: nobody answers there, or the server wants a key.
    """
    async with opened() as session:
        server = Address(config.base_url[0], session, key_of(config), config.timeout)
        names = [str(entry.get("id")) for entry in await listed(server)]
    if len(names) != 1:
        several = f"the server has several models: {', '.join(names[:SHOWN])}"
        what = several if names else "the server lists no models"
        raise InputError(what, where=server.url, fix="Name the one you mean with --model.")
    if not (names[0].strip() and names[0].isprintable()):
        raise InputError("the server's model has a name that cannot be kept", where=server.url, fix="Rename it there.")
    return names[0]


async def listed(server: Address) -> list[dict[str, Any]]:
    """What a server says of each model that it has; nothing where it has no list.

    Raises:
        ModelError: it cannot be asked.
    """
    try:
        listing = await insist(lambda: server.call("GET", "/models"))
    except RejectedError as error:
        if error.status not in (404, 405, 501):
            raise
        return []
    entries = listing.get("data")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


async def software(server: Address, owners: set[str]) -> tuple[str, str]:
    """Name and version of a server's program, empty where it does not tell.

    A program that is known by the owner of its models is asked for its version alone; of any other, all are tried.

    Args:
        server: the server.
        owners: who owns the models that it lists, in its own words.

    Raises:
        UnreachableError: nobody answers.
    """
    known = [one for one in SOFTWARE if one.owner in owners and one.owner]
    for one in known or SOFTWARE:
        try:
            told = (await server.above().call("GET", one.path)).get(one.field)
        except UnreachableError:
            raise
        except (RejectedError, TransientError):
            continue  # not its place, or not shown
        if isinstance(told, str) and told:
            return one.name, told
    return (known[0].name, "") if known else ("", "")


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """One request, put again a few times to a server that is busy or still loading, or where a connection was cut."""
    for pause in (1.0, 2.0, 4.0):
        try:
            return await call()
        except UnreachableError:
            raise
        except TransientError as error:
            if error.status not in _LATER and error.status is not None:
                raise  # perhaps what the server always does
            await asyncio.sleep(min(pause if error.retry_after is None else error.retry_after, 60.0))
    return await call()

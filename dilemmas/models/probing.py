"""What a server can do, found out by short requests: most servers ignore what they cannot do."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from dilemmas.errors import RejectedError, TransientError
from dilemmas.models.completions import reply_of, response_format
from dilemmas.schema import Capabilities, ProtocolName

Chat = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Sends a request's fields, but for the model, to one server; gives its JSON object."""

_WORD = "qzx-7"
"""An answer nobody gives unless a schema leaves no other."""
ROOM = 512
"""Tokens within which a model that does not think first has long replied."""
UNABLE = frozenset({400, 422, 500})
"""Statuses with which servers refuse, or break on, what they cannot do."""
_SCHEMAS: tuple[Literal["none", "plain", "bounded"], ...] = ("none", "plain", "bounded")
"""From the least to the most."""


async def capabilities(chat: Chat, protocol: ProtocolName, room: int = ROOM) -> Capabilities:
    """What a server can do of what a protocol needs, by up to six requests.

    Args:
        chat: asks the server.
        protocol: the protocol.
        room: tokens for a reply in some form, and for the thinking before it.

    Raises:
        RejectedError: it refuses every question.
        TransientError: it does not answer.
    """
    if protocol == "logprob":
        return Capabilities(top_logprobs=await _top_logprobs(chat))
    question = {"messages": [{"role": "user", "content": "Name a colour."}], "temperature": 0, "max_tokens": 48}
    top_k = seed = await _accepted(chat, {**question, "top_k": 64, "seed": 1}) is not None
    if not top_k:
        top_k = await _accepted(chat, {**question, "top_k": 64}) is not None
        seed = await _accepted(chat, {**question, "seed": 1}) is not None
    if not top_k and not seed:
        await chat(question)  # raises where the question itself is refused
    for kind, limits in (("bounded", {"maxLength": 40}), ("plain", {})):
        wanted = response_format(_schema(**limits))
        body = await _accepted(chat, {**question, "max_tokens": room, "response_format": wanted})
        if body is not None and _honoured(_content, body):
            return Capabilities(reply_schema=kind, top_k=top_k, seed=seed)
    return Capabilities(reply_schema="none", top_k=top_k, seed=seed)


async def calls_tools(chat: Chat) -> bool:
    """Whether a server gives the arguments of a tool that must be called the form they are to have."""
    tool = {"name": "reply", "description": "Answer the question.", "parameters": _schema()}
    body = await _accepted(
        chat,
        {
            "messages": [{"role": "user", "content": "Name a colour."}],
            "temperature": 0,
            "max_tokens": ROOM,
            "tools": [{"type": "function", "function": tool}],
            "tool_choice": {"type": "function", "function": {"name": "reply"}},
        },
    )
    return body is not None and _honoured(_tool_arguments, body)


def common(found: Sequence[Capabilities]) -> Capabilities:
    """What each of several servers can do, so that it does not matter which one is asked.

    >>> common([Capabilities(top_logprobs=20), Capabilities(top_logprobs=5, seed=False)]).top_logprobs
    5
    """
    return Capabilities(
        top_logprobs=min(one.top_logprobs for one in found),
        reply_schema=min((one.reply_schema for one in found), key=_SCHEMAS.index),
        top_k=all(one.top_k for one in found),
        seed=all(one.seed for one in found),
    )


async def _top_logprobs(chat: Chat) -> int:
    question = {"messages": [{"role": "user", "content": "Say A or B."}], "temperature": 0, "max_tokens": 1}
    for wanted in (50, 20, 5):
        try:
            answer = await chat({**question, "logprobs": True, "top_logprobs": wanted})
        except RejectedError as error:
            if error.status not in (400, 422):
                raise
            continue
        tokens = reply_of(answer, 0.0, "").top_tokens
        return min(len(tokens), wanted) if tokens else 0
    await chat(question)  # raises where the question itself is refused
    return 0


async def _accepted(chat: Chat, body: dict[str, Any]) -> dict[str, Any] | None:
    """A probe's reply; None where the server refuses, or breaks on, what the body asks for."""
    try:
        return await chat(body)
    except (RejectedError, TransientError) as error:
        if error.status in UNABLE:
            return None
        raise


def _schema(**limits: int) -> dict[str, Any]:
    """A form that leaves one answer only."""
    properties = {"reasoning": {"type": "string", **limits}, "answer": {"type": "string", "enum": [_WORD]}}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _content(message: dict[str, Any]) -> str:
    return str(message["content"]).rpartition("</think>")[2]


def _tool_arguments(message: dict[str, Any]) -> str:
    return str(message["tool_calls"][0]["function"]["arguments"])


def _honoured(where: Callable[[dict[str, Any]], str], body: dict[str, Any]) -> bool:
    """Whether a probe's reply holds the answer that only the schema could bring about."""
    try:
        return bool(json.loads(where(body["choices"][0]["message"]))["answer"] == _WORD)
    except (LookupError, TypeError, ValueError):
        return False

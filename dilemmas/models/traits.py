"""How a server behaves in what a run depends on, found out by short requests beyond those of `probing`.

Most servers ignore without a word what they do not know, so that a field is taken for one that works only where
it was seen to work.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from dilemmas.errors import RejectedError, TransientError, UnreachableError
from dilemmas.models.completions import reply_of, short
from dilemmas.models.probing import UNABLE, Chat, calls_tools, capabilities

Value = bool | int | float | str | list[str] | None
Seen = tuple[Value, str]
"""What was found, for a script and in words."""

_ROOM = 256
"""Tokens in which a model that thinks has begun to think, and one that does not has replied."""
_LONGEST = 2**18
"""Longest prompt that is sent to see whether it is refused, tokens."""
_COLOUR = [{"role": "user", "content": "Name a colour."}]
_SHORT = {"messages": _COLOUR, "temperature": 0, "max_tokens": 16}
_WORDS = {
    "messages": [{"role": "user", "content": "Write a line of random words."}],
    "temperature": 1,
    "max_tokens": 12,
}
FIXING: dict[str, int | float] = {"seed": 1, "top_k": 1, "min_p": 1.0}
"""Fields, and values of them that leave one reply only."""
_QUIET: dict[str, dict[str, Any]] = {
    "chat_template_kwargs = { enable_thinking = false }": {"chat_template_kwargs": {"enable_thinking": False}},
    'reasoning_effort = "none"': {"reasoning_effort": "none"},
    'reasoning_effort = "low"': {"reasoning_effort": "low"},
}
"""Ways to have a model think less, as a run file says them and as a request does."""


@dataclass(frozen=True)
class Finding:
    """One thing that was to be found out."""

    name: str
    """What, in one word."""
    value: Value
    """What was found, for a script; none where it could not be told."""
    asked: str
    """What was asked."""
    seen: str
    """What was seen."""


async def found(name: str, asked: str, look: Awaitable[Seen]) -> Finding:
    """What a look at a server finds; a refusal is a finding, and a failure leaves it open.

    Raises:
        UnreachableError: nobody answers any more.
    """
    try:
        value, seen = await look
    except UnreachableError:
        raise
    except (RejectedError, TransientError) as error:
        value, seen = (False, "refused") if error.status in UNABLE else (None, "could not be told")
        seen = f"{seen}: {error.what}"
    return Finding(name, value, asked, seen)


async def reply(chat: Chat) -> Seen:
    """Seconds for a short reply once the server is warm.

    Raises:
        RejectedError: the server refuses a plain question.
        TransientError: it does not answer.
    """
    await chat(_SHORT)
    began = time.perf_counter()
    body = await chat(_SHORT)
    seconds = time.perf_counter() - began
    told = reply_of(body, seconds, "")
    words = [f"{seconds:.2f} s"]
    words += [f"{told.completion_tokens} tokens"] if told.completion_tokens is not None else []
    words += [f'the reply names the model "{short(body["model"])}"'] if isinstance(body.get("model"), str) else []
    words += [f"fingerprint {short(told.fingerprint)}"] if told.fingerprint else []
    return round(seconds, 3), ", ".join(words)


async def thinking(chat: Chat) -> Seen:
    """Where a model's thinking stands in its reply; `none` where it does not think."""
    place = thinks_in(await chat({**_SHORT, "max_tokens": _ROOM}))
    where = {"none": "does not think first", "usage": "thinks, and shows only how many tokens (usage)"}
    return place, where.get(place, f"thinks, in {place}")


async def thinking_off(chat: Chat) -> Seen:
    """Which settings of a run file keep a model from thinking."""
    able, words = list[str](), list[str]()
    for setting, fields in _QUIET.items():
        try:
            place = thinks_in(await chat({**_SHORT, "max_tokens": _ROOM, **fields}))
        except RejectedError as error:
            words.append(f"{setting}: refused (HTTP {error.status})")
            continue
        able += [setting] if place == "none" else []
        words.append(f"{setting}: {'no thinking' if place == 'none' else 'thinks all the same'}")
    return able, "; ".join(words)


def thinks_in(body: dict[str, Any]) -> str:
    """The part of a chat completion that holds thinking.

    >>> thinks_in({"choices": [{"message": {"content": None, "reasoning_content": "Red?"}}]})
    'reasoning_content'
    >>> thinks_in({"choices": [{"message": {"content": "Red? Blue?</think>Blue."}}]})
    '<think>'
    """
    said = reply_of(body, 0.0, "")
    message = body["choices"][0]["message"]
    for name in ("reasoning", "reasoning_content"):
        if message.get(name):
            return name
    if "<think" in said.text or "</think" in said.text:
        return "<think>"
    hidden = _within(body, "usage", "completion_tokens_details", "reasoning_tokens")
    return "usage" if hidden else "none"


async def logprobs(chat: Chat) -> tuple[int, str]:
    """How many log-probabilities come with a token, and what happens where more are asked for."""
    words = list[str]()

    async def noted(body: dict[str, Any]) -> dict[str, Any]:
        wanted = body.get("top_logprobs")
        try:
            answer = await chat(body)
        except RejectedError as error:
            words.append(f"{wanted} refused (HTTP {error.status})")
            raise
        if wanted:
            words.append(f"{len(reply_of(answer, 0.0, '').top_tokens or ())} came of {wanted}")
        return answer

    able = await capabilities(noted, "logprob")
    return able.top_logprobs, ", ".join(words)


async def tools(chat: Chat) -> Seen:
    """Whether a tool that must be called is called with arguments of the form that it has."""
    called = await calls_tools(chat)
    return called, "called, with arguments of its form" if called else "not called, or not in its form"


async def unknown_field(chat: Chat) -> Seen:
    """What becomes of a field that no server knows."""
    try:
        await chat({**_SHORT, "dilemmas_probe": 1})
    except RejectedError as error:
        return "refused", f"refused (HTTP {error.status})"
    return "ignored", "ignored without a word, so accepting a field proves nothing"


async def fixing(chat: Chat, name: str, loose: Sequence[str]) -> Seen:
    """Whether a field has the effect that it should have: replies that are all the same.

    Args:
        chat: asks the server.
        name: one of `FIXING`.
        loose: replies without it.
    """
    first, again = [await words(chat, **{name: FIXING[name]}) for _ in range(2)]
    if first != again:
        return False, "accepted, but the two texts differ"
    if len(set(loose)) < 2:
        return None, "accepted; no two texts differ without it either, so its effect could not be told"
    return True, "the same text twice, and two texts without it"


async def loose(chat: Chat) -> list[str]:
    """Two replies that nothing keeps the same; none where they cannot be had."""
    try:
        return [await words(chat) for _ in range(2)]
    except UnreachableError:
        raise
    except (RejectedError, TransientError):
        return []


async def words(chat: Chat, **fields: Any) -> str:
    """A few words that differ each time unless something keeps them the same."""
    said = reply_of(await chat({**_WORDS, **fields}), 0.0, "")
    return f"{said.reasoning}\n{said.text}"


async def prefix(chat: Chat, first: dict[str, Any], second: dict[str, Any]) -> Seen:
    """Share of a prompt that was read from the server's cache, because another began alike.

    Args:
        chat: asks the server.
        first: a request's fields, with a beginning that the server has never seen.
        second: another's, with the same beginning.
    """
    seen = list[str]()
    share = None
    for body in (first, second):
        began = time.perf_counter()
        answer = await chat(body)
        seconds = time.perf_counter() - began
        cached, read = cached_tokens(answer), reply_of(answer, seconds, "").prompt_tokens
        told = "cached tokens not told" if cached is None else f"{cached} of {read} tokens cached"
        seen.append(f"{seconds:.2f} s ({told})")
        share = cached / read if cached is not None and read else None
    return None if share is None else round(share, 3), f"first {seen[0]}, second {seen[1]}"


def cached_tokens(body: dict[str, Any]) -> int | None:
    """Tokens of a prompt that were not read anew, where the server tells; `timings` are llama.cpp's.

    >>> cached_tokens({"usage": {"prompt_tokens_details": {"cached_tokens": 16}}})
    16
    >>> cached_tokens({"usage": {"prompt_tokens_details": None}, "timings": {"cache_n": 33}})
    33
    """
    told = _within(body, "usage", "prompt_tokens_details", "cached_tokens")
    if told is None:
        told = _within(body, "timings", "cache_n")
    return told if isinstance(told, int) and told >= 0 else None


def _within(held: Any, *names: str) -> Any:
    """What stands in objects within each other; None where one of them is not there."""
    for name in names:
        held = held.get(name) if isinstance(held, dict) else None
    return held


async def wrong_name(chat: Chat) -> Seen:
    """What a server does with the name of a model that it cannot have."""
    try:
        await chat({**_SHORT, "model": "no-such-model"})
    except RejectedError as error:
        return "refused", error.what
    return "answered", "answered all the same: it does not look at the name"


async def too_long(chat: Chat, context: int | None) -> Seen:
    """What a server does with a prompt that is longer than its context.

    Args:
        chat: asks the server.
        context: tokens of context; none where it does not tell.
    """
    if context is None or context > _LONGEST:
        return None, "not asked: " + ("the server tells no length" if context is None else f"{context:,} is too long")
    long = [{"role": "user", "content": "word " * (context + 64)}]
    try:
        body = await chat({"messages": long, "temperature": 0, "max_tokens": 1})
    except RejectedError as error:
        return "refused", error.what
    read = reply_of(body, 0.0, "").prompt_tokens
    return "answered", f"answered after {read or 'some'} tokens: prompts that are too long are cut without a word"

"""How far a server's replies to the same request differ, measured so that it can be written down.

Batches, prompt caches and half precision change log-probabilities a little from one request to the next, and
then words. Two short questions that begin alike are put in turn, at first one after the other and then at once,
through the same queue and with the same fields as the run's own requests. With the embedded model this found
.05 nats and three other texts with its prompt cache, and no difference without.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from dilemmas.errors import RejectedError, TransientError
from dilemmas.models import Request
from dilemmas.schema import Capabilities, Message, ProtocolName, Reply, Sampling

ROUNDS = 2
"""Times both questions are put one after the other, and then again at once."""
_LETTERS = ("A", "B")
_PERSONA = "You are a person who takes care of others."
_SCENARIO = (
    "Your friend asks you for help with moving house, on the very day on which you had meant to visit your parents. "
    "Both count on you, and neither day can be changed any more."
)
_WAYS = ("I help my friend.", "I visit my parents.")
_ASKING_FOR: dict[ProtocolName, str] = {
    "logprob": "Reply with a single letter (A, B) and nothing else.",
    "reasoned": "Give your reasoning in one sentence, then the letter.",
}
_TOKENS = 48
"""Longest reply: enough for words to part, tokens."""


def questions(protocol: ProtocolName, able: Capabilities, sampling: Sampling, *, send_seed: bool) -> list[Request]:
    """Two short questions, asked as a run with these settings asks its own.

    Args:
        protocol: the run's protocol.
        able: what the server can do.
        sampling: the run's sampling.
        send_seed: whether the run sends seeds.
    """
    if protocol == "logprob":
        changes: dict[str, Any] = {"temperature": 0, "top_p": 1, "top_k": 0, "max_tokens": 1}
    else:
        changes = {"top_k": sampling.top_k if able.top_k else 0, "max_tokens": min(_TOKENS, sampling.max_tokens)}
    used = sampling.model_copy(update=changes)
    return [
        Request(
            messages=(
                Message(role="system", content=_PERSONA),
                Message(role="user", content=f"{_SCENARIO}\nA) {first}\nB) {second}\n{_ASKING_FOR[protocol]}"),
            ),
            sampling=used,
            options=(first, second),
            seed=1 if send_seed and able.seed and used.temperature > 0 else None,
            top_logprobs=able.top_logprobs if protocol == "logprob" else None,
            about=f"noise {first}",
        )
        for first, second in (_WAYS, _WAYS[::-1])
    ]


async def measure(ask: Callable[[Request], Awaitable[Reply]], asked: Sequence[Request]) -> dict[str, Any]:
    """The fields of `Capabilities` that tell of noise.

    Requests that fail are left out; without two replies to the same question nothing is known.

    Args:
        ask: asks the server.
        asked: what is asked again and again.

    Returns:
        `noise_replies`, and `noise_nats` or `noise_texts`.
    """

    async def one(request: Request) -> Reply | None:
        try:
            return await ask(request)
        except (RejectedError, TransientError):
            return None

    again = [*asked] * ROUNDS
    found = [await one(request) for request in again]
    found += await asyncio.gather(*map(one, again))
    each = [[reply for reply in found[place :: len(asked)] if reply is not None] for place in range(len(asked))]
    several = [replies for replies in each if len(replies) > 1]
    fields: dict[str, Any] = {"noise_replies": sum(map(len, each))}
    if several and asked[0].top_logprobs:
        fields["noise_nats"] = max((nats for nats in map(_nats, several) if nats is not None), default=None)
    elif several:
        fields["noise_texts"] = sum(map(_unlike_the_first, several))
    return fields


def _unlike_the_first(replies: Sequence[Reply]) -> int:
    words = [(reply.reasoning, reply.text) for reply in replies]
    return sum(one != words[0] for one in words)


def _nats(replies: Sequence[Reply]) -> float | None:
    """Largest difference of a letter's log-probability between two replies; None where no letter is in all."""
    ranges = []
    for letter in _LETTERS:
        found = [_logprob(letter, reply) for reply in replies]
        if all(map(math.isfinite, found)):
            ranges.append(max(found) - min(found))
    return max(ranges, default=None)


def _logprob(letter: str, reply: Reply) -> float:
    """Log-probability of all tokens that spell a letter; minus infinity where there are none."""
    spelt = [math.exp(one.logprob) for one in reply.top_tokens or () if one.token.strip(" \n\t▁Ġ") == letter]
    return math.log(math.fsum(spelt)) if math.fsum(spelt) > 0 else -math.inf

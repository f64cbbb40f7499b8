"""One token: the probability of each option letter, renormalised.

The whole distribution is read at once, so there is no sampling noise; what the letters do not
cover is recorded as the mass outside them, and letters the server did not return are named.
"""

from __future__ import annotations

import math

from dilemmas.errors import SetupError
from dilemmas.models import Request
from dilemmas.prompts import LETTERS
from dilemmas.schema import Capabilities, ProtocolName, Reply, Response, Sampling, Trial

NAME: ProtocolName = "logprob"
_MOST = 1.01
"""Highest sum of probabilities that rounding explains: servers that calculate in half precision round each of them."""


def mode(capabilities: Capabilities) -> str:
    """`topN`: N log-probabilities a token. Raises SetupError where there are none."""
    if capabilities.top_logprobs < 1:
        raise SetupError(
            "the server returns no log-probabilities, and the logprob protocol needs them",
            where="--protocol logprob",
            fix="Use --protocol reasoned, or a server that returns them (vLLM, SGLang, llama.cpp).",
        )
    return f"top{capabilities.top_logprobs}"


def sampling(wanted: Sampling, capabilities: Capabilities) -> Sampling:
    """One token at temperature 0: nothing is sampled, so the user's sampling does not matter."""
    return Sampling(temperature=0, top_p=1, top_k=0, max_tokens=1, extra=wanted.extra)


def request(trial: Trial, options: tuple[str, ...]) -> Request:
    """Ask for one token and its most likely rivals."""
    return Request(
        messages=trial.messages,
        sampling=trial.sampling,
        options=options,
        seed=trial.seed,
        top_logprobs=int(trial.mode.removeprefix("top")),
        about=trial.item,
    )


def read(reply: Reply, order: tuple[str, ...], texts: tuple[str, ...]) -> Response:
    """Sum the tokens that spell each letter (some servers have several) and renormalise."""
    if reply.refusal or reply.finish_reason == "content_filter":
        return Response(status="refused", reason=reply.refusal or "the server's content filter")
    if not reply.top_tokens:
        return Response(status="unreadable", reason="the reply has no log-probabilities")
    letters = LETTERS[: len(order)]
    sums = dict.fromkeys(letters, 0.0)
    for token in reply.top_tokens:
        letter = token.token.strip(" \n\t▁Ġ")
        if letter in sums:
            sums[letter] += math.exp(token.logprob)
    mass = math.fsum(sums.values())
    missing = tuple(letter for letter in letters if sums[letter] == 0)
    if mass <= 0:
        return Response(
            status="unreadable", mass=0, missing=missing, reason="no option letter among the most likely tokens"
        )
    if mass > _MOST:
        return Response(status="unreadable", missing=missing, reason="the letters' probabilities are more than 1")
    best = max(letters, key=lambda letter: sums[letter])
    return Response(
        status="answered",
        code=order[letters.index(best)],
        letter=best,
        probabilities={code: sums[letter] / mass for code, letter in zip(order, letters, strict=True)},
        mass=min(mass, 1.0),
        missing=missing,
    )

"""A deterministic stand-in for a model: for tests, examples and dry runs. No result of it means anything.

What it answers follows from hashes of the words it is shown, so that it is the same on every
machine: a persona and a scenario give each option a liking, a little noise comes with each
wording of the prompt, and a few replies in a thousand are refusals or unreadable.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dilemmas.config import ModelConfig
from dilemmas.models import SCRIPTED, Request, defaults
from dilemmas.prompts import LETTERS
from dilemmas.schema import Capabilities, ModelIdentity, ProtocolName, Reply, TokenProbability, canonical_json, sha256


def _uniform(*key: str) -> float:
    """A number in [0, 1) that the key decides."""
    return int(sha256("\x1f".join(key))[:13], 16) / 16**13


class ScriptedModel:
    """Answers by hashing. It counts how often it is asked (`asked`)."""

    identity = ModelIdentity(name="scripted", revision="1")
    default_protocol, default_concurrency = defaults(SCRIPTED)
    caveat = (
        "The answers of `scripted` come from a script, not from a language model. "
        "They show how the tool works and nothing else."
    )

    notices: tuple[str, ...] = ()

    def __init__(self, capacity: int = default_concurrency) -> None:
        self.asked = 0
        self.capacity = capacity

    @classmethod
    @asynccontextmanager
    async def opened(cls, config: ModelConfig) -> AsyncIterator[ScriptedModel]:
        """The model as a context manager, like every other."""
        yield cls(config.concurrency if isinstance(config.concurrency, int) else cls.default_concurrency)

    async def probe(self, protocol: ProtocolName, *, noise: bool = False) -> Capabilities:
        """It can do all that is asked of a server, and has no noise that would have to be measured."""
        return Capabilities(top_logprobs=50, reply_schema="bounded", server="scripted")

    def close(self) -> None:
        """Nobody waits for a script."""

    async def ask(self, request: Request) -> Reply:
        """A reply that depends on the words of the request and on nothing else."""
        await asyncio.sleep(0)  # as with a server, Ctrl-C and other requests get their turn
        self.asked += 1
        persona = "\n".join(message.content for message in request.messages if message.role == "system")
        prompt = canonical_json([message.content for message in request.messages] + [request.seed])
        asked = request.messages[-1].content.split(f"\n{LETTERS[0]}. ")[0]  # without the options, in any order
        liking = [
            _uniform("item", asked, text)
            + 0.6 * _uniform("persona", persona, text)
            + 0.4 * _uniform("noise", prompt, text)
            for text in request.options
        ]
        letters = LETTERS[: len(liking)]
        tokens = sum(len(message.content) for message in request.messages) // 4
        if request.top_logprobs:
            odds = [math.exp(3 * like) for like in liking]
            top = tuple(
                TokenProbability(token=letter, logprob=math.log(0.98 * odd / sum(odds)))
                for letter, odd in zip(letters, odds, strict=True)
            )
            best = max(top, key=lambda one: one.logprob)
            return Reply(
                text=best.token, finish_reason="stop", top_tokens=top, prompt_tokens=tokens, completion_tokens=1
            )
        chance = _uniform("mishap", prompt)
        if chance < 0.006:
            text = "I'm sorry, but I can't choose between these."
        elif chance < 0.012:
            text = '{"reasoning": "Both have something for them.", "answer": "A or B"}'
        else:
            letter = letters[liking.index(max(liking))]
            text = json.dumps({"reasoning": "A script decided.", "answer": letter})
        return Reply(text=text, finish_reason="stop", prompt_tokens=tokens, completion_tokens=len(text) // 4)

"""A chat completion: the fields of a request, and what a server's answer holds."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from dilemmas.errors import TransientError
from dilemmas.models import Request
from dilemmas.schema import Reply, Sampling

CHAT = "/chat/completions"
_MOST_SHOWN = 300
"""Characters of a server's words in a message of ours."""


def sampling_fields(sampling: Sampling) -> dict[str, Any]:
    """A sampling as a request says it; `top_k` is left out where there is no bound.

    >>> sampling_fields(Sampling(temperature=0, top_p=1, top_k=0, max_tokens=9, extra={"reasoning_effort": "low"}))
    {'temperature': 0.0, 'top_p': 1.0, 'max_tokens': 9, 'reasoning_effort': 'low'}
    """
    fields: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
    }
    if sampling.top_k:
        fields["top_k"] = sampling.top_k
    return fields | sampling.extra


def body_of(name: str, request: Request) -> dict[str, Any]:
    """What is sent to have a request answered by the model of some name."""
    body = {
        "model": name,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        **sampling_fields(request.sampling),
    }
    if request.seed is not None:
        body["seed"] = request.seed
    if request.top_logprobs:
        body["logprobs"], body["top_logprobs"] = True, request.top_logprobs
    if request.reply_schema:
        body["response_format"] = response_format(request.reply_schema)
    return body


def response_format(schema: dict[str, Any]) -> dict[str, Any]:
    """The field of a request that asks for a reply of some form."""
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}


def reply_of(body: dict[str, Any], latency: float, address: str) -> Reply:
    """A server's chat completion as a Reply.

    Args:
        body: the JSON object it sent.
        latency: time from request to reply, seconds.
        address: who sent it.

    Raises:
        TransientError: there is no answer in it.
    """
    try:
        choice = body["choices"][0]
        message = choice["message"]
        usage = body.get("usage") or {}
        tokens = (choice.get("logprobs") or {}).get("content")
        top = [
            {"token": entry["token"], "logprob": min(0.0, logprob)}
            for entry in (tokens[0].get("top_logprobs") or [] if tokens else [])
            if (logprob := entry["logprob"]) is not None and isfinite(logprob)  # a token that cannot come
        ]
        return Reply.model_validate(
            {
                "text": message.get("content") or "",
                "reasoning": message.get("reasoning") or message.get("reasoning_content") or "",
                "refusal": message.get("refusal") or "",
                "finish_reason": choice.get("finish_reason") or "",
                "top_tokens": top or None,
                "prompt_tokens": usage.get("prompt_tokens"),
                "completion_tokens": usage.get("completion_tokens"),
                "latency": latency,
                "fingerprint": body.get("system_fingerprint") or "",
            }
        )
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        raise no_choices(body, address) from None


def no_choices(body: dict[str, Any], address: str) -> TransientError:
    """What a reply is that holds no answer."""
    if error := body.get("error"):
        return TransientError(f"an error in place of a reply: {short(as_sent(error))}", where=address, status=200)
    return TransientError(f"a reply without choices: {short(as_sent(body))}", where=address, status=200)


def as_sent(data: Any) -> str:
    """What a server sent, as JSON again."""
    try:
        return json.dumps(data, ensure_ascii=False)
    except RecursionError:
        return "(nested too deep to be shown)"


def short(text: str) -> str:
    """The beginning of a server's words, on one line and harmless to a terminal."""
    flat = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return flat if len(flat) <= _MOST_SHOWN else flat[: _MOST_SHOWN - 3] + "..."

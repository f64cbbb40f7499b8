"""Inspect (https://inspect.aisi.org.uk): its task, and its log as JSON."""

from __future__ import annotations

from math import isfinite
from typing import Any

from dilemmas.errors import InputError
from dilemmas.harness.samples import Log, Logged, Sample
from dilemmas.models.completions import short
from dilemmas.schema import ProtocolName, Reply

_ENDS = {"max_tokens": "length", "model_length": "length"}
"""Its words for how a reply ended, where ours are others."""


def files(protocol: ProtocolName) -> dict[str, str]:
    """Files of its own; its task takes the sampling from study.json."""
    return {}


def log(data: dict[str, Any]) -> Log:
    """What stands in a log, in its form 2.

    Raises:
        KeyError, TypeError, ValueError, IndexError: it is of another form.
        InputError: a prompt was sent several times.
    """
    if data["eval"]["config"].get("epochs") not in (None, 1):
        raise InputError(
            "has each prompt several times (--epochs)", fix="Repeats are written by `dilemmas export --repeats`."
        )
    return Log(short(str(data["eval"]["model"])), [_logged(one) for one in data["samples"]])


def _logged(entry: dict[str, Any]) -> Logged:
    sample = Sample.model_validate(
        {
            "id": entry["id"],
            "input": [{"role": one["role"], "content": one["content"]} for one in entry["input"]],
            "metadata": entry["metadata"],
        }
    )
    sent = [(one["role"], one["content"]) for one in entry["messages"]]
    if sent and sent[-1][0] == "assistant":  # the reply
        sent.pop()
    output = entry.get("output") or {}
    if entry.get("error") or not output.get("choices"):
        why = (entry.get("error") or {}).get("message") or output.get("error") or "no reply"
        return Logged(sample, sent or sample.sent, None, str(why))
    return Logged(sample, sent, _reply(output))


def _reply(output: dict[str, Any]) -> Reply:
    choice, usage = output["choices"][0], output.get("usage") or {}
    content = choice["message"]["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    words = [one for one in parts if one["type"] == "text"]
    tokens = (choice.get("logprobs") or {}).get("content") or [{}]
    likely = [
        {"token": one["token"], "logprob": min(0.0, logprob)}
        for one in tokens[0].get("top_logprobs") or []
        if (logprob := one["logprob"]) is not None and isfinite(logprob)  # a token that cannot come
    ]
    return Reply.model_validate(
        {
            "text": "\n".join(one["text"] for one in words if not one.get("refusal")),
            "refusal": "\n".join(one["text"] for one in words if one.get("refusal")),
            "reasoning": "\n".join(one["reasoning"] for one in parts if one["type"] == "reasoning"),
            "finish_reason": _ENDS.get(choice["stop_reason"], choice["stop_reason"]),
            "top_tokens": likely or None,
            "prompt_tokens": usage.get("input_tokens"),
            "completion_tokens": usage.get("output_tokens"),
        }
    )

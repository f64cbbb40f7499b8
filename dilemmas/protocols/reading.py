"""What every reader of replies does first: tell refused and cut-off ones, strip the thinking, find the JSON."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NamedTuple

from dilemmas.schema import Reply

_THINKING = re.compile(r"<think(?:ing)?>(.*?)</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_BEGUN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_ENDED = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_TOO_LONG = "the reply reached its longest length"
_THINKING_TOO_LONG = "the thinking reached the longest length of a reply, and left no room for one"


class Spoken(NamedTuple):
    """The words of a reply without its thinking, or why there are none."""

    text: str
    """Empty where there is trouble."""
    trouble: Literal["refused", "unreadable"] | None
    """What the reply is instead of words to be read."""
    reason: str
    """Why; empty without trouble."""


class Parts(NamedTuple):
    """A reply taken apart."""

    thinking: str
    """What the model thought before it replied, wherever the server put it; empty where it did not."""
    words: str
    """What it replied."""
    thought_through: bool
    """Whether the thinking came to its end."""


def apart(text: str, reasoning: str = "") -> Parts:
    """The thinking of a reply and its words.

    Some chat templates open the thinking in the prompt, so that a reply only has its end.

    Args:
        text: the reply, as it came.
        reasoning: thinking that the server itself keeps apart from it.

    >>> apart("A or B?</think>B")
    Parts(thinking='A or B?', words='B', thought_through=True)
    """
    if "<" not in text:  # the usual case, in which there is nothing to look for
        return Parts(reasoning.strip(), text.strip(), True)
    thoughts = [reasoning, *_THINKING.findall(text)]
    words = _THINKING.sub(" ", text)
    *unopened, words = _ENDED.split(words)
    words, *unended = _BEGUN.split(words, maxsplit=1)
    thinking = "\n".join(part.strip() for part in [*thoughts, *unopened, *unended] if part.strip())
    return Parts(thinking, words.strip(), not unended)


def spoken(reply: Reply) -> Spoken:
    """What a reply says once the thinking is taken off."""
    if reply.refusal or reply.finish_reason == "content_filter":
        return Spoken("", "refused", reply.refusal or "the server's content filter")
    thinking, words, thought_through = apart(reply.text, reply.reasoning)
    if reply.finish_reason == "length":
        in_thought = not thought_through or (thinking and not words)
        return Spoken("", "unreadable", f"cut off: {_THINKING_TOO_LONG if in_thought else _TOO_LONG}")
    if not thought_through:
        return Spoken("", "unreadable", "cut off: the thinking does not end")
    if not words:
        return Spoken("", "unreadable", "the reply is empty")
    return Spoken(words, None, "")


def json_objects(text: str) -> list[dict[str, Any]]:
    """JSON objects that stand in a text, outermost only; a key given twice has a list of what it was given."""
    found: list[dict[str, Any]] = []
    start = text.find("{")
    while start >= 0:
        try:
            entry, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(entry, dict):
                found.append(entry)
        start = text.find("{", end)
    return found


def _all_given(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for key, value in pairs:
        given[key] = value if given.get(key, value) == value else [given[key], value]
    return given


_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_all_given)

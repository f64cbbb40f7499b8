"""What every reader of replies does first: tell refused and cut-off ones, strip the thinking, find the JSON."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NamedTuple

from dilemmas.schema import Reply

_THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_UNENDED = re.compile(r"<think(?:ing)?>", re.IGNORECASE)


class Spoken(NamedTuple):
    """The words of a reply without its thinking, or why there are none."""

    text: str
    """Empty where there is trouble."""
    trouble: Literal["refused", "unreadable"] | None
    """What the reply is instead of words to be read."""
    reason: str
    """Why; empty without trouble."""


def spoken(reply: Reply) -> Spoken:
    """What a reply says once the thinking is taken off."""
    if reply.refusal or reply.finish_reason == "content_filter":
        return Spoken("", "refused", reply.refusal or "the server's content filter")
    if reply.finish_reason == "length":
        return Spoken("", "unreadable", "cut off: the reply reached its longest length")
    text = _THINKING.sub(" ", reply.text).strip()
    if _UNENDED.search(text):
        return Spoken("", "unreadable", "cut off: the thinking does not end")
    if not text:
        return Spoken("", "unreadable", "the reply is empty")
    return Spoken(text, None, "")


def json_objects(text: str) -> list[dict[str, Any]]:
    """JSON objects that stand in a text, outermost only; a key given twice has a list of what it was given."""
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=_all_given)
    found: list[dict[str, Any]] = []
    start = text.find("{")
    while start >= 0:
        try:
            entry, end = decoder.raw_decode(text, start)
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

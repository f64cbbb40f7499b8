"""The form of a reply that holds a draft: how it is asked for, and how a broken one is told.

The limits say how long a text may be at all; whether it is any good is for `checks` and for people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self, cast

from instructor.core import IncompleteOutputException
from openai.types.chat import ChatCompletion
from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator

from dilemmas.models.completions import response_format
from dilemmas.schema import PLACES, Record, readable

Mode = Literal["json_schema", "json_schema_plain", "tools", "free"]
"""How the form of a reply is imposed: by a schema with lengths, by one without, by a tool that must be called, or
by nothing but words."""
SCENARIO_LENGTHS, TEXT_LENGTHS, RATIONALE_LENGTHS = (170, 1200), (40, 300), (50, 400)
"""Shortest and longest texts, characters: well below the shortest and above the longest of the 616 shipped
dilemmas (347 to 696, 80 to 135 and 68 to 204). They stop a model that does not end, and judge nothing."""
_RECALLED = 1500
"""Characters of a broken reply, and of what was wrong with it, that are shown when asking again: with them and the
prompt a context of 4,096 tokens still has room for a reply."""
BROKEN = (ValueError, IncompleteOutputException)
"""What is raised about a broken reply: it has not the form (pydantic's and json's errors are ValueErrors), it is a
refusal, or it was cut off."""


def _limits(lengths: tuple[int, int]) -> Any:
    return Field(min_length=lengths[0], max_length=lengths[1])


class Step(Record):
    """One thing the reader could do."""

    model_config = ConfigDict(str_strip_whitespace=True)

    text: Annotated[str, _limits(TEXT_LENGTHS), AfterValidator(readable)]
    """What I do, in the first person."""
    rationale: Annotated[str, _limits(RATIONALE_LENGTHS), AfterValidator(readable)]
    """Why it takes this side, and why this strongly."""


class Draft(Record):
    """A dilemma: a scenario and six things the reader could do."""

    model_config = ConfigDict(str_strip_whitespace=True)

    scenario: Annotated[str, _limits(SCENARIO_LENGTHS), AfterValidator(readable)]
    """The situation, told to the reader as "you"."""
    aligned_strong: Step
    """For the focal value, wholly."""
    aligned_moderate: Step
    """For the focal value, within a limit."""
    aligned_mild: Step
    """For the focal value, with real room for the other side."""
    opposed_mild: Step
    """Against the focal value, with real room for it."""
    opposed_moderate: Step
    """Against the focal value, within a limit."""
    opposed_strong: Step
    """Against the focal value, wholly."""

    @model_validator(mode="after")
    def _texts_differ(self) -> Self:
        seen: dict[str, str] = {}
        for name, step in self.steps().items():
            if (first := seen.setdefault(step.text.casefold(), name)) != name:
                raise ValueError(f"{name}.text repeats {first}.text; write six actions that differ")
        return self

    def steps(self) -> dict[str, Step]:
        """The six actions by the names of their places."""
        names = [f"{polarity}_{intensity}" for polarity, intensity in PLACES]
        return {name: getattr(self, name) for name in names}


def form(request: dict[str, Any], mode: Mode, *, brief: bool) -> dict[str, Any]:
    """The fields of a request that impose the form, as instructor made them; lengths only where they are followed."""
    fields = {name: part for name, part in request.items() if name in ("response_format", "tools", "tool_choice")}
    if "response_format" in fields:
        fields["response_format"] = response_format(fields["response_format"]["json_schema"]["schema"])
    if mode != "json_schema":
        return cast("dict[str, Any]", _with_lengths(fields, lambda shortest, longest: {}))
    if brief:
        return cast("dict[str, Any]", _with_lengths(fields, _brief))
    return fields


def _brief(shortest: int, longest: int) -> dict[str, int]:
    """Narrower limits, for a model that fills whatever room it has."""
    return {"minLength": shortest, "maxLength": min(longest, 2 * shortest)}


def _with_lengths(node: Any, limits: Callable[[int, int], dict[str, int]]) -> Any:
    """A schema with other lengths in it."""
    if isinstance(node, list):
        return [_with_lengths(part, limits) for part in node]
    if not isinstance(node, dict):
        return node
    kept = {name: _with_lengths(part, limits) for name, part in node.items() if name not in ("minLength", "maxLength")}
    return kept | limits(node["minLength"], node["maxLength"]) if "maxLength" in node else kept


def recalled(prompt: list[dict[str, Any]], text: str, wrong: str) -> list[dict[str, Any]]:
    """The prompt, a broken reply to it and what was wrong with that, both cut to a length.

    In plain messages that take turns: servers read the arguments of a tool call in an earlier message, and refuse
    those that are no JSON.
    """
    again = f"Write it anew, and whole. What was wrong with this reply: {wrong}"
    return [
        *prompt,
        {"role": "assistant", "content": text.strip()[:_RECALLED] or "(nothing)"},
        {"role": "user", "content": again[:_RECALLED]},
    ]


def said(body: dict[str, Any]) -> str:
    """The text of a server's reply, wherever it stands; empty where there is none."""
    message = body["choices"][0]["message"]
    called = "".join(call["function"]["arguments"] for call in _calls(message))
    return _text(message) or called or str(message.get("refusal") or "")


def completion(body: dict[str, Any]) -> ChatCompletion:
    """The part of a server's reply that is read; the rest may have any form.

    Raises:
        ValueError: the model refused.
    """
    choice = body["choices"][0]
    found, finish = choice["message"], choice.get("finish_reason")
    if found.get("refusal") or finish == "content_filter":
        raise ValueError(f"the model refused: {found.get('refusal') or 'the content filter'}")
    message = {"role": "assistant", "content": _text(found) or None, "tool_calls": _calls(found) or None}
    return ChatCompletion.model_validate(
        {
            "id": "",
            "created": 0,
            "model": "",
            "object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": "length" if finish == "length" else "stop", "message": message}],
        }
    )


def _text(message: dict[str, Any]) -> str:
    """The content of a message: a text, or a list with parts of one."""
    content, texts = message.get("content"), []
    for part in content if isinstance(content, list) else [content]:
        match part:
            case str(text) | {"type": "text", "text": str(text)}:
                texts.append(text)
    return "".join(texts)


def _calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls of a function in a message; whatever else stands there, instructor would fail on."""
    calls, found = message.get("tool_calls"), []
    for call in calls if isinstance(calls, list) else []:
        match call:
            case {"type": "function", "function": {"name": str(name), "arguments": str(arguments)}}:
                found.append({"id": "", "type": "function", "function": {"name": name, "arguments": arguments}})
    return found


def told(error: BaseException | None) -> str:
    """What was wrong with a reply, on one line that a terminal can show: it may name keys of the reply's own."""
    message = str(error)
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        message = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in problems)
    elif isinstance(error, IncompleteOutputException):
        message = "the reply was cut off at its longest length (--max-tokens)"
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(message.split()))[:_RECALLED]

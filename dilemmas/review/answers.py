"""What an annotation's `result` says, as plain answers by control, and back.

Label Studio checks nothing that comes over its interface: an answer may be to a question that the
form does not ask, or be none that it offers. Whatever does not fit is left out and told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from dilemmas.review import form as forms
from dilemmas.review.form import FormName

QUOTED = 100
"""Longest piece of what was found that a problem quotes, characters."""


class Answers(NamedTuple):
    """What was answered."""

    chosen: dict[str, str]
    """Code of the answer chosen, by control."""
    texts: dict[str, tuple[str, ...]]
    """Texts as they were typed, with `\\n` for every line break, by control; blank ones are left out."""
    problems: tuple[str, ...]
    """What does not fit the form and is left out."""


def read(result: Any, form: FormName) -> Answers:
    """The answers in a `result`, whatever it holds."""
    items, problems = _items(result)
    offered = forms.offered(form)
    chosen: dict[str, str] = {}
    texts: dict[str, tuple[str, ...]] = {}
    times = Counter(name for name, _, _ in items)
    problems += [f"answers {quoted(name)} {count} times" for name, count in times.items() if count > 1]
    for name, kind, values in items:
        if times[name] > 1:
            continue
        if kind == "choices" and name in offered:
            if len(values) == 1 and values[0] in offered[name]:
                chosen[name] = values[0]
            else:
                problems.append(f"answers {name} with {quoted(values)}")
        elif kind == "text" and name in forms.TEXT_FIELDS:
            if typed := tuple(_unix(text) for text in values if text.strip()):
                texts[name] = typed
        else:
            problems.append(f"answers {quoted(name)} with {kind}, which the form does not ask for")
    for slot in forms.SLOTS:
        if forms.strength(slot) in chosen and not _has_side(slot, chosen):
            problems.append(f"answers {forms.strength(slot)} without a side")
            del chosen[forms.strength(slot)]
    return Answers(chosen, texts, tuple(problems))


def missing(chosen: Mapping[str, str], form: FormName) -> list[str]:
    """Controls that need an answer and have none."""
    hidden = {forms.strength(slot) for slot in forms.SLOTS if not _has_side(slot, chosen)}
    return [name for name in forms.offered(form) if name not in chosen and name not in hidden]


def result(chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    """Chosen answers as a `result`."""
    return [
        {"from_name": name, "to_name": _about(name), "type": "choices", "value": {"choices": [code]}}
        for name, code in chosen.items()
    ]


def quoted(found: Any) -> str:
    """What was found, short and readable whatever it is."""
    text = ascii(found)
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}..."


def _items(result: Any) -> tuple[list[tuple[str, str, list[str]]], list[str]]:
    """Control, kind of answer and answers of each item that has them, and what the others are."""
    if result is None:
        return [], []
    if not isinstance(result, list):
        return [], [f"holds no answers but {quoted(result)}"]
    items = [_item(one) for one in result]
    problems = [f"holds {quoted(one)}, which is no answer" for one, item in zip(result, items, strict=True) if not item]
    return [item for item in items if item], problems


def _item(raw: Any) -> tuple[str, str, list[str]] | None:
    match raw:
        case {"from_name": str(name), "type": "choices", "value": {"choices": list(values)}}:
            kind = "choices"
        case {"from_name": str(name), "type": "textarea", "value": {"text": list(values)}}:
            kind = "text"
        case _:
            return None
    return (name, kind, values) if all(_is_text(value) for value in values) else None


def _is_text(value: Any) -> bool:
    """Whether it is a text that a file can keep: half a character (a lone surrogate) cannot be written."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _unix(text: str) -> str:
    """The text with `\\n` for every line break: browsers send `\\r\\n`."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _about(control: str) -> str:
    """Name of the form's element that an answer is about: a card's action, or the scenario."""
    card = control.rpartition("_")[2]
    return f"action_{card}" if card.isdecimal() else "scenario"


def _has_side(slot: int, chosen: Mapping[str, str]) -> bool:
    return chosen.get(forms.side(slot)) in ("aligned", "opposed")

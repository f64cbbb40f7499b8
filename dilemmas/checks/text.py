"""Words, sentences and quotations: what several rules need to read a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from dilemmas.resources import data_file
from dilemmas.schema import Dilemma

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
# Not after an initial or a short title, and also where the stop stands inside a closing mark.
_SENTENCE_END = re.compile(
    r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)»]))(?<!\b[A-Z]\.)(?<!\b(?:Dr|Mr|Ms|St)\.)(?<!\bMrs\.)\s+|\n+"
)
_QUOTED = re.compile(
    r"„[^“”\n]*[“”]?"
    r"|“[^”\n]*”?"
    r'|"[^"\n]*"?'
    r"|«[^»\n]*»?"
    # A single mark opens only at the start of a word and closes only at the end of one: the rest are apostrophes.
    r"|(?<!\w)[‘'](?=\S)[^\n]*?(?<=\S)[’'](?!\w)"
)


def fields(dilemma: Dilemma) -> Iterator[tuple[str, str]]:
    """The thirteen texts of a dilemma, each with the name of its field: its scenario, six actions, six rationales."""
    yield "scenario", dilemma.scenario
    yield from actions(dilemma)
    yield from rationales(dilemma)


def actions(dilemma: Dilemma) -> Iterator[tuple[str, str]]:
    """The six actions' texts, each with the name of its field."""
    for number, action in enumerate(dilemma.actions):
        yield f"actions[{number}].text", action.text


def rationales(dilemma: Dilemma) -> Iterator[tuple[str, str]]:
    """The six rationales, each with the name of its field."""
    for number, action in enumerate(dilemma.actions):
        yield f"actions[{number}].rationale", action.rationale


def words(text: str) -> list[str]:
    """The words of a text in lower case, apostrophes straight; no numbers.

    >>> words("Anne-Marie’s 2 hens don't lay.")
    ["anne-marie's", 'hens', "don't", 'lay']
    """
    return _WORD.findall(text.casefold().replace("’", "'"))


def length(text: str) -> int:
    """Number of words, as an editor counts them: whatever stands between spaces.

    >>> length("On 3 May the well-known shop shuts.")
    7
    """
    return len(text.split())


def sentences(text: str) -> list[str]:
    """The sentences of a text, roughly: cut after each full stop, question or exclamation mark and line.

    >>> sentences("Dr. J. Ito waits. You nod.")
    ['Dr. J. Ito waits.', 'You nod.']
    """
    return [found for found in _SENTENCE_END.split(text) if found.strip()]


def unquoted(text: str) -> str:
    """A text without its direct speech; a quotation that is not closed runs to the end of its line.

    >>> unquoted('Your aunt says "I will go", and you nod.')
    'Your aunt says  , and you nod.'
    """
    return _QUOTED.sub(" ", text)


def told(found: list[str], most: int = 5) -> str:
    """Some of the words found in quotation marks, each once and on one line, the first few by name.

    >>> told(["one", "two", "one"])
    '"one", "two"'
    """
    distinct = list(dict.fromkeys(" ".join(one.split()) for one in found))
    rest = f" and {len(distinct) - most} more" if len(distinct) > most else ""
    return ", ".join(f'"{word}"' for word in distinct[:most]) + rest


@cache
def word_list(name: str) -> frozenset[str]:
    """One of the lists of `data/check_words.json`."""
    return frozenset(_lists()[name])


@cache
def value_family(value: str) -> tuple[str, ...]:
    """Inflections, derivations and negations of the word that carries a value's name."""
    return tuple(_lists()["value_families"][value])


@cache
def _lists() -> dict[str, Any]:
    return dict(json.loads(data_file("check_words.json").read_text(encoding="utf-8")))

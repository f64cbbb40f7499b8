"""A short reasoning and a letter, as JSON.

Reading is lenient about the wrapping (code fences, text around the JSON, "B.", "(b)", the option's
own words) and never about the answer: two letters are unreadable, so is a reply that was cut off.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from dilemmas.models import Request
from dilemmas.prompts import LETTERS
from dilemmas.protocols.reading import json_objects, spoken
from dilemmas.schema import Capabilities, ProtocolName, Reply, Response, Sampling, Trial

NAME: ProtocolName = "reasoned"
REASONING_CHARACTERS = 400
"""Longest reasoning where the server can impose a schema."""

_KEYS = ("answer", "action", "choice", "letter", "option", "selection")
_REFUSING = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|not able|unable)|i (?:can(?:'t|not)|won't|will not|must decline|decline|refuse)\b"
    r"|as an ai\b|i(?:'d| would) rather not|not comfortable)",
    re.IGNORECASE,
)
_DECLARED = re.compile(
    r"\b(?:answer|choice|option|letter|choose|pick|select|action)\b(?:\s+(?:is|would be|option|letter|action))*"
    r"\s*[:=]?\s*[*_\"'`(\[]*([A-Z])(?![A-Za-z'])",
)
_STANDING_ALONE = re.compile(r"(?<![A-Za-z'])([A-Z])(?![A-Za-z'])")
_ARTICLE = re.compile(r"(?:^|[.!?:\n]\s*)A(?=\s+[a-z])")
"""The word "A", which begins a sentence; the letter A seldom does without a full stop behind it."""
_NEGATED = re.compile(
    r"\b(?:not|never|neither|nor|no|cannot|without|instead of|rather than|against)\b|n't\b", re.IGNORECASE
)
_CLAUSE = re.compile(r"[.;!?\n]|,\s*(?:but|so|and)\b")


def mode(capabilities: Capabilities) -> str:
    """`json_schema`, `json_schema_plain` (without lengths) or `free` where none is honoured."""
    return {"bounded": "json_schema", "plain": "json_schema_plain"}.get(capabilities.reply_schema, "free")


def sampling(wanted: Sampling, capabilities: Capabilities) -> Sampling:
    """The user's sampling, less `top_k` where the server refuses it."""
    return wanted if capabilities.top_k else wanted.model_copy(update={"top_k": 0})


@cache
def reply_schema(letters: str, *, bounded: bool) -> dict[str, object]:
    """JSON Schema of a reply: the reasoning first, then one of the letters."""
    length = {"maxLength": REASONING_CHARACTERS} if bounded else {}
    return {
        "type": "object",
        "properties": {
            "reasoning": {"type": "string", **length},
            "answer": {"type": "string", "enum": list(letters)},
        },
        "required": ["reasoning", "answer"],
        "additionalProperties": False,
    }


def request(trial: Trial, options: tuple[str, ...]) -> Request:
    """Ask for JSON, under a schema where the server honours one."""
    schema = None
    if trial.mode != "free":
        schema = reply_schema(LETTERS[: len(options)], bounded=trial.mode == "json_schema")
    return Request(
        messages=trial.messages,
        sampling=trial.sampling,
        options=options,
        seed=trial.seed,
        reply_schema=schema,
        about=trial.item,
    )


def read(reply: Reply, order: tuple[str, ...], texts: tuple[str, ...]) -> Response:
    """The option that a reply names, if it names exactly one."""
    text, trouble, reason = spoken(reply)
    if trouble:
        return Response(status=trouble, reason=reason)
    named = _answers(text, texts)
    if len(named) == 1:
        letter = named.pop()
        return Response(status="answered", code=order[LETTERS.index(letter)], letter=letter)
    if len(named) > 1:
        return Response(status="unreadable", reason=f"names more than one option: {', '.join(sorted(named))}")
    if _REFUSING.search(text):
        return Response(status="refused", reason="declines to choose")
    return Response(status="unreadable", reason="names no option")


def _answers(text: str, texts: tuple[str, ...]) -> set[str]:
    """Letters that a reply names as its answer; none where it names something else as well."""
    letters = LETTERS[: len(texts)]
    stated = [entry[key] for entry in json_objects(text) for key in _KEYS if key in entry]
    if stated:
        named = [_letters_of(answer, letters, texts) for answer in stated]
        return set().union(*named) if all(named) else set()
    bare = re.sub(r"```[a-z]*", " ", text).strip()
    if found := _letters_of(bare, letters, texts):
        return found
    declared = {
        letter for clause in _CLAUSE.split(bare) if not _NEGATED.search(clause) for letter in _DECLARED.findall(clause)
    }
    return _standing_alone(bare, letters) if declared & set(letters) else set()


def _standing_alone(text: str, letters: str) -> set[str]:
    """Every option letter that stands by itself in some prose, the article "A" apart."""
    return {letter for letter in _STANDING_ALONE.findall(_ARTICLE.sub(" ", text)) if letter in letters}


def _letters_of(answer: Any, letters: str, texts: tuple[str, ...]) -> set[str]:
    """Letters meant by a short answer: `B`, `B.`, `(b)`, `Option B`, `B. its words` or its words."""
    if not isinstance(answer, str):
        return set()
    if len(answer) == 1 and min(map(len, texts)) > 1:  # as nearly all are
        return {answer.upper()} if answer.upper() in letters else set()
    by_words = _by_words(letters, texts)
    plain = _plain(answer)
    if plain in by_words:
        return {by_words[plain]}
    bare = answer.strip().strip("*_`\"'").strip()
    label = re.match(
        r"^(?:(?:the\s+)?(?:option|answer|letter|choice|action)\s*(?:is\s*)?:?\s*)?(.*)$", bare, re.I | re.S
    )
    bare = label.group(1).strip().strip("*_`\"'").strip() if label else bare
    if single := re.fullmatch(r"[(\[]?\s*([A-Za-z])\s*[)\]]?\s*[.:,;!]?", bare):
        letter = single.group(1).upper()
        return {letter} if letter in letters else set()
    if lettered := re.match(r"[(\[]?([A-Za-z])(?:[)\]][.:]?|[.:]|\s+[-–—])\s*(.+)$", bare, re.DOTALL):
        letter, rest = lettered.group(1).upper(), lettered.group(2)
        own = _plain(texts[letters.index(letter)]) if letter in letters else ""
        if own and own.startswith(_plain(rest)):
            return {letter}
        named = {letter} | {by_words[words] for words in [_plain(rest)] if words in by_words}
        return {one for one in named if one in letters} | _standing_alone(rest, letters)
    pair = re.fullmatch(r"[(\[]?([A-Z])[)\]]?(?:\s*(?:,|/|&|\+|and|or)\s*[(\[]?([A-Z])[)\]]?)+[.!]?", bare)
    if pair:
        return {letter for letter in re.findall(r"\b[A-Z]\b", bare) if letter in letters}
    return set()


@lru_cache(maxsize=4096)
def _by_words(letters: str, texts: tuple[str, ...]) -> dict[str, str]:
    return {_plain(words): letter for letter, words in zip(letters, texts, strict=True)}


def _plain(text: str) -> str:
    """Words alone: no case, no punctuation, no accents of typing, one space between them."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return " ".join(re.sub(r"[^\w' ]+", " ", folded).split())

"""What actions and rationales must not say: their own labels, a value's name, nothing at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from dilemmas.checks.rules import Rule
from dilemmas.checks.text import actions, rationales, told, value_family, word_list, words
from dilemmas.schema import Dilemma, Finding

SUBSTANCE = 2
"""Fewest different words that a rationale must have beside labels, values and function words.

The shipped rationales have at least 6. One such word ("It takes the aligned side, strongly, here.") is still a label.
"""
STEM = 4
"""First letters by which two words count as one when a rationale is held against its action.

Short, so that "bathes" meets "bath" and "given" meets "gives": the rule is to miss a link rather than to deny one.
"""
ECHO = 0.8
"""Share of an action's different words from which a rationale that has them too repeats it.

The shipped rationales have at most .53 of them.
"""

LABEL_WORDS = Rule(
    name="label-words",
    family="form",
    severity="error",
    looks_for='An action with its label in brackets or as a heading ("(mild)", "Strong:"), or with aligned or opposed '
    'used as labels ("mildly opposed", "the opposed option"); a warning for strongly, moderately or mildly alone, and '
    'where strong, moderate or mild qualifies a stance ("a mild protest"). Strong tea, a mild evening and "as opposed '
    'to" are left alone, and so are moderate and moderately where the value Moderate is in play.',
    reason="A label in the text tells the reader where the action is meant to stand; its content should do that.",
    fix="Say what is done, and let its extent show how strong it is.",
)
VALUE_NAMED = Rule(
    name="value-named",
    family="form",
    severity="error",
    looks_for="An action with the name of the focal value (error), with a word of its family such as honesty for "
    "Honest, or with the name of the competing value (warnings). The families are in data/check_words.json.",
    reason="The study asks about the value by name elsewhere. An action that names it can be matched by the word "
    "alone, without weighing anything. A word of the family may stand by chance, as health does where the topic is "
    "health, and is only a warning.",
    fix="Say what is done without the value's name or a word of its family.",
)
RATIONALE = Rule(
    name="rationale",
    family="form",
    severity="error",
    looks_for=f"A rationale in which fewer than {SUBSTANCE} words are left without its labels, the values' names and "
    "function words, one that stands twice in a dilemma, or one that is its action word for word (errors); one with "
    f"more than {ECHO} of its action's different words, or that speaks neither of a value nor of a degree nor of "
    "anything in its action (warnings).",
    reason="The rationale is what a reviewer checks an action's place against. One that repeats the label or the "
    "action gives nothing to check.",
    fix="Say what in this action serves or sets aside the value, and why to this degree and no other.",
)

RULES: tuple[Rule, ...] = (LABEL_WORDS, VALUE_NAMED, RATIONALE)
"""The rules of wording, in the order of the documentation."""

_SIZE = r"(?:strong|moderate|mild)(?:ly)?"
_LABEL = rf"(?:{_SIZE}|aligned|opposed)"
_LABELS = re.compile(
    rf"[(\[]\s*{_LABEL}(?:[\s,/-]+{_LABEL})*\s*[)\]]"  # (mild), (strong, aligned)
    rf"|^\s*{_LABEL}(?:[\s,/-]+{_LABEL})*\s*[:–—]"  # Mildly opposed:
    rf"|\b{_SIZE}[\s-]+(?:aligned|opposed)\b"
    rf"|\b(?:aligned|opposed)[\s,-]+{_SIZE}\b"
    r"|\b(?:aligned|opposed)\s+(?:action|answer|choice|option|response|side|stance|version|way)\b"
    r"|\bvalue-(?:aligned|opposed)\b",
    re.IGNORECASE,
)
_MODERATE = re.compile(r"\bmoderate(?:ly)?\b(?![\s-]+(?:aligned|opposed)\b)", re.IGNORECASE)


def _label_words(dilemma: Dilemma) -> Iterator[Finding]:
    moderate_is_a_value = "Moderate" in (dilemma.value, dilemma.competing_value)
    for where, text in actions(dilemma):
        read = _MODERATE.sub(" ", text) if moderate_is_a_value else text
        if labels := [match[0] for match in _LABELS.finditer(read)]:
            yield LABEL_WORDS(dilemma, f"the action carries its label: {told(labels)}", where)
        elif stances := [match[0] for match in _strength_of_stance().finditer(read)]:
            what = f"the action says how strong its stance is: {told(stances)}"
            yield LABEL_WORDS(dilemma, what, where, severity="warning")


@cache
def _strength_of_stance() -> re.Pattern[str]:
    nouns = "|".join(sorted(word_list("stances")))
    between = r"(?:(?:and|but|if|yet)\s+)?(?:[\w-]+\s+)?"  # a strong but friendly tone
    qualified = rf"\b(?:strong|moderate|mild)(?:er|est)?,?\s+{between}(?:{nouns})s?\b"
    return re.compile(rf"{qualified}|\b(?:strong|moderate|mild)ly\b", re.IGNORECASE)


def _value_named(dilemma: Dilemma) -> Iterator[Finding]:
    for where, text in actions(dilemma):
        if named := _name(dilemma.value).search(text):
            yield VALUE_NAMED(dilemma, f'the action names the focal value ("{named[0]}")', where)
        elif related := _family(dilemma.value).search(text):
            what = f'the action has a word of the focal value\'s family ("{related[0]}" for {dilemma.value})'
            yield VALUE_NAMED(dilemma, what, where, severity="warning")
        if named := _name(dilemma.competing_value).search(text):
            what = f'the action names the competing value ("{named[0]}")'
            yield VALUE_NAMED(dilemma, what, where, severity="warning")


@cache
def _name(value: str) -> re.Pattern[str]:
    """Finds a value's name in any case, without its article, in British or American spelling."""
    bare = value.removeprefix("An ").removeprefix("A ")
    pattern = re.sub(r"[ -]", r"[\\s-]", bare).replace("Favors", "Favou?rs").replace("Honoring", "Honou?ring")
    return re.compile(rf"\b{pattern}\b", re.IGNORECASE)


@cache
def _family(value: str) -> re.Pattern[str]:
    # The longest first, so that what is reported is all of what was found.
    either = "|".join(sorted(map(re.escape, value_family(value)), key=len, reverse=True))
    return re.compile(rf"\b(?:{either})\b", re.IGNORECASE)


def _rationale(dilemma: Dilemma) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for (where, text), (_, action) in zip(rationales(dilemma), actions(dilemma), strict=True):
        spoken = " ".join(words(text))
        if spoken in seen:
            yield RATIONALE(dilemma, f"the rationale is the same as {seen[spoken]}", where)
        seen.setdefault(spoken, where)
        bare, names_value = _without_values(text, dilemma)
        left = set(words(bare)) - word_list("function_words")
        if len(left - word_list("label_talk")) < SUBSTANCE:
            yield RATIONALE(dilemma, "the rationale says no more than its label", where)
            continue
        acts = words(action)
        if words(text) == acts:
            yield RATIONALE(dilemma, "the rationale is its action word for word", where)
            continue
        if len(set(words(text)) & set(acts)) > ECHO * len(set(acts)):
            yield RATIONALE(dilemma, "the rationale repeats its action", where, severity="warning")
        speaks_of_degree = not word_list("intensity_words").isdisjoint(words(bare))
        if not (names_value or speaks_of_degree or _stems(left) & _stems(acts)):
            what = "the rationale speaks neither of a value nor of a degree nor of its action"
            yield RATIONALE(dilemma, what, where, severity="warning")


def _without_values(text: str, dilemma: Dilemma) -> tuple[str, bool]:
    """A text without the names and families of its two values, and whether it had any of them."""
    bare = text
    for value in (dilemma.value, dilemma.competing_value):
        bare = _family(value).sub(" ", _name(value).sub(" ", bare))
    return bare, bare != text


def _stems(found: list[str] | set[str]) -> set[str]:
    return {word[:STEM] for word in found if len(word) >= STEM and word not in word_list("function_words")}


CHECKS: tuple[Callable[[Dilemma], Iterator[Finding]], ...] = (_label_words, _value_named, _rationale)
"""The rules' functions, each for one dilemma."""

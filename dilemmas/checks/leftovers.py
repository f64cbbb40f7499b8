"""What should not be in a text at all: template parts, the prompt, another language, characters nobody sees."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from dilemmas.checks.rules import Rule
from dilemmas.checks.text import fields, told, unquoted, word_list, words
from dilemmas.errors import SetupError
from dilemmas.resources import folder
from dilemmas.schema import Dilemma, Finding

ENGLISH = ("en", "pcm")
"""What py3langid may say of an English text: it takes one full of West African names for Nigerian Pidgin."""
SHORTEST = 40
"""Fewest bytes of UTF-8, which is what py3langid reads, by which a text's language is judged.

Some seven English words or thirteen Chinese characters; a name fills half of anything shorter.
"""
PLAIN = 0.25
"""Share of English function words (the, of, you) from which a text is English without asking py3langid, which is slow.

The shipped texts have .28 or more, those in 15 other languages below .18 or less.
"""
DOUBT = 0.05
"""Probability of English below which a text counts as written in another language.

py3langid gives each of the 312 shipped texts .99 or more, and 15 English texts of 7 to 86 bytes full of foreign
names .08 or more. To 30 texts of 33 to 200 bytes in 15 other languages it gives .003 or less.
"""
RUN = 8
"""Words in a row that a text may not share with the drafting prompt.

The shipped texts share at most 3 with it, so that 8, half a line of the prompt, are not hit upon by chance.
"""

PLACEHOLDER = Rule(
    name="placeholder",
    family="form",
    severity="error",
    looks_for="Something that was to be filled in or taken out: [name], <name>, {{ name }}, ____, Person A, "
    "TODO, XXX, lorem ipsum, dots in place of a text, a heading such as Action 1:, a line that begins as one of a list "
    "(1., A), -), JSON keys, Markdown, a model speaking of itself, or its refusal in place of an action or rationale; "
    "a warning for Company B and Friend B, which may be names.",
    reason="Nobody decides in earnest between texts with holes in them, and such marks tell which texts were made by "
    "a model.",
    fix="Write what belongs there, and take out what does not.",
)
PROMPT_TEXT = Rule(
    name="prompt-text",
    family="form",
    severity="error",
    looks_for=f"{RUN} or more words in a row that stand in the drafting prompt (templates/draft/) too.",
    reason="A model that copies its instructions has not written a dilemma there, and many drafts would share it.",
    fix="Replace the copied words by what happens in this situation.",
)
LANGUAGE = Rule(
    name="language",
    family="form",
    severity="error",
    looks_for=f"A text of {SHORTEST} bytes or more with few English function words, to which py3langid gives a "
    f"probability under {DOUBT} of being English. A foreign sentence inside an English text is not seen.",
    reason="The prompts around the text are English. An answer to a text in another language also measures how well "
    "that language is read.",
    fix="Write the text in English.",
)
INVISIBLE = Rule(
    name="invisible",
    family="form",
    severity="error",
    looks_for="Characters that nobody sees or that pass for others: zero-width and soft hyphens, marks of direction, "
    "tags, variation selectors, blank letters, letters of another script inside a word or look-alike forms (errors); "
    "odd spaces and whole words of another script (warnings). Units and formulas (μm, kΩ, πr²) are left alone.",
    reason="A model reads other tokens than a person sees: two texts that look alike are not, and words can hide.",
    fix="Type the text anew in plain letters and spaces.",
)

RULES: tuple[Rule, ...] = (PLACEHOLDER, PROMPT_TEXT, LANGUAGE, INVISIBLE)
"""The rules about leftovers, in the order of the documentation."""

_PLACEHOLDER = re.compile(
    r"\[(?!sic\b)[^\]\n]{1,60}\]"
    r"|\{\{.*?\}\}|\{%.*?%\}|\{\w+\}"
    r"|</?[A-Za-z][^<>\n]{0,40}>"
    r"|_{3,}"
    r"|\b(?:City|Colleague|Country|Mrs?|Ms|Neighbou?r|Person|Town) [A-HJ-Z]\b(?!\.)"
    r"|\b(?:TODO|TBD|FIXME|XXX+|N/A)\b"
    r"|(?i:\blorem ipsum\b|\binsert \w+ here\b)"
    r"|(?i:\bas an? (?:AI|artificial intelligence|(?:large )?language model|(?:harmless|helpful) assistant)\b)"
    r"|(?i:\b(?:here is|here's) (?:a|the|your) (?:moral )?(?:dilemma|scenario|rationale|JSON)\b)"
    r"|(?i:\b(?:action|option)\s*(?:\d+|[A-F])\s*:)|^[^\S\n]*(?i:action|option|scenario|dilemma|rationale|text)\s*:"
    r"|^[^\S\n]*(?i:topic|(?:focal|competing) value|the (?:setting|other person))\s*:"
    r"|\"(?:scenario|actions?|text|rationale|polarity|intensity|(?:aligned|opposed)_\w+)\"\s*:"
    r"|\b(?:aligned|opposed)_(?:strong|moderate|mild)\b"
    r"|```|\*\*|^#{1,6} "
    r"|^[^\S\n]*(?:[-*•]|\(?(?:\d{1,2}|[A-Fa-f])[.)])[^\S\n]+(?=\S)",
    re.MULTILINE,
)
_LETTERED = re.compile(r"\b(?:Company|Friend) [A-HJ-Z]\b(?!\.)")
"""These may be names: armies have a Company B."""
_REFUSAL = re.compile(
    r"^\W*(?:I['’]?m |I am )?sorry,? (?:but )?I (?:can['’]?t|cannot|can not|won['’]?t|am unable to|am not able to) "
    r"(?:answer|assist|comply|continue|create|fulfil+|generate|help|produce|provide|write)\b"
    r"|\bI (?:can['’]?t|cannot|can not|won['’]?t|am unable to|am not able to) (?:assist|comply|help) with "
    r"(?:that|this|your) request\b",
    re.IGNORECASE,
)
_SIGN = re.compile(r"(?:[A-Za-z]{0,2}[μπΩ\u2126]|[μπΩ\u2126]?[A-Za-z]{0,2})[²³½¼¾]?")
"""A unit or a formula: μm, kΩ, πr², m²."""
_WORDLIKE = re.compile(r"[^\W\d_]{2,}")
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that Unicode counts as letters or signs but that show nothing."""


def _placeholder(dilemma: Dilemma) -> Iterator[Finding]:
    for where, text in fields(dilemma):
        if found := [match[0] for match in _PLACEHOLDER.finditer(text)]:
            yield PLACEHOLDER(dilemma, f"has {told(found)}", where)
        elif where != "scenario" and (refusal := _REFUSAL.search(unquoted(text))):
            yield PLACEHOLDER(dilemma, f"is a model's refusal ({told([refusal[0]])})", where)
        elif lettered := [match[0] for match in _LETTERED.finditer(text)]:
            yield PLACEHOLDER(dilemma, f"has {told(lettered)}", where, severity="warning")
        elif not _WORDLIKE.search(text):
            yield PLACEHOLDER(dilemma, "has no words", where)


def _prompt_text(dilemma: Dilemma) -> Iterator[Finding]:
    copied = _prompt_runs()
    if not copied:
        return
    for where, text in fields(dilemma):
        spoken = words(text)
        shared = next((run for run in _runs(spoken) if run in copied), None)
        if shared:
            yield PROMPT_TEXT(dilemma, f'copies the drafting prompt: "{" ".join(shared)}"', where)


def _runs(spoken: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(spoken[start:] for start in range(RUN)), strict=False)


@cache
def _prompt_runs() -> frozenset[tuple[str, ...]]:
    """All runs of words in the drafting templates, between one Jinja expression and the next."""
    try:
        templates = sorted((folder("templates") / "draft").glob("*.j2"))
    except SetupError:
        return frozenset()
    parts = (part for path in templates for part in _EXPRESSION.split(path.read_text(encoding="utf-8")))
    return frozenset(run for part in parts for run in _runs(words(part)))


def _language(dilemma: Dilemma) -> Iterator[Finding]:
    for where, text in fields(dilemma):
        if likeliest := other_language(text):
            yield LANGUAGE(dilemma, f"is not English (most likely: {likeliest})", where)


def other_language(text: str) -> str | None:
    """The likeliest language of a text that is not English (ISO 639-1), None where it may be English."""
    spoken = words(text)
    plain = sum(word in word_list("function_words") for word in spoken)
    if len(text.encode()) < SHORTEST or plain > PLAIN * len(spoken):
        return None
    likeliest, _ = _identifier().classify(text)
    if likeliest in ENGLISH:
        return None
    probabilities = dict(_identifier().rank(text))
    return likeliest if sum(probabilities[code] for code in ENGLISH) < DOUBT else None


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _invisible(dilemma: Dilemma) -> Iterator[Finding]:
    for where, text in fields(dilemma):
        if text.isascii():
            continue
        if unseen := [_named(character) for character in text if _is_unseen(character)]:
            yield INVISIBLE(dilemma, f"holds characters that nobody sees: {told(unseen)}", where)
        if spaces := [_named(character) for character in text if _is_odd_space(character)]:
            yield INVISIBLE(dilemma, f"holds odd spaces: {told(spaces)}", where, severity="warning")
        spelt = [word for word in re.findall(r"[^\W\d_]+", text) if not word.isascii() and not _SIGN.fullmatch(word)]
        foreign = [word for word in spelt if _foreign_letters(word)]
        if mixed := [word for word in foreign if len(_foreign_letters(word)) < len(word) or _is_look_alike(word)]:
            what = f"holds words with letters that only look Latin: {told(mixed)}"
            yield INVISIBLE(dilemma, what, where)
        elif foreign:
            yield INVISIBLE(dilemma, f"holds words of another script: {told(foreign)}", where, severity="warning")


def _is_unseen(character: str) -> bool:
    selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return selector or character in _BLANK_LETTERS or unicodedata.category(character) == "Cf"


def _is_odd_space(character: str) -> bool:
    return character != " " and unicodedata.category(character) in ("Zs", "Zl", "Zp")


def _foreign_letters(word: str) -> list[str]:
    """Letters of a word that are not plain Latin ones; the micro sign is spared."""
    return [
        letter
        for letter in word
        if letter not in "µªº"
        and letter not in _BLANK_LETTERS
        and (not unicodedata.name(letter, "").startswith("LATIN") or _is_look_alike(letter))
    ]


def _is_look_alike(letters: str) -> bool:
    """Whether they are forms of other letters, such as the mathematical or the full-width ones."""
    return unicodedata.normalize("NFKC", letters) != unicodedata.normalize("NFC", letters)


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'unnamed').lower()}"


CHECKS: tuple[Callable[[Dilemma], Iterator[Finding]], ...] = (_placeholder, _prompt_text, _language, _invisible)
"""The rules' functions, each for one dilemma."""

"""Who may be found through a dilemma: personal data and full names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dilemmas.checks.leftovers import other_language
from dilemmas.checks.rules import Rule
from dilemmas.checks.text import actions, fields, sentences, told, word_list, words
from dilemmas.schema import Dilemma, Finding, Severity

PERSONAL_DATA = Rule(
    name="personal-data",
    family="content",
    severity="warning",
    looks_for="An e-mail address, an IBAN with a right checksum (ISO 13616) or a card number that passes the Luhn test "
    "(ISO/IEC 7812-1), all errors; a telephone number (in a usual form, or 7 to 15 digits soon after a word such as "
    "call or number), a web address, an account's handle or a street address with its number.",
    reason="Flagged for a person: made up or not, such data may be somebody's, and a published dataset cannot be "
    "called back. The rule flags and never clears a text.",
    fix='Say it without the data: "your cousin\'s number", "a house by the canal".',
)
REAL_PERSON = Rule(
    name="real-person",
    family="content",
    severity="note",
    looks_for="A full name, that is, two or more capitalised words in a row without titles, words that open a sentence "
    "and known parts of the names of places and bodies; a warning where its sentence also has a word of harm or "
    "blame, such as fraud, and there for one name after the title of a public office too. One finding a dilemma; texts "
    "in another language are not read.",
    reason="Flagged for a person, who sees whether anybody real is meant. There is no list of real people to compare "
    "with: it would never be complete, would itself be a file on people, and would hit everyone of the same name. "
    "The rule flags and never clears a text.",
    fix="Use a first name alone, or say who the person is to the reader.",
)

RULES: tuple[Rule, ...] = (PERSONAL_DATA, REAL_PERSON)
"""The rules about people, in the order of the documentation."""

_DATA = re.compile(r"[\d@]|\.\w")
"""Without any of these a text has no such data: most texts need no second look."""
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_CARD = re.compile(r"(?<![\d+])\d(?:[ -]?\d){12,18}(?!\d)")
_URL = re.compile(
    r"\bhttps?://\S+|\bwww\.\S+|(?<![@\w.])(?:[a-z0-9-]+\.)+(?:com|org|net|info|edu|gov|io|co\.uk|de|fr)\b",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"(?<![\w.])@[A-Za-z_]\w+")
_PHONE = re.compile(
    r"(?<![\w.,/-])(?:\+|\(?0|(?=\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}\b)|(?=\d{3}-\d{4}\b))[\d() ./-]{5,}\d(?!\w)"
)
_PHONE_IN_GROUPS = re.compile(
    r"(?<![\w.,/-])(?:1-\d{3}-\d{3}-\d{4}|\d\d-\d{5}-\d{5}"
    r"|(?:\d{1,3} )?\(\d{2,4}\) ?\d{3,5}[ -]\d{2,4}(?:[ -]\d\d)?)(?![\w-])"
)
_PHONE_AFTER_WORD = re.compile(
    r"\b(?:call|dial|fax|mobile|number|phone|ring|tel|telephone|text)(?:s|ed|ing)?\b(?! (?:for|of)\b)[^\d\n(]{0,20}"
    r"(?P<number>[\d(][\d() ./-]{5,}\d)(?!\w)",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}(?![\d./-])|(?:1[89]|20)\d\d-(?:1[89]|20)?\d\d(?![\d-])")
"""A date, or from one year to another, at the start of what might be a telephone number."""
_ADDRESS = re.compile(
    r"\b\d{1,4}[a-z]?,? (?:[A-Z][\w'’-]+ ){1,3}"
    r"(?:Avenue|Ave|Boulevard|Close|Court|Crescent|Drive|Lane|Place|Road|Rd|Row|Square|Street|St|Terrace|Way)\b"
    r"|\b[A-Z]\w+(?:straße|strasse|gasse|platz|weg) \d{1,4}\b"
    r"|\b(?:Avenida|Calle|Rua|Rue|Ulica|Via) (?:\w+ ){0,3}\w+,? \d{1,4}\b"
    r"|\b\d{1,4},? (?:rue|avenue) (?:\w+ ){0,2}[A-Z]\w+"
)


def _personal_data(dilemma: Dilemma) -> Iterator[Finding]:
    kinds: tuple[tuple[str, re.Pattern[str], Callable[[str], bool], Severity], ...] = (
        ("an e-mail address", _EMAIL, bool, "error"),
        ("an IBAN", _IBAN, _is_iban, "error"),
        ("a card number", _CARD, _is_card, "error"),
        ("a web address", _URL, bool, "warning"),
        ("an account's handle", _HANDLE, bool, "warning"),
        ("a telephone number", _PHONE, _is_phone, "warning"),
        ("a telephone number", _PHONE_IN_GROUPS, _is_phone, "warning"),
        ("a telephone number", _PHONE_AFTER_WORD, _is_phone, "warning"),
        ("a street address", _ADDRESS, bool, "warning"),
    )
    for where, text in fields(dilemma):
        if not _DATA.search(text):
            continue
        rest = text
        for kind, pattern, is_one, severity in kinds:
            # The last group is the number itself where the pattern begins before it, the whole match otherwise.
            for found in filter(is_one, [match[pattern.groups] for match in pattern.finditer(rest)]):
                yield PERSONAL_DATA(dilemma, f'has {kind} ("{found}")', where, severity=severity)
                rest = rest.replace(found, " ")  # so that no part of it counts as something else


def _is_iban(text: str) -> bool:
    """Whether letters as numbers (A = 10), the first four characters last, leave 1 when divided by 97."""
    compact = text.replace(" ", "")
    digits = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return 15 <= len(compact) <= 34 and int(digits) % 97 == 1


def _is_card(text: str) -> bool:
    """Whether the digits, every second one from the right doubled (its digits added up), sum to a multiple of ten."""
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    return sum(sum(divmod(digit * 2, 10)) if place % 2 else digit for place, digit in enumerate(digits)) % 10 == 0


def _is_phone(text: str) -> bool:
    digits = sum(character.isdigit() for character in text)
    return 7 <= digits <= 15 and not _DATE.match(text)


_TOKEN = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?")
_OPENS = frozenset("\"'“‘«„:(—–-")
"""A capital after one of these may be that of a sentence inside the sentence."""
_AFTER_PLACE = ("the", "its", "in", "at", "near", "into")
"""Words before a place or a body rather than before a person."""


def _real_person(dilemma: Dilemma) -> Iterator[Finding]:
    names: dict[str, str] = {}
    blamed: dict[str, str] = {}
    blame: list[str] = []
    for where, text in (("scenario", dilemma.scenario), *actions(dilemma)):
        found = [(sentence, name) for sentence in sentences(text) for name in _names(sentence)]
        if not found or other_language(text):
            continue
        for sentence, name in found:
            words_of_blame = sorted(word_list("harm_and_blame") & set(words(sentence)))
            if words_of_blame:
                blamed.setdefault(name, where)
                blame += words_of_blame
            elif name.partition(" ")[0].casefold() not in word_list("offices"):
                names.setdefault(name, where)
    if blamed:
        what = f"names {told(list(blamed))} beside {told(blame)}"
        if others := [name for name in names if name not in blamed]:
            what += f", and {told(others)}"
        yield REAL_PERSON(dilemma, what, next(iter(blamed.values())), severity="warning")
    elif names:
        yield REAL_PERSON(dilemma, f"names {told(list(names))}", next(iter(names.values())))


def _names(sentence: str) -> list[str]:
    """Runs of two or more capitalised words that are neither an opening word, a place nor a body.

    Titles are left out, but that of a public office stays before a single name: President Feldmair.
    """
    if sum(map(str.isupper, sentence)) < 2:
        return []
    runs: list[tuple[str, list[str]]] = []
    run: list[str] = []
    end = 0
    for match in _TOKEN.finditer(sentence):
        word, gap = match[0], sentence[end : match.start()]
        joined = gap == " " or (gap == ". " and run and len(run[-1]) == 1)  # J. Feldmair
        opens = end == 0 or not _OPENS.isdisjoint(gap)
        if run and joined and (_capital(word) or _particle(word)):
            run.append(word)
        elif _capital(word) and not (opens and _only_opens(word)):
            run = [word]
            runs.append((sentence[:end].rpartition(" ")[2].casefold(), run))
        else:
            run = []
        end = match.end()
    return [name for before, run in runs if (name := _as_name(run, before))]


def _as_name(run: list[str], before: str) -> str:
    """The name in a run of capitalised words, empty where it is none; `before` is the word before it."""
    office: list[str] = []
    while run and run[0].casefold() in word_list("titles") | word_list("offices"):
        office = run[:1] if run[0].casefold() in word_list("offices") else []
        run = run[1:]
    while run and (_particle(run[-1]) or len(run[-1]) == 1):  # Plan B, Vitamin C
        run = run[:-1]
    run = [re.sub(r"['’]s$", "", word) for word in run]
    folded = [word.casefold() for word in run]
    is_place = " ".join(folded) in word_list("place_names") or not word_list("not_persons").isdisjoint(folded)
    capitals = sum(map(_capital, run))
    if is_place or before in _AFTER_PLACE or capitals + len(office) < 2 or not capitals:
        return ""
    return " ".join(run if capitals > 1 else [*office, *run])


def _capital(word: str) -> bool:
    """Whether it is written as a name or an initial; I is neither, and capitals alone are an abbreviation."""
    return word[:1].isupper() and word != "I" and (len(word) == 1 or any(map(str.islower, word)))


def _particle(word: str) -> bool:
    return word in word_list("particles")


def _only_opens(word: str) -> bool:
    folded = word.casefold()
    return folded in word_list("function_words") | word_list("openers") or folded.endswith(("ly", "ing", "ed"))


CHECKS: tuple[Callable[[Dilemma], Iterator[Finding]], ...] = (_personal_data, _real_person)
"""The rules' functions, each for one dilemma."""

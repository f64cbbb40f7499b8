"""The form of a dilemma: is it a record, told in the right person, of the right length?

Each rule looks at one record and needs nothing but its text. `wording` has the rules about what the
actions and rationales say, `leftovers` those about what should not be in a text at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from dilemmas import dataset
from dilemmas.checks import leftovers, wording
from dilemmas.checks.rules import Rule
from dilemmas.checks.text import actions, length, rationales, sentences, unquoted, word_list
from dilemmas.schema import Dilemma, Finding, Severity

WORDS = {"scenario": (60, 120), "action": (15, 35), "rationale": (8, 60)}
"""Fewest and most words of each kind of text.

What the drafting prompt asks for, with more room for rationales, which no one who is asked sees. The shipped
dilemmas have 69 to 90, 18 to 22 and 17 to 37.
"""
FAR = 2
"""A length is an error from this many times below the fewest or above the most words: no slip of an editor."""
UNEQUAL = 1.5
"""How many times as long as the shortest action of its dilemma the longest one may be.

The largest ratio in a shipped dilemma is 1.17. At 1.5 and the usual 20 words the longest has ten words
more, a line and a half on the screen beside one line, which is seen before anything is read.
"""
NARRATED = 3
"""From this many words of the first person a scenario is narrated in it, and from one fewer where an I is among them.

Fewer may be a title or a slip. The shipped scenarios have none.
"""

RECORD = Rule(
    name="record",
    family="form",
    severity="error",
    looks_for="A line that is no JSON object, or a record that breaks schemas/dilemma.json.",
    reason="Nothing that reads dilemmas can use the line, so it is left out of all other checks.",
    fix="Mend the line so that it fits schemas/dilemma.json, or take it out.",
)
PLACES = Rule(
    name="places",
    family="form",
    severity="error",
    looks_for="A record that has not exactly one action in each of the six places: strong, moderate and mild, "
    "aligned and opposed.",
    reason="The score of a choice is its place. With one place empty or taken twice the scale has a hole.",
    fix="Give one action for each of strong, moderate and mild, aligned and opposed.",
)
DUPLICATE_ID = Rule(
    name="duplicate-id",
    family="form",
    severity="error",
    looks_for="An id that an earlier line has already taken.",
    reason="Replies and judgements are kept by id: two dilemmas of one id could not be told apart.",
    fix="Give each dilemma an id of its own.",
)
SECOND_PERSON = Rule(
    name="second-person",
    family="form",
    severity="error",
    looks_for="A scenario that outside direct speech never says you or your, or is narrated by an I or a we: "
    f"{NARRATED} words of the first person, or {NARRATED - 1} with an I, are an error, fewer a warning. Numerals "
    "(Type I, Elizabeth I) and titles (Our Lady) are left alone. A warning too where the only you or your stands after "
    "the first sentence. Tense is not seen.",
    reason="The reader is the one who has to decide. A story about somebody else asks for a judgement, not for a "
    "choice, and people and models answer the two differently.",
    fix='Tell the situation to the reader, as "you", in the present tense.',
)
FIRST_PERSON = Rule(
    name="first-person",
    family="form",
    severity="error",
    looks_for="An action that outside direct speech has no I or we and does not begin with my or our (error), or that "
    "also speaks to a you (warning).",
    reason="The six actions are shown as what I would do. One in another voice stands out among them.",
    fix='Begin with what I do: "I tell her ...", "I keep ...".',
)
LENGTH = Rule(
    name="length",
    family="form",
    severity="warning",
    looks_for="A text outside its limits: "
    + ", ".join(f"{kind} {fewest} to {most} words" for kind, (fewest, most) in WORDS.items())
    + f". Over {FAR} times the most, or where {FAR} times the words would still be too few, it is an error.",
    reason="Too short a text leaves the tension unsaid; too long a one is skimmed, and texts of one length can be "
    "compared.",
    fix="Bring the text within the limits without losing what is at stake.",
)
UNEQUAL_LENGTHS = Rule(
    name="unequal-lengths",
    family="form",
    severity="warning",
    looks_for=f"A dilemma whose longest action has more than {UNEQUAL} times the words of its shortest.",
    reason="People and models lean towards answers that are longer or shorter than the rest, whatever they say.",
    fix="Make the six actions about equally long.",
)

RULES: tuple[Rule, ...] = (
    RECORD,
    PLACES,
    DUPLICATE_ID,
    SECOND_PERSON,
    FIRST_PERSON,
    LENGTH,
    UNEQUAL_LENGTHS,
    *wording.RULES,
    *leftovers.RULES,
)
"""The rules of form, in the order of the documentation."""

_YOU = re.compile(r"\b(?:you|your|yours|yourself|yourselves)\b", re.IGNORECASE)
_NARRATOR = re.compile(r"\b(?:I|[Mm]e|[Mm]y|[Mm]yself|[Ww]e|[Uu]s|[Oo]ur|[Oo]urs|[Oo]urselves)\b")  # not US, not a mine
_MAY_BE_NUMERAL = re.compile(r"\b([^\W\d_][\w-]*) I\b")
_NUMBERED = frozenset({"class", "grade", "level", "part", "phase", "stage", "type"})
_NO_NUMERAL = re.compile(r".*day|january|february|march|april|june|july|august|.*(?:tem|cto|vem|cem)ber")
"""Capitalised words after which an I is a narrator: on Monday I, in May I."""
_TITLE = re.compile(r"(?<=[\w,] )(?:My|Our|We) (?=[A-Z])")  # Our Lady; at the start of a sentence it is a narrator
_ACTS = re.compile(r"\bI\b|\b[Ww]e\b|^\W*(?:My|Our)\b")
_THANKS = re.compile(r"\bthank(?:s|ing|ed)? you\b", re.IGNORECASE)


def records(survey: dataset.Survey) -> Iterator[Finding]:
    """Findings about lines that are no valid dilemma, or whose id is taken."""
    for line in survey.lines:
        if line.problem is None:
            continue
        # The place in an error begins with the path, which may hold anything, the file's name last.
        field = line.problem.where.rpartition(f"{survey.name}, line {line.number}")[2]
        if line.dilemma is not None:
            rule = DUPLICATE_ID
        else:
            # What is wrong with the list itself, not with a member of it, is always how many there are of what.
            rule = PLACES if field == ", field actions" else RECORD
        others = (line.dilemma.id,) if line.dilemma else ()
        yield rule(None, line.problem.what, f"line {line.number}{field}", fix=line.problem.fix, others=others)


def find(dilemmas: Sequence[Dilemma]) -> Iterator[Finding]:
    """Findings about the form of each dilemma; the driver puts the line in front of the field."""
    for dilemma in dilemmas:
        for check in _CHECKS:
            yield from check(dilemma)


def _second_person(dilemma: Dilemma) -> Iterator[Finding]:
    told = _without_numerals(unquoted(dilemma.scenario))
    spoken_to = _YOU.findall(told)
    if not spoken_to:
        yield SECOND_PERSON(dilemma, "the scenario never speaks to the reader as you", "scenario")
    elif len(spoken_to) == 1 and not _YOU.search(sentences(told)[0]):
        what = f'the scenario speaks to the reader once only ("{spoken_to[0]}"), after its first sentence'
        yield SECOND_PERSON(dilemma, what, "scenario", severity="warning")
    if slips := _NARRATOR.findall(_TITLE.sub(" ", told)):
        severity: Severity = "error" if len(slips) + ("I" in slips) >= NARRATED else "warning"
        what = f'outside direct speech the scenario speaks as "{slips[0]}" ({len(slips)} such)'
        yield SECOND_PERSON(dilemma, what, "scenario", severity=severity)


def _without_numerals(text: str) -> str:
    """A text without each I that is a number: Type I, Part I, Elizabeth I."""

    def spare(match: re.Match[str]) -> str:
        word = match[1].casefold()
        is_name = match[1][0].isupper() and word not in word_list("function_words") | word_list("openers")
        is_number = word in _NUMBERED or (is_name and not _NO_NUMERAL.fullmatch(word))
        return match[1] if is_number else match[0]

    return _MAY_BE_NUMERAL.sub(spare, text)


def _first_person(dilemma: Dilemma) -> Iterator[Finding]:
    for where, text in actions(dilemma):
        told = _THANKS.sub(" ", _without_numerals(unquoted(text)))
        if not _ACTS.search(told):
            yield FIRST_PERSON(dilemma, "nobody acts here as I or we", where)
        elif spoken_to := _YOU.search(told):
            yield FIRST_PERSON(dilemma, f'speaks to the reader ("{spoken_to[0]}")', where, severity="warning")


def _length(dilemma: Dilemma) -> Iterator[Finding]:
    texts = [
        ("scenario", "scenario", dilemma.scenario),
        *(("action", *found) for found in actions(dilemma)),
        *(("rationale", *found) for found in rationales(dilemma)),
    ]
    for kind, where, text in texts:
        fewest, most = WORDS[kind]
        count = length(text)
        if fewest <= count <= most:
            continue
        severity: Severity = "error" if count * FAR < fewest or count > most * FAR else "warning"
        what = f"{count} word{'' if count == 1 else 's'}; a usual {kind} has {fewest} to {most}"
        yield LENGTH(dilemma, what, where, severity=severity)


def _unequal_lengths(dilemma: Dilemma) -> Iterator[Finding]:
    counts = [length(text) for _, text in actions(dilemma)]
    if max(counts) > UNEQUAL * min(counts):
        what = f"the longest action has {max(counts)} words, the shortest {min(counts)}"
        yield UNEQUAL_LENGTHS(dilemma, what, f"actions[{counts.index(max(counts))}].text")


_CHECKS: tuple[Callable[[Dilemma], Iterator[Finding]], ...] = (
    _second_person,
    _first_person,
    _length,
    _unequal_lengths,
    *wording.CHECKS,
    *leftovers.CHECKS,
)

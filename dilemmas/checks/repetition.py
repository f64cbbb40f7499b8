"""What the dilemmas of a set repeat beside whole scenarios: settings, motifs, openings.

Where two dilemmas are alike, the finding is on the later one in the file and names the earlier, so
that only one of them is drafted anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
from scipy.stats import hypergeom

from dilemmas import dataset, taxonomy
from dilemmas.checks.rules import Rule
from dilemmas.checks.text import told, value_family, word_list, words
from dilemmas.schema import Dilemma, Finding, Setting, ValueName

MOTIF_SHARE, ELSEWHERE = 0.5, 0.1
"""A motif stands in at least this share of a value's scenarios, and in at most that share of the others.

Half of them is a set about one thing; a word in over a tenth of all scenarios is everyday."""
FEWEST_MOTIF = 3
"""Fewest scenarios that make a motif: two are a pair. A value with fewer dilemmas is not looked at."""
LEVEL = 0.05
"""Chance of any motif being found in a set whose words do not depend on the value at all."""
ENOUGH_PLACES = 50
"""Most dilemmas of a value of which each can be given a place of its own.

About as many as `dilemmas generate` has places to draw from; beyond that, no redraft could mend it."""
ACTION_WORDS, ALL_ACTIONS, MOST_ACTIONS = 3, 6, 4
"""Words that make an opening, and how many of the six share it for a warning and for a note.

Of the first 24 shipped dilemmas, written with care, four have six alike (the same deed in six measures)
and three have four or five: common enough that even six alike are no error."""
SCENARIO_WORDS, OPENING_SHARE, OPENING_COUNT = 4, 0.02, 3
"""Words that make a scenario's opening, and the largest share or, in small sets, number that may have it.

One in fifty: whoever reads fifty at a sitting, as reviewers do, meets it once. No two of the 24
shipped scenarios share even three words."""

SAME_SETTING = Rule(
    name="same-setting",
    family="sameness",
    severity="error",
    looks_for="Two dilemmas of one value with all four parts of the setting alike (error), or with the same "
    f"relationship and role, or the same place (warnings; the place only up to {ENOUGH_PLACES} dilemmas of a value). "
    "Only where settings are given.",
    reason="Settings are drawn so that a value is seen in many situations; with one situation, what is measured is how "
    "a model acts there.",
    fix="Give this dilemma another place, other people and another part in it.",
)
SAME_MOTIF = Rule(
    name="same-motif",
    family="sameness",
    severity="warning",
    looks_for=f"A content word in at least {MOTIF_SHARE:.0%} of a value's scenarios, at least {FEWEST_MOTIF}, and "
    f"in at most {ELSEWHERE:.0%} of the others, beyond chance (Fisher's exact test, one-sided, {LEVEL:g} shared among "
    "all words and values looked at). Words of the value's name and definition do not count. A file of one value is "
    "held against the shipped scenarios on other values, and what is found there is a note.",
    reason="Models draft the same story for a value again and again, such as a scholarship for Equality. The value's "
    "score is then the score of that story. Beside the shipped scenarios, which are "
    "by other hands, a word may also be a habit of these hands: hence the note.",
    fix="Write this scenario anew about something else.",
)
ACTION_OPENINGS = Rule(
    name="action-openings",
    family="sameness",
    severity="warning",
    looks_for=f"The same first {ACTION_WORDS} words in all six actions (warning), or in {MOST_ACTIONS} or 5 (note).",
    reason="Six actions that open alike read as one action with a number changed, and are easily mixed up. It can be "
    "right where the choice is one of measure.",
    fix="Let the actions differ in what is done, or say why they differ in measure only.",
)
SCENARIO_OPENINGS = Rule(
    name="scenario-openings",
    family="sameness",
    severity="warning",
    looks_for=f"The same first {SCENARIO_WORDS} words in more than {OPENING_SHARE:.0%} of all scenarios and in more "
    f"than {OPENING_COUNT}; the findings are on those above that number.",
    reason="A set that opens again and again in the same way was written from one mould, and is read with less care.",
    fix="Open this scenario in another way.",
)

RULES: tuple[Rule, ...] = (SAME_SETTING, SAME_MOTIF, ACTION_OPENINGS, SCENARIO_OPENINGS)
"""The rules of repetition, in the order of the documentation."""


def find(dilemmas: Sequence[Dilemma]) -> Iterator[Finding]:
    """Findings about what some dilemmas, in the order of the file, repeat."""
    yield from _same_settings(dilemmas)
    yield from _same_motifs(dilemmas)
    yield from _scenario_openings(dilemmas)
    for dilemma in dilemmas:
        yield from _action_openings(dilemma)


def _same_settings(dilemmas: Sequence[Dilemma]) -> Iterator[Finding]:
    first: dict[tuple[str, ...], str] = {}
    sizes = Counter(dilemma.value for dilemma in dilemmas)
    for dilemma in dilemmas:
        if dilemma.setting is None:
            continue
        part = {name: " ".join(getattr(dilemma.setting, name).casefold().split()) for name in Setting.model_fields}
        same: dict[str, str] = {}
        for label, names in {
            "setting": tuple(part),
            "place": ("place",),
            "relationship and role": ("relationship", "role"),
        }.items():
            earlier = first.setdefault((dilemma.value, label, *(part[name] for name in names)), dilemma.id)
            if earlier != dilemma.id and (label != "place" or sizes[dilemma.value] <= ENOUGH_PLACES):
                same[label] = earlier
        if "setting" in same:
            same = {"setting": same["setting"]}
        if same:
            shared = ", and ".join(f"the {label} of {earlier}" for label, earlier in same.items())
            yield SAME_SETTING(
                dilemma,
                f"has {shared}, also on {dilemma.value}",
                "setting",
                severity="error" if "setting" in same else "warning",
                others=list(dict.fromkeys(same.values())),
            )


def _same_motifs(dilemmas: Sequence[Dilemma]) -> Iterator[Finding]:
    """One finding for each dilemma that shares a motif with an earlier one of its value."""
    members: dict[ValueName, list[int]] = defaultdict(list)
    for row, dilemma in enumerate(dilemmas):
        members[dilemma.value].append(row)
    alone = len(members) == 1
    contents = [_content(one) for one in (*dilemmas, *(_shipped_beside(dilemmas) if alone else ()))]
    total = Counter(word for content in contents for word in content)
    others = "shipped scenarios on others, as this file has no other value to compare with" if alone else "others"
    for value, motifs in _motifs(contents, total, members).items():
        size, first = len(members[value]), dict[str, str]()
        for row in members[value]:
            held = [word for word in motifs if word in contents[row]]
            earlier = {word: first.setdefault(word, dilemmas[row].id) for word in held}
            shared = [word for word in held if earlier[word] != dilemmas[row].id]
            if shared:
                word = shared[0]
                yield SAME_MOTIF(
                    dilemmas[row],
                    f'tells of {told(shared)} again: "{word}" stands in {motifs[word]:,} of {size:,} scenarios on '
                    f"{value}, and in {total[word] - motifs[word]:,} of {len(contents) - size:,} {others}",
                    "scenario",
                    severity="note" if alone else "warning",
                    others=[earlier[word]],
                )


def _shipped_beside(dilemmas: Sequence[Dilemma]) -> Iterator[Dilemma]:
    """The shipped dilemmas on other values than these, without these themselves."""
    ids, values = {one.id for one in dilemmas}, {one.value for one in dilemmas}
    shipped = dataset.read(dataset.shipped_path()).dilemmas
    return (one for one in shipped if one.id not in ids and one.value not in values)


def _motifs(
    contents: Sequence[set[str]], total: Counter[str], members: dict[ValueName, list[int]]
) -> dict[ValueName, dict[str, int]]:
    """The motifs of each value, the most telling first, with the number of its scenarios that have them.

    Args:
        contents: the words of each scenario, of all that are compared.
        total: in how many of them each word stands.
        members: the rows of each value that is looked at.
    """
    totals = np.array(list(total.values()), dtype=np.intp)
    tried = 0
    likely: list[tuple[ValueName, str, int, float]] = []
    for value, rows in members.items():
        if len(rows) < FEWEST_MOTIF:
            continue
        fewest = max(FEWEST_MOTIF, ceil(MOTIF_SHARE * len(rows)))
        most = ELSEWHERE * (len(contents) - len(rows))
        # What is tried hangs on sizes and on how often words stand in the set, not where: so the test stays exact.
        tried += int(((totals >= fewest) & (totals <= most + len(rows))).sum())
        within = Counter(word for row in rows for word in contents[row])
        likely += [
            (value, word, found, float(hypergeom.sf(found - 1, len(contents), total[word], len(rows))))
            for word, found in within.items()
            if found >= fewest and total[word] - found <= most
        ]
    motifs: dict[ValueName, dict[str, int]] = {}
    for value, word, found, chance in sorted(likely, key=lambda one: (one[3], one[1])):
        if chance * tried <= LEVEL:
            motifs.setdefault(value, {})[word] = found
    return motifs


def _content(dilemma: Dilemma) -> set[str]:
    """Content words of a scenario, without those that belong to its value; singular and plural are one."""
    value = taxonomy.value(dilemma.value)
    own = {word[:5] for text in (value.name, value.definition, *value_family(value.name)) for word in words(text)}
    found = {_singular(word) for word in words(dilemma.scenario) if word not in word_list("function_words")}
    return {word for word in found if word[:5] not in own}


def _singular(word: str) -> str:
    word = word.removesuffix("'s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _scenario_openings(dilemmas: Sequence[Dilemma]) -> Iterator[Finding]:
    allowed = max(OPENING_COUNT, int(OPENING_SHARE * len(dilemmas)))
    opened: dict[tuple[str, ...], list[Dilemma]] = defaultdict(list)
    for dilemma in dilemmas:
        opened[tuple(words(dilemma.scenario)[:SCENARIO_WORDS])].append(dilemma)
    for those in opened.values():
        for dilemma in those[allowed:]:
            yield SCENARIO_OPENINGS(
                dilemma,
                f'opens with "{_opening(dilemma.scenario, SCENARIO_WORDS)}", as {len(those):,} of {len(dilemmas):,} '
                "scenarios do",
                "scenario",
                others=[those[0].id],
            )


def _action_openings(dilemma: Dilemma) -> Iterator[Finding]:
    opened: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for action in dilemma.actions:
        opened[tuple(words(action.text)[:ACTION_WORDS])].append(action.text)
    alike = max(opened.values(), key=len)
    if len(alike) >= MOST_ACTIONS:
        yield ACTION_OPENINGS(
            dilemma,
            f'{len(alike)} of the six actions open with "{_opening(alike[0], ACTION_WORDS)}"',
            "actions",
            severity="warning" if len(alike) == ALL_ACTIONS else "note",
        )


def _opening(text: str, count: int) -> str:
    """A text up to that many words, as they are written there."""
    parts = text.split()
    ends = (end for end in range(1, len(parts)) if len(words(" ".join(parts[:end]))) >= count)
    return " ".join(parts[: next(ends, len(parts))]).rstrip(",;:.")

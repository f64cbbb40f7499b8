"""What a set of dilemmas covers, and where it is thin or crowded.

Every count is exact and every rule looks at the whole set, so that no finding here sends a single
dilemma back to be written again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from scipy.stats import binom

from dilemmas import taxonomy
from dilemmas.checks.rules import Rule
from dilemmas.checks.text import told
from dilemmas.schema import Coverage, Dilemma, Finding, Setting

NAMED_CELLS = 12
"""Most empty cells that are told one by one: about what fits on three lines of a terminal."""
CROWDED = 2
"""A cell is crowded above this many times the median of the cells that hold anything.

A median of 1 lets a cell hold two: one dilemma more than planned changes no mean by much."""
UNEVEN = 2
"""A competing value serves too often where it plainly serves over this many times its even share.

A value has 16 to 35 others that oppose it on the circle. Drawn evenly from these, a competing value
serves in .51 to 2.01 times its even share, without any fault of the plan."""
LEVEL = 0.05
"""Chance of a finding about any of the 56 competing values where none serves over `UNEVEN` times its share."""

EMPTY_CELLS = Rule(
    name="empty-cells",
    family="coverage",
    severity="note",
    looks_for="Cells of the grid of 56 values and 11 topics that hold no dilemma.",
    reason="What is not asked cannot be answered: a mean over the set says nothing about these values and topics.",
    fix="Draft them with `dilemmas generate --resume`, or say that the set leaves them out.",
)
CROWDED_CELL = Rule(
    name="crowded-cell",
    family="coverage",
    severity="warning",
    looks_for=f"A cell of the grid with more than {CROWDED} times the median of the cells that hold anything.",
    reason="Every dilemma counts alike in a mean, so a crowded cell speaks for its value and its topic too loudly.",
    fix="Take some out, or add dilemmas to the other cells.",
)
COMPETING_VALUES = Rule(
    name="competing-values",
    family="coverage",
    severity="warning",
    looks_for=f"A competing value that serves in over {UNEVEN} times its even share of 1/56 of the dilemmas, beyond "
    f"what chance explains (exact binomial test, one-sided, {LEVEL:g} shared among the 56 values).",
    reason="If one value is so often what pulls the other way, a score tells how a model treats that value.",
    fix="Let other values compete in some of these dilemmas; `dilemmas generate` spreads them evenly.",
)
ADJACENT_VALUES = Rule(
    name="adjacent-values",
    family="coverage",
    severity="note",
    looks_for="Dilemmas whose focal and competing value lie at most 40 degrees apart on the circle of values.",
    reason="Neighbours on the circle share their motivation and conflict least (Schwartz 1992, "
    "doi:10.1016/S0065-2601(08)60281-6), so that choosing between them may tell little.",
    fix="Nothing, where the conflict is real; otherwise let a value from the other side of the circle compete.",
)

RULES: tuple[Rule, ...] = (EMPTY_CELLS, CROWDED_CELL, COMPETING_VALUES, ADJACENT_VALUES)
"""The rules of coverage, in the order of the documentation."""


def count(dilemmas: Sequence[Dilemma]) -> Coverage:
    """What some dilemmas cover. Every value, topic and relation is counted, those without a dilemma as 0."""
    cells: Counter[tuple[str, str]] = Counter((one.value, one.topic) for one in dilemmas)
    basic = Counter(taxonomy.value(one.value).basic_value for one in dilemmas)
    competing: Counter[str] = Counter(one.competing_value for one in dilemmas)
    relations = Counter(taxonomy.relation(one.value, one.competing_value) for one in dilemmas)
    settings = [one.setting for one in dilemmas if one.setting]
    return Coverage(
        grid={value: {topic: cells[value, topic] for topic in taxonomy.topics()} for value in taxonomy.values()},
        basic_values={value.basic_value: basic[value.basic_value] for value in taxonomy.values().values()},
        competing_values={value: competing[value] for value in taxonomy.values()},
        relations={relation: relations[relation] for relation in ("opposing", "weak", "adjacent")},
        settings={part: dict(Counter(getattr(one, part) for one in settings)) for part in Setting.model_fields},
    )


def find(dilemmas: Sequence[Dilemma], counts: Coverage) -> Iterator[Finding]:
    """Findings about what some dilemmas cover.

    Args:
        dilemmas: the set.
        counts: what `count` gives for it.
    """
    yield from _empty(counts.grid)
    yield from _crowded(dilemmas, counts.grid)
    yield from _competing(len(dilemmas), counts.competing_values)
    adjacent = [one.id for one in dilemmas if taxonomy.relation(one.value, one.competing_value) == "adjacent"]
    if adjacent:
        yield ADJACENT_VALUES(
            None,
            f"{len(adjacent):,} of {len(dilemmas):,} dilemmas set a value against its neighbour on the circle",
            "competing_value",
            others=adjacent,
        )


def _empty(grid: dict[str, dict[str, int]]) -> Iterator[Finding]:
    empty = [(value, topic) for value, row in grid.items() for topic, found in row.items() if not found]
    if not empty:
        return
    if len(empty) <= NAMED_CELLS:
        which = "; ".join(f"{value}, {topic}" for value, topic in empty)
    else:
        values = [value for value, row in grid.items() if not any(row.values())]
        topics = [topic for topic in taxonomy.topics() if not any(row[topic] for row in grid.values())]
        bare = [
            f"no dilemma at all for {len(names)} {kind} ({told(names)})"
            for kind, names in (("values", values), ("topics", topics))
            if names
        ]
        which = "; ".join(bare) or "every value and every topic has a dilemma"
    cells = sum(map(len, grid.values()))
    yield EMPTY_CELLS(None, f"{len(empty):,} of {cells:,} cells are empty: {which}", "value and topic")


def _crowded(dilemmas: Sequence[Dilemma], grid: dict[str, dict[str, int]]) -> Iterator[Finding]:
    filled = {(value, topic): found for value, row in grid.items() for topic, found in row.items() if found}
    usual = median(filled.values()) if filled else 0
    crowded = {cell: found for cell, found in filled.items() if found > CROWDED * usual}
    members: dict[tuple[str, str], list[str]] = {cell: [] for cell in crowded}
    for one in dilemmas:
        if (one.value, one.topic) in members:
            members[one.value, one.topic].append(one.id)
    for (value, topic), found in crowded.items():
        yield CROWDED_CELL(
            None,
            f"{value}, {topic} holds {found:,} dilemmas; half of the cells in use hold {usual:g} or fewer",
            "value and topic",
            others=members[value, topic],
        )


def _competing(dilemmas: int, uses: dict[str, int]) -> Iterator[Finding]:
    share = UNEVEN / len(uses)
    for value, found in uses.items():
        if found and binom.sf(found - 1, dilemmas, share) < LEVEL / len(uses):
            yield COMPETING_VALUES(
                None,
                f"{value} is the competing value of {found:,} of {dilemmas:,} dilemmas; "
                f"its even share is {dilemmas / len(uses):.1f}",
                "competing_value",
            )

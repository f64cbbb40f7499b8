"""What a set covers: counts, and where it is thin or crowded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dilemmas import dataset, taxonomy
from dilemmas.checks import coverage
from dilemmas.schema import Dilemma, Finding, Setting

SHIPPED = dataset.read(dataset.shipped_path()).dilemmas[:24]
CELLS = [(value, topic) for topic in taxonomy.topics() for value in taxonomy.values()]


def dilemmas(*cells: tuple[str, str], **changes: Any) -> list[Dilemma]:
    """One dilemma for each cell, its value against one far off."""
    made = []
    for number, (value, topic) in enumerate(cells):
        opposing = [other for other in taxonomy.values() if taxonomy.relation(value, other) == "opposing"]
        opposing = [other for other in opposing if other != "Devout"]  # spared for one test
        update = {"value": value, "topic": topic, "competing_value": opposing[number % len(opposing)], **changes}
        made.append(SHIPPED[0].model_copy(update={"id": f"made-{number}", **update}))
    return made


def of(rule: str, some: Sequence[Dilemma]) -> list[Finding]:
    """Findings of one rule."""
    return [one for one in coverage.find(some, coverage.count(some)) if one.rule == rule]


def test_every_dilemma_is_counted_once_everywhere() -> None:
    counts = coverage.count(SHIPPED)
    assert sum(map(len, counts.grid.values())) == 616
    assert sum(found for row in counts.grid.values() for found in row.values()) == 24
    assert sum(counts.basic_values.values()) == sum(counts.competing_values.values()) == 24
    assert counts.relations == {"opposing": 18, "weak": 3, "adjacent": 3}
    assert counts.grid["Honest"]["Social Networks"] == 1
    assert len(counts.basic_values) == 10
    assert counts.settings == {"place": {}, "relationship": {}, "role": {}, "stakes": {}}


def test_settings_are_counted_where_they_were_planned() -> None:
    setting = Setting(place="a ferry", relationship="an aunt", role="the cook", stakes="a job")
    counts = coverage.count([*dilemmas(*CELLS[:2], setting=setting), *SHIPPED])
    assert counts.settings == {
        "place": {"a ferry": 2},
        "relationship": {"an aunt": 2},
        "role": {"the cook": 2},
        "stakes": {"a job": 2},
    }


def test_nothing_is_covered_by_nothing() -> None:
    counts = coverage.count([])
    assert not any(found for row in counts.grid.values() for found in row.values())
    assert [one.rule for one in coverage.find([], counts)] == ["empty-cells"]


def test_a_few_empty_cells_are_named() -> None:
    (finding,) = of("empty-cells", dilemmas(*CELLS[2:]))
    assert (finding.id, finding.severity) == (None, "note")
    assert "Social Power, Politics; Authority, Politics" in finding.what


def test_many_empty_cells_are_told_by_values_and_topics() -> None:
    (finding,) = of("empty-cells", dilemmas(*CELLS[:56]))
    assert "560 of 616" in finding.what
    assert '10 topics ("Social Networks"' in finding.what
    assert "values" not in finding.what


def test_a_full_grid_has_no_coverage_finding() -> None:
    full = dilemmas(*CELLS)
    assert list(coverage.find(full, coverage.count(full))) == []


@pytest.mark.parametrize(("extra", "fires"), [(0, False), (1, False), (2, True)])
def test_a_cell_is_crowded_above_twice_the_usual(extra: int, fires: bool) -> None:
    found = of("crowded-cell", dilemmas(*CELLS[:20], *[CELLS[3]] * extra))
    assert [(one.id, one.severity, len(one.others)) for one in found] == ([(None, "warning", 3)] if fires else [])


def test_a_plan_with_many_in_each_cell_is_not_crowded() -> None:
    assert of("crowded-cell", dilemmas(*CELLS[:20] * 5)) == []


@pytest.mark.parametrize(("uses", "fires"), [(0, False), (5, False), (6, True), (24, True)])
def test_a_competing_value_serves_too_often_when_chance_does_not_explain_it(uses: int, fires: bool) -> None:
    mixed = [*dilemmas(*CELLS[:uses], competing_value="Devout"), *dilemmas(*CELLS[uses:24])]
    found = of("competing-values", mixed)
    assert [one.id for one in found] == ([None] if fires else [])
    assert all(f"Devout is the competing value of {uses} of 24" in one.what for one in found)


def test_neighbours_on_the_circle_are_noted_together() -> None:
    (finding,) = of("adjacent-values", SHIPPED)
    assert finding.others == ("loyal-politics", "honest-social-networks", "politeness-social-networks")
    assert finding.severity == "note"

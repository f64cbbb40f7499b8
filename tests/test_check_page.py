"""The page of findings: one file, whole, safe against what stands in it, with all that was found."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape as html_of
from pathlib import Path
from typing import Any

import pytest
from test_report import ELEMENTS, NASTY, NASTY_FILE, Page, dom, fits_a_narrow_window, in_a_browser, title_in

from dilemmas import dataset
from dilemmas.checks import page
from dilemmas.checks.overview import by_rule, counts, pairs
from dilemmas.checks.rules import Rule
from dilemmas.schema import (
    BlindSort,
    Confound,
    Coverage,
    Cues,
    Dilemma,
    Findings,
    Neighbour,
)
from dilemmas.taxonomy import topics, values

ALONE = Rule("label-words", "form", "error", "Looks for labels.", "They give it away.", "Take them out.")
RULES = (
    ALONE,
    Rule("length", "form", "warning", "Looks at lengths.", "They differ.", "Rewrite it."),
    Rule("record", "form", "error", "Looks at records.", "They break.", "Mend the line."),
    Rule("empty-cells", "coverage", "note", "Looks at cells.", "Some are empty.", "Draft more."),
)
SECTIONS = ("rules", "lines", "set", "dilemmas", "wording", "coverage", "neighbours", "sorts", "versions")
NOTHING = Coverage(grid={}, basic_values={}, competing_values={}, relations={}, settings={})


def shipped(copies: int = 1) -> tuple[Dilemma, ...]:
    """The shipped dilemmas, some times over under other names."""
    found = dataset.read(dataset.shipped_path()).dilemmas
    return found + tuple(
        one.model_copy(update={"id": f"{one.id[:50]}-{copy}"}) for copy in range(1, copies) for one in found
    )


def nothing_found(dilemmas: tuple[Dilemma, ...] = (), **given: Any) -> Findings:
    """Findings of a check that found nothing, but for what is given."""
    made = {"dataset": "../../dataset/mine.jsonl", "sha256": "0" * 64, "dilemmas": len(dilemmas)}
    made |= {"created": "2026-11-21T10:00:00Z", "versions": {"dilemmas": "0.1"}, "findings": (), "coverage": NOTHING}
    return Findings.model_validate(made | given)


def all_found(dilemmas: tuple[Dilemma, ...], words: str = "some words") -> Findings:
    """Findings with something in every part."""
    labels, length, record, cells = RULES
    first, second, third = dilemmas[:3]
    grid = {
        value: {topic: int(value == first.value and topic == first.topic) for topic in topics()} for value in values()
    }
    return nothing_found(
        dilemmas,
        judge=words,
        findings=(
            labels(second, words, "line 2, actions[3].text", others=[first.id, third.id]),
            record(None, words, "line 30, field actions"),
            length(third, words, "line 3, scenario"),
            length(second, words, "line 2, scenario"),
            cells(None, words, "all cells"),
        ),
        confounds=(
            Confound(measure="words", factor="polarity", n=24, estimate=1.0, low=0.5, high=1.5, dz=0.4),
            Confound(measure="words", factor="intensity", n=24, estimate=0.0, low=-1.0, high=1.0, dz=0.0),
            Confound(measure="sentiment", factor="polarity", n=1, estimate=0.25, low=None, high=None, dz=None),
            Confound(measure="sentiment", factor="intensity", n=24, estimate=-2.0, low=-3.0, high=-1.0, dz=-4.0),
        ),
        cues=(Cues(features=words, held_out="value", n=24, accuracy=0.6, low=0.5, high=0.7, aligned=(words,)),),
        neighbours=(
            Neighbour(id=first.id, other=second.id, similarity=0.75, method="tfidf"),
            Neighbour(id=second.id, other=first.id, similarity=0.75, method="tfidf"),
            Neighbour(id=third.id, other=first.id, similarity=0.25, method="tfidf"),
        ),
        coverage=Coverage(
            grid=grid,
            basic_values={"Power": 4, "Security": 2},
            competing_values={"Honest": 1, "Loyal": 3},
            relations={"opposing": 20, "weak": 0},
            settings={"place": {words: 2}, "relationship": {}, "role": {}, "stakes": {}},
        ),
        sorts=(
            BlindSort(id=first.id, revision=1, asked=3, read=0),
            BlindSort(id=second.id, revision=1, asked=3, read=3, side=0.9, tau=0.8),
            BlindSort(id=third.id, revision=1, asked=3, read=2, side=0.5, tau=None),
        ),
    )


def assert_safe(found: Page) -> None:
    """It loads nothing, runs nothing, and its links lead somewhere on it."""
    policy = next(a for _, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")["content"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in found.elements:
        assert tag in {*ELEMENTS, "a", "i"}
        assert not {"src", "action", "data", "srcset"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert re.fullmatch(r"((left|width): [\d.]+%(; |$))*", attributes.get("style", ""))
        if "href" in attributes:
            assert attributes["href"].removeprefix("#") in ids
    assert "url(" not in found.style
    assert "@import" not in found.style


def section(html: str, name: str) -> Page:
    """The part of the page under a heading."""
    start = f'<h2 id="{name}">'
    return Page(start + html.split(start)[1].split("<h2")[0])


def test_every_part_of_the_findings_is_on_the_page() -> None:
    dilemmas = shipped()
    shown = Page(page.render(all_found(dilemmas), dilemmas, RULES))
    assert_safe(shown)
    for name in SECTIONS:
        assert any(attributes.get("id") == name for _, attributes in shown.elements), name
    assert "2errors, 1 of them on 1 dilemma" in shown.text
    assert "2warnings, on 2 dilemmas" in shown.text
    assert "1note, on no single dilemma" in shown.text
    assert "1line that could not be used" in shown.text
    assert shown.rows("rule", "dilemmas")["length"][1] == "2"
    assert all(rule.looks_for in shown.text for rule in RULES)
    assert shown.rows("property", "interval")["words"][2:5] == ["0.00", "0.00", "[−1.00, 1.00]"]
    assert shown.rows("trained without", "95 % interval")["the values it is tried on"][1:3] == ["60 %", "[50, 70] %"]
    grid = shown.rows("value", *topics())
    assert set(values()) <= set(grid)
    assert grid[dilemmas[0].value].count("1") == 1
    for fact in ("0" * 64, "2026-11-21", "../../dataset/mine.jsonl", "some words", "Power", "Loyal"):
        assert fact in shown.text


def test_a_dilemma_stands_beside_its_findings_with_the_action_marked() -> None:
    dilemmas = shipped()
    second = dilemmas[1]
    html = page.render(all_found(dilemmas), dilemmas, RULES)
    start = f'<div class="dilemma" id="of-{second.id}">'
    own = Page(start + html.split(start)[1].split('<div class="dilemma"')[0])
    for said in (
        second.scenario,
        second.value,
        *(a.text for a in second.actions),
        *(a.rationale for a in second.actions),
    ):
        assert said in own.text
    assert [kind for tag, a in own.elements if tag == "li" and (kind := a.get("class"))] == ["error", "warning"]
    marked = re.findall(r'<tr class="error"><th scope="row">(\w+), (\w+) <span>\[3\]</span>', own.html)
    assert marked == [(second.actions[3].polarity, second.actions[3].intensity)]
    assert f'<p class="warning"><bdi>{html_of(second.scenario)}' in own.html


def test_dilemmas_with_errors_come_first_and_those_without_findings_not_at_all() -> None:
    dilemmas = shipped()
    html = page.render(all_found(dilemmas), dilemmas, RULES)
    assert re.findall(r'id="of-([\w-]+)"', html) == [dilemmas[1].id, dilemmas[2].id]


def test_only_so_many_dilemmas_are_shown_in_full_and_the_others_are_listed() -> None:
    dilemmas = shipped(copies=6)
    found = nothing_found(dilemmas, findings=[ALONE(one, "says strongly") for one in dilemmas])
    shown = Page(page.render(found, dilemmas, RULES))
    assert_safe(shown)
    assert shown.html.count('<div class="dilemma"') == page.IN_FULL
    listed = shown.rows("dilemma", "errors", "warnings", "notes")
    assert listed[dilemmas[-1].id] == ["1", "–", "–"]
    assert len(listed) == len(dilemmas) - page.IN_FULL


def test_a_pair_of_neighbours_is_shown_once_with_both_scenarios() -> None:
    dilemmas = shipped()
    part = section(page.render(all_found(dilemmas), dilemmas, RULES), "neighbours")
    assert [words[:4] for tag, words in part.runs if tag == "h3" and words[0].isdigit()] == ["0.75", "0.25"]
    assert part.text.count(dilemmas[0].scenario) == 2


def test_pairs_beyond_the_nearest_few_are_shown_where_they_are_alike() -> None:
    dilemmas = shipped()
    near = [0.9, 0.8, 0.7, 0.6, 0.5, 0.25, 0.24, 0.1]
    found = [
        Neighbour(id=dilemmas[2 * n].id, other=dilemmas[2 * n + 1].id, similarity=one, method="tfidf")
        for n, one in enumerate(near)
    ]
    assert [one.similarity for one in page._nearest(found)] == near[:6]
    assert len(page._nearest(found[3:])) == page.FEWEST_PAIRS


def test_backticks_in_a_fix_are_set_as_code() -> None:
    dilemmas = shipped()
    found = nothing_found(dilemmas, findings=[ALONE(dilemmas[0], "says strongly", fix="Give `<id>` a name & go.")])
    assert "Give <code>&lt;id&gt;</code> a name &amp; go." in page.render(found, dilemmas, RULES)


def test_the_lowest_agreement_is_first_and_what_nobody_could_read_last() -> None:
    dilemmas = shipped()
    part = section(page.render(all_found(dilemmas), dilemmas, RULES), "sorts")
    assert [(row[0], row[3], row[4]) for row in part.tables[0][1:]] == [
        (dilemmas[2].id, "50 %", "–"),
        (dilemmas[1].id, "90 %", "0.80"),
        (dilemmas[0].id, "–", "–"),
    ]


@pytest.mark.parametrize(
    ("dz", "dot", "left", "width"),
    [(0.4, 70.0, 60.0, 20.0), (-4.0, 0.0, 0.0, 0.0), (None, None, None, None), (0.0, None, None, None)],
)
def test_a_difference_is_drawn_in_standard_deviations(
    dz: float | None, dot: float | None, left: float | None, width: float | None
) -> None:
    sign = -1 if dz and dz < 0 else 1
    ends = sorted((sign * 0.5, sign * 1.5))
    effect = Confound(
        measure="words", factor="polarity", n=9, estimate=sign if dz else 0.0, low=ends[0], high=ends[1], dz=dz
    )
    bar = page._bar(effect)
    assert (bar["dot"], bar["left"], bar["width"]) == (dot, left, width)


def test_sections_without_anything_say_so_in_words() -> None:
    shown = Page(page.render(nothing_found(), (), ()))
    assert_safe(shown)
    for name in SECTIONS[:-1]:
        words = section(shown.html, name).text
        assert re.search(r"None|Nothing|no dilemmas|No dilemma|fewer than two|No model", words), name


def test_hostile_text_comes_out_as_text(record: dict[str, Any], write_lines: Callable[..., Path]) -> None:
    for number, action in enumerate(record["actions"]):
        action.update(text=f"{number} {NASTY}", rationale=NASTY)
    spoilt = [{**record, "id": f"number-{n}", "scenario": f"{n} {NASTY}"} for n in range(3)]
    dilemmas = dataset.read(write_lines(*spoilt)).dilemmas
    found = all_found(dilemmas, NASTY).model_copy(update={"dataset": f"../{NASTY_FILE}.jsonl"})
    shown = Page(page.render(found, dilemmas, RULES))
    assert_safe(shown)
    text = "".join(shown.pieces)
    assert text.count(NASTY) > 5 + 2 * 13 + 4
    assert f"{NASTY_FILE}.jsonl" in text
    assert "49" not in "".join(re.findall(r"\{\{.*?\}\}", text))
    running = [words for tag, words in shown.runs if tag != "bdi"]
    assert not [words for words in running if "\u202e" in words], "it would turn the words behind it around"


@in_a_browser
def test_a_browser_runs_nothing_and_the_page_fits_a_narrow_window(
    record: dict[str, Any], write_lines: Callable[..., Path], tmp_path: Path
) -> None:
    spoilt = [{**record, "id": f"number-{n}", "scenario": f"{n} {NASTY}"} for n in range(3)]
    dilemmas = dataset.read(write_lines(*spoilt)).dilemmas
    html = page.render(all_found(dilemmas, NASTY), dilemmas, RULES)
    shown = dom(html, tmp_path)
    assert title_in(shown) == "mine.jsonl: what to mend"
    assert "<script" not in shown
    assert "<img" not in shown
    assert fits_a_narrow_window(html, tmp_path)


def test_findings_are_counted_grouped_and_paired() -> None:
    dilemmas = shipped()
    found = all_found(dilemmas)
    assert counts(found.findings) == {"error": 2, "warning": 2, "note": 1}
    assert {rule: len(some) for rule, some in by_rule(found.findings).items()} == {
        "label-words": 1,
        "record": 1,
        "length": 2,
        "empty-cells": 1,
    }
    assert [one.similarity for one in pairs(found.neighbours, 9)] == [0.75, 0.25]
    assert len(pairs(found.neighbours, 1)) == 1
    assert pairs((), 5) == []

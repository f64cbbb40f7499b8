"""The page of agreement: one file, whole, safe against what stands in it, with machines apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from test_check_page import assert_safe, section
from test_report import NASTY, Page, dom, fits_a_narrow_window, in_a_browser, title_in
from test_review_agree import BACKWARDS, RIGHT, dilemmas, open_round, placed, pulled, read_by, said, untold, verdicts

from dilemmas.review import page, tables
from dilemmas.schema import Dilemma, Judgement, RoundProblem

FEW = 100
"""Draws."""
SECTIONS = (
    "overall", "measures", "answers", "places", "groups", "pairs", "confusions", "disagreements", "reviewers",
    "machines", "source",
)  # fmt: skip


def agreed(
    folder: Path, form: Any, of: Sequence[Dilemma], people: Sequence[Judgement], machines: Sequence[Judgement] = (),
    **manifest: Any,
) -> tables.Agreement:  # fmt: skip
    return tables.agree(pulled(folder, form, of, people, machines, **manifest), draws=FEW)


def blind(folder: Path) -> tables.Agreement:
    """Two people who differ on the first of four dilemmas, and a machine, on a blind form."""
    found = dilemmas(4)
    people = [
        said(one, who, decision="accept", placements=placed(*RIGHT)) for one in found[1:] for who in ("ann", "bob")
    ]
    people += [
        said(
            found[0],
            "ann",
            decision="revise",
            comment="Two are alike.",
            placements=placed(1, 1, 2, 3, 4, None),
            verdicts=untold(5),
        ),
        said(found[0], "bob", decision="accept", placements=placed(*BACKWARDS)),
    ]
    return agreed(folder, "blind", found, people, [r for one in found for r in read_by(one, "judge-1", RIGHT)])


def nasty(folder: Path) -> tables.Agreement:
    """A round in which every text from outside is hostile."""
    one = dilemmas(1)[0]
    actions = [a.model_copy(update={"text": f"{n} {NASTY}", "rationale": NASTY}) for n, a in enumerate(one.actions)]
    one = one.model_copy(update={"scenario": NASTY, "actions": tuple(actions)})
    people = [
        said(one, f"{who} {NASTY}", decision=decision, comment=NASTY, verdicts=verdicts(word, *["matches"] * 5))
        for who, decision, word in (("a", "accept", "weaker"), ("b", "reject", "wrong_side"))
    ]
    problem = RoundProblem(kind="unknown_answer", what=NASTY)
    machines = read_by(one, f"m {NASTY}", RIGHT)
    return agreed(folder, "open", [one], people, machines, project=NASTY, export=NASTY, problems=[problem])


def test_every_part_is_on_the_page_with_the_numbers_of_the_tables(tmp_path: Path) -> None:
    found = tables.agree(open_round(tmp_path / "round"), draws=FEW)
    shown = Page(page.render(found))
    assert_safe(shown)
    for name in SECTIONS:
        assert any(attributes.get("id") == name for _, attributes in shown.elements), name
    rows = shown.rows("criterion", "AC1", "alpha", "kappa")
    overall = found.overall.set_index("criterion")
    assert list(rows) == list(overall.index)
    for name, cells in rows.items():
        assert cells[:2] == [str(overall.loc[name, "n_units"]), str(overall.loc[name, "n_pairs"])]
        assert cells[3].startswith(f"{overall.loc[name, 'raw']:.2f}")
    counts = tables.differing(found)
    assert f"{counts['units']}disagreements, on {counts['dilemmas']} dilemmas" in shown.text
    for words in (*tables.cautions(found), *tables.notes(found.overall), "100 draws (seed 0)", "raw/1.json", "0" * 64):
        assert words in shown.text
    for doi in ("000711006X126600", "001316447003000105", "001316446002000104", "j.1467-9868.2007.00593.x"):
        assert doi in section(shown.html, "measures").text
    assert "Names are pseudonyms." in shown.text


def test_each_group_has_its_numbers(tmp_path: Path) -> None:
    found = tables.agree(open_round(tmp_path / "round"), draws=FEW)
    part = section(page.render(found), "groups")
    for heading, level in (("place", "place"), ("basic value", "basic_value"), ("topic", "topic")):
        of_level = found.agreement[found.agreement["level"] == level]
        listed = [row[0] for table in part.tables if table[0][0] == heading for row in table[1:]]
        assert sorted(listed) == sorted(of_level["group"])


def test_a_disagreement_shows_the_text_each_answer_and_the_comments(tmp_path: Path) -> None:
    found = blind(tmp_path / "round")
    part = section(page.render(found), "disagreements")
    first = found.pulled.dilemmas["number-0"]
    assert part.text.count("Revision") == 1
    assert first.scenario in part.text
    rows = part.rows("about", "ann", "bob")
    assert rows["decision"] == ["revise", "accept"]
    strong, opposed = first.action("aligned", "strong").text, first.action("opposed", "strong").text
    assert rows[f"strong aligned {strong}"] == ["moderate aligned", "strong opposed"]
    assert rows[f"strong opposed {opposed}"] == ["cannot tell", "strong aligned"]
    assert "ann: Two are alike." in part.text


def test_confusions_name_two_reviewers_and_pool_more(tmp_path: Path) -> None:
    two = section(page.render(blind(tmp_path / "two")), "confusions")
    assert two.tables[0][1:] == [["accept", "3", "·", "·"], ["revise", "1", "·", "·"], ["reject", "·", "·", "·"]]
    assert "rows by what ann said, columns by what bob said" in two.text
    more = section(page.render(tables.agree(open_round(tmp_path / "more"), draws=FEW)), "confusions")
    assert "in both directions" in more.text
    numbers = [row[1:] for row in more.tables[0][1:]]
    assert numbers == [list(column) for column in zip(*numbers, strict=True)]


def test_a_blind_round_shows_where_actions_were_put_and_meant(tmp_path: Path) -> None:
    shown = Page(page.render(blind(tmp_path / "round")))
    assert_safe(shown)
    assert "strength takes no notice of the side" in shown.text
    intended = section(shown.html, "intended").rows("reviewer", "on the side meant")
    assert [cells[2] for cells in intended.values()] == ["23 of 24", "24 of 24"]
    assert intended["bob"][3].startswith("75 %")
    put = section(shown.html, "places").rows("meant for", "strong aligned", "strong opposed")
    assert put["strong aligned"] == ["4", "75 %", "12 %", "0 %", "0 %", "0 %", "12 %"]


def test_who_is_left_out_is_named_and_nowhere_else(tmp_path: Path) -> None:
    html = page.render(tables.agree(open_round(tmp_path / "round"), without=["ann"], draws=FEW))
    assert "Left out of all tables, as asked for: ann." in Page(html).text
    assert "ann, as asked for with --without" in Page(html).text
    assert list(section(html, "reviewers").rows("reviewer", "judged")) == ["bob", "cyd"]


def test_machines_stand_in_a_section_of_their_own(tmp_path: Path) -> None:
    html = page.render(blind(tmp_path / "round"))
    before, machines = html.split('<h2 id="machines"')
    assert "judge-1" not in before
    part = section('<h2 id="machines">' + machines.split(">", 1)[1], "machines")
    assert part.rows("machine", "on the side meant")["judge-1"][3].startswith("100 %")
    assert {row[1] for row in part.tables[1][1:]} == {"ann", "bob", "the majority of people"}


def test_a_round_of_one_person_says_so_in_words(tmp_path: Path) -> None:
    (one,) = dilemmas(1)
    shown = Page(page.render(agreed(tmp_path / "round", "open", [one], [said(one, "ann", decision="accept")])))
    assert_safe(shown)
    for words in (
        "nothing can be said about agreement", "There is only one reviewer.", "no unit has been judged twice",
        "No action was judged.", "No machine's judgements came with this round.", "1dilemma judged",
        "1judgement counted",
    ):  # fmt: skip
        assert words in shown.text


def test_only_so_many_dilemmas_are_shown_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "IN_FULL", 2)
    found = tables.agree(open_round(tmp_path / "round"), draws=FEW)
    part = section(page.render(found), "disagreements")
    assert part.html.count('<div class="dilemma"') == 2
    rest = part.rows("dilemma", "disagreements")
    assert len(rest) == tables.differing(found)["dilemmas"] - 2
    counts = [int(cells[0]) for cells in rest.values()]
    assert counts == sorted(counts, reverse=True)


def test_hostile_text_comes_out_as_text(tmp_path: Path) -> None:
    shown = Page(page.render(nasty(tmp_path / "round")))
    assert_safe(shown)
    text = "".join(shown.pieces)
    assert text.count(NASTY) > 12
    assert "49" not in "".join(re.findall(r"\{\{.*?\}\}", text))
    running = [words for tag, words in shown.runs if tag not in ("bdi", "title")]
    assert not [words for words in running if "\u202e" in words], "it would turn the words behind it around"


@in_a_browser
def test_a_browser_runs_nothing_and_the_page_fits_a_narrow_window(tmp_path: Path) -> None:
    html = page.render(nasty(tmp_path / "round"))
    shown = dom(html, tmp_path)
    assert title_in(shown).endswith(": how far reviewers agree")
    assert "<script" not in shown
    assert "<img" not in shown
    assert fits_a_narrow_window(html, tmp_path)

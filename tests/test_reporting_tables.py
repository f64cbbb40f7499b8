"""Tables in the layout of papers: bold after correction, never a number that is missing, and nothing that escapes."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas.reporting import tables
from dilemmas.reporting.tables import Cell, Column, Table

NASTY = "[x] & a|b \\input{y} $1_2^3$ {%#~} <script>alert(1)</script> **no** `code` ![i](u)\n\\end{table}\u202e"
SCORES = {
    "AR": 0.8, "f1_chance": 0.7, "p_agree": 0.75, "p_aligned": 0.6, "kappa": 0.31, "AD": 0.45, "floor": 0.12
}  # fmt: skip
DELTA = {
    "delta": 0.05, "low": 0.01, "high": 0.09, "se": 0.02, "df": 55, "p": 0.01, "joint_low": -0.01, "joint_high": 0.11,
    "p_two_way": 0.02, "two_way_agrees": True, "equivalence": "different", "dz": 0.2, "mde": 0.056, "n": 616,
    "values": 56, "note": "", "personas": 1,
}  # fmt: skip


def study(model: str = "m", **changed: Any) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Scores of the baseline and of one persona of each of two categories, and their deltas."""
    names = [("baseline", "baseline"), ("a-1", "moderate"), ("b-1", "max")]
    personas = pd.DataFrame([{"model": model, "persona": p, "category": c, **SCORES} for p, c in names])
    categories = personas.drop(columns="persona").assign(personas=1)
    rows = []
    for metric in ("AD", "AR"):
        for persona, category in names[1:]:
            p = {"moderate": 0.04, "max": 0.06}[category]
            both = {"model": model, "metric": metric, **DELTA, **changed}
            rows.append({**both, "level": "persona", "name": persona, "p_holm": math.nan, "q": p})
            rows.append({**both, "level": "category", "name": category, "p_holm": p, "q": math.nan})
    return personas, categories, pd.DataFrame(rows)


def column(table: Table, head: str) -> list[Cell]:
    at = [one.head for one in table.columns].index(head)
    return [row[at] for row in table.rows]


def test_a_row_for_each_condition_with_what_must_stand_beside_ar_and_ad() -> None:
    table = tables.results(*study())
    assert [cell.text for cell in column(table, "condition")] == ["baseline", "a-1 (moderate)", "b-1 (max)"]
    for head, text in (("AR", "0.80"), ("chance", "0.70"), ("P(agree)", "75 %"), ("P(aligned)", "60 %"),
                       ("κ", "0.31"), ("AD", "0.45"), ("floor", "0.12")):  # fmt: skip
        assert {cell.text for cell in column(table, head)} == {text}
    assert [cell.text for cell in column(table, "ΔAD")] == ["", "+0.050", "+0.050"]


@pytest.mark.parametrize("head", ["ΔAD", "ΔAR"])
def test_bold_is_what_is_significant_after_correction(head: str) -> None:
    assert [cell.bold for cell in column(tables.results(*study()), head)] == [False, True, False]


def test_a_dagger_marks_where_topics_lead_to_another_verdict() -> None:
    assert column(tables.results(*study(two_way_agrees=False)), "ΔAR")[1].text == "+0.050†"
    assert column(tables.results(*study(two_way_agrees=pd.NA)), "ΔAR")[1].text == "+0.050"


def test_what_is_missing_is_a_dash_and_never_bold() -> None:
    missing = dict.fromkeys(
        ("delta", "low", "high", "p", "joint_low", "joint_high", "p_two_way", "dz", "mde"), math.nan
    )
    personas, categories, effects = study(**missing, equivalence="")
    effects["p_holm"] = math.nan
    made = tables.every(personas.assign(AR=math.nan), categories.assign(AR=math.nan), effects)
    for table in made:
        assert not any(cell.bold for row in table.rows for cell in row)
        assert "nan" not in tables.markdown(table) + tables.latex(table)
    assert {cell.text for cell in column(made[0], "AR")} == {"–"}
    assert {cell.text for cell in column(made[-1], "95 % interval")} == {"–"}


def test_without_a_baseline_there_are_levels_and_no_deltas() -> None:
    personas, categories, effects = study()
    made = tables.every(personas[1:], categories[1:], effects[:0])
    assert [table.name for table in made] == ["results", "results-personas"]
    assert {cell.text for cell in column(made[0], "ΔAR")} == {""}


def test_models_follow_each_other_and_are_named_once() -> None:
    one, other = study("m2"), study("m10")
    table = tables.results(*(pd.concat(pair) for pair in zip(other, one, strict=True)))
    assert [cell.text for cell in column(table, "model")] == ["m2"] * 3 + ["m10"] * 3
    assert tables.markdown(table).count("| m2 |") == 1
    assert tables.latex(table).count(r"\addlinespace") == 1


def test_every_line_has_every_column() -> None:
    for table in tables.every(*study(NASTY)):
        lines = tables.markdown(table).splitlines()
        rows = lines[: lines.index("")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1
        body = [line for line in tables.latex(table).splitlines() if line.endswith(r" \\")]
        assert len(body) == len(table.rows) + 1
        assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(table.columns) - 1}


@given(st.text(max_size=60))
def test_latex_gives_no_name_a_meaning(name: str) -> None:
    written = tables.latex(Table("t", name, (Column(name, text=True),), ((Cell(name, bold=True),),)))
    known = r"begin|end|caption|label|toprule|midrule|bottomrule|textbf|addlinespace|dag|ldots|Delta|kappa|geq"
    known += "|textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar"
    for command in re.findall(r"\\([A-Za-z]+|.)", written, re.DOTALL):
        assert re.fullmatch(rf"{known}|[\\{{}}$&#_%]", command)
    bare = re.sub(r"\\.", "", written)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[#%^~_|<>]", bare)
    assert written.count("\n") == 11


def test_a_name_in_markdown_is_read_as_it_was_written() -> None:
    markdown_it = pytest.importorskip("markdown_it")
    html = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render(tables.markdown(tables.results(*study(NASTY))))
    assert "<script>" not in html
    assert "<em>" not in html
    assert "<img" not in html
    shown = " ".join(NASTY.split()).replace("\u202e", "�")
    assert shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in html
    assert html.count("<strong>") == 2

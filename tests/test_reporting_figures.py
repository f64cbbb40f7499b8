"""Figures: they show the numbers they are given, the same bytes every time, and nothing that anybody slipped in."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from frames import random_frame
from hypothesis import given
from hypothesis import strategies as st

from dilemmas import analysis, diagnostics, scores, significance, simulation
from dilemmas.analysis import Analysis
from dilemmas.personas.listed import resolve
from dilemmas.reporting import answers, deltas, figures, places
from dilemmas.reporting.canvas import Drawn
from dilemmas.reporting.conditions import conditions
from dilemmas.reporting.style import INK, file_name
from dilemmas.schema import BASELINE

NASTY = "</svg>$x_$<b>\"'&amp;]]>--><script>alert(1)</script>\u202e\u2028{{7*7}}"
SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "g", "path", "defs", "use", "clipPath", "rect", "text", "title"}


def of_part(found: Analysis, frame: pd.DataFrame) -> Analysis:
    """The analysis with only what figures need made anew, from other answers."""
    rows = scores.per_dilemma(frame)
    personas = scores.per_persona(rows, frame)
    return replace(
        found, answers=frame, dilemmas=rows, personas=personas, categories=scores.per_category(personas),
        levels=significance.levels(rows), effects=significance.effects(rows, draws=0).assign(mde=math.nan),
        diagnosis=replace(found.diagnosis, tables={"letters": diagnostics.letters(frame)} if "letter" in frame else {}),
    )  # fmt: skip


def study(seed: int = 0, model: str = "m") -> pd.DataFrame:
    """Two personas of each category; one of them never answers."""
    frame = simulation.draw(
        simulation.grid(4, 2), simulation.Settings(personas=2, categories=3, repeats=2, effect=0.1), seed=seed
    ).answers(model)
    gone = frame["persona"] == "max-2"
    frame.loc[gone, ["score", "vote"]] = math.nan
    frame.loc[gone, ["code", "letter"]] = None
    frame.loc[gone, "status"] = "refused"
    return frame


@pytest.fixture(scope="module")
def found() -> Analysis:
    """Two models, one with a name that is an attack."""
    frame = pd.concat([study(0, "model-1"), study(1, NASTY)], ignore_index=True)
    asked = (BASELINE, *resolve("twelve"))
    settings = analysis.Settings(draws=50)
    return analysis.of_answers(frame, name="s", scale="even", settings=settings, personas_asked=asked)


@pytest.fixture(scope="module")
def drawn(found: Analysis) -> tuple[Drawn, ...]:
    return figures.every(found)


def one(drawn: tuple[Drawn, ...], kind: str, metric: str = "", model: str = "") -> Drawn:
    return next(x for x in drawn if (x.kind, x.metric, x.model) == (kind, metric, model))


def marks(drawn: Drawn) -> list[tuple[str, list[tuple[float, float]]]]:
    """Hint and places of each mark that has a hint."""
    groups = [g for g in ElementTree.fromstring(drawn.svg).iter(f"{SVG}g") if g.find(f"{SVG}title") is not None]
    return [
        (str(g.findtext(f"{SVG}title")), [(float(u.attrib["x"]), float(u.attrib["y"])) for u in g.iter(f"{SVG}use")])
        for g in groups
    ]


def words(drawn: Drawn) -> list[str]:
    return [str(text.text) for text in ElementTree.fromstring(drawn.svg).iter(f"{SVG}text")]


def test_every_kind_is_drawn_for_both_metrics(drawn: tuple[Drawn, ...]) -> None:
    both = {"levels", "deltas", "places"}
    each = {"levels by persona", "deltas by persona", "values", "topics"}
    expected = {(kind, metric, "") for kind in both for metric in ("AD", "AR")}
    expected |= {(kind, "", "") for kind in ("answers", "letters", "repeats")}
    expected |= {(kind, metric, model) for kind in each for metric in ("AD", "AR") for model in ("model-1", NASTY)}
    expected |= {("answers by persona", "", model) for model in ("model-1", NASTY)}
    assert {(x.kind, x.metric, x.model) for x in drawn} == expected
    assert len(drawn) == len(expected) == len({x.name for x in drawn})
    assert all(re.fullmatch(r"[a-z0-9.-]+", x.name) for x in drawn)


def test_the_same_study_gives_the_same_bytes_in_any_order_of_its_rows(
    found: Analysis, drawn: tuple[Drawn, ...]
) -> None:
    tables = {
        name: getattr(found, name).sample(frac=1, random_state=1)
        for name in ("answers", "dilemmas", "personas", "categories", "levels", "effects")
    }
    shuffled = {name: table.sample(frac=1, random_state=2) for name, table in found.diagnosis.tables.items()}
    again = figures.every(replace(found, **tables, diagnosis=replace(found.diagnosis, tables=shuffled)))
    assert [x.svg for x in again] == [x.svg for x in drawn]


def test_a_figure_holds_nothing_but_shapes_and_words(drawn: tuple[Drawn, ...]) -> None:
    for figure in drawn:
        for element in ElementTree.fromstring(figure.svg).iter():
            assert element.tag.removeprefix(SVG) in ALLOWED
            for name, value in element.attrib.items():
                assert not name.startswith("on")
                assert "href" not in name or value.startswith("#")
                assert all(inner.startswith("#") for inner in re.findall(r"url\((.*?)\)", value))
        assert "<!--" not in figure.svg
        assert "<style" not in figure.svg


def test_a_hostile_name_is_shown_as_it_is_but_for_what_nobody_sees(drawn: tuple[Drawn, ...]) -> None:
    shown = NASTY.replace("\u202e", "�").replace("\u2028", " ")
    assert shown in words(one(drawn, "deltas", "AD"))
    assert any(hint.startswith(shown) for hint, _ in marks(one(drawn, "repeats")))
    assert "\u202e" not in "".join(figure.svg for figure in drawn)


def test_no_two_elements_of_a_page_share_an_id(drawn: tuple[Drawn, ...]) -> None:
    ids = [name for figure in drawn for name in set(re.findall(r'\sid="([^"]*)"', figure.svg))]
    assert len(ids) == len(set(ids))


def test_ink_takes_the_colour_of_the_page(drawn: tuple[Drawn, ...]) -> None:
    for figure in drawn:
        assert "currentColor" in figure.svg
        assert INK not in figure.svg


def test_a_name_that_looks_like_ink_keeps_its_letters(found: Analysis) -> None:
    table = deltas.frame(found.personas, found.effects).assign(model=f'm style="fill: {INK}"')
    assert f'm style="fill: {INK}"' in words(deltas.by_category(table, "AD"))


@pytest.mark.parametrize("kind", ["levels", "deltas"])
def test_marks_stand_where_their_numbers_are(drawn: tuple[Drawn, ...], kind: str) -> None:
    figure = one(drawn, f"{kind} by persona", "AD", "model-1")
    estimates = figure.table["estimate" if kind == "levels" else "delta"].dropna().to_numpy(float)
    # the last mark of a hint is the estimate's; where there is another it is the stroke of what is expected
    places_of = dict(marks(figure))
    dots = np.array([at for hint, (*_, at) in ((h, p) for h, p in places_of.items() if p)])
    assert len(dots) == len(estimates) == len(figure.table) - 2
    slope, intercept = np.polyfit(estimates, dots[:, 0], 1)
    assert slope > 0
    assert dots[:, 0] == pytest.approx(slope * estimates + intercept, abs=1e-3)
    assert (np.diff(dots[:, 1]) > 0).all()


def test_the_deltas_are_those_of_the_tests(found: Analysis) -> None:
    table = deltas.frame(found.personas, found.effects).set_index(["model", "metric", "level", "name"])
    for row in found.effects.to_dict("records"):
        shown = table.loc[(row["model"], row["metric"], row["level"], row["name"])]
        p = row["p_holm"] if row["level"] == "category" else row["q"]
        assert shown["delta"] == pytest.approx(row["delta"], nan_ok=True)
        assert shown["p_adjusted"] == pytest.approx(p, nan_ok=True)
        assert shown["significant"] == (p < 0.05)
    assert len(table) == len(found.effects)


def test_only_significant_marks_are_filled(found: Analysis) -> None:
    for significant in (True, False):
        table = deltas.frame(found.personas, found.effects).assign(significant=significant)
        table = table[table["model"] == "model-1"]
        figure = deltas.by_category(table, "AD")
        hollow = len(re.findall(r"fill-opacity: 0; stroke: #[0-9a-f]{6}; stroke-width: 1.2", figure.svg))
        assert (hollow == 0) is significant


def test_what_is_missing_is_a_gap_with_a_word(drawn: tuple[Drawn, ...]) -> None:
    for kind in ("levels", "deltas"):
        figure = one(drawn, f"{kind} by persona", "AD", "model-1")
        assert words(figure).count("not defined") == 2  # the persona and its category
        assert not any(hint.startswith("max-2") and at for hint, at in marks(figure))
    assert words(one(drawn, "answers by persona", model="model-1")).count("no answer") == 2
    assert words(one(drawn, "values", "AD", "model-1")).count("×") == 4
    for figure in drawn:
        assert not re.search(r"\bnan\b", figure.svg, re.IGNORECASE)


def test_shares_of_answers_are_those_counted() -> None:
    frame = random_frame(np.random.default_rng(3), values=2)
    table = answers.frame(frame)
    own = table[(table["name"] == "one") & (table["side"] == "acted")]
    scores = frame.loc[(frame["persona"] == "one") & (frame["side"] == "acted"), "score"]
    for place, score in enumerate((1, 0.6, 0.2, -0.2, -0.6, -1), 1):
        row = own[own["point"] == place].iloc[0]
        assert (row["n"], row["answered"]) == ((scores == score).sum(), len(scores))
        assert row["share"] == pytest.approx((scores == score).mean())


def test_answers_of_four_points_keep_their_sides() -> None:
    frame = random_frame(np.random.default_rng(4), scale=(1.0, 1 / 3, -1 / 3, -1.0))
    table = answers.frame(frame)
    assert set(table.loc[table["n"] > 0, "point"]) == {1, 3, 4, 6}


def test_personas_stand_at_their_places_with_the_baseline_for_comparison(found: Analysis) -> None:
    table = places.frame(found.personas, found.personas_asked)
    row = table[(table["model"] == "model-1") & (table["metric"] == "AR") & (table["persona"] == "max-1")].iloc[0]
    scores = found.personas[found.personas["model"] == "model-1"].set_index("persona")
    assert (row["T"], row["S"], row["n"]) == (1.0, 1.0, scores.loc["max-1", "n_ar"])
    assert (row["estimate"], row["baseline"]) == (scores.loc["max-1", "AR"], scores.loc["baseline", "AR"])
    assert "baseline" not in set(table["persona"])


@pytest.mark.parametrize(
    ("kept", "absent"),
    [
        (["baseline"], {"deltas", "places", "levels by persona", "answers by persona"}),
        (["max-1", "max-2"], {"deltas", "deltas by persona"}),
        (["baseline", "max-1", "moderate-1"], {"levels by persona", "deltas by persona", "answers by persona"}),
    ],
)
def test_a_figure_with_nothing_to_show_is_left_out(found: Analysis, kept: list[str], absent: set[str]) -> None:
    frame = study()
    kinds = {x.kind for x in figures.every(of_part(found, frame[frame["persona"].isin(kept)]))}
    assert kinds >= {"levels", "answers", "values", "topics"}
    assert not kinds & absent


def test_a_study_without_an_answer_still_has_figures(found: Analysis) -> None:
    frame = study().assign(status="refused", score=math.nan, vote=math.nan, code=None, letter=None)
    drawn = figures.every(of_part(found, frame))
    assert not any("nan" in figure.svg.lower() for figure in drawn)
    assert all(figure.table is not None and len(figure.table) for figure in drawn)


def test_answers_alone_need_neither_letters_nor_places(found: Analysis) -> None:
    bare = replace(of_part(found, random_frame(np.random.default_rng(5), values=4)), personas_asked=())
    assert not {x.kind for x in figures.every(bare)} & {"letters", "repeats", "places"}


def test_conditions_stand_in_reading_order() -> None:
    names = ["max-10", "max-2", "baseline", "solo", "moderate-1", "moderate-2"]
    kinds = ["max", "max", "baseline", "odd", "moderate", "moderate"]
    table = conditions(pd.DataFrame({"model": "m", "persona": names, "category": kinds}))
    assert table["title"].tolist() == [
        "baseline", "moderate (2 personas)", "moderate-1", "moderate-2", "max (2 personas)", "max-2", "max-10",
        "solo (odd)",
    ]  # fmt: skip


@given(st.lists(st.text(max_size=70), min_size=2, max_size=2, unique=True))
def test_two_models_never_share_a_file(models: list[str]) -> None:
    one, other = (file_name("values", "AD", model) for model in models)
    assert one != other
    assert re.fullmatch(r"[a-z0-9.-]{1,90}", one)

"""A run's tables: what is written, that it is the same every time, and how a run is found."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import answer_frame, random_frame

from dilemmas import analysis, runs, simulation
from dilemmas.analysis import Analysis
from dilemmas.cli import analyse as cli
from dilemmas.errors import InputError, StoreError
from dilemmas.protocols import PARSER_VERSION
from dilemmas.schema import Response
from dilemmas.store import FILE, Store
from dilemmas.tidy import records

Run = Callable[..., tuple[Any, Path]]
CORE = ["answers", "categories", "dilemmas", "effects", "groups", "levels", "personas", "position", "variation"]
"""Tables that have rows where something was asked and answered."""
OTHERS = ["comparisons", "heterogeneity", "published", "regressions"]
DIAGNOSTICS = ["verdicts", "letters", "repeats", "order", "drift", "unread", "mass", "contradictions", "spread"]
TABLES = sorted([*CORE, *OTHERS, *DIAGNOSTICS])


def strict(text: str) -> Any:
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def written(folder: Path) -> dict[str, bytes]:
    files = [*sorted((folder / "tables").iterdir()), folder / "analysis.json"]
    return {path.name: path.read_bytes() for path in files}


def refuse_all(folder: Path) -> None:
    with Store.writing(folder / FILE) as store:
        refused = [(one.trial, Response(status="refused", reason="no")) for one in store.replies()]
        store.read_again(refused, PARSER_VERSION)


def analysed(folder: Path) -> tuple[Analysis, dict[str, pd.DataFrame], dict[str, Any]]:
    found = analysis.analyse(folder)
    place = analysis.save(found, folder)
    tables = {path.stem: pd.read_csv(path) for path in place.glob("*.csv")}
    return found, tables, strict((folder / "analysis.json").read_text(encoding="utf-8"))


def test_the_tables_hold_what_the_analysis_found(scripted_run: Run) -> None:
    _, folder = scripted_run()
    found, tables, summary = analysed(folder)
    assert sorted(tables) == TABLES
    for name, table in found.tables().items():
        kept = tables[name].drop(columns="caveat", errors="ignore")
        assert list(kept.columns) == list(table.columns)
        assert len(kept) == len(table)
        assert len(table) > 0 or name not in CORE
        for column in table.select_dtypes("number", exclude=["boolean"]):
            expected = table[column].to_numpy(float, na_value=math.nan)
            assert kept[column].to_numpy(float) == pytest.approx(expected, rel=1e-10, nan_ok=True)
    assert summary["run"] == "run"
    assert summary["counts"] == found.run.counts
    assert summary["counts"]["planned"] == len(tables["answers"]) == 4 * 4 * 2 * 3
    for name in ("levels", "categories", "variation", "effects", "comparisons", "heterogeneity", "position"):
        table = found.tables()[name]
        assert [set(row) for row in summary[name]] == [set(table.columns)] * len(table)
        for row, expected in zip(summary[name], table.to_dict("records"), strict=True):
            for key, cell in expected.items():
                if isinstance(cell, float) and math.isnan(cell):
                    assert row[key] is None
                else:
                    assert row[key] == (
                        pytest.approx(cell) if isinstance(cell, float) else None if cell is pd.NA else cell
                    )
    assert any(row["p_holm"] is None for row in summary["effects"])
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def test_every_result_carries_the_caveat(scripted_run: Run) -> None:
    _, folder = scripted_run()
    found, tables, summary = analysed(folder)
    assert "not from a language model" in found.run.caveat
    assert summary["caveat"] == found.run.caveat
    for name in CORE:
        assert set(tables[name]["caveat"]) == {found.run.caveat}, name
    assert summary["verdicts"][0]["fit"] == "not fit to interpret"


def test_a_caveat_stands_beside_its_own_model_only(scripted_run: Run) -> None:
    _, folder = scripted_run(limit=1, persona_set="none")
    found = analysis.analyse(folder)
    levels = pd.concat([found.levels.assign(model=name) for name in ("scripted", "real", "scripted to real")])
    place = analysis.save(replace(found, caveats={**found.caveats, "real": ""}, levels=levels), folder)
    table = pd.read_csv(place / "levels.csv", keep_default_na=False)
    caveat = found.caveats["scripted"]
    assert dict(zip(table["model"], table["caveat"], strict=True)) == {
        "scripted": caveat,
        "real": "",
        "scripted to real": caveat,
    }


def test_the_same_run_gives_the_same_bytes(scripted_run: Run) -> None:
    _, folder = scripted_run()
    analysed(folder)
    first = written(folder)
    analysed(folder)
    assert written(folder) == first


def test_the_same_settings_give_the_same_bytes_in_another_run(
    scripted_run: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, folder = scripted_run()
    analysed(folder)
    first = written(folder)
    folder.rename(tmp_path_factory.mktemp("kept") / "run")
    _, again = scripted_run()
    assert again == folder
    analysed(again)
    assert written(again) == first


def test_another_scale_changes_distances_and_leaves_signs(scripted_run: Run) -> None:
    _, folder = scripted_run()
    even, thirds = analysis.analyse(folder), analysis.analyse(folder, "thirds")
    assert (even.scale, thirds.scale) == ("even", "thirds")
    assert even.personas["AD"].tolist() != pytest.approx(thirds.personas["AD"].tolist())
    assert even.personas["AR"].tolist() == pytest.approx(thirds.personas["AR"].tolist())
    assert analysis.summary(thirds)["scale"] == "thirds"


def test_a_run_remembers_its_scale(scripted_run: Run) -> None:
    _, folder = scripted_run(scale="thirds", limit=1, persona_set="none")
    assert analysis.analyse(folder).scale == "thirds"
    assert analysis.analyse(folder, "even").scale == "even"


def test_without_personas_there_are_levels_and_an_empty_table_of_deltas(scripted_run: Run) -> None:
    _, folder = scripted_run(persona_set="none")
    _, tables, summary = analysed(folder)
    assert set(tables["levels"]["name"]) == {"baseline"}
    assert tables["effects"].empty
    assert {"delta", "p_holm"} <= set(tables["effects"].columns)
    assert summary["effects"] == []


def test_without_any_readable_answer_there_are_tables_without_numbers(scripted_run: Run) -> None:
    _, folder = scripted_run()
    refuse_all(folder)
    found, tables, summary = analysed(folder)
    assert sorted(tables) == TABLES
    assert tables["position"].empty
    assert all(row["estimate"] is None and row["n"] == 0 for row in summary["levels"])
    assert all(row["delta"] is None and row["p"] is None and row["note"] for row in summary["effects"])
    assert (found.personas["refused_rate"] == 1).all()
    assert "no reply could be read" in found.verdicts[0].reasons


def test_open_trials_are_counted_and_said(scripted_run: Run) -> None:
    _, folder = scripted_run()
    connection = sqlite3.connect(folder / FILE)
    with connection:
        connection.execute("DELETE FROM responses WHERE rowid % 10 = 0")
        connection.execute("DELETE FROM replies WHERE trial NOT IN (SELECT trial FROM responses)")
    connection.close()
    found, tables, summary = analysed(folder)
    missing = summary["counts"]["open"]
    assert missing == (tables["answers"]["status"] == "open").sum() == tables["personas"]["open"].sum() > 0
    assert any(f"{missing} trials" in reason for reason in found.verdicts[0].reasons)


# What cannot be concluded


def of(frame: pd.DataFrame, **settings: Any) -> Analysis:
    return analysis.of_answers(frame, name="made-up", scale="given", settings=analysis.Settings(**settings))


def test_without_a_baseline_there_are_levels_and_it_is_said_that_there_are_no_deltas() -> None:
    found = of(random_frame(np.random.default_rng(0), ("one", "two"), values=4))
    assert found.effects.empty
    assert found.levels["estimate"].notna().all()
    assert [note for note in found.notes if "no baseline" in note]


def test_the_baseline_alone_is_said_to_have_nothing_to_be_compared_with() -> None:
    found = of(random_frame(np.random.default_rng(0), ("baseline",), values=4))
    assert found.effects.empty
    assert [note for note in found.notes if "only the baseline" in note]


def test_one_value_has_levels_and_neither_intervals_nor_tests() -> None:
    found = of(random_frame(np.random.default_rng(0), ("baseline", "one"), values=1))
    assert found.effects[["low", "high", "p", "p_holm", "boot_low", "p_joint", "mde"]].isna().all(axis=None)
    assert [note for note in found.notes if "one value" in note]


def test_the_same_answer_everywhere_gives_no_test() -> None:
    rows = {f"v{value}-{place}": ([1, 1], [1, 1]) for value in range(4) for place in range(2)}
    found = of(answer_frame({"baseline": rows, "one": rows}))
    assert (found.effects["delta"] == 0).all()
    assert found.effects[["low", "high", "p", "p_holm", "p_joint", "dz"]].isna().all(axis=None)
    assert found.effects["note"].str.len().min() > 0
    assert found.verdicts[0].fit == "not fit to interpret"


def test_models_are_compared_in_their_categories_and_baselines_only() -> None:
    frame = random_frame(np.random.default_rng(0), ("baseline", "one", "two"), values=4)
    found = of(pd.concat([frame, frame.assign(model="other", score=-frame["score"], vote=-frame["vote"])]))
    assert set(found.comparisons["name"]) == {"baseline", "other"}
    assert set(found.comparisons["model"]) == {"m to other"}
    assert found.comparisons[found.comparisons["metric"] == "AD"]["estimate"].tolist() == [0, 0]


def test_how_a_category_is_made_is_recorded_and_carried_through() -> None:
    frame = random_frame(np.random.default_rng(5), ("baseline", "one", "two"), values=4, missing=0.3)
    mean, pooled = of(frame), of(frame, category="pooled")
    assert analysis.summary(mean)["settings"]["category"] == "mean"
    assert analysis.summary(pooled)["settings"]["category"] == "pooled"
    for found in (mean, pooled):
        levels = found.levels[found.levels["level"] == "category"].pivot(index="name", columns="metric")["estimate"]
        categories = found.categories.set_index("category")
        assert levels["AD"].tolist() == pytest.approx(categories["AD"].reindex(levels.index).tolist())
        assert levels["AR"].tolist() == pytest.approx(categories["AR"].reindex(levels.index).tolist())
    assert pooled.categories["AR"].iloc[1] != pytest.approx(mean.categories["AR"].iloc[1])


def test_personas_that_share_no_dilemma_with_the_baseline_are_named() -> None:
    frame = random_frame(np.random.default_rng(0), ("baseline", "one", "two"), values=6)
    here = frame["value"].isin(("v0", "v1", "v2"))
    found = of(frame[(frame["persona"] == "two") | (here == (frame["persona"] == "baseline"))])
    notes = "\n".join(found.notes)
    assert "m: one: no dilemma in common with the baseline" in notes
    assert "baseline has 9 of 18 dilemmas, one has 9 of 18 dilemmas;" in notes
    assert "2 of 2 tests" in notes


def test_models_on_other_dilemmas_or_with_other_categories_are_not_compared_and_that_is_said() -> None:
    frame = random_frame(np.random.default_rng(0), ("baseline", "one", "two"), values=4)
    other = frame.assign(model="n", category=frame["category"].where(frame["persona"] != "one", "max"))
    torn = of(pd.concat([frame, other]))
    assert "m and n: one: not of the same category in both, so not compared" in torn.notes
    apart = of(pd.concat([frame, frame.assign(model="n", item="n-" + frame["item"])]))
    assert "m and n: no dilemma in common, so they are not compared" in apart.notes
    part = of(pd.concat([frame, frame[frame["value"] != "v0"].assign(model="n")]))
    assert [note for note in part.notes if note.startswith("m and n: 9 dilemmas in common, of 12 and 9")]


def test_baselines_are_matched_by_category_and_not_by_name() -> None:
    frame = random_frame(np.random.default_rng(0), ("baseline", "one"), values=4)
    other = frame.assign(model="n", persona=frame["persona"].replace("baseline", "itself"))
    rows = of(pd.concat([frame, other])).comparisons.set_index(["name", "metric"])
    assert rows.loc[("baseline", "AD"), ["first", "second", "n"]].tolist() == ["baseline", "itself", 12]
    assert of(pd.concat([frame, other])).notes == ()


def test_rows_that_are_not_there_count_as_missing_in_the_worst_case() -> None:
    frame = random_frame(np.random.default_rng(0), ("baseline", "one"), values=4)
    gone = (frame["persona"] == "one") & (frame["value"] == "v0")
    refused = frame.assign(score=frame["score"].mask(gone), vote=frame["vote"].mask(gone))
    bounds = ["worst_low", "worst_high"]
    absent, known = of(frame[~gone]).effects, of(refused).effects
    assert absent[bounds].to_numpy() == pytest.approx(known[bounds].to_numpy())
    assert (absent["worst_high"] - absent["worst_low"] > 0.1).all()


# Answers from elsewhere


def test_a_caveat_in_a_file_makes_no_demonstration(tmp_path: Path) -> None:
    frame = random_frame(np.random.default_rng(0), ("baseline", "one"), values=6)
    columns = ["model", "persona", "category", "value", "topic", "item", "repeat", "side", "score"]
    frame[columns].assign(caveat="Collected in 2023.").to_csv(tmp_path / "told.csv", index=False)
    found = analysis.analyse_responses(tmp_path / "told.csv")
    assert found.caveat == "Collected in 2023."
    assert not [reason for one in found.verdicts for reason in one.reasons if "shows how the tool" in reason]


def test_a_runs_own_answers_given_as_a_file_come_to_the_same_tables(scripted_run: Run, tmp_path: Path) -> None:
    _, folder = scripted_run()
    run, _, _ = analysed(folder)
    given = analysis.analyse_responses(folder / "tables" / "answers.csv")
    assert given.run is None
    assert given.counts == run.counts
    assert given.caveats == run.caveats
    for name, table in run.tables().items():
        known = table.dropna(axis="columns", how="all")
        pd.testing.assert_frame_equal(
            given.tables()[name][known.columns], known, check_dtype=False, rtol=1e-9, obj=name
        )
    place = analysis.save(given, tmp_path / "out")
    assert sorted(path.stem for path in place.iterdir()) == TABLES
    summary = strict((tmp_path / "out" / "analysis.json").read_text(encoding="utf-8"))
    assert summary["design"] is None
    assert summary["responses"]["file"] == "answers.csv"
    assert len(summary["responses"]["sha256"]) == 64


def test_answers_of_a_simulated_study_can_be_handed_in(tmp_path: Path) -> None:
    study = simulation.draw(simulation.grid(6, 3), simulation.Settings(personas=2, missing=0.1), seed=3)
    path = tmp_path / "study.csv"
    simulation.table(study).to_csv(path, index=False)
    found, direct = analysis.analyse_responses(path), of(study.answers())
    assert (found.name, found.scale, found.source) == ("study", "given", path)
    for name in ("dilemmas", "levels", "effects", "variation", "groups"):
        pd.testing.assert_frame_equal(found.tables()[name], direct.tables()[name], check_dtype=False, obj=name)


def test_answers_without_letters_have_no_table_of_letters() -> None:
    found = of(random_frame(np.random.default_rng(0), values=3))
    assert found.position.empty
    assert "position" not in found.tables()
    assert found.verdicts[0].model == "m"


def test_answers_in_four_points_are_judged_by_four_letters(tmp_path: Path) -> None:
    head = "model,persona,value,topic,item,side,code,letter\n"
    words = {"stated": ("agree", "disagree"), "acted": ("aligned", "opposed")}  # the acted side has no grades
    rows = [
        f"m,baseline,Honest,Religion,i{at},{side},{codes[at % 2]},{'ABCD'[at % 4]}\n"
        for side, codes in words.items()
        for at in range(8)
    ]
    (tmp_path / "four.csv").write_text(head + "".join(rows))
    for points, shown in ((4, 4), (6, 6)):
        found = analysis.analyse_responses(tmp_path / "four.csv", points=points)
        assert set(found.diagnosis.tables["letters"]["even"]) == {1 / shown}


def test_without_draws_the_rest_of_the_analysis_stands() -> None:
    frame = random_frame(np.random.default_rng(0), values=4)
    without, with_draws = of(frame, draws=0), of(frame, draws=50)
    assert without.effects["p"].tolist() == with_draws.effects["p"].tolist()
    permuted = without.published["method"].str.startswith("paired-permutation")
    assert without.published.loc[permuted, "p"].isna().all()
    assert without.published.loc[permuted, "note"].str.len().min() > 0


def test_a_scale_is_for_words_and_not_for_scores(tmp_path: Path) -> None:
    head = "model,persona,value,topic,item,v,a\n"
    (tmp_path / "words.csv").write_text(head + "m,baseline,Honest,Religion,i,agree,mild aligned\n")
    (tmp_path / "scores.csv").write_text(head + "m,baseline,Honest,Religion,i,0.6,0.2\n")
    thirds = analysis.analyse_responses(tmp_path / "words.csv", "thirds")
    assert (thirds.scale, thirds.dilemmas["ad"].item()) == ("thirds", pytest.approx(1 / 3))
    assert analysis.analyse_responses(tmp_path / "scores.csv").scale == "given"
    with pytest.raises(InputError, match="scores"):
        analysis.analyse_responses(tmp_path / "scores.csv", "even")


# On the command line


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A file of answers in words: two conditions, three values."""
    head = "model,persona,value,topic,item,v,a\n"
    rows = [
        f"m,{persona},{value},Religion,{value.lower()},{stated},{acted}\n"
        for persona, acted in (("baseline", "aligned"), ("one", "mild opposed"))
        for value, stated in (("Honest", "agree"), ("Helpful", "Strongly agree"), ("Loyal", "agree"))
    ]
    path = tmp_path / "words.csv"
    path.write_text(head + "".join(rows), encoding="utf-8")
    return path


def test_a_file_of_answers_is_analysed_on_the_command_line(words: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.analyse(responses=words, points=4, scale="thirds", category="pooled", json_=True)
    summary = strict(capsys.readouterr().out)
    assert (summary["run"], summary["scale"], summary["settings"]["category"]) == ("words", "thirds", "pooled")
    assert [row["AD"] for row in summary["categories"]] == pytest.approx([1 / 3, 7 / 6])
    folder = words.parent / "words-analysis"
    assert strict((folder / "analysis.json").read_text(encoding="utf-8")) == summary
    assert (folder / "tables" / "effects.csv").is_file()


def test_what_scores_vary_by_and_what_cannot_be_concluded_are_printed(
    words: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.analyse(responses=words, out=words.parent / "out")
    told = " ".join(capsys.readouterr().out.split())
    assert "variation" in told
    assert "no column category" in told
    assert (words.parent / "out" / "analysis.json").is_file()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "--responses"),
        ({"run": "run", "responses": Path("x.csv")}, "two"),
        ({"responses": Path("x.csv"), "reparse": True}, "--reparse"),
        ({"responses": Path("x.csv"), "points": 5}, "--points"),
        ({"responses": Path("x.csv"), "category": "median"}, "--category"),
        ({"responses": Path("x.csv"), "scale": "odd"}, "--scale"),
        ({"responses": Path("none.csv")}, "none.csv"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        cli.analyse(**options)


def test_answers_from_elsewhere_are_not_written_into_a_runs_folder(words: Path, scripted_run: Run) -> None:
    _, folder = scripted_run(limit=1, persona_set="none")
    with pytest.raises(InputError, match="folder of a run"):
        cli.analyse(responses=words, out=folder)
    assert not (folder / "analysis.json").exists()


def test_missing_numbers_become_null() -> None:
    table = pd.DataFrame({"x": [1.5, math.nan], "n": [1, 2], "note": ["", "why"]})
    assert records(table) == [{"x": 1.5, "n": 1, "note": ""}, {"x": None, "n": 2, "note": "why"}]
    assert records(table.iloc[:0]) == []


def test_a_run_is_found_by_name_or_by_folder(scripted_run: Run) -> None:
    _, folder = scripted_run(limit=1, persona_set="none")
    assert runs.find("run", folder.parent) == folder
    assert runs.find(str(folder), folder.parent / "elsewhere") == folder
    assert runs.list_runs(folder.parent) == [folder]


def test_a_misspelt_run_gets_the_nearest_name(scripted_run: Run) -> None:
    _, folder = scripted_run(name="culture-study", limit=1, persona_set="none")
    with pytest.raises(InputError) as caught:
        runs.find("culture-stdy", folder.parent)
    assert '"culture-stdy"' in str(caught.value)
    assert '"culture-study"' in caught.value.fix


def test_where_there_are_no_runs_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    assert runs.list_runs(tmp_path / "runs") == []
    with pytest.raises(InputError) as caught:
        runs.find("first", tmp_path / "runs")
    assert "dilemmas evaluate" in caught.value.fix


@pytest.mark.parametrize("name", ["", "..", "con", "a b", "x" * 65, ".hidden", "a\nb"])
def test_a_name_that_cannot_be_a_runs_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        runs.find(name, tmp_path)


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run"):
        runs.find(f"{tmp_path}/nothing", tmp_path)
    with pytest.raises(StoreError, match="no such run"):
        analysis.analyse(tmp_path / "nothing")


def test_a_run_without_trials_says_what_to_do(tmp_path: Path) -> None:
    with Store.writing(tmp_path / FILE):
        pass
    with pytest.raises(InputError) as caught:
        analysis.analyse(tmp_path)
    assert "no trial" in caught.value.what
    assert "dilemmas evaluate" in caught.value.fix


def test_tables_that_cannot_be_written_name_the_place(scripted_run: Run) -> None:
    _, folder = scripted_run(limit=1, persona_set="none")
    (folder / "tables").write_text("in the way")
    with pytest.raises(InputError) as caught:
        analysis.save(analysis.analyse(folder), folder)
    assert "tables" in caught.value.where


def test_text_that_a_spreadsheet_would_run_is_defused(scripted_run: Run) -> None:
    _, folder = scripted_run(limit=1, persona_set="none")
    with Store.writing(folder / FILE) as store:
        (first, *_) = store.replies()
        refused = Response(status="refused", reason='=HYPERLINK("http://x","y")')
        store.read_again([(first.trial, refused)], PARSER_VERSION)
    found = analysis.analyse(folder)
    table = pd.read_csv(analysis.save(found, folder) / "answers.csv")
    assert table["reason"].dropna().tolist() == ["'" + refused.reason]
    assert (pd.to_numeric(table["score"].dropna()) < 0).any(), "negative numbers stay numbers"


def test_trials_of_an_unknown_persona_are_an_error(scripted_run: Run) -> None:
    _, folder = scripted_run(limit=1, persona_set="none")
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("DELETE FROM personas")
    connection.close()
    with pytest.raises(StoreError, match="baseline"):
        analysis.analyse(folder)

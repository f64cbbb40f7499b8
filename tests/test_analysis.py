"""A run's tables: what is written, that it is the same every time, and how a run is found."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dilemmas import analysis
from dilemmas.analysis import Analysis
from dilemmas.errors import InputError, StoreError
from dilemmas.protocols import PARSER_VERSION
from dilemmas.schema import Response
from dilemmas.store import FILE, Store

Run = Callable[..., tuple[Any, Path]]
TABLES = ["answers", "categories", "dilemmas", "effects", "levels", "personas", "position"]


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
        assert len(kept) == len(table) > 0
        for column in table.select_dtypes("number"):
            assert kept[column].tolist() == pytest.approx(table[column].tolist(), rel=1e-10, nan_ok=True)
    assert summary["run"] == "run"
    assert summary["counts"] == found.run.counts
    assert summary["counts"]["planned"] == len(tables["answers"]) == 4 * 4 * 2 * 3
    for name in ("levels", "categories", "effects", "position"):
        table = found.tables()[name]
        assert [set(row) for row in summary[name]] == [set(table.columns)] * len(table)
        for row, expected in zip(summary[name], table.to_dict("records"), strict=True):
            for key, cell in expected.items():
                if isinstance(cell, float) and math.isnan(cell):
                    assert row[key] is None
                else:
                    assert row[key] == (pytest.approx(cell) if isinstance(cell, float) else cell)
    assert any(row["p_holm"] is None for row in summary["effects"])
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def test_every_result_carries_the_caveat(scripted_run: Run) -> None:
    _, folder = scripted_run()
    found, tables, summary = analysed(folder)
    assert "not from a language model" in found.run.caveat
    assert summary["caveat"] == found.run.caveat
    for name in set(TABLES) - {"answers"}:
        assert set(tables[name]["caveat"]) == {found.run.caveat}, name
    assert summary["verdicts"][0]["fit"] == "not fit to interpret"


def test_a_caveat_stands_beside_its_own_model_only(scripted_run: Run) -> None:
    _, folder = scripted_run(limit=1, persona_set="none")
    found = analysis.analyse(folder)
    real = found.run.models[0].model_copy(update={"name": "real", "caveat": ""})
    run = found.run.model_copy(update={"models": (*found.run.models, real)})
    levels = pd.concat([found.levels, found.levels.assign(model="real")])
    place = analysis.save(replace(found, run=run, levels=levels), folder)
    table = pd.read_csv(place / "levels.csv", keep_default_na=False)
    assert set(zip(table["model"], table["caveat"], strict=True)) == {("scripted", run.caveat), ("real", "")}


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


def test_missing_numbers_become_null() -> None:
    table = pd.DataFrame({"x": [1.5, math.nan], "n": [1, 2], "note": ["", "why"]})
    assert analysis.records(table) == [{"x": 1.5, "n": 1, "note": ""}, {"x": None, "n": 2, "note": "why"}]
    assert analysis.records(table.iloc[:0]) == []


def test_a_run_is_found_by_name_or_by_folder(scripted_run: Run) -> None:
    _, folder = scripted_run(limit=1, persona_set="none")
    assert analysis.find("run", folder.parent) == folder
    assert analysis.find(str(folder), folder.parent / "elsewhere") == folder
    assert analysis.list_runs(folder.parent) == [folder]


def test_a_misspelt_run_gets_the_nearest_name(scripted_run: Run) -> None:
    _, folder = scripted_run(name="culture-study", limit=1, persona_set="none")
    with pytest.raises(InputError) as caught:
        analysis.find("culture-stdy", folder.parent)
    assert '"culture-stdy"' in str(caught.value)
    assert '"culture-study"' in caught.value.fix


def test_where_there_are_no_runs_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    assert analysis.list_runs(tmp_path / "runs") == []
    with pytest.raises(InputError) as caught:
        analysis.find("first", tmp_path / "runs")
    assert "dilemmas evaluate" in caught.value.fix


@pytest.mark.parametrize("name", ["", "..", "con", "a b", "x" * 65, ".hidden", "a\nb"])
def test_a_name_that_cannot_be_a_runs_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        analysis.find(name, tmp_path)


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run"):
        analysis.find(f"{tmp_path}/nothing", tmp_path)
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

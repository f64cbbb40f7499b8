"""A run as one file: the same cells in every format, nothing half-written, nothing that a spreadsheet would execute."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dilemmas import exporting
from dilemmas.errors import InputError
from dilemmas.exporting import COLUMNS, Format, export
from dilemmas.schema import Reply
from dilemmas.scores import answers
from dilemmas.store import FILE, Store

FORMATS: tuple[Format, ...] = ("parquet", "jsonl", "csv")
NASTY = [
    '=HYPERLINK("http://evil.example")',
    "+1",
    "-1",
    "@sum",
    "\ttab first",
    'quotes " and, commas; and\nlines\r\nand\rcarriage returns',
    "NA",
    "null",
    "12",
    "naïve – 価値 🙂 \u2028 \u202e",
    "nul \0 in it",
    "'quoted",
    "<think>A or B?</think>B",
]
REPLIES = [
    *(Reply(text=text, finish_reason="stop", latency=0.1 + 0.2, prompt_tokens=7) for text in NASTY),
    Reply(text="", refusal="no", finish_reason="content_filter"),
    Reply(text="B", reasoning="-- because", completion_tokens=2**31),
]
TRIALS = 4 * 4 * 2 * 3


@pytest.fixture
def run(scripted_run: Callable[..., tuple[object, Path]]) -> Path:
    """A run with strange replies, two trials without one, and a cell that was never put into words."""
    _, folder = scripted_run()
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        trials = [trial for (trial,) in db.execute("SELECT trial FROM replies ORDER BY rowid")]
        db.executemany(
            "UPDATE replies SET reply = ? WHERE trial = ?",
            [(reply.model_dump_json(), trial) for reply, trial in zip(REPLIES, trials, strict=False)],
        )
        for table in ("responses", "replies"):
            db.execute(f"DELETE FROM {table} WHERE trial IN (?, ?)", trials[-2:])
        db.execute("UPDATE cells SET trial = NULL WHERE trial = ?", trials[-1:])
    return folder


def read(path: Path) -> list[dict[str, Any]]:
    """A file's rows through pandas, whatever its format; missing is None."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
    elif path.suffix == ".jsonl":
        table = pd.read_json(path, lines=True, dtype=False, precise_float=True)
    else:
        texts = {name: "str" for name, kind in COLUMNS.items() if kind is str}
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])  # NA may be a reply
    return [
        {name: None if not isinstance(cell, str) and pd.isna(cell) else cell for name, cell in row.items()}
        for row in table.to_dict("records")
    ]


@pytest.fixture
def exported(run: Path, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    def export_and_read(form: Format, **options: bool) -> list[dict[str, Any]]:
        path = tmp_path / f"out.{form}"
        assert export(run, form, path, force=True, **options) == TRIALS
        return read(path)

    return export_and_read


def test_all_formats_hold_the_same_cells(exported: Callable[..., list[dict[str, Any]]]) -> None:
    parquet, lines, csv = (exported(form, prompts=True) for form in FORMATS)
    assert len(parquet) == TRIALS
    assert list(parquet[0]) == [*COLUMNS, "messages"]
    assert parquet == lines
    assert parquet == csv


def test_texts_come_back_as_they_were(exported: Callable[..., list[dict[str, Any]]]) -> None:
    texts = {row["text"] for row in exported("csv")}
    assert {text.strip() for text in NASTY[:-1]} <= texts
    thought = next(row for row in exported("csv") if row["reasoning"] == "A or B?")
    assert thought["text"] == "B"


def test_the_numbers_are_those_that_are_analysed(run: Path, exported: Callable[..., list[dict[str, Any]]]) -> None:
    with Store.reading(run / FILE) as store:
        known = answers(store)
    shared = [name for name in known if name in COLUMNS and name not in ("trial", "reason")]
    for row, wanted in zip(exported("parquet"), known[shared].to_dict("records"), strict=True):
        assert {name: row[name] for name in shared} == {
            name: None if cell is None or (isinstance(cell, float) and math.isnan(cell)) else cell
            for name, cell in wanted.items()
        }


def test_what_there_is_not_is_missing_and_not_zero(exported: Callable[..., list[dict[str, Any]]]) -> None:
    rows = exported("jsonl")
    waiting = [row for row in rows if row["status"] == "open"]
    assert len(waiting) == 2
    unworded, unanswered = sorted(waiting, key=lambda row: row["trial"] is not None)
    assert (unworded["trial"], unworded["order"], unworded["prompt_sha256"]) == (None, None, None)
    assert len(unanswered["order"].split()) == 6
    for row in waiting:
        assert {row[name] for name in ("code", "score", "text", "latency", "prompt_tokens", "at")} == {None}
        assert row["value"]
        assert row["category"]


def test_the_prompts_are_those_that_were_sent(run: Path, exported: Callable[..., list[dict[str, Any]]]) -> None:
    rows = [row for row in exported("csv", prompts=True) if row["trial"]]
    with Store.reading(run / FILE) as store:
        for row in rows[::17]:
            assert json.loads(row["messages"]) == [one.model_dump() for one in store.messages(row["trial"])]
    checksums = {row["prompt_sha256"] for row in rows}
    assert len(checksums) == len({row["messages"] for row in rows})


def test_a_spreadsheet_gets_no_formula(exported: Callable[..., list[dict[str, Any]]]) -> None:
    plain, safe = exported("csv"), exported("csv", safe=True)
    begins = ("=", "+", "-", "@", "\t", "\r")
    changed = [
        (before[name], after[name])
        for before, after in zip(plain, safe, strict=True)
        for name in COLUMNS
        if before[name] != after[name]
    ]
    assert {after for _, after in changed} == {f"'{before}" for before, _ in changed}
    assert {'\'=HYPERLINK("http://evil.example")', "'-- because"} <= {after for _, after in changed}
    assert not any(isinstance(cell, str) and cell.startswith(begins) for row in safe for cell in row.values())


def test_only_csv_is_made_safe(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        export(run, "jsonl", tmp_path / "x.jsonl", safe=True)
    assert "--spreadsheet-safe" in caught.value.where


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_there_is_kept_unless_forced(run: Path, tmp_path: Path, form: Format) -> None:
    path = tmp_path / f"mine.{form}"
    path.write_text("mine")
    with pytest.raises(InputError) as caught:
        export(run, form, path)
    assert "--force" in caught.value.fix
    assert path.read_text() == "mine"
    assert export(run, form, path, force=True) == TRIALS
    assert len(read(path)) == TRIALS


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_half_written_is_left(run: Path, tmp_path: Path, form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = exporting.rows

    def broken(*arguments: Any) -> Iterator[Any]:
        for number, row in enumerate(rows(*arguments)):
            if number == 50:
                raise OSError(28, "No space left on device")
            yield row

    monkeypatch.setattr(exporting, "CHUNK", 10)
    monkeypatch.setattr(exporting, "rows", broken)
    place = tmp_path / "deep"
    with pytest.raises(InputError, match="No space left") as caught:
        export(run, form, place / "x")
    assert "Make room" in caught.value.fix
    assert list(place.iterdir()) == []


def test_rows_are_written_as_they_are_read(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet

    monkeypatch.setattr(exporting, "CHUNK", 10)
    whole = {form: tmp_path / f"x.{form}" for form in FORMATS}
    for form, path in whole.items():
        export(run, form, path)
    assert pyarrow.parquet.ParquetFile(whole["parquet"]).num_row_groups == math.ceil(TRIALS / 10)
    assert read(whole["parquet"]) == read(whole["csv"]) == read(whole["jsonl"])


def test_without_pyarrow_it_is_said_how_to_get_it(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "pyarrow" else find(name))
    with pytest.raises(InputError) as caught:
        export(run, "parquet", tmp_path / "x.parquet")
    assert "pip install" in caught.value.fix
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize("name", [FILE, f"{FILE}-wal", "manifest.json"])
def test_the_run_itself_is_not_written_over(run: Path, name: str) -> None:
    before = (run / FILE).read_bytes()
    with pytest.raises(InputError, match="part of the run"):
        export(run, "csv", run / name, force=True)
    assert (run / FILE).read_bytes() == before


def test_every_column_is_explained() -> None:
    text = (Path(__file__).parent.parent / "docs" / "runs.md").read_text(encoding="utf-8")
    assert [name for name in (*COLUMNS, "messages") if f"`{name}`" not in text] == []


@pytest.mark.parametrize("force", [False, True])
def test_what_a_link_leads_to_is_written_and_a_device_is_not(run: Path, tmp_path: Path, force: bool) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    link.symlink_to(target)
    if force:
        target.write_text("old")
    assert export(run, "csv", link, force=force) > 0
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8").startswith("model,")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="no file"):
        export(run, "csv", pipe, force=True)
    assert pipe.is_fifo()

"""Released results give the same numbers as the run, tell nothing of the machine, and are refused once changed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from dilemmas import analysis, evaluate, scores
from dilemmas.errors import InputError
from dilemmas.questions import INSTRUMENTS, SCALES
from dilemmas.release import restore, results, streams
from dilemmas.release.answers import About, PromptRow, adopted, answer_row, planned
from dilemmas.release.layout import CANARY, SUMS
from dilemmas.release.results_layout import Place
from dilemmas.reporting.sampling import Sample, sample
from dilemmas.runs import opened
from dilemmas.schema import Dilemma, Reply, Response, TokenProbability
from dilemmas.store import FILE, Cell, Store

Ran = Callable[..., tuple[evaluate.Outcome, Path]]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
DAY = "2026-11-21"
FEW_DRAWS = analysis.Settings(draws=20)
TRIALS = 4 * 4 * 2 * 3
NASTY = ["=1+1", "nul \0 in it", "naïve – 価値 🙂 \u2028 \u202e", "a\r\nb", "", "<think>A or B?</think>B", "NA"]
ADDRESS = "http://10.1.2.3:8000/v1"


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        for statement in statements:
            db.execute(statement)


def contents(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that stands in a store and is released; trials in the order in which they are put."""
    queries = {
        "items": "SELECT * FROM items ORDER BY rowid",
        "personas": "SELECT * FROM personas ORDER BY rowid",
        "texts": "SELECT * FROM texts ORDER BY hash",
        "trials": "SELECT * FROM trials ORDER BY rowid",
        "cells": "SELECT * FROM cells",
        "replies": "SELECT * FROM replies ORDER BY trial",
        "responses": "SELECT * FROM responses ORDER BY trial",
        "attempts": "SELECT number, trial, at, kind, status FROM attempts ORDER BY number",
    }
    with closing(sqlite3.connect(folder / FILE)) as db:
        return {name: list(db.execute(query)) for name, query in queries.items()}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reseal(folder: Path) -> None:
    """Checksums of the files as they are now, as a forger would write them."""
    (folder / SUMS).unlink()
    results._write_sums(folder)


def rewrite(path: Path, column: str, row: int, held: object) -> None:
    table = parquet.read_table(path)
    cells = table.column(column).to_pylist()
    cells[row] = held
    place = table.schema.get_field_index(column)
    parquet.write_table(table.set_column(place, column, pyarrow.array(cells, table.schema.field(column).type)), path)


@pytest.fixture
def messy(scripted_run: Ran) -> Path:
    """A run with strange replies, failures, a trial without a reply, and a cell that was never put into words."""
    _, folder = scripted_run()
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        trials = [trial for (trial,) in db.execute("SELECT trial FROM replies ORDER BY rowid")]
        for trial, text in zip(trials, NASTY, strict=False):
            reply = Reply(text=text, finish_reason="stop", latency=0.1 + 0.2, reasoning="so so")
            db.execute("UPDATE replies SET reply = ? WHERE trial = ?", (reply.model_dump_json(), trial))
        for table in ("responses", "replies"):
            db.execute(f"DELETE FROM {table} WHERE trial IN (?, ?)", trials[-2:])
        db.execute("UPDATE cells SET trial = NULL WHERE trial = ?", trials[-1:])
        db.execute("DELETE FROM trials WHERE id = ?", trials[-1:])
        db.executemany(
            "INSERT INTO attempts (trial, at, kind, status, message) VALUES (?, ?, ?, ?, ?)",
            [(trials[one], "2026-11-21T00:00:00Z", "TransientError", 503, f"{ADDRESS} said no") for one in (5, 3, 5)],
        )
    return folder


@pytest.fixture
def released(scripted_run: Ran, tmp_path: Path) -> Path:
    """A release of one small run."""
    results.build([scripted_run(limit=2)[1]], tmp_path / "results" / "0.1.0", date=DAY)
    return tmp_path / "results" / "0.1.0"


@pytest.mark.parametrize("chunk", [2000, 7])
def test_a_run_can_be_had_again_whole(messy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(streams, "CHUNK", chunk)
    monkeypatch.setattr(restore, "CHUNK", chunk)
    results.build([messy], out := tmp_path / "0.1.0", date=DAY)
    before = files(out)
    with restore.restored(Place(out, None)) as folder:
        assert contents(folder) == contents(messy)
    assert not folder.exists()
    assert files(out) == before


def test_every_table_is_that_of_the_run(scripted_run: Ran, tmp_path: Path) -> None:
    _, folder = scripted_run(limit=2, **{"model.protocol": "logprob"})
    results.build([folder], tmp_path / "results" / "0.1.0", date=DAY)
    check_numbers(folder, tmp_path / "results" / "0.1.0", tmp_path)


def test_open_trials_and_failures_are_counted_as_in_the_run(messy: Path, tmp_path: Path) -> None:
    results.build([messy], tmp_path / "results" / "0.1.0", date=DAY)
    counts = check_numbers(messy, tmp_path / "results" / "0.1.0", tmp_path)
    assert (counts["open"], counts["failed_attempts"]) == (2, 3)


def check_numbers(folder: Path, release: Path, place: Path) -> dict[str, int]:
    """All that is written of a run and of its release is the same, byte for byte; gives the counts."""
    with opened(str(release), place) as own:
        for name, source in (("run", folder), ("release", own.folder)):
            analysis.save(analysis.analyse(source, None, FEW_DRAWS), place / "of" / name)
    assert files(place / "of" / "run") == files(place / "of" / "release")
    return dict(json.loads((place / "of" / "run" / "analysis.json").read_text())["counts"])


def test_the_report_shows_the_same_replies(messy: Path, tmp_path: Path) -> None:
    results.build([messy], tmp_path / "results" / "0.1.0", date=DAY)
    with opened(str(tmp_path / "results" / "0.1.0"), tmp_path) as own:
        ours, theirs = (drawn(folder) for folder in (own.folder, messy))
    assert ours == theirs
    assert ours.total == TRIALS - 2


def drawn(folder: Path) -> Sample:
    with Store.reading(folder / FILE) as store:
        answers = scores.answers(store)
    return sample(answers, folder)


def test_the_same_runs_give_the_same_bytes(scripted_run: Ran, tmp_path: Path) -> None:
    folders = [scripted_run(limit=2, name=name)[1] for name in ("b", "a")]
    results.build(folders, tmp_path / "once" / "0.1.0", date=DAY)
    results.build(folders[::-1], tmp_path / "twice" / "0.1.0", date=DAY)
    assert files(tmp_path / "once") == files(tmp_path / "twice")


def test_a_prompt_of_two_runs_stands_once(scripted_run: Ran, tmp_path: Path, here: Here) -> None:
    for name in ("first", "second"):
        scripted_run(limit=2, name=name)
    assert here("release", "results", "first", "second", "--out", "0.1.0").returncode == 0
    prompts = pd.read_parquet("0.1.0/prompts.parquet")
    assert prompts["sha256"].is_unique
    assert prompts["text"].is_unique
    assert len(prompts) == len(contents(tmp_path / "runs" / "first")["texts"])
    several = here("analyse", "0.1.0")
    assert (several.returncode, "holds 2 runs: first, second" in several.stderr) == (2, True)
    with opened("0.1.0/runs/second", tmp_path) as own:
        assert contents(own.folder) == contents(tmp_path / "runs" / "second")
        assert own.out == tmp_path / "0.1.0-analysis" / "second"
    assert "Known: first, second" in here("analyse", "0.1.0/runs/third").stderr


def test_released_results_can_be_compared_with_and_read_again(scripted_run: Ran, tmp_path: Path, here: Here) -> None:
    _, folder = scripted_run(limit=2, name="before")
    scripted_run(limit=2, name="after")
    change(folder, "UPDATE responses SET parser = 1, status = 'unreadable', response = '{\"status\":\"unreadable\"}'")
    results.build([folder], tmp_path / "0.1.0", date=DAY)
    done = here("analyse", "after", "--compare", "0.1.0", "--json")
    assert [one["run"] for one in json.loads(done.stdout)["compared"]] == ["before"]
    again = here("analyse", "0.1.0/runs/before", "--reparse", "--json")
    assert "48 replies are read differently now" in again.stderr
    assert json.loads(again.stdout)["counts"]["answered"] > 40
    assert json.loads(Path("0.1.0-analysis/before/analysis.json").read_text())["run"] == "before"


def test_the_mark_is_in_every_file_and_in_no_prompt(messy: Path, tmp_path: Path) -> None:
    results.build([messy], out := tmp_path / "0.1.0", date=DAY)
    assert [name for name, data in files(out).items() if CANARY.encode() not in data] == []
    assert not pd.read_parquet(out / "prompts.parquet")["text"].str.contains("Canary").any()


def test_nothing_tells_of_servers_or_of_this_machine(messy: Path, tmp_path: Path) -> None:
    results.build([messy], out := tmp_path / "0.1.0", date=DAY)
    tables = [parquet.read_table(path).to_pylist() for path in out.rglob("*.parquet")]
    texts = [path.read_text() for path in out.rglob("*") if path.suffix != ".parquet" and path.is_file()]
    for secret in (ADDRESS, "10.1.2.3", str(tmp_path), tmp_path.parent.name):
        assert secret not in json.dumps([tables, texts])


def test_a_card_tells_under_what_terms_model_text_stands(scripted_run: Ran, tmp_path: Path, here: Here) -> None:
    scripted_run(limit=2)
    done = here("release", "results", "run", "--out", "0.1.0", "--model-terms", "scripted=no rights *reserved*")
    assert (done.returncode, "run: 16 planned" in done.stdout) == (0, False)
    card = Path("0.1.0/README.md").read_text()
    assert r"- scripted: no rights \*reserved\*" in card
    assert "not yet reviewed by people" in card
    assert "scripted: no rights *reserved*" in Path("0.1.0/LICENSE").read_text()
    assert json.loads(Path("0.1.0/results.json").read_text())["model_terms"] == {"scripted": "no rights *reserved*"}
    assert "Known: scripted" in here("release", "results", "run", "--out", "0.2.0", "--model-terms", "x=y").stderr
    assert here("release", "results", "run", "--out", "0.2.0", "--model-terms", "scripted").returncode == 2


def test_a_release_is_never_written_to(released: Path, here: Here) -> None:
    before = files(released)
    refused = here("analyse", str(released), "--out", str(released))
    assert (refused.returncode, "Give another one with --out" in refused.stderr) == (2, True)
    for out in (released / "tables", released / "runs" / ".." / "x" / "y"):
        assert "is in released results" in here("analyse", "run", "--out", str(out)).stderr
    assert "is in released results" in here("report", "run", "--out", str(released / "report.html")).stderr
    assert "is in released results" in here("release", "results", "run", "--out", str(released / "0.2.0")).stderr
    with opened(str(released / "runs" / ".."), released) as own:
        assert own.out == released.with_name("0.1.0-analysis") / "run"
    assert "take them" in here("status", str(released)).stderr
    assert files(released) == before


@pytest.mark.parametrize(
    ("out", "options", "named"),
    [
        ("first", {}, "no version"),
        ("0.1.0", {"date": "yesterday"}, "no day"),
        ("0.1.0", {"model_terms": {"scripted": " "}}, "tells nothing"),
        ("0.1.0", {"model_terms": {"scripted": "\udcff"}}, "is not UTF-8"),
    ],
)
def test_what_cannot_be_released_is_refused(
    scripted_run: Ran, tmp_path: Path, out: str, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        results.build([scripted_run(limit=1)[1]], tmp_path / "out" / out, **options)
    assert not (tmp_path / "out").exists()


def test_runs_that_cannot_be_released_are_refused(scripted_run: Ran, tmp_path: Path) -> None:
    _, folder = scripted_run(limit=1)
    out = tmp_path / "out" / "0.1.0"
    with pytest.raises(InputError, match="two runs have the name"):
        results.build([folder, folder], out)
    shutil.copytree(folder, leaky := tmp_path / "leaky")
    with Store.writing(leaky / FILE) as store:
        store.update_run(lambda run: run.model_copy(update={"caveat": "from /home/jo/weights"}) if run else run)
    with pytest.raises(InputError, match="a path of a machine"):
        results.build([leaky], out)
    change(folder, "DELETE FROM responses", "DELETE FROM replies")
    with pytest.raises(InputError, match="no answer yet"):
        results.build([folder], out)
    assert not out.parent.exists()


def test_a_version_that_is_there_is_refused(released: Path, here: Here) -> None:
    before = files(released)
    again = here("release", "results", "run", "--out", str(released))
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert files(released) == before


def test_a_release_that_fails_leaves_nothing(scripted_run: Ran, tmp_path: Path) -> None:
    _, folder = scripted_run(limit=1)
    change(folder, "UPDATE texts SET text = text || ' '")  # damage that a look at the file as a whole does not show
    with pytest.raises(InputError, match="not the text that its checksum says"):
        results.build([folder], tmp_path / "out" / "0.1.0")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_not_as_it_was_is_refused(released: Path, here: Here) -> None:
    answers = released / "runs" / "run" / "answers.parquet"
    data = answers.read_bytes()

    def told() -> str:
        refused = here("analyse", str(released))
        assert refused.returncode == 2
        return refused.stderr

    answers.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    assert "runs/run/answers.parquet was changed" in told()
    answers.unlink()
    assert "runs/run/answers.parquet is missing" in told()
    answers.symlink_to(released / "prompts.parquet")
    assert "runs/run/answers.parquet is a link" in told()
    answers.unlink()
    answers.write_bytes(data)
    (released / "notes.txt").write_text("mine")
    assert "notes.txt is not one of its files" in told()
    (released / "notes.txt").unlink()
    assert restore.read(released).runs[0].name == "run"
    (released / SUMS).unlink()
    assert f"has no {SUMS}" in told()


def test_another_version_of_the_form_is_named(released: Path, here: Here) -> None:
    manifest = released / "results.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    assert "has version 2 of the form; this dilemmas reads version 1" in here("analyse", str(released)).stderr
    manifest.write_text("[]")
    assert "no manifest of released results" in here("analyse", str(released)).stderr


@pytest.mark.parametrize(
    ("column", "held", "named"),
    [
        ("order", '["no"]', "not the trial that its id says"),
        ("seed", 12345, "not the trial that its id says"),
        ("messages", f'[["user", "{"0" * 64}"]]', "names a text that is not there"),
        ("messages", "[" * 100_000, "is no answer of a run"),
        ("messages", f'[["user", {10**30}]]', "is no answer of a run"),
        ("score", 0.123, "its score is not that of its option"),
        ("code", None, "its score is not that of its option"),
        ("code", "perhaps", "its status or its option"),
        ("probabilities", '{"perhaps": 1}', "its status or its option"),
        ("probabilities", "1", "is no answer of a run"),
        ("value", "Greed", "otherwise than their own files"),
        ("model", "another", "a model or a question that the run did not ask"),
        ("item", "nowhere", "about a dilemma or a persona that is not there"),
        ("status", "perhaps", "is no answer of a run"),
        ("at", None, "lacks a part of its reply"),
        ("repeat", 10**9, "row 3, column repeat"),
        ("trial", "../../x", "row 3, column trial"),
    ],
)
def test_a_forged_answer_is_refused(released: Path, column: str, held: object, named: str) -> None:
    rewrite(released / "runs" / "run" / "answers.parquet", column, 2, held)
    reseal(released)
    with pytest.raises(InputError) as refused, restore.restored(Place(released, None)):
        pass
    assert named in str(refused.value)
    assert "row 3" in str(refused.value)


def test_forged_files_are_refused(released: Path) -> None:
    run = released / "runs" / "run"

    def refused() -> str:
        reseal(released)
        with pytest.raises(InputError) as error, restore.restored(Place(released, None)):
            pass
        return str(error.value)

    whole = {path: path.read_bytes() for path in run.iterdir()}
    table = parquet.read_table(run / "answers.parquet")
    parquet.write_table(table.slice(1), run / "answers.parquet")
    assert "has other trials than results.json counts" in refused()
    parquet.write_table(table.drop_columns("seed"), run / "answers.parquet")
    assert "has other columns" in refused()
    (run / "answers.parquet").write_bytes(b"PAR1 and no more")
    assert "is no Parquet file" in refused()
    (run / "answers.parquet").write_bytes(whole[run / "answers.parquet"])
    (run / "items.jsonl").write_bytes(whole[run / "items.jsonl"] * 2)
    assert "stands on an earlier line" in refused()
    (run / "items.jsonl").write_text("[]\n")
    assert "items.jsonl, line 1: is no JSON object" in refused()
    (run / "items.jsonl").write_bytes(whole[run / "items.jsonl"])
    (run / "manifest.json").write_text('{"name": "run"}')
    assert "manifest.json, field created" in refused()
    manifest = json.loads(whole[run / "manifest.json"])
    for change in ({"name": "../x"}, {"caveat": "none"}, {"models": []}):
        (run / "manifest.json").write_text(json.dumps({**manifest, **change}))
        assert "tells of the run otherwise than results.json" in refused()
    (run / "manifest.json").write_bytes(whole[run / "manifest.json"])
    parquet.write_table(pyarrow.concat_tables([table, table.slice(0, 1)]), run / "answers.parquet")
    assert "has other trials than results.json counts" in refused()
    parquet.write_table(table, run / "answers.parquet")
    found = json.loads((released / "results.json").read_text())
    (released / "results.json").write_text(json.dumps({**found, "runs": found["runs"] * 2}))
    assert "names a run for the second time" in refused()


def test_a_failure_of_a_trial_that_is_not_there_is_refused(messy: Path, tmp_path: Path) -> None:
    results.build([messy], out := tmp_path / "0.1.0", date=DAY)
    rewrite(out / "runs" / "run" / "attempts.parquet", "trial", 1, "0" * 64)
    reseal(out)
    with pytest.raises(InputError, match="about a trial that is not there"), restore.restored(Place(out, None)):
        pass


def test_one_text_in_many_rows_counts_in_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [PromptRow(sha256="0" * 64, text="a" * 1000)] * 1000
    streams.write(path := tmp_path / "prompts.parquet", PromptRow, rows)
    assert [row for _, row in streams.read(path, PromptRow)] == rows
    monkeypatch.setattr(streams, "LARGEST_GROUP", 500_000)
    assert parquet.read_metadata(path).row_group(0).total_byte_size < 10_000
    with pytest.raises(InputError, match="rows that are too large"):
        next(streams.read(path, PromptRow))


def test_a_table_too_large_to_be_read_is_refused(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LARGEST_GROUP", 100)
    with pytest.raises(InputError, match="rows that are too large"), restore.restored(Place(released, None)):
        pass


def test_without_pyarrow_the_extra_is_named(released: Path, monkeypatch: pytest.MonkeyPatch, here: Here) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "dilemmas[release]" in here("analyse", str(released)).stderr


CODES = tuple(INSTRUMENTS["value"].CODES)
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
LOGPROB = st.floats(max_value=0, allow_infinity=False)
REPLIES = st.builds(
    Reply,
    text=WORDS,
    reasoning=WORDS,
    refusal=WORDS,
    finish_reason=WORDS,
    top_tokens=st.none() | st.lists(st.builds(TokenProbability, token=WORDS, logprob=LOGPROB), max_size=3).map(tuple),
    prompt_tokens=st.none() | st.integers(0, 2**40),
    completion_tokens=st.none() | st.integers(0, 2**40),
    latency=st.floats(0, 1e6),
    fingerprint=WORDS,
)
RESPONSES = st.builds(
    Response,
    status=st.sampled_from(["answered", "refused", "unreadable"]),
    code=st.none() | st.sampled_from(CODES),
    letter=st.none() | st.sampled_from("ABCDEF"),
    probabilities=st.none() | st.permutations(CODES).map(lambda codes: dict.fromkeys(codes, 1 / 6)),
    mass=st.none() | st.floats(0, 1),
    missing=st.lists(st.sampled_from("ABCDEF"), max_size=2).map(tuple),
    reason=WORDS,
)


@given(reply=REPLIES, response=RESPONSES, parser=st.integers(1, 99))
def test_an_outcome_comes_back_out_of_its_row(reply: Reply, response: Response, parser: int) -> None:
    cell = Cell(
        "m", "baseline", "an-item", "value", "stated", 0, "0" * 64,
        json.dumps({"model": {"name": "m", "revision": ""}, "protocol": "reasoned", "mode": "free", "seed": None,
                    "sampling": {}, "order": CODES}),
        "[]", reply.model_dump_json(), "2026-11-21T00:00:00Z", response.model_dump_json(),
    )  # fmt: skip
    item = Dilemma.model_construct(value="Honest", topic="Religion")
    scores = {"value": dict(zip(CODES, SCALES["even"], strict=True))}
    row = answer_row(cell, "1" * 64, parser, About({"an-item": item}, {"baseline": "baseline"}, scores, frozenset("m")))
    found = adopted(row)
    assert (found.reply, found.response) == (cell.reply, cell.response)
    assert (found.trial, found.at, found.parser, found.status) == (cell.trial, cell.at, parser, response.status)
    with pytest.raises(ValueError, match="not the trial"):
        planned(row, lambda key: "[]")

"""Joining runs: nothing is lost, nothing stands twice, and what does not belong together is refused."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dilemmas import analysis, evaluate, merging
from dilemmas.errors import InputError, StoreError
from dilemmas.schema import Reply, Response
from dilemmas.store import FILE, Store

Ran = Callable[..., tuple[evaluate.Outcome, Path]]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = {"limit": 4, "persona_set": "three", "repeats": 2}
TRIALS = 4 * 4 * 2 * 2


def shards(scripted_run: Ran, parts: int = 2, **settings: Any) -> list[Path]:
    return [scripted_run(**SMALL, **settings, shard=f"{part}/{parts}")[1] for part in range(1, parts + 1)]


def contents(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that stands in a store but when it was written, in an order of its own."""
    with closing(sqlite3.connect(folder / FILE)) as db:
        queries = {
            "items": "SELECT * FROM items", "personas": "SELECT * FROM personas", "texts": "SELECT * FROM texts",
            "trials": "SELECT * FROM trials", "cells": "SELECT * FROM cells",
            "replies": "SELECT trial, reply FROM replies",
            "responses": "SELECT * FROM responses", "attempts": "SELECT trial, at, kind, status, message FROM attempts",
            "claims": "SELECT * FROM claims",
        }  # fmt: skip
        return {name: sorted(db.execute(query), key=repr) for name, query in queries.items()}


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        for statement in statements:
            db.execute(statement)


def test_shards_make_the_run_that_would_have_asked_everything(scripted_run: Ran, tmp_path: Path) -> None:
    _, whole = scripted_run(**SMALL)
    done = merging.merge(shards(scripted_run, 3), "joined", tmp_path / "runs")
    assert (done.trials, done.replies, done.twice, done.open, done.notices) == (TRIALS, TRIALS, 0, 0, ())
    assert contents(Path(done.folder)) == contents(whole)
    ours, theirs = (analysis.analyse(one, None) for one in (Path(done.folder), whole))
    assert ours.levels.equals(theirs.levels)
    manifest = json.loads((Path(done.folder) / "manifest.json").read_text())
    assert (manifest["name"], manifest["counts"]["planned"]) == ("joined", TRIALS)


def test_the_order_and_the_number_of_times_do_not_matter(scripted_run: Ran, tmp_path: Path) -> None:
    parts = shards(scripted_run)
    change(parts[1], "UPDATE replies SET at = '2001-01-01T00:00:00Z'")
    runs = {name: [*order, *parts] for name, order in zip("ab", itertools.permutations(parts), strict=True)}
    found = [contents(Path(merging.merge(folders, name, tmp_path / "runs").folder)) for name, folders in runs.items()]
    assert found[0] == found[1]
    again = merging.merge(parts, "a", tmp_path / "runs")
    assert (again.trials, again.replies, again.twice) == (0, 0, 0)
    assert contents(tmp_path / "runs" / "a") == found[0]


def test_sources_stay_as_they_are(scripted_run: Ran, tmp_path: Path) -> None:
    parts = shards(scripted_run)
    before = [contents(one) for one in parts]
    merging.merge(parts, "joined", tmp_path / "runs")
    assert [contents(one) for one in parts] == before


@pytest.mark.parametrize("reverse", [False, True])
def test_of_two_answers_the_earlier_one_stays(scripted_run: Ran, tmp_path: Path, reverse: bool) -> None:
    runs = [scripted_run(**SMALL, name=name)[1] for name in ("early", "late")]
    other = Reply(text="another time").model_dump_json()
    change(runs[0], "UPDATE replies SET at = '2001-01-01T00:00:00Z'")
    change(runs[1], "UPDATE replies SET at = '2002-01-01T00:00:00Z'")
    with closing(sqlite3.connect(runs[1] / FILE)) as db, db:
        db.execute("UPDATE replies SET reply = ?", (other,))
        db.execute("UPDATE responses SET response = ?", (Response(status="unreadable").model_dump_json(),))
    done = merging.merge(runs[::-1] if reverse else runs, "joined", tmp_path / "runs")
    assert (done.replies, done.twice) == (TRIALS, TRIALS)
    assert contents(Path(done.folder))["replies"] == contents(runs[0])["replies"]
    assert contents(Path(done.folder))["responses"] == contents(runs[0])["responses"]


def test_attempts_are_kept_once_each(scripted_run: Ran, tmp_path: Path) -> None:
    parts = shards(scripted_run)
    with Store.writing(parts[0] / FILE) as store:
        trial = min(store.answered())
        for _ in range(2):
            store.put_attempt(trial, "TransientError", 503, "overloaded")
    for _ in range(2):
        merging.merge(parts, "joined", tmp_path / "runs")
    assert contents(tmp_path / "runs" / "joined")["attempts"] == contents(parts[0])["attempts"]


def test_what_is_open_in_the_whole_can_be_asked_there(scripted_run: Ran, tmp_path: Path) -> None:
    parts = shards(scripted_run)
    change(parts[0], "DELETE FROM responses", "DELETE FROM replies")
    done = merging.merge(parts, "run", tmp_path / "runs")
    assert done.open == TRIALS - done.replies > 0
    outcome, _ = scripted_run(**SMALL)
    assert (outcome.reused, outcome.asked, outcome.open) == (done.replies, done.open, 0)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"seed": 5}, "seed"),
        ({"repeats": 3}, "repeats"),
        ({"prompt_style": "statements"}, "prompt_style"),
        ({"model.protocol": "logprob"}, "protocol"),
        ({"model.persona_role": "user"}, "persona_role"),
    ],
)
def test_runs_of_other_settings_are_refused_and_nothing_is_left(
    scripted_run: Ran, tmp_path: Path, settings: dict[str, Any], named: str
) -> None:
    runs = [scripted_run(**SMALL)[1], scripted_run(**{**SMALL, **settings, "name": "other"})[1]]
    with pytest.raises(InputError, match=named):
        merging.merge(runs, "joined", tmp_path / "runs")
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["other", "run"]


def test_runs_about_other_dilemmas_are_refused(
    scripted_run: Ran, tmp_path: Path, write_lines: Callable[..., Path], record: dict[str, Any]
) -> None:
    runs = [scripted_run(**SMALL)[1], scripted_run(**SMALL, name="other", dataset=str(write_lines(record)))[1]]
    with pytest.raises(InputError, match="dataset"):
        merging.merge(runs, "joined", tmp_path / "runs")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("UPDATE cells SET trial = (SELECT max(trial) FROM cells) WHERE repeat = 0", "otherwise"),
        ("UPDATE personas SET record = '{}'", "something else"),
        ("UPDATE texts SET text = text || ' '", "text"),
        ("UPDATE replies SET reply = '{}'", "record"),
    ],
)
def test_a_run_that_contradicts_the_whole_changes_nothing_in_it(
    scripted_run: Ran, tmp_path: Path, fault: str, words: str
) -> None:
    _, whole = scripted_run(**SMALL)
    _, other = scripted_run(**SMALL, name="other")
    change(other, fault)
    before = contents(whole)
    with pytest.raises(StoreError, match=words):
        merging.merge([other], "run", tmp_path / "runs")
    assert contents(whole) == before


def test_shards_that_came_one_by_one_are_known_to_be_there(scripted_run: Ran, tmp_path: Path) -> None:
    parts = shards(scripted_run, 3)
    told = [merging.merge([one], name, tmp_path / "runs").notices for one, name in zip(parts, "aba", strict=True)]
    assert [one[0].rpartition(": ")[2] for one in told] == ["2, 3", "1, 3", "2"]
    assert merging.merge([tmp_path / "runs" / "b"], "a", tmp_path / "runs").notices == ()


def test_a_run_that_is_one_of_countless_shards_is_joined_all_the_same(scripted_run: Ran, tmp_path: Path) -> None:
    _, folder = scripted_run(**SMALL, name="run-1of999999999999")
    (notice,) = merging.merge([folder], "joined", tmp_path / "runs").notices
    assert "2, 3, 4" in notice
    assert len(notice) < 300


@pytest.mark.parametrize("reverse", [False, True])
def test_of_two_readings_of_a_reply_the_newer_parsers_stays(scripted_run: Ran, tmp_path: Path, reverse: bool) -> None:
    runs = [scripted_run(**SMALL)[1], tmp_path / "runs" / "old"]
    shutil.copytree(*runs)
    change(runs[1], "UPDATE responses SET parser = 0, status = 'unreadable', response = '{\"status\": \"unreadable\"}'")
    done = merging.merge(runs[::-1] if reverse else runs, "joined", tmp_path / "runs")
    assert done.twice == 0
    assert contents(Path(done.folder))["responses"] == contents(runs[0])["responses"]


def test_a_run_is_not_joined_to_itself_and_an_empty_one_not_at_all(scripted_run: Ran, tmp_path: Path) -> None:
    _, folder = scripted_run(**SMALL)
    with pytest.raises(InputError, match="itself"):
        merging.merge([folder], "run", tmp_path / "runs")
    with pytest.raises(InputError, match="name"):
        merging.merge([folder], "../elsewhere", tmp_path / "runs")
    with Store.writing(tmp_path / "runs" / "empty" / FILE):
        pass
    with pytest.raises(StoreError, match="nothing"):
        merging.merge([tmp_path / "runs" / "empty"], "joined", tmp_path / "runs")


def test_the_command_joins_shards_and_names_those_that_are_lacking(
    scripted_run: Ran, tmp_path: Path, here: Here
) -> None:
    parts = [one.name for one in shards(scripted_run, 3)]
    told = here("merge", *parts[:2], "--into", "joined")
    assert (told.returncode, "3" in told.stdout.rpartition("not among")[2]) == (0, True)
    told = here("merge", *parts, "--into", "joined", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["open"] == 0
    assert here("analyse", "joined", "--json").returncode == 0
    assert not list((tmp_path / "runs").glob(".merging*"))

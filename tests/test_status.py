"""How far a run is, told from outside while it is asked and afterwards, and without a trace."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dilemmas import config, evaluate
from dilemmas import study as planning
from dilemmas.errors import StoreError
from dilemmas.models import Request
from dilemmas.models.scripted import ScriptedModel
from dilemmas.schema import Reply
from dilemmas.standing import ModelStanding, Standing, standing
from dilemmas.store import FILE, Store

TRIALS = 4 * 4 * 2 * 3
NOW = float(int(time.time()))


def at(seconds_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - seconds_ago))


@pytest.fixture
def run(scripted_run: Callable[..., tuple[object, Path]]) -> Path:
    """A run of an hour ago: 2 refused, 1 unreadable, 3 open, of which 2 failed: one for good, one may pass."""
    _, folder = scripted_run()
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        trials = [trial for (trial,) in db.execute("SELECT trial FROM replies ORDER BY rowid")]
        db.execute("UPDATE replies SET at = ?", (at(3600),))
        for status, some in (("answered", trials), ("refused", trials[:2]), ("unreadable", trials[2:3])):
            db.executemany("UPDATE responses SET status = ? WHERE trial = ?", [(status, one) for one in some])
        for table in ("responses", "replies"):
            db.execute(f"DELETE FROM {table} WHERE trial IN (?, ?, ?)", trials[-3:])
    with Store.writing(folder / FILE) as store:
        store.put_attempt(trials[5], "rejected", 400, "answered later all the same")
        store.put_attempt(trials[-1], "TransientError", 500, "first")
        store.put_attempt(trials[-1], "rejected", 400, "then for good")
        store.put_attempt(trials[-2], "rejected", 400, "first for good")
        store.put_attempt(trials[-2], "TransientError", 500, "then in passing")
    return folder


@pytest.fixture
def asked(run: Path) -> Iterator[Callable[[float], Path]]:
    """Have a process ask a run that began some seconds ago."""
    with Store.writing(run / FILE):

        def since(seconds: float) -> Path:
            (lock,) = run.glob(".asking-*")
            os.utime(lock, (NOW - seconds, NOW - seconds))
            return run

        yield since


def of(found: Standing) -> ModelStanding:
    (one,) = found.models
    return one


def test_every_trial_is_counted_once(run: Path) -> None:
    one = of(standing(run, NOW))
    assert (one.model, one.planned, one.answered, one.refused, one.unreadable, one.open) == (
        "scripted", TRIALS, TRIALS - 6, 2, 1, 3
    )  # fmt: skip
    assert (one.set_aside, one.failed_attempts) == (1, 5)


def test_nobody_asks_a_run_that_is_over_so_it_has_no_rate_and_no_time_left(run: Path) -> None:
    found = standing(run, NOW)
    assert not found.asking
    assert (of(found).per_second, of(found).seconds_left) == (None, None)


def test_the_rate_is_that_of_the_last_minute(run: Path, asked: Callable[[float], Path]) -> None:
    with closing(sqlite3.connect(run / FILE)) as db, db:
        newest = "SELECT rowid FROM replies ORDER BY rowid DESC LIMIT"
        db.execute(f"UPDATE replies SET at = ? WHERE rowid IN ({newest} 50)", (at(90),))
        db.execute(f"UPDATE replies SET at = ? WHERE rowid IN ({newest} 30)", (at(20),))
    found = standing(asked(600), NOW)
    assert found.asking
    assert of(found).per_second == 30 / 60
    assert of(found).seconds_left == (3 - 1) / 0.5


def test_a_process_that_has_just_begun_is_timed_from_its_beginning(run: Path, asked: Callable[[float], Path]) -> None:
    with closing(sqlite3.connect(run / FILE)) as db, db:
        newest = "SELECT rowid FROM replies ORDER BY rowid DESC LIMIT"
        db.execute(f"UPDATE replies SET at = ? WHERE rowid IN ({newest} 12)", (at(30),))
        db.execute(f"UPDATE replies SET at = ? WHERE rowid IN ({newest} 5)", (at(5),))
    assert of(standing(asked(10), NOW)).per_second == 5 / 10


def test_a_process_without_replies_has_a_rate_of_none_a_second_and_an_unknown_time_left(
    asked: Callable[[float], Path],
) -> None:
    one = of(standing(asked(600), NOW))
    assert (one.per_second, one.seconds_left) == (0.0, None)


def test_the_mark_of_a_dead_process_is_no_process(run: Path) -> None:
    lock = run / ".asking-0123456789abcdef"
    lock.touch()
    os.utime(lock, (NOW - 3600, NOW - 3600))
    assert not standing(run, NOW).asking
    assert lock.exists()


def test_a_cell_that_is_not_put_into_words_yet_is_open(run: Path) -> None:
    with Store.writing(run / FILE) as store:
        store.add_cells("another", ["baseline"], ["one-item"], {"value": "stated"}, 3)
    found = {one.model: one for one in standing(run, NOW).models}
    assert (found["another"].planned, found["another"].open) == (3, 3)
    assert found["scripted"].planned == TRIALS


def test_looking_leaves_no_trace(run: Path) -> None:
    before = (run / FILE).read_bytes()
    standing(run, NOW)
    assert (run / FILE).read_bytes() == before
    assert list(run.glob(".*")) == []


def test_a_store_is_not_looked_over_for_damage(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    connect = sqlite3.connect

    def traced(*arguments: object, **options: object) -> sqlite3.Connection:
        db = connect(*arguments, **options)  # type: ignore[arg-type]
        db.set_trace_callback(said.append)
        return db

    monkeypatch.setattr(sqlite3, "connect", traced)
    standing(run, NOW)
    assert said
    assert not [statement for statement in said if "quick_check" in statement]
    with Store.reading(run / FILE):
        assert [statement for statement in said if "quick_check" in statement]


def test_what_is_no_store_is_refused(run: Path) -> None:
    (run / FILE).write_bytes(b"not a database")
    with pytest.raises(StoreError):
        standing(run, NOW)


@pytest.mark.parametrize("watch", [[], ["--watch"]])
def test_the_table_has_a_row_for_each_model(
    run: Path, command: Callable[..., subprocess.CompletedProcess[str]], watch: list[str]
) -> None:
    done = command("status", "run", *watch)
    assert done.returncode == 0, done.stderr
    assert "nobody is asking" in done.stdout
    row = next(line for line in done.stdout.splitlines() if "scripted" in line)
    assert [cell.strip() for cell in row.strip("│ ").split("│")] == [
        "scripted", "96", "90", "2", "1", "3", "1", "5", "–", "–"
    ]  # fmt: skip


def test_the_same_as_json(run: Path, command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    found = json.loads(command("status", str(run), "--json").stdout)
    assert (found["run"], found["asking"]) == ("run", False)
    assert found["models"][0]["per_second"] is None
    assert {"open": 3, "set_aside": 1}.items() <= found["models"][0].items()


def test_a_run_that_is_not_there_suggests_the_nearest(
    run: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = command("status", "rnu")
    assert done.returncode == 2
    assert 'Did you mean "run"?' in done.stderr


def test_a_run_is_seen_while_it_is_asked_and_goes_on_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ScriptedModel.ask

    async def slowly(self: ScriptedModel, request: Request) -> Reply:
        await asyncio.sleep(0.01)
        return await answer(self, request)

    monkeypatch.setattr(ScriptedModel, "ask", slowly)
    study = planning.prepare(
        config.load(None, {"name": "run", "limit": 4, "persona_set": "three", "model.name": "scripted"})
    )
    folder, seen = tmp_path / "runs" / "run", list[Standing]()
    outcome = asyncio.run(
        evaluate.evaluate(study, tmp_path / "runs", lambda _: seen.append(standing(folder, time.time())))
    )
    assert (outcome.asked, outcome.open) == (TRIALS, 0)
    during = [one for one in seen if 0 < of(one).open < TRIALS]
    assert during
    assert all(one.asking and of(one).planned == TRIALS for one in during)
    assert all(of(one).per_second for one in during)
    assert not standing(folder, time.time()).asking

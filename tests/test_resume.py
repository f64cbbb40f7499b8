"""Runs that are killed, interrupted or shared: no acknowledged answer is lost, and none is asked for twice."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dilemmas import analysis, config, evaluate
from dilemmas import study as planning
from dilemmas.store import FILE, Store

SLOWED = """
# The dilemmas command with a scripted model that takes its time. Every request is noted in a file,
# and every answer is acknowledged on standard output once the store has it.
import asyncio, os, sys
from dilemmas.models.scripted import ScriptedModel
from dilemmas.schema import canonical_json, sha256
from dilemmas.store import Store

asked, pause = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND), float(sys.argv[2])
answer, put, commit, kept = ScriptedModel.ask, Store.put, Store._commit, []

async def ask(self, request):
    words = [message.content for message in request.messages]
    os.write(asked, (sha256(canonical_json([words, request.seed])) + "\\n").encode())
    await asyncio.sleep(pause)
    return await answer(self, request)

def keep(self, trial, *rest):
    put(self, trial, *rest)
    kept.append(trial)

def acknowledge(self):
    commit(self)
    for trial in kept:
        os.write(1, f"ack {trial}\\n".encode())
    kept.clear()

ScriptedModel.ask, Store.put, Store._commit = ask, keep, acknowledge
sys.argv[1:] = sys.argv[3:]
from dilemmas.cli import main
main()
"""
TRIALS = 4 * 4 * 2 * 3
"""Conditions, dilemmas, questions and repeats of the study that is run here."""
TIMEOUT = 120


class Slowed:
    """A run of the command on the slowed model."""

    def __init__(self, place: Path, pause: float, *arguments: str, **options: Any) -> None:
        study = ("--limit", "4", "--persona-set", "three", "--run", "run", "--model", "scripted", "--no-report")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SLOWED, "asked", str(pause), "evaluate", *study, *arguments],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.acknowledged: list[str] = []
        self.said: list[str] = []

    def _note(self, line: str) -> None:
        if line.startswith("ack "):
            self.acknowledged.append(line.split()[1])
        else:
            self.said.append(line)

    def read_until(self, acknowledged: int) -> None:
        """Wait until so many answers are acknowledged, or the process ends."""
        assert self.process.stdout is not None
        while len(self.acknowledged) < acknowledged and (line := self.process.stdout.readline()):
            self._note(line)

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: exit code, standard output without acknowledgements, standard error."""
        assert self.process.stdout is not None
        too_long = threading.Timer(TIMEOUT, self.process.kill)
        too_long.start()
        for line in self.process.stdout:  # what was read ahead too, which `communicate` does not know of
            self._note(line.rstrip("\n"))
        _, err = self.process.communicate()
        too_long.cancel()
        return self.process.returncode, "\n".join(self.said), err

    def kill(self) -> None:
        self.process.kill()
        self.end()


@pytest.fixture
def slowed(tmp_path: Path) -> Iterator[Callable[..., Slowed]]:
    started: list[Slowed] = []

    def start(pause: float, *arguments: str, **options: Any) -> Slowed:
        started.append(Slowed(tmp_path, pause, *arguments, **options))
        return started[-1]

    yield start
    for run in started:
        run.process.kill()
        run.process.communicate(timeout=TIMEOUT)


def answers(place: Path) -> dict[str, str]:
    """What the store has, by trial; checks that it is whole."""
    store = place / "runs" / "run" / FILE
    if not store.exists():
        return {}
    with Store.reading(store) as opened:  # checks the file
        kept = {stored.trial: stored.reply.text for stored in opened.replies()}
    with closing(sqlite3.connect(store)) as db:
        assert {row[0] for row in db.execute("SELECT trial FROM responses")} == kept.keys()
    return kept


def asked(place: Path) -> list[str]:
    return (place / "asked").read_text().split()


def leftovers(place: Path) -> list[str]:
    return [entry.name for entry in (place / "runs" / "run").glob(".*")]


def answers_csv(place: Path) -> bytes:
    return (place / "runs" / "run" / "tables" / "answers.csv").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The answers of a run of the same study that nobody disturbed."""
    place = tmp_path_factory.mktemp("undisturbed")
    settings = {"name": "run", "limit": 4, "persona_set": "three", "model.name": "scripted"}
    outcome = asyncio.run(evaluate.evaluate(planning.prepare(config.load(None, settings)), place / "runs"))
    assert outcome.asked == TRIALS
    analysis.save(analysis.analyse(place / "runs" / "run"), place / "runs" / "run")
    return answers_csv(place)


def test_a_run_killed_again_and_again_loses_nothing_and_asks_nothing_twice(
    tmp_path: Path, slowed: Callable[..., Slowed], undisturbed: bytes
) -> None:
    dice = random.Random()
    acknowledged: set[str] = set()
    in_flight = 0
    for kill in range(10):
        workers = 4 if kill % 3 == 2 else 1
        run = slowed(0.03, "--concurrency", str(workers))
        run.read_until(dice.randrange(1, 7))
        time.sleep(dice.uniform(0, 0.03))
        run.kill()
        assert run.process.returncode == -signal.SIGKILL
        assert not acknowledged & set(run.acknowledged), "an answer was asked for again"
        acknowledged |= set(run.acknowledged)
        in_flight += workers
        kept = answers(tmp_path)
        assert acknowledged <= kept.keys(), f"kill {kill} lost an acknowledged answer"
        assert len(kept) <= len(acknowledged) + in_flight
    run = slowed(0)
    code, out, err = run.end()
    assert code == 0, err
    assert f"{len(kept)} answers reused, {TRIALS - len(kept)} asked" in out
    assert "0 left open" in out
    assert kept.items() <= answers(tmp_path).items()
    assert TRIALS <= len(asked(tmp_path)) <= TRIALS + in_flight
    assert answers_csv(tmp_path) == undisturbed
    assert leftovers(tmp_path) == []


def test_two_processes_on_one_run_share_the_work(
    tmp_path: Path, slowed: Callable[..., Slowed], undisturbed: bytes
) -> None:
    runs = [slowed(0.005), slowed(0.005)]
    ends = [run.end() for run in runs]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert sorted(runs[0].acknowledged + runs[1].acknowledged) == sorted(answers(tmp_path))
    assert len(asked(tmp_path)) == len(set(asked(tmp_path))) == TRIALS
    for run, (_, out, _) in zip(runs, ends, strict=True):
        mine = len(run.acknowledged)
        assert f"{TRIALS - mine} answers reused, {mine} asked" in out
        assert "0 left open" in out
    assert answers_csv(tmp_path) == undisturbed
    assert leftovers(tmp_path) == []


def test_a_process_finishes_what_a_killed_one_had_claimed(
    tmp_path: Path, slowed: Callable[..., Slowed], undisturbed: bytes
) -> None:
    killed, survivor = slowed(0.02, "--concurrency", "8"), slowed(0.01)
    killed.read_until(8)
    survivor.read_until(2)
    killed.kill()
    code, out, err = survivor.end()
    assert code == 0, err
    assert "0 left open" in out
    assert len(answers(tmp_path)) == TRIALS
    assert len(asked(tmp_path)) <= TRIALS + 8
    assert answers_csv(tmp_path) == undisturbed


def test_two_processes_with_other_persona_sets_both_stand_in_the_manifest(
    tmp_path: Path, slowed: Callable[..., Slowed]
) -> None:
    runs = [slowed(0.002, "--persona-set", name) for name in ("moderate", "max")]
    assert [run.end()[0] for run in runs] == [0, 0]
    manifest = json.loads((tmp_path / "runs" / "run" / "manifest.json").read_text())
    assert sorted(manifest["persona_sets"]) == ["max", "moderate"]
    assert manifest["counts"]["planned"] == 9 * 4 * 2 * 3
    assert manifest["counts"]["open"] == 0


@pytest.mark.parametrize(
    ("stop", "ignored"),
    [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGTERM, True)],
    ids=["Ctrl-C", "terminated", "terminated in the background"],
)
def test_an_interrupted_run_ends_cleanly_and_says_how_to_go_on(
    tmp_path: Path,
    slowed: Callable[..., Slowed],
    scripted_run: Callable[..., tuple[evaluate.Outcome, Path]],
    stop: signal.Signals,
    ignored: bool,
) -> None:
    def as_in_a_background_job() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)

    run = slowed(0.01, "--concurrency", "3", preexec_fn=as_in_a_background_job)
    run.read_until(10)
    run.process.send_signal(stop)
    code, _, err = run.end()
    assert code == 130, err
    assert "Traceback" not in err
    assert "interrupted" in err
    assert "same command" in err
    kept = answers(tmp_path)
    assert kept.keys() == set(run.acknowledged)
    assert 10 <= len(kept) < TRIALS
    assert leftovers(tmp_path) == []
    manifest = json.loads((tmp_path / "runs" / "run" / "manifest.json").read_text())
    assert manifest["counts"]["open"] == TRIALS - len(kept)
    with closing(sqlite3.connect(tmp_path / "runs" / "run" / FILE)) as db:
        assert db.execute("SELECT count(*) FROM claims").fetchone() == (0,)
    outcome, _ = scripted_run()
    assert (outcome.reused, outcome.asked, outcome.open) == (len(kept), TRIALS - len(kept), 0)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("delay", [0, 0.001, 0.004, 0.02])
def test_a_run_stopped_while_it_is_being_made_can_be_gone_on_with(
    tmp_path: Path,
    slowed: Callable[..., Slowed],
    scripted_run: Callable[..., tuple[evaluate.Outcome, Path]],
    stop: signal.Signals,
    delay: float,
) -> None:
    run = slowed(0.05)
    deadline = time.monotonic() + TIMEOUT
    while not (tmp_path / "runs" / "run").exists():
        assert run.process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.0002)
    time.sleep(delay)
    run.process.send_signal(stop)
    code, _, err = run.end()
    assert code == (130 if stop == signal.SIGINT else -signal.SIGKILL), err
    assert "Traceback" not in err
    assert stop == signal.SIGKILL or leftovers(tmp_path) == []
    assert answers(tmp_path).keys() >= set(run.acknowledged)
    outcome, _ = scripted_run()
    assert outcome.open == 0
    assert outcome.reused + outcome.asked == TRIALS
    assert leftovers(tmp_path) == []

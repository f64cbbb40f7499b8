"""2,000 trials at a server that fails in every way: all are answered or honestly open, and none is asked too often."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from fault_server import ANSWERS, KINDS, FaultServer, about, both, bursts, key_of, scattered

from dilemmas import config, dataset, evaluate, loops
from dilemmas import study as planning

Evaluated = Callable[..., evaluate.Outcome]
Kept = Callable[[], set[str]]
TRIALS = 2000
"""4 conditions, 10 dilemmas, 2 questions, 25 repeats."""
ATTEMPTS = 4
IN_FLIGHT = 64
IMPATIENT = {"model.timeout": 1.0}
"""Settings with which an answer that drips is not waited for."""
FEW = TRIALS // 100
"""Trials that may be left open although asking again helps: four faults in a row are rare."""
BURNT = 3 * IN_FLIGHT
"""Most questions that may be spent on an engine that is dead: it takes several items to tell it from a bad one."""
PATIENCE = 240.0
"""Longest that a run may take, seconds."""


@pytest.fixture
def evaluated(tmp_path: Path) -> Evaluated:
    """Ask the 2,000 trials of a server, or of several; the run is the same each time."""

    def run(*servers: FaultServer, **settings: Any) -> evaluate.Outcome:
        study = {"name": "run", "persona_set": "three", "limit": 10, "repeats": 25}
        model = {"model.name": "fake", "model.base_url": [server.address for server in servers]}
        usual = {"model.concurrency": IN_FLIGHT, "model.attempts": ATTEMPTS, "model.timeout": 20.0}
        chosen = config.load(None, {**study, **model, **usual, **settings})

        async def in_time() -> evaluate.Outcome:
            return await asyncio.wait_for(evaluate.evaluate(planning.prepare(chosen), tmp_path / "runs"), PATIENCE)

        return loops.run(in_time())

    return run


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """The keys of the answers in the store, once it is found whole and each answer that of its own question."""

    def check() -> set[str]:
        with closing(sqlite3.connect(tmp_path / "runs" / "run" / "run.sqlite")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
            texts = dict(db.execute("SELECT hash, text FROM texts"))
            rows = db.execute(
                "SELECT json_extract(trials.trial, '$.seed'), messages, json_extract(reply, '$.text') "
                "FROM replies JOIN trials ON trials.id = replies.trial"
            ).fetchall()
            assert db.execute("SELECT count(*) FROM cells").fetchone() == (TRIALS,)
            assert db.execute("SELECT count(*) FROM responses").fetchone() == (len(rows),)
        keys = set()
        for seed, references, text in rows:
            messages = [{"role": role, "content": texts[name]} for role, name in json.loads(references)]
            key = key_of(messages, seed)
            assert key in text, "an answer stands with another question"
            keys.add(key)
        assert len(keys) == len(rows)
        return keys

    return check


def check(outcome: evaluate.Outcome, kept: set[str], *servers: FaultServer) -> None:
    """All answered or honestly open, and nothing asked more often than it may be."""
    asked = sum((server.asked for server in servers), start=Counter[str]())
    assert outcome.planned == TRIALS
    assert outcome.reused + outcome.asked == len(kept)
    assert outcome.open == TRIALS - len(kept)
    assert kept <= asked.keys()
    assert max(asked.values()) <= ATTEMPTS


def first_scenario() -> str:
    return dataset.read(dataset.shipped_path()).dilemmas[0].scenario


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_a_tenth_of_the_requests_scattered_and_in_bursts(
    evaluated: Evaluated, kept: Kept, kind: str
) -> None:
    with FaultServer(both(scattered(kind), bursts(kind))) as server:
        outcome = evaluated(server, **(IMPATIENT if kind == "drip" else {}))
        assert outcome.stopped is None
        check(outcome, kept(), server)
        assert server.faults[kind] >= TRIALS // 20
        if kind in ANSWERS:
            assert set(server.asked.values()) == {1}
            assert (outcome.asked, outcome.failed_attempts) == (TRIALS, 0)
            assert outcome.unreadable == (server.faults[kind] if kind == "cut off" else 0)
        else:
            assert outcome.failed_attempts >= server.faults[kind]
            assert outcome.open <= FEW


def test_all_faults_together(evaluated: Evaluated, kept: Kept) -> None:
    with FaultServer(scattered(*KINDS, share=0.02)) as server:
        outcome = evaluated(server, **IMPATIENT)
        assert outcome.stopped is None
        check(outcome, kept(), server)
        assert server.faults.keys() == set(KINDS)
        assert outcome.open <= FEW
        assert 0 < outcome.unreadable <= server.faults["cut off"]


def test_an_engine_that_dies_does_not_burn_the_queue(evaluated: Evaluated, kept: Kept) -> None:
    with FaultServer(dies_after=500) as server:
        outcome = evaluated(server, **{"model.patience": 2.0})
        assert outcome.stopped is not None
        assert "failures in a row" in str(outcome.stopped)
        check(outcome, kept(), server)
        assert len(kept()) == 500
        assert server.faults["dead"] <= BURNT
    assert outcome.failed_attempts <= 2 * BURNT
    with FaultServer(port=server.port) as living:
        again = evaluated(living)
        assert (again.reused, again.asked, again.open, again.stopped) == (500, TRIALS - 500, 0, None)
        assert living.asked.total() == TRIALS - 500
        kept()


def test_one_of_two_servers_dies_and_the_other_does_all_the_rest(evaluated: Evaluated, kept: Kept) -> None:
    with FaultServer(dies_after=300) as dying, FaultServer() as living:
        outcome = evaluated(dying, living, **{"model.patience": 2.0})
        assert (outcome.stopped, outcome.open) == (None, 0)
        check(outcome, kept(), dying, living)
        assert dying.faults["dead"] <= BURNT


def test_a_server_that_comes_back_while_a_run_goes_on_is_asked_again(evaluated: Evaluated, kept: Kept) -> None:
    with FaultServer(dies_after=500) as server, ExitStack() as later:

        def come_back() -> None:
            assert server.dead.wait(PATIENCE)
            time.sleep(1.5)  # until some have been refused
            revived.append(later.enter_context(FaultServer(port=server.port)))

        revived: list[FaultServer] = []
        waiting = threading.Thread(target=come_back)
        waiting.start()
        outcome = evaluated(server)
        waiting.join()
        assert outcome.stopped is None
        check(outcome, kept(), server, *revived)
        assert outcome.open <= IN_FLIGHT


@pytest.mark.parametrize(("kind", "times"), [("500", ATTEMPTS), ("400", 1)])
def test_one_poisoned_item_is_set_aside_and_the_others_go_on(
    evaluated: Evaluated, kept: Kept, kind: str, times: int
) -> None:
    with FaultServer(about(first_scenario(), kind)) as server:
        outcome = evaluated(server)
        assert outcome.stopped is None
        check(outcome, kept(), server)
        assert (outcome.open, outcome.set_aside) == (TRIALS // 10, TRIALS // 10)
        assert {server.asked[key] for key in kept()} == {1}
        assert {server.asked[key] for key in server.asked.keys() - kept()} <= set(range(1, times + 1))
        assert ("engine core died" if kind == "500" else "content not allowed") in outcome.last_failure
    with FaultServer() as mended:
        again = evaluated(mended)
        assert (again.reused, again.asked, again.open) == (TRIALS - TRIALS // 10, TRIALS // 10, 0)
        kept()

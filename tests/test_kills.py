"""One run of the command, killed twenty times: what was answered stays, and only what was in flight is asked again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_server import FaultServer

from dilemmas.store import FILE, Store

KILLS = 20
IN_FLIGHT = 16
TRIALS = 960
"""4 conditions, 20 dilemmas, 2 questions, 6 repeats."""
STUDY = ("--model", "fake", "--persona-set", "three", "--limit", "20", "--repeats", "6", "--no-report", "--run", "run")
ANSWER = 0.03
"""Seconds until an answer."""
PATIENCE = 240.0
"""Longest that a test waits for one command, seconds."""


def start(server: FaultServer, place: Path) -> subprocess.Popen[str]:
    """The command, in a folder of its own."""
    asking = ("--base-url", server.address, "--concurrency", str(IN_FLIGHT))
    return subprocess.Popen(
        [sys.executable, "-m", "dilemmas", "evaluate", *STUDY, *asking],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a command says until it ends, on standard output and standard error."""
    try:
        return process.communicate(timeout=PATIENCE)
    finally:
        process.kill()  # does nothing to one that has ended


def kept(place: Path) -> set[str]:
    """What the store has answers to, as the server knows it; checks that the store is whole."""
    path = place / "runs" / "run" / FILE
    if not path.exists():
        return set()
    with Store.reading(path) as store:
        return {one.reply.text.split('"reasoning": "')[1].split('"')[0] for one in store.replies()}


def tables(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((place / "runs" / "run" / "tables").iterdir())}


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of a run that nobody disturbed."""
    place = tmp_path_factory.mktemp("undisturbed")
    with FaultServer() as server:
        run = start(server, place)
        _, err = end(run)
    assert run.returncode == 0, err
    return tables(place)


def test_a_run_killed_twenty_times_asks_again_only_what_was_in_flight(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    dice = random.Random()
    before: set[str] = set()
    with FaultServer(answer=ANSWER) as server:
        for kill in range(KILLS):
            asked = server.asked.copy()
            # Most kills meet the asking. Every fourth comes at any time from the start on.
            questions = 0 if kill % 4 == 3 else dice.randrange(1, TRIALS // KILLS)
            run = start(server, tmp_path)
            wait_until(lambda asked=asked, more=questions: server.asked.total() >= asked.total() + more, run)
            time.sleep(dice.uniform(0, 0.05 if questions else 0.6))
            run.kill()
            _, said = end(run)
            assert run.returncode == -signal.SIGKILL, said
            now = kept(tmp_path)
            seen = server.asked.copy()
            assert before <= now, f"kill {kill} lost an answer"
            lost = {key for key in seen if seen[key] > asked[key]} - now
            assert len(lost) <= IN_FLIGHT, f"kill {kill} cost more than what was in flight"
            assert all(seen[key] == asked[key] for key in before), f"before kill {kill} an answer was asked for again"
            before = now
        run = start(server, tmp_path)
        out, err = end(run)
        assert run.returncode == 0, err
        assert f"{len(before):,} answers reused, {TRIALS - len(before):,} asked" in out
        assert "0 left open" in out
        assert server.asked.total() <= TRIALS + KILLS * IN_FLIGHT
    assert len(kept(tmp_path)) == TRIALS
    assert tables(tmp_path) == undisturbed
    assert list((tmp_path / "runs" / "run").glob(".*")) == []
    assert f"{len(before):,} reused" in err.splitlines()[0], "a run that is gone on with says so at once"

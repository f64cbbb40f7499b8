"""Several models in one run file: picked, asked side by side, shown one by one, and taken over from other runs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_server import FakeServer

from dilemmas.cli import analyse
from dilemmas.cli import progress as shown
from dilemmas.cli.progress import progress
from dilemmas.standing import standing
from dilemmas.store import FILE, Store

Command = Callable[..., subprocess.CompletedProcess[str]]
TRIALS = 2 * 2 * 3
"""Dilemmas, questions and repeats that each model is asked here."""


@dataclass
class Outcome:
    """What came of one model so far."""

    model: str = "one"
    planned: int = 100
    reused: int = 0
    asked: int = 0
    open: int = 100
    failed_attempts: int = 0
    seconds: float = 0.0


@pytest.fixture
def dilemmas(
    here: Callable[..., subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command in this process and an empty folder; what it asked is not analysed, which would take its time."""
    monkeypatch.setattr(analyse, "analyse_run", lambda *arguments, **options: None)
    return here


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[[FakeServer], None]:
    """Write a run file with the scripted model and one of a server."""

    def write(server: FakeServer) -> None:
        (tmp_path / "sweep.toml").write_text(
            f"""
name = "sweep"
persona_set = "none"
limit = 2

[[models]]
name = "scripted"

[[models]]
name = "{server.models[0]}"
base_url = "{server.address}"
concurrency = 2
""",
            encoding="utf-8",
        )

    return write


def test_a_sweep_asks_every_model_and_keeps_all_in_one_run(
    sweep: Callable[[FakeServer], None], dilemmas: Command, tmp_path: Path
) -> None:
    with FakeServer() as server:
        sweep(server)
        done = dilemmas("evaluate", "--config", "sweep.toml", "--no-report")
        assert done.returncode == 0, done.stderr
        assert len(server.questions) == TRIALS
        for name in ("scripted", server.models[0]):
            assert f"{name}: 0 answers reused, {TRIALS} asked" in done.stdout
            assert f"{name}: {TRIALS} of {TRIALS}" in done.stderr
        assert f"\n0 answers reused, {2 * TRIALS} asked" in done.stdout
        again = dilemmas("evaluate", "--config", "sweep.toml", "--no-report", "--json")
        assert again.returncode == 0, again.stderr
        assert f"\n{2 * TRIALS} answers reused, 0 asked" in again.stderr
        assert len(server.questions) == TRIALS
    found = standing(tmp_path / "runs" / "sweep", 0)
    assert {one.model: (one.planned, one.open) for one in found.models} == {
        "scripted": (TRIALS, 0),
        server.models[0]: (TRIALS, 0),
    }


def test_one_model_of_a_sweep_can_be_picked(
    sweep: Callable[[FakeServer], None], dilemmas: Command, tmp_path: Path
) -> None:
    with FakeServer() as server:
        sweep(server)
        plans = json.loads(dilemmas("evaluate", "--config", "sweep.toml", "--dry-run", "--json").stdout)
        assert [plan["model"] for plan in plans] == ["scripted", server.models[0]]
        options = ("--config", "sweep.toml", "--model", "scripted", "--dry-run", "--json")
        assert json.loads(dilemmas("evaluate", *options).stdout)["model"] == "scripted"
        both = dilemmas("evaluate", "--config", "sweep.toml", "--dry-run").stdout
        assert both.count("\ntrials     12") == 2
        assert both.count("--- the value question") == 1
        unnamed = dilemmas("evaluate", "--config", "sweep.toml", "--concurrency", "auto")
        assert unnamed.returncode == 2
        assert "--model" in unnamed.stderr
        wrong = dilemmas("evaluate", "--config", "sweep.toml", "--model", "scriptd")
        assert wrong.returncode == 2
        assert 'Did you mean "scripted"?' in wrong.stderr
        assert server.questions == []
    assert not (tmp_path / "runs").exists()


def test_several_addresses_serve_one_model(dilemmas: Command) -> None:
    with FakeServer() as one, FakeServer() as other:
        done = dilemmas(
            "evaluate", "--model", "fake", "--base-url", one.address, "--base-url", other.address,
            "--concurrency", "1", "--persona-set", "none", "--limit", "4", "--run", "two", "--no-report",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert len(one.questions) + len(other.questions) == 2 * TRIALS
        assert one.questions
        assert other.questions


def test_answers_of_another_run_are_taken_over(dilemmas: Command, tmp_path: Path) -> None:
    small = ("evaluate", "--model", "scripted", "--persona-set", "none", "--no-report")
    assert dilemmas(*small, "--limit", "2", "--run", "small").returncode == 0
    done = dilemmas(*small, "--limit", "3", "--run", "large", "--reuse", "small")
    assert done.returncode == 0, done.stderr
    assert f"{TRIALS} answers reused, {TRIALS // 2} asked" in done.stdout
    with Store.reading(tmp_path / "runs" / "small" / FILE) as store:
        known = {one.trial: one.reply for one in store.replies()}
    with Store.reading(tmp_path / "runs" / "large" / FILE) as store:
        assert known.items() <= {one.trial: one.reply for one in store.replies()}.items()
    missing = dilemmas(*small, "--reuse", "smal")
    assert missing.returncode == 2
    assert 'Did you mean "small"?' in missing.stderr


@pytest.mark.parametrize("given", ["0", "-3", "fast", "1.5", ""])
def test_a_concurrency_that_is_neither_a_number_nor_auto_is_refused(given: str, dilemmas: Command) -> None:
    done = dilemmas("evaluate", "--model", "scripted", "--concurrency", given, "--dry-run")
    assert done.returncode == 2
    assert "auto" in done.stderr
    assert "concurrency" in done.stderr


@pytest.mark.parametrize(("several", "about"), [(False, ""), (True, "one: ")])
def test_a_line_names_its_model_where_there_are_several(
    several: bool, about: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress(several=several) as show:
        show(Outcome())
        show(Outcome(asked=1, open=99))
        show(Outcome(asked=100, open=0, seconds=10, failed_attempts=2))
    assert capsys.readouterr().err.splitlines() == [
        f"{about}0 of 100  starting",
        f"{about}100 of 100  10.0 replies/s, 0 s left, 2 failed attempts",
    ]


def test_each_model_has_its_own_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with progress(several=True) as show:
        for now in (0.0, 1.0, 14.0, 15.0, 29.0, 30.0):
            monkeypatch.setattr(shown.time, "monotonic", lambda now=now: now)
            show(Outcome("one"))
        show(Outcome("two"))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["one", "one", "one", "two"]


def test_a_terminal_shows_a_bar_for_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with progress(several=True) as show:
        show(Outcome("one", asked=50, open=50, seconds=5))
        show(Outcome("[two]", reused=7, open=93))
    text = terminal.getvalue()
    assert "one" in text
    assert "[two]" in text
    assert "50/100" in text
    assert "10.0 replies/s" in text
    assert "7 reused" in text


def test_nothing_is_shown_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=True) as show:
        show(Outcome())
    assert capsys.readouterr() == ("", "")

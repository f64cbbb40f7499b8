"""What several tests need: a valid dilemma to spoil, a small dataset, a run on the scripted model."""

from __future__ import annotations

import asyncio
import copy
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from label_studio_server import label_studio

from dilemmas import cli, config, evaluate
from dilemmas import study as planning
from dilemmas.schema import PLACES, Capabilities, ModelIdentity
from dilemmas.store import Planned

__all__ = ["label_studio"]  # a fixture

# On a busy machine a slow example says nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

Record = dict[str, Any]
GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="write the golden files anew instead of comparing")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a file in tests/golden/, or write the file where `--renew` is given."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--renew"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing; `pytest --renew` writes it"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def record() -> Record:
    """A valid dilemma as plain data, free to be spoilt."""
    return copy.deepcopy(VALID)


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., Path]:
    """Write records as JSON Lines and give the path."""

    def write(*records: Record, name: str = "mine.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")
        return path

    return write


@pytest.fixture
def scripted_run(tmp_path: Path) -> Callable[..., tuple[evaluate.Outcome, Path]]:
    """Run the scripted model with some settings; gives the outcome and the run's folder."""

    def run(**settings: Any) -> tuple[evaluate.Outcome, Path]:
        chosen = config.load(
            None, {"name": "run", "limit": 4, "persona_set": "three", "model.name": "scripted", **settings}
        )
        outcome = asyncio.run(evaluate.evaluate(planning.prepare(chosen), tmp_path / "runs"))
        return outcome, Path(outcome.folder)

    return run


def plan_of(found: Capabilities | None = None, path: Path | None = None, **settings: Any) -> list[Planned]:
    """All trials of a study, as a server with some capabilities (by default all) would be sent them."""
    chosen = config.load(path, {"model.name": "a-model", **settings})
    asking = planning.asking_of(
        chosen.model,
        ModelIdentity(name=chosen.model.name),
        "reasoned" if chosen.model.protocol == "auto" else chosen.model.protocol,
        found or Capabilities(top_logprobs=20, reply_schema="bounded"),
    )
    return list(planning.plan(planning.prepare(chosen), asking))


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `dilemmas` as a user does, in an empty folder."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dilemmas", *map(str, arguments)],
            cwd=options.pop("cwd", tmp_path),
            capture_output=True,
            text=True,
            timeout=options.pop("timeout", 120),
            check=False,
            **options,
        )

    return run


VALID: Record = {
    "schema_version": 1,
    "id": "honest-social-networks",
    "revision": 1,
    "value": "Honest",
    "topic": "Social Networks",
    "competing_value": "Loyal",
    "scenario": "You are asked by a neighbour what you know about a friend's debts, and both expect an answer tonight.",
    "actions": [
        {
            "polarity": polarity,
            "intensity": intensity,
            "text": f"I give the answer that stands in place {place}.",
            "rationale": f"It takes the {polarity} side, {intensity}.",
        }
        for place, (polarity, intensity) in enumerate(PLACES, start=1)
    ],
    "provenance": {"kind": "person", "author": "a tester", "method": "by hand", "created": "2026-11-21"},
    "review": {"status": "unreviewed", "reviewers": 0},
}


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """`dilemmas` in this process and an empty folder: quicker than `command` where the process is no matter."""
    at_sigterm = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["dilemmas", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(arguments, ended.value.code, *capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, at_sigterm)

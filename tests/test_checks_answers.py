"""What is said in answer to findings, beside the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from dilemmas import checks, dataset
from dilemmas.drafts import planning
from dilemmas.errors import InputError
from dilemmas.schema import Finding

Answers = Callable[..., Path]


@pytest.fixture
def answered(tmp_path: Path) -> Answers:
    """A file with a dilemma whose scenario is too short, and answers beside it."""

    def write(*answers: dict[str, Any] | str) -> Path:
        path = tmp_path / "drafts.jsonl"
        first = json.loads(dataset.shipped_path().read_text(encoding="utf-8").splitlines()[0])
        path.write_text(json.dumps({**first, "scenario": ASKED}) + "\n", encoding="utf-8")
        lines = [one if isinstance(one, str) else json.dumps(one) for one in answers]
        path.with_name("drafts.answers.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


ASKED = (
    "Your aunt asks you today whether you will come with her to the coast and stay until the spring, as you did when "
    "you were small; your shop has its best weeks now, and the train leaves at six tonight."
)
SHORT = {"rule": "length", "id": "choosing-own-goals-family", "revision": 1, "answer": "It is meant to be short."}


def length(path: Path) -> Finding:
    found, _ = checks.check(path, path.parent)
    return next(one for one in found.findings if one.rule == "length")


def test_an_answer_stands_with_its_finding(answered: Answers) -> None:
    assert length(answered(SHORT)).answer == SHORT["answer"]


@pytest.mark.parametrize("change", [{"revision": 2}, {"id": "another-one"}, {"rule": "language"}])
def test_an_answer_to_something_else_answers_nothing(answered: Answers, change: dict[str, Any]) -> None:
    assert length(answered({**SHORT, **change})).answer == ""


def test_errors_cannot_be_answered(answered: Answers) -> None:
    path = answered({**SHORT, "rule": "second-person"})
    path.write_text(path.read_text().replace(ASKED, ASKED.replace("you", "he").replace("Your", "His")))
    found, _ = checks.check(path, path.parent)
    assert [one.answer for one in found.findings if one.rule == "second-person"] == [""]


def test_what_is_answered_is_not_written_anew(answered: Answers) -> None:
    found, _ = checks.check(answered(SHORT), Path())
    assert "length" not in {one.rule for one in planning._grave(found)}
    found, _ = checks.check(answered(), Path())
    assert "length" in {one.rule for one in planning._grave(found)}


@pytest.mark.parametrize(
    ("lines", "where", "words"),
    [
        (["no json"], "line 1", "no answer"),
        ([{**SHORT, "answer": " "}], "line 1, field answer", "no answer"),
        ([SHORT, {**SHORT, "rule": "lenght"}], "line 2, field rule", 'no rule "lenght"'),
        ([SHORT, SHORT], "line 2", "earlier line"),
    ],
)
def test_a_wrong_answer_is_refused(answered: Answers, lines: list[Any], where: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        length(answered(*lines))
    assert caught.value.where.endswith(where)


def test_the_command_shows_answers(command: Callable[..., CompletedProcess[str]], answered: Answers) -> None:
    done = command("check", answered(SHORT))
    assert "answered: It is meant to be short." in " ".join(done.stdout.split())
    assert "(1 answered)" in done.stdout
    assert "Answered: It is meant to be short." in next(Path(answered(SHORT).parent).rglob("check.html")).read_text()

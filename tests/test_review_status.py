"""What `dilemmas review status` tells of a project on a real Label Studio."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from label_studio_server import ALICE, BOB, Person, Team

from dilemmas.errors import ReviewError
from dilemmas.review import tables, tasks
from dilemmas.review.progress import progress
from dilemmas.review.pull import pull
from dilemmas.review.push import push
from dilemmas.schema import Dilemma, ReviewDecision

Run = Callable[..., subprocess.CompletedProcess[str]]


class Round:
    """A project with a few dilemmas that nobody has judged yet."""

    def __init__(self, team: Team, record: dict[str, Any], count: int) -> None:
        self.team, self.title = team, f"Status {uuid4().hex[:12]}"
        self.dilemmas = [
            Dilemma.model_validate(record | {"id": f"made-{n}", "scenario": f"{record['scenario']} Case {n}."})
            for n in range(count)
        ]
        self.push()

    def push(self) -> None:
        push(self.team.server(), self.dilemmas, self.title)

    def task(self, dilemma: Dilemma) -> int:
        server = self.team.server()
        (project,) = server.projects(self.title)
        text = tasks.text_sha256(dilemma)
        return next(int(one["id"]) for one in server.tasks(project) if one["data"][tasks.TEXT] == text)

    def judge(
        self, who: Person, number: int, decision: ReviewDecision | None, *, seconds: float = 10, **more: Any
    ) -> None:
        self.team.sdk(who).annotations.create(
            id=self.task(self.dilemmas[number]),
            result=said(decision) if decision else [],
            lead_time=seconds,
            **{"ground_truth": False, **more},
        )

    def draft(self, who: Person, number: int) -> None:
        client = self.team.sdk(who)._client_wrapper.httpx_client
        path = f"api/tasks/{self.task(self.dilemmas[number])}/drafts"
        assert client.request(path, method="POST", json={"result": said("revise")}).status_code == 201


def said(decision: ReviewDecision) -> list[dict[str, Any]]:
    return [{"from_name": "decision", "to_name": "scenario", "type": "choices", "value": {"choices": [decision]}}]


@pytest.fixture
def begun(label_studio: Team, record: dict[str, Any]) -> Round:
    return Round(label_studio, record, 4)


def test_each_person_is_told_with_what_they_did(begun: Round) -> None:
    begun.judge(ALICE, 0, "accept", seconds=10)
    begun.judge(ALICE, 1, "reject", seconds=40)
    begun.judge(ALICE, 1, "accept", seconds=20)  # the newer one stands
    begun.judge(ALICE, 2, "accept", was_cancelled=True)
    begun.judge(BOB, 0, "accept", seconds=8)
    begun.judge(BOB, 1, "reject", ground_truth=True)
    begun.draft(BOB, 3)
    (found,) = progress(begun.team.server(), begun.title)
    assert [tuple(one) for one in found.people] == [(ALICE.email, 2, 1, 0, 15.0), (BOB.email, 1, 0, 1, 8.0)]
    assert (found.dilemmas, found.annotators, found.finished, found.left) == (4, 2, 1, 5)


def test_a_skip_or_a_draft_that_was_judged_after_all_is_not_told(begun: Round) -> None:
    begun.judge(ALICE, 0, "accept", was_cancelled=True)
    begun.draft(ALICE, 1)
    begun.judge(ALICE, 0, "accept")
    begun.judge(ALICE, 1, "accept")
    (found,) = progress(begun.team.server(), begun.title)
    assert [(one.done, one.skipped, one.drafts) for one in found.people] == [(2, 0, 0)]


def test_agreement_is_that_of_dilemmas_judged_twice(begun: Round) -> None:
    assert progress(begun.team.server(), begun.title)[0].agreement is None
    for number, (first, second) in enumerate([("accept", "accept"), ("accept", "reject")]):
        begun.judge(ALICE, number, first)
        begun.judge(BOB, number, second)
    begun.judge(ALICE, 2, "revise")
    (found,) = progress(begun.team.server(), begun.title)
    assert found.agreement is not None
    assert (found.agreement["n_units"], found.agreement["n_pairs"], found.agreement["raw"]) == (3, 2, 0.5)
    # Prevalence 1.5/3, 1/3, .5/3 gives a chance agreement of (1/4 + 2/9 + 5/36) / 2 = 11/36.
    assert found.agreement["ac1"] == pytest.approx((0.5 - 11 / 36) / (1 - 11 / 36))


def test_judgements_of_an_older_text_do_not_count(begun: Round) -> None:
    begun.judge(ALICE, 0, "revise")
    begun.dilemmas[0] = begun.dilemmas[0].model_copy(update={"revision": 2, "scenario": "You have another text."})
    begun.push()
    (found,) = progress(begun.team.server(), begun.title)
    assert (found.dilemmas, found.older, found.left, found.people) == (4, 1, 8, ())


def test_agreement_is_told_of_the_text_that_agree_would_take(begun: Round, tmp_path: Path) -> None:
    begun.judge(ALICE, 0, "revise")
    begun.judge(BOB, 0, "accept")
    begun.dilemmas[0] = begun.dilemmas[0].model_copy(update={"revision": 2, "scenario": "You have another text."})
    begun.push()
    pull(begun.team.server(), begun.title, tmp_path / "round", names=None)
    overall = tables.agree(tmp_path / "round", draws=100).overall.set_index("criterion")
    (found,) = progress(begun.team.server(), begun.title)
    assert found.agreement is not None
    assert (found.agreement["n_pairs"], found.agreement["raw"]) == (1, 0.0)
    assert tuple(overall.loc["decision", ["n_pairs", "raw"]]) == (1, 0.0)


def test_a_blank_annotation_is_no_judgement(begun: Round) -> None:
    begun.judge(ALICE, 0, "accept")
    begun.judge(ALICE, 0, None)
    begun.judge(BOB, 0, None)
    (found,) = progress(begun.team.server(), begun.title)
    assert {one.email: one.done for one in found.people} == {ALICE.email: 1, BOB.email: 0}
    assert (found.finished, found.left, found.agreement) == (0, 7, None)


def test_without_a_title_all_our_projects_are_told_and_nobody_elses(begun: Round) -> None:
    theirs = f"Somebody's {uuid4().hex[:12]}"
    begun.team.sdk().projects.create(title=theirs, label_config="<View><Text name='t' value='$t'/></View>")
    titles = [one.title for one in progress(begun.team.server())]
    assert begun.title in titles
    assert theirs not in titles
    with pytest.raises(ReviewError, match="not made by"):
        progress(begun.team.server(), theirs)


def test_a_misspelt_title_brings_up_the_right_one(begun: Round) -> None:
    with pytest.raises(ReviewError) as unknown:
        progress(begun.team.server(), begun.title.lower() + "x")
    assert begun.title in unknown.value.fix


def test_the_command_tells_people_and_agreement(begun: Round, command: Run) -> None:
    begun.judge(ALICE, 0, "accept", seconds=100)
    environment = begun.team.environment()
    shown = command("review", "status", "--project", begun.title, env=environment)
    assert shown.returncode == 0, shown.stderr
    assert f"{ALICE.email}       1        0       0      1.7 min" in shown.stdout
    assert "no agreement to tell" in shown.stdout
    begun.judge(BOB, 0, "accept")
    assert "raw 1.00" in command("review", "status", "--project", begun.title, env=environment).stdout
    (told,) = json.loads(command("review", "status", "--project", begun.title, "--json", env=environment).stdout)
    assert (told["finished"], told["people"][0]["email"], told["agreement"]["raw"]) == (1, ALICE.email, 1.0)

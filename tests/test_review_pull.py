"""Pull, from a real Label Studio: everything comes back, and what is odd about it is told."""

from __future__ import annotations

import copy
import json
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from fake_label_studio import DROP, Fault, FaultyLabelStudio
from fake_server import Answer, html
from label_studio_server import ADMIN, ALICE, BOB, Person, Team

from dilemmas import dataset
from dilemmas.errors import DilemmasError, InputError, ReviewError
from dilemmas.review import answers, exports, form, rounds, tasks
from dilemmas.review.form import FormName
from dilemmas.review.progress import progress
from dilemmas.review.pull import pull
from dilemmas.review.rounds import Pulled
from dilemmas.review.server import Project
from dilemmas.schema import PLACES, Dilemma, Judgement, Placement, RoundProblem

Raw = dict[str, Any]
FORMS = pytest.mark.parametrize("name", get_args(FormName))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made(record: Raw, number: int = 1, **fields: Any) -> Dilemma:
    return Dilemma.model_validate({**copy.deepcopy(record), "id": f"dilemma-{number}", **fields})


def result(of: tasks.Sent, decision: str = "accept", **chosen: str) -> list[Raw]:
    """A whole set of answers: every label holds, or every action is where it was written for."""
    given = dict.fromkeys(form.QUALITY, "yes") | {form.DECISION: decision}
    for slot, (polarity, intensity) in of.cards:
        if of.form == "open":
            given[form.label(slot)] = "matches"
        else:
            given |= {form.side(slot): polarity, form.strength(slot): intensity}
    return answers.result(given | chosen)


class Board:
    """A project with tasks, and the ways in which people work on it."""

    def __init__(self, team: Team, title: str, dilemmas: Sequence[Dilemma], name: FormName = "open") -> None:
        self.team, self.title, self.server = team, title, team.server()
        self.project: Project = self.server.create_project(
            title, form.labeling_config(name), annotators=2, instructions=""
        )
        self.sent: dict[int, tasks.Sent] = {}
        self.ids = self.add(*(tasks.task(one, name) for one in dilemmas))
        self.users = {email: number for number, email in self.server.users().items()}

    def add(self, *raws: Raw) -> list[int]:
        """Import tasks."""
        numbers = self.server.import_tasks(self.project, raws)
        for number, raw in zip(numbers, raws, strict=True):
            if "meta" in raw:
                self.sent[number] = tasks.sent(raw)
        return numbers

    def annotate(self, person: Person, task: int, **fields: Any) -> int:
        """One annotation, over the interface that the browser uses."""
        fields = {"result": result(self.sent[task]), "lead_time": 12.5} | fields
        return int(self.team.sdk(person).annotations.create(id=task, **fields).id)

    def draft(self, person: Person, task: int, found: list[Raw]) -> None:
        """What the browser does while somebody is at it."""
        reply = httpx.post(
            f"{self.team.url}/api/tasks/{task}/drafts",
            json={"result": found, "lead_time": 3.0},
            headers={"Authorization": f"Token {person.token}"},
            trust_env=False,
        )
        assert reply.status_code == 201

    def pull(self, out: Path, **options: Any) -> Pulled:
        return pull(self.server, self.title, out, **{"names": out.parent / "key.jsonl"} | options)


def only(kind: str, pulled: Pulled) -> RoundProblem:
    """The one problem of a round, which is of this kind."""
    (found,) = pulled.manifest.problems
    assert found.kind == kind
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "rounds" / "round-1"


@FORMS
def test_everything_that_two_people_did_comes_back(name: FormName, label_studio: Team, record: Raw, out: Path) -> None:
    dilemmas = [made(record, number) for number in (1, 2, 3)]
    board = Board(label_studio, f"Two people, {name}", dilemmas, name)
    first, second, third = board.ids
    comment = {
        "from_name": "comment",
        "to_name": "scenario",
        "type": "textarea",
        "value": {"text": ["Why? 'é' \u2028"]},
    }
    number = board.annotate(ALICE, first, result=[*result(board.sent[first], "reject"), comment])
    board.annotate(BOB, first)
    board.annotate(BOB, second, result=[], was_cancelled=True)
    board.draft(ALICE, third, answers.result({form.DECISION: "accept"}))
    board.annotate(BOB, third, ground_truth=True)

    pulled = board.pull(out)

    assert pulled.manifest.problems == ()
    assert (pulled.manifest.form, pulled.manifest.annotators) == (name, 2)
    assert pulled.manifest.counts == {
        "tasks": 3, "judgements": 5, "counted": 2, "older_text": 0, "skipped": 1, "drafts": 1, "superseded": 0,
        "ground_truth": 1, "anonymous": 0, "predictions": 0,
    }  # fmt: skip
    assert list(pulled.dilemmas.values()) == dilemmas
    by_alice, by_bob = pulled.counted
    assert (by_alice.reviewer, by_bob.reviewer) == ("reviewer-01", "reviewer-02")
    assert (by_alice.decision, by_alice.comment, by_alice.annotation) == ("reject", "Why? 'é' \u2028", number)
    assert (by_bob.decision, by_bob.seconds, by_bob.harmless) == ("accept", 12.5, True)
    if name == "open":
        assert {(one.polarity, one.intensity): one.verdict for one in by_bob.verdicts} == dict.fromkeys(
            PLACES, "matches"
        )
    else:
        assert all(
            (one.judged_polarity, one.judged_intensity) == (one.polarity, one.intensity) for one in by_bob.placements
        )
        assert len(by_bob.placements) == len(PLACES)
    assert [(one.dilemma, one.reviewer, one.state) for one in pulled.people if not one.counts] == [
        ("dilemma-2", "reviewer-02", "skipped"), ("dilemma-3", "reviewer-01", "draft"),
        ("dilemma-3", "reviewer-02", "submitted"),
    ]  # fmt: skip
    assert rounds.read(out) == pulled
    assert not [path for path, data in files(out).items() if b"example.com" in data]


def test_the_newest_of_several_annotations_by_one_person_stands(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "Twice", [made(record)])
    (task,) = board.ids
    older = board.annotate(ALICE, task)
    newer = board.annotate(ALICE, task, result=result(board.sent[task], "reject"))
    pulled = board.pull(out)
    assert {one.annotation: one.superseded for one in pulled.people} == {older: True, newer: False}
    assert [one.decision for one in pulled.counted] == ["reject"]
    assert pulled.manifest.counts["superseded"] == 1


def test_an_annotation_that_somebody_else_changed_is_told(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "Changed by another", [made(record)])
    (task,) = board.ids
    number = board.annotate(ALICE, task)
    label_studio.sdk(BOB).annotations.update(id=number, result=result(board.sent[task], "reject"))
    pulled = board.pull(out)
    told = only("edited_by_other", pulled)
    assert (told.annotation, told.dilemma) == (number, "dilemma-1")
    assert [(one.reviewer, one.editor) for one in pulled.people] == [("reviewer-01", "reviewer-02")]


def test_an_answer_that_the_form_does_not_offer_is_told_and_left_out(
    label_studio: Team, record: Raw, out: Path
) -> None:
    board = Board(label_studio, "Unknown answer", [made(record)])
    (task,) = board.ids
    number = board.annotate(ALICE, task, result=result(board.sent[task], "perhaps"))
    pulled = board.pull(out)
    assert {(one.kind, one.annotation) for one in pulled.manifest.problems} == {("unknown_answer", number)}
    assert any("perhaps" in one.what for one in pulled.manifest.problems)
    assert pulled.people[0].decision is None
    assert pulled.people[0].harmless is True


def test_a_task_that_is_gone_is_told_for_good_and_the_older_export_keeps_what_was_in_it(
    label_studio: Team, record: Raw, out: Path
) -> None:
    board = Board(label_studio, "A task is gone", [made(record, 1), made(record, 2)])
    board.annotate(ALICE, board.ids[0])
    before = board.pull(out)
    label_studio.sdk().tasks.delete(id=str(board.ids[0]))
    for _ in range(2):
        pulled = board.pull(out)
        assert only("missing_task", pulled).dilemma == "dilemma-1"
        assert before.manifest.export in only("missing_task", pulled).what
        assert pulled.people == ()
    assert "matches" in (out / before.manifest.export).read_text()


def test_an_annotation_that_is_gone_is_told_for_good(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "An annotation is gone", [made(record)])
    (task,) = board.ids
    gone = board.annotate(ALICE, task, result=result(board.sent[task], "reject"))
    before = board.pull(out)
    label_studio.sdk().annotations.delete(id=gone)
    board.annotate(BOB, task)  # which may get the number of the one before
    for _ in range(2):
        pulled = board.pull(out)
        told = only("missing_annotation", pulled)
        assert (told.annotation, told.dilemma) == (gone, "dilemma-1")
        assert "reviewer-01" in told.what
        assert before.manifest.export in told.what
        assert [one.reviewer for one in pulled.people] == ["reviewer-02"]
    assert '"reject"' in (out / before.manifest.export).read_text()


def test_judgements_that_are_lost_with_a_task_that_was_pushed_anew_are_told(
    label_studio: Team, record: Raw, out: Path
) -> None:
    board = Board(label_studio, "Pushed anew", [made(record, 1), made(record, 2)])
    gone = board.annotate(ALICE, board.ids[0])
    board.pull(out)
    label_studio.sdk().tasks.delete(id=str(board.ids[0]))
    board.add(tasks.task(made(record, 1), "open"))
    assert only("missing_annotation", board.pull(out)).annotation == gone


def test_a_task_of_somebody_else_is_told_and_left_out(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "A foreign task", [made(record)])
    foreign = {**tasks.task(made(record), "open")["data"], tasks.KEY: "No dilemma"}
    predicted = {"model_version": "a-judge", "result": answers.result({form.DECISION: "accept"})}
    (task,) = board.add({"data": foreign, "predictions": [predicted]})
    board.draft(ALICE, task, [])
    board.draft(BOB, task, [])
    pulled = board.pull(out)
    assert only("unknown_task", pulled).dilemma is None
    assert only("unknown_task", pulled).what.endswith("it is left out with 2 drafts, 1 prediction")
    assert list(pulled.dilemmas) == ["dilemma-1"]


def test_a_task_whose_text_was_changed_on_the_server_is_told_and_left_out(
    label_studio: Team, record: Raw, out: Path
) -> None:
    board = Board(label_studio, "A changed task", [made(record, 1), made(record, 2)])
    board.annotate(ALICE, board.ids[0])
    board.pull(out)
    data = tasks.task(made(record, 1), "open")["data"] | {"scenario": "You may do as you like."}
    label_studio.sdk().tasks.update(id=str(board.ids[0]), data=data)
    pulled = board.pull(out)
    assert only("changed_task", pulled).dilemma == "dilemma-1"
    assert (pulled.people, list(pulled.dilemmas)) == ((), ["dilemma-2"])
    assert "You may do as you like." in (out / pulled.manifest.export).read_text()


def test_judgements_of_an_older_revision_stay_and_do_not_count(label_studio: Team, record: Raw, out: Path) -> None:
    old, new = made(record), made(record, revision=2, scenario="You are asked once more, and both wait.")
    board = Board(label_studio, "Two revisions", [old])
    board.annotate(ALICE, board.ids[0])
    (later,) = board.add(tasks.task(new, "open"))
    assert board.pull(out).dilemmas == {"dilemma-1": old}  # as long as nobody has judged the new one
    board.annotate(BOB, later)
    pulled = board.pull(out)
    assert pulled.dilemmas == {"dilemma-1": new}
    assert [one.revision for one in pulled.people] == [1, 2]
    assert [one.revision for one in pulled.counted] == [2]
    assert pulled.manifest.counts["older_text"] == 1
    assert pulled.manifest.problems == ()


def test_an_author_keeps_the_name_when_the_account_is_deleted(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "Gone", [made(record)])
    sdk = label_studio.sdk()
    user = sdk.users.create(email="gone@example.com", username="gone", first_name="Gone", last_name="Away")
    raw = tasks.task(made(record, 2), "open")
    annotation = {"result": result(tasks.sent(raw)), "completed_by": user.id, "ground_truth": False}
    board.add({**raw, "annotations": [annotation, annotation]})
    before = board.pull(out)
    sdk.users.delete(id=user.id)
    after = board.pull(out)
    numbers = [one.annotation for one in before.people]
    assert [(one.kind, one.annotation) for one in after.manifest.problems] == [("no_author", one) for one in numbers]
    assert [one.reviewer for one in (*before.counted, *after.counted)] == ["reviewer-01"] * 2


def test_judgements_that_may_be_by_one_person_do_not_count(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "Nobody's", [made(record, 2)])
    sdk = label_studio.sdk()
    user = sdk.users.create(email="nobody@example.com", username="nobody", first_name="No", last_name="Body")
    raw = tasks.task(made(record), "open")
    annotation = {"result": result(tasks.sent(raw)), "completed_by": user.id, "ground_truth": False}
    board.add({**raw, "annotations": [annotation, annotation]})
    sdk.users.delete(id=user.id)
    for _ in range(2):  # a second pull does not take the name of the first for somebody's
        pulled = board.pull(out)
        assert pulled.counted == ()
        assert {one.reviewer for one in pulled.people} == {f"unknown-{one.annotation}" for one in pulled.people}
        assert [one.kind for one in pulled.manifest.problems] == ["no_author"] * 2
        assert (pulled.manifest.counts["anonymous"], pulled.manifest.counts["counted"]) == (2, 0)
    (status,) = progress(board.server, board.title)
    assert (status.finished, status.left, status.agreement) == (0, 4, None)


def test_machines_judgements_stay_apart(label_studio: Team, record: Raw, out: Path) -> None:
    dilemma = made(record)
    board = Board(label_studio, "Machines", [made(record, 2)])
    raw = tasks.task(dilemma, "open")
    placed = Judgement(
        dilemma=dilemma.id, revision=1, reviewer="a-judge", kind="machine", repeat=1,
        placements=tuple(
            Placement(polarity=side, intensity=strength, judged_polarity=side, judged_intensity=strength)
            for side, strength in PLACES
        ),
    )  # fmt: skip
    (task,) = board.add({**raw, "predictions": [tasks.prediction(placed, tasks.sent(raw))]})
    board.annotate(ALICE, task)
    pulled = board.pull(out)
    assert [(one.reviewer, one.kind) for one in pulled.people] == [("reviewer-01", "person")]
    assert [(one.reviewer, one.repeat, one.kind) for one in pulled.machines] == [("a-judge", 1, "machine")]
    assert [one.verdict for one in pulled.machines[0].verdicts] == ["matches"] * 6
    assert pulled.manifest.counts["predictions"] == 1
    kept = (out / rounds.predictions_of(pulled.manifest.export)).read_text()
    assert json.loads(kept) == board.server.predictions(board.project)
    assert '"matches"' in kept
    assert "example.com" not in kept


def test_a_file_of_dilemmas_is_held_against_the_project(
    label_studio: Team, record: Raw, out: Path, write_lines: Callable[..., Path]
) -> None:
    board = Board(label_studio, "Held against", [made(record, number) for number in (1, 2, 3)])
    ours = [made(record, 1), made(record, 2, scenario="You find that it reads differently by now."), made(record, 4)]
    path = write_lines(*(one.model_dump(mode="json", exclude_none=True) for one in ours))
    pulled = board.pull(out, dataset=dataset.read(path))
    assert [(one.kind, one.dilemma) for one in pulled.manifest.problems] == [
        ("missing_task", None), ("other_text", "dilemma-2"), ("unknown_task", "dilemma-3"),
    ]  # fmt: skip
    assert "dilemma-4" in pulled.manifest.problems[0].what


def test_a_raw_export_is_kept_once_for_each_state_of_the_project(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "Raw exports", [made(record)])
    first, again = board.pull(out), board.pull(out)
    assert again.manifest.export == first.manifest.export
    kept = files(out / rounds.RAW)
    assert len(kept) == 2  # tasks and predictions
    board.annotate(ALICE, board.ids[0])
    third = board.pull(out)
    now = files(out / rounds.RAW)
    assert third.manifest.export != first.manifest.export
    assert len(now) == 4
    assert kept.items() < now.items()
    assert json.loads((out / third.manifest.export).read_text()) == board.server.export(board.project)


def test_a_raw_export_is_not_kept_again_for_the_time_that_goes_by(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "Time goes by", [made(record)])
    board.draft(ALICE, board.ids[0], answers.result({form.DECISION: "accept"}))
    before = board.pull(out)
    export = board.server.export(board.project)
    export[0]["drafts"][0]["created_ago"] = "3 weeks"
    with FaultyLabelStudio(label_studio, Fault("GET", "/export", Answer(200, export))) as faulty:
        later = pull(faulty.server(), board.title, out, names=out.parent / "key.jsonl")
    assert (later.manifest.export, later.manifest.sha256) == (before.manifest.export, before.manifest.sha256)
    assert len(files(out / rounds.RAW)) == 2
    export[0]["drafts"][0]["result"] = []
    with FaultyLabelStudio(label_studio, Fault("GET", "/export", Answer(200, export))) as faulty:
        changed = pull(faulty.server(), board.title, out, names=out.parent / "key.jsonl")
    assert changed.manifest.export != before.manifest.export


def test_people_keep_their_names_in_the_next_round(label_studio: Team, record: Raw, out: Path) -> None:
    one, two = (Board(label_studio, f"Names {number}", [made(record)]) for number in (1, 2))
    one.annotate(BOB, one.ids[0])
    for person in (ALICE, BOB):
        two.annotate(person, two.ids[0])
    assert [found.reviewer for found in one.pull(out).people] == ["reviewer-01"]
    names = {found.annotation: found.reviewer for found in two.pull(out.with_name("round-2")).people}
    assert [names[number] for number in sorted(names)] == ["reviewer-02", "reviewer-01"]


def test_addresses_are_written_where_that_is_asked_for(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "Addresses", [made(record)])
    board.annotate(ALICE, board.ids[0])
    board.draft(BOB, board.ids[0], [])
    pulled = board.pull(out, names=None)
    assert [one.reviewer for one in pulled.people] == [ALICE.email, BOB.email]
    assert not pulled.manifest.pseudonyms
    assert list(out.parent.iterdir()) == [out]  # no key file
    with pytest.raises(InputError):
        board.pull(out)  # else older exports in it would name people


def test_the_command_says_what_came_back_and_what_is_wrong(
    label_studio: Team, record: Raw, tmp_path: Path, command: Callable[..., Any]
) -> None:
    board = Board(label_studio, "By command", [made(record)])
    board.annotate(ALICE, board.ids[0], result=result(board.sent[board.ids[0]], harmless="perhaps"))
    arguments = ("review", "pull", "--project", "By command", "--out", "annotations/round 1/")
    done = command(*arguments, env=label_studio.environment())
    assert done.returncode == 0, done.stderr
    assert "reviewer-01 1" in done.stdout
    assert "dilemmas review agree 'annotations/round 1'" in done.stdout
    assert "unknown answer (" in done.stderr
    assert (tmp_path / "annotations" / "pseudonyms.jsonl").exists()
    done = command(*arguments, "--json", env=label_studio.environment())
    assert json.loads(done.stdout)["counts"]["judgements"] == 1
    assert done.stderr == ""


def test_what_cannot_be_pulled_is_refused_and_nothing_is_written(
    label_studio: Team, record: Raw, tmp_path: Path
) -> None:
    board = Board(label_studio, "Only one", [made(record)])
    for title in ("Two of a kind", "Two of a kind"):
        Board(label_studio, title, [made(record)])
    label_studio.sdk().projects.create(title="Somebody's own", label_config="<View></View>")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / rounds.DILEMMAS).write_text("mine")
    inside = tmp_path / "new" / "key.jsonl"
    before = files(tmp_path)
    cases: list[tuple[str, str, Raw, str]] = [
        ("Only onn", "new", {}, "Only one"),
        ("Two of a kind", "new", {}, "/projects/"),
        ("Somebody's own", "new", {}, "Somebody's own"),
        ("Only one", "file", {}, "file"),
        ("Only one", "mine", {}, rounds.DILEMMAS),
        ("Only one", "new", {"names": inside}, str(inside)),
    ]
    for title, folder, options, told in cases:
        with pytest.raises(DilemmasError, match=told):
            pull(board.server, title, tmp_path / folder, **{"names": None} | options)
        assert files(tmp_path) == before


def test_the_folder_of_another_project_is_left_alone(label_studio: Team, record: Raw, out: Path) -> None:
    one, two = (Board(label_studio, title, [made(record)]) for title in ("First here", "Comes later"))
    one.pull(out)
    before = files(out)
    with pytest.raises(InputError, match="First here"):
        two.pull(out)
    assert files(out) == before


NOT_JSON, ANOTHER_SHAPE = Answer(200, html().body, kind="text/html"), Answer(200, [{"id": 1}])
FAULTS = {
    "a page in place of the export": ("/export", NOT_JSON),
    "a torn export": ("/export", Answer(200, b'[{"id": 1, "annotations": [')),
    "an export of another shape": ("/export", ANOTHER_SHAPE),
    "no list": ("/export", Answer(200, {"detail": "later"})),
    "the project is deleted": ("/export", html(404)),
    "the key is refused": ("/export", Answer(401, {"detail": "Invalid token."})),
    "a page in place of the users": ("/api/users", NOT_JSON),
    "predictions of another shape": ("/api/predictions", ANOTHER_SHAPE),
}


def test_a_server_that_fails_half_way_leaves_the_folder_as_it_was(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "Half way", [made(record)])
    board.pull(out)
    before = files(out)
    for what, (path, answer) in FAULTS.items():
        with FaultyLabelStudio(label_studio, Fault("GET", path, answer, times=99)) as faulty:
            server = faulty.server()
            with pytest.raises(ReviewError) as error:
                pull(server, board.title, out, names=out.parent / "key.jsonl")
        assert ADMIN.token not in str(error.value), what
        assert files(out) == before, what


def test_a_connection_that_drops_once_is_no_matter(label_studio: Team, record: Raw, out: Path) -> None:
    board = Board(label_studio, "Dropped once", [made(record)])
    with FaultyLabelStudio(label_studio, Fault("GET", "/export", DROP)) as faulty:
        assert pull(faulty.server(), board.title, out, names=None).manifest.counts["tasks"] == 1


def test_a_full_disk_leaves_the_folder_as_it_was(
    label_studio: Team, record: Raw, tmp_path: Path, command: Callable[..., Any]
) -> None:
    board = Board(label_studio, "Full disk", [made(record)])
    arguments = ("review", "pull", "--project", "Full disk", "--out", "round")
    assert command(*arguments, env=label_studio.environment()).returncode == 0
    before = files(tmp_path)
    board.annotate(ALICE, board.ids[0])
    done = command(
        *arguments,
        env=label_studio.environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert done.returncode == 2
    assert "round" in done.stderr
    assert {name: data for name, data in files(tmp_path).items() if name != "pseudonyms.jsonl"} == before


@pytest.mark.parametrize("spoilt", [{"created_at": 5}, {"result": [], "updated_at": [1]}])
def test_an_annotation_that_is_no_record_at_all_is_told(record: Raw, spoilt: Raw) -> None:
    raw = tasks.task(made(record), "open")
    annotation = {"id": 7, "completed_by": 1, "updated_by": 1, "result": result(tasks.sent(raw))} | spoilt
    (task,), _ = exports.ours([{"id": 1, **raw, "annotations": [annotation], "drafts": [], "predictions": []}])
    reader = exports.Reader(exports.Names({1: "reviewer-01"}, {}, {}))
    reader.read([task], [])
    assert [(one.kind, one.annotation, one.dilemma) for one in reader.problems] == [("unreadable", 7, "dilemma-1")]
    assert reader.people == ()


def one_said(number: int, updated: str, **fields: Any) -> Judgement:
    return Judgement(
        **{"dilemma": "d-1", "revision": 1, "reviewer": "reviewer-01", "kind": "person", "annotation": number}
        | {"decision": "accept", "updated": updated}
        | fields
    )


@pytest.mark.parametrize(
    ("first", "second", "superseded"),
    [
        ({}, {"updated": "2026-11-21T10:00:00.5Z"}, (True, False)),
        ({"updated": "2026-11-21T10:00:00.000001Z"}, {}, (False, True)),
        ({}, {}, (True, False)),  # at the same time: the higher number
        (
            {"created": "2026-11-21T09:00:00Z", "updated": "2026-11-22T00:00:00Z", "editor": "reviewer-02"},
            {},
            (True, False),
        ),
        ({}, {"decision": None, "updated": "2026-11-22T00:00:00Z"}, (False, False)),
        ({}, {"state": "skipped", "updated": "2026-11-22T00:00:00Z"}, (False, False)),
        ({"state": "skipped"}, {"updated": "2026-11-22T00:00:00Z"}, (True, False)),
        ({"state": "draft"}, {"updated": "2026-11-22T00:00:00Z"}, (True, False)),
        ({}, {"ground_truth": True, "updated": "2026-11-22T00:00:00Z"}, (False, False)),
        ({}, {"reviewer": "reviewer-02"}, (False, False)),
        ({}, {"text_sha256": "0" * 64}, (False, False)),
    ],
)
def test_what_supersedes_what(first: Raw, second: Raw, superseded: tuple[bool, bool]) -> None:
    time = "2026-11-21T10:00:00Z"
    found = [one_said(1, **{"updated": time} | first), one_said(2, **{"updated": time} | second)]
    assert tuple(one.superseded for one in exports.with_superseded(found)) == superseded
    assert tuple(one.superseded for one in reversed(exports.with_superseded(found[::-1]))) == superseded

"""Dilemmas on their way into a project of a real Label Studio, and what stops them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fake_label_studio import DROP, Fault, FaultyLabelStudio
from fake_server import Answer
from label_studio_server import ALICE, BOB, Team

from dilemmas.errors import InputError, ReviewError
from dilemmas.review import form as forms
from dilemmas.review import push as pushing
from dilemmas.review import selection, tasks
from dilemmas.review.push import push
from dilemmas.schema import PLACES, Dilemma, Judgement, Placement

Record = dict[str, Any]
Run = Callable[..., subprocess.CompletedProcess[str]]
ACCEPTED = [{"from_name": "decision", "to_name": "scenario", "type": "choices", "value": {"choices": ["accept"]}}]


@pytest.fixture
def title() -> str:
    """Of a project that nobody else has."""
    return f"Push {uuid4().hex[:12]}"


@pytest.fixture
def some(record: Record) -> Callable[[int], list[Dilemma]]:
    """As many dilemmas as are asked for."""

    def make(count: int) -> list[Dilemma]:
        return [
            Dilemma.model_validate(record | {"id": f"made-{n:02d}", "scenario": f"{record['scenario']} Case {n}."})
            for n in range(count)
        ]

    return make


def newer(dilemma: Dilemma, *, by: int = 1) -> Dilemma:
    """The next revision, with another scenario."""
    text = f"{dilemma.scenario} It is late."
    return dilemma.model_copy(update={"revision": dilemma.revision + by, "scenario": text})


def reading(dilemma: Dilemma, *, repeat: int = 0, **changes: Any) -> Judgement:
    """A machine's judgement that puts each action where it was meant."""
    placements = tuple(
        Placement(polarity=side, intensity=strength, judged_polarity=side, judged_intensity=strength)
        for side, strength in PLACES
    )
    fields = {"dilemma": dilemma.id, "revision": dilemma.revision, "reviewer": "a-judge", "kind": "machine"}
    return Judgement(**{**fields, "repeat": repeat, "placements": placements, **changes})


def exported(team: Team, title: str) -> dict[str, Record]:
    """All tasks of a project that are ours, by text; and that there is one a text."""
    (project,) = team.server().projects(title)
    found = team.server().export(project)
    by_text = {raw["data"][tasks.TEXT]: raw for raw in found if tasks.TEXT in raw["data"]}
    assert len(by_text) == sum(tasks.TEXT in raw["data"] for raw in found)
    return by_text


def begin(team: Team, task: int, how: str) -> None:
    """Have Alice judge a task, skip it or leave a draft."""
    sdk = team.sdk(ALICE)
    if how == "draft":
        sdk._client_wrapper.httpx_client.request(
            f"api/tasks/{task}/drafts", method="POST", json={"result": ACCEPTED, "lead_time": 3}
        )
    else:
        sdk.annotations.create(id=task, result=ACCEPTED, lead_time=5, was_cancelled=how == "skip", ground_truth=False)


# What is sent


@pytest.mark.parametrize("form", ["open", "blind"])
def test_a_second_push_sends_no_task_and_changes_nothing(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]], form: forms.FormName
) -> None:
    with FaultyLabelStudio(label_studio) as watched:
        first = push(watched.server(), some(3), title, form=form)
        before = exported(label_studio, title)
        wrote = [one for one in watched.seen if one.method != "GET"]
        again = push(watched.server(), some(3), title, form=form)
        assert [one for one in watched.seen if one.method != "GET"] == wrote
    assert (first.created, first.sent, first.annotators) == (True, 3, 2)
    assert (again.created, again.sent, again.changed) == (False, 0, ())
    assert exported(label_studio, title) == before
    assert {tasks.sent(raw).dilemma for raw in before.values()} == set(some(3))


def test_a_push_sends_only_what_is_missing(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "BATCH", 2)
    push(label_studio.server(), some(2), title)
    told: list[tuple[int, int]] = []
    done = push(label_studio.server(), some(5), title, progress=lambda sent, planned: told.append((sent, planned)))
    assert (done.sent, done.dilemmas, told) == (3, 5, [(2, 3), (3, 3)])
    assert len(exported(label_studio, title)) == 5


def test_a_new_text_replaces_one_that_nobody_has_begun(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    first, other = some(2)
    push(label_studio.server(), [first, other], title)
    done = push(label_studio.server(), [newer(first), other], title)
    assert (done.sent, done.removed, done.kept) == (1, 1, 0)
    assert exported(label_studio, title).keys() == {tasks.text_sha256(newer(first)), tasks.text_sha256(other)}


@pytest.mark.parametrize("how", ["judge", "skip", "draft"])
def test_what_people_have_begun_stays_byte_for_byte(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]], how: str
) -> None:
    (dilemma,) = some(1)
    push(label_studio.server(), [dilemma], title)
    begin(label_studio, exported(label_studio, title)[tasks.text_sha256(dilemma)]["id"], how)
    before = exported(label_studio, title)[tasks.text_sha256(dilemma)]
    done = push(label_studio.server(), [newer(dilemma)], title)
    assert (done.sent, done.removed, done.kept) == (1, 0, 1)
    after = exported(label_studio, title)
    ago = {"created_ago"}  # told anew by the minute
    for raw in (before, after[tasks.text_sha256(dilemma)]):
        raw["drafts"] = [{name: one[name] for name in one.keys() - ago} for one in raw["drafts"]]
    assert after[tasks.text_sha256(dilemma)] == before
    assert tasks.text_sha256(newer(dilemma)) in after


def test_two_judged_texts_never_have_one_revision_number(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    first, other = some(2)
    push(label_studio.server(), [first], title)
    begin(label_studio, exported(label_studio, title)[tasks.text_sha256(first)]["id"], "draft")
    before = exported(label_studio, title)
    with pytest.raises(InputError) as refused:
        push(label_studio.server(), [newer(first, by=0), other], title)
    assert first.id in str(refused.value)
    assert "revision 2" in refused.value.fix
    assert exported(label_studio, title).keys() == before.keys()


def test_an_older_revision_does_not_come_back(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    first, other = some(2)
    push(label_studio.server(), [newer(first)], title)
    with pytest.raises(InputError, match="revision 2"):
        push(label_studio.server(), [first, other], title)
    assert exported(label_studio, title).keys() == {tasks.text_sha256(newer(first))}


def test_of_two_tasks_with_one_text_the_one_that_was_begun_stays(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    first, other = some(2)
    server = label_studio.server()
    push(server, [first, other], title)
    (project,) = server.projects(title)
    (double, _) = server.import_tasks(project, [tasks.task(first, "open"), tasks.task(other, "open")])
    begin(label_studio, double, "draft")
    done = push(server, [first, other], title)
    assert (done.sent, done.removed, done.kept) == (0, 2, 0)
    assert exported(label_studio, title)[tasks.text_sha256(first)]["id"] == double


def test_tasks_of_others_are_left_alone_and_counted(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    server = label_studio.server()
    push(server, some(1), title)
    (project,) = server.projects(title)
    data = dict.fromkeys(forms.data_keys("open"), "mine")
    (theirs,) = server.import_tasks(project, [{"data": data}])
    done = push(server, [newer(one) for one in some(1)], title)
    assert (done.others, done.removed) == (1, 1)
    assert theirs in [raw["id"] for raw in server.tasks(project)]


def test_a_task_that_was_changed_on_the_server_is_not_taken_away(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    (dilemma,) = some(1)
    server = label_studio.server()
    push(server, [dilemma], title)
    raw = exported(label_studio, title)[tasks.text_sha256(dilemma)]
    label_studio.sdk().tasks.update(id=str(raw["id"]), data=raw["data"] | {"scenario": "Mine."})
    done = push(server, [newer(dilemma)], title)
    assert (done.sent, done.removed, done.kept) == (1, 0, 1)


def test_a_task_whose_text_was_changed_on_the_server_is_told_until_it_is_deleted(
    label_studio: Team,
    title: str,
    some: Callable[[int], list[Dilemma]],
    command: Run,
    write_lines: Callable[..., Path],
) -> None:
    dilemmas = some(2)
    server = label_studio.server()
    push(server, dilemmas, title)
    raw = exported(label_studio, title)[dilemmas[0].text_sha256]
    label_studio.sdk().tasks.update(id=str(raw["id"]), data=raw["data"] | {"scenario": "Mine."})
    path = write_lines(*(one.model_dump(mode="json", exclude_none=True) for one in dilemmas))
    told = command("review", "push", path, "--project", title, env=label_studio.environment()).stdout
    assert f"1 changed on the server; delete in Label Studio and push again: {raw['id']}" in told
    (project,) = server.projects(title)
    server.delete_tasks(project, [raw["id"]])
    done = push(server, dilemmas, title)
    assert (done.sent, done.altered) == (1, ())


def test_of_two_tasks_with_one_text_the_one_that_was_changed_does_not_stand(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    dilemmas = some(1)
    server = label_studio.server()
    push(server, dilemmas, title)
    (raw,) = exported(label_studio, title).values()
    label_studio.sdk().tasks.update(id=str(raw["id"]), data=raw["data"] | {"scenario": "Mine."})
    begin(label_studio, raw["id"], "judge")
    (project,) = server.projects(title)
    server.import_tasks(project, [tasks.task(dilemmas[0], "open")])
    done = push(server, dilemmas, title)
    assert (done.sent, done.removed, done.kept, done.altered) == (0, 0, 1, ())


# The project


def test_a_project_is_made_for_annotators_who_see_no_predictions(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    (dilemma,) = some(1)
    push(label_studio.server(), [dilemma], f" {title} ", predictions=[reading(dilemma)], annotators=3)
    (project,) = label_studio.sdk().projects.list(title=title)
    assert (project.title, project.maximum_annotations, project.show_collab_predictions) == (title, 3, False)
    assert project.show_instruction
    assert project.expert_instruction
    client = label_studio.sdk(BOB)._client_wrapper.httpx_client
    shown = client.request(f"api/projects/{project.id}/next", method="GET").json()
    assert shown["data"][tasks.KEY] == dilemma.id
    assert shown["predictions"] == []


def test_a_project_that_is_there_gets_the_config_the_instructions_and_the_annotators_of_now(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    server = label_studio.server()
    push(server, some(1), title)
    (project,) = server.projects(title)
    older = project.label_config.replace("</View>", "<Header value='older'/></View>", 1)
    server.update_project(project, label_config=older, instructions="<p>older</p>")
    done = push(server, some(1), title, annotators=3)
    assert set(done.changed) == {"label_config", "annotators", "instructions"}
    (now,) = server.projects(title)
    assert now._replace(annotators=2) == project
    assert now.annotators == 3
    assert push(server, some(1), title).annotators == 3


def test_a_config_that_annotations_do_not_fit_changes_nothing(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    server = label_studio.server()
    push(server, some(1), title)
    (project,) = server.projects(title)
    extra = '<Choices name="extra" toName="scenario"><Choice value="yes"/></Choices></View>'
    server.update_project(project, label_config=project.label_config.rstrip().removesuffix("</View>") + extra)
    (raw,) = exported(label_studio, title).values()
    said = [{**ACCEPTED[0], "from_name": "extra", "value": {"choices": ["yes"]}}]
    label_studio.sdk(ALICE).annotations.create(id=raw["id"], result=said)
    (before,) = server.projects(title)
    with pytest.raises(ReviewError):
        push(server, some(2), title, annotators=3)
    assert server.projects(title) == [before]
    assert len(exported(label_studio, title)) == 1


def test_a_dry_run_changes_nothing(label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]) -> None:
    first, other = some(2)
    with FaultyLabelStudio(label_studio) as watched:
        planned = push(watched.server(), [first], title, dry_run=True)
        assert (planned.created, planned.sent, planned.url) == (True, 1, None)
        assert label_studio.server().projects(title) == []
        push(label_studio.server(), [first], title)
        late = [reading(newer(first)), reading(other)]
        planned = push(watched.server(), [newer(first), other], title, annotators=4, predictions=late, dry_run=True)
        assert (planned.sent, planned.removed, planned.predictions, planned.changed) == (2, 1, 2, ("annotators",))
        assert {one.method for one in watched.seen} == {"GET"}


def test_a_project_with_the_other_form_is_refused(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    push(label_studio.server(), some(1), title, form="blind")
    with pytest.raises(ReviewError, match="blind form") as refused:
        push(label_studio.server(), some(2), title)
    assert "--blind" in refused.value.fix
    assert len(exported(label_studio, title)) == 1


def test_a_project_of_somebody_else_is_refused(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    made = label_studio.sdk().projects.create(title=title, label_config="<View><Text name='t' value='$t'/></View>")
    with pytest.raises(ReviewError, match="not made by") as refused:
        push(label_studio.server(), some(1), title)
    assert str(made.id) in refused.value.where
    assert label_studio.server().tasks(label_studio.server().project(made.id)) == []


def test_two_projects_of_one_title_are_both_named(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    server = label_studio.server()
    config = forms.labeling_config("open")
    both = [server.create_project(title, config, annotators=2, instructions="") for _ in range(2)]
    with pytest.raises(ReviewError) as refused:
        push(server, some(1), title)
    assert all(one.url in str(refused.value) for one in both)
    assert [server.tasks(one) for one in both] == [[], []]


@pytest.mark.parametrize("bad", ["  ab  ", "x" * 51, "two\nlines"])
def test_a_title_that_label_studio_does_not_take_is_refused_before_anything_is_sent(
    label_studio: Team, some: Callable[[int], list[Dilemma]], bad: str
) -> None:
    with FaultyLabelStudio(label_studio) as watched:
        server = watched.server()
        seen = len(watched.seen)
        with pytest.raises(InputError, match="title"):
            push(server, some(1), bad)
        assert len(watched.seen) == seen


# Predictions


def test_predictions_go_with_new_tasks_and_later_to_those_that_nobody_has_begun(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    server = label_studio.server()
    first, begun, new = some(3)
    readings = [reading(one, repeat=repeat) for one in (first, begun) for repeat in (0, 1)]
    unreadable = reading(first, repeat=2, placements=())
    assert push(server, [first, begun], title, predictions=readings[::2], form="blind").predictions == 2
    begin(label_studio, exported(label_studio, title)[tasks.text_sha256(begun)]["id"], "skip")
    for added in (2, 0):  # the second time they are there
        done = push(
            server, [first, begun, new], title, predictions=[*readings, reading(new), unreadable], form="blind", seed=3
        )
        assert (done.predictions, done.predictions_left, done.unreadable) == (added, 1, 1)
    (project,) = server.projects(title)
    of = {raw["id"]: tasks.sent(raw) for raw in exported(label_studio, title).values()}
    found = [tasks.machine_judgement(one, of[one["task"]]).judgement for one in server.predictions(project)]
    assert sorted((one.dilemma, one.repeat) for one in found) == [
        (first.id, 0), (first.id, 1), (begun.id, 0), (new.id, 0),
    ]  # fmt: skip
    assert all({*one.placements} == {*readings[0].placements} for one in found)


def test_judgements_of_other_dilemmas_are_left_out(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]]
) -> None:
    first, other = some(2)
    done = push(label_studio.server(), [first], title, predictions=[reading(other), reading(first)], dry_run=True)
    assert done.predictions == 1


# What fails on the way


def cut_off(
    label_studio: Team, title: str, dilemmas: list[Dilemma], *faults: Fault, monkeypatch: pytest.MonkeyPatch
) -> tuple[pushing.Pushed | ReviewError, int]:
    """Push in batches of two through a server that fails; gives what came of it, and the imports asked for."""
    monkeypatch.setattr(pushing, "BATCH", 2)
    with FaultyLabelStudio(label_studio, *faults) as faulty:
        try:
            came: pushing.Pushed | ReviewError = push(faulty.server(), dilemmas, title)
        except ReviewError as error:
            came = error
        return came, faulty.count("POST", "/import")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(500, b'{"detail": "database is locked"}'), id="500"),
        pytest.param(Answer(401, b'{"detail": "Invalid token."}'), id="401"),
        pytest.param(Answer(502, b"<html><h1>Bad gateway</h1></html>", kind="text/html"), id="HTML"),
        pytest.param(DROP, id="dropped"),
    ],
)
def test_a_push_that_was_cut_off_is_completed_by_the_same_push(
    label_studio: Team,
    title: str,
    some: Callable[[int], list[Dilemma]],
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
) -> None:
    fault = Fault("POST", "/import", answer, skip=1)
    error, imports = cut_off(label_studio, title, some(5), fault, monkeypatch=monkeypatch)
    assert isinstance(error, ReviewError)
    assert imports == 2
    assert "2 of 5" in error.fix
    assert len(exported(label_studio, title)) == 2
    done = push(label_studio.server(), some(5), title)
    assert (done.sent, done.created) == (3, False)
    assert len(exported(label_studio, title)) == 5


@pytest.mark.parametrize(
    "answer", [pytest.param(DROP, id="dropped"), pytest.param(Answer(504, b"<html>", kind="text/html"), id="504")]
)
def test_a_batch_whose_answer_was_lost_is_not_sent_again(
    label_studio: Team,
    title: str,
    some: Callable[[int], list[Dilemma]],
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
) -> None:
    fault = Fault("POST", "/import", answer, skip=1, stored=True)
    done, imports = cut_off(label_studio, title, some(5), fault, monkeypatch=monkeypatch)
    assert isinstance(done, pushing.Pushed)
    assert (done.sent, imports) == (5, 3)
    assert len(exported(label_studio, title)) == 5


def test_a_project_that_is_deleted_meanwhile_is_told(
    label_studio: Team, title: str, some: Callable[[int], list[Dilemma]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "BATCH", 2)
    server = label_studio.server()

    def delete(sent: int, planned: int) -> None:
        (project,) = server.projects(title)
        server.delete_project(project)

    with pytest.raises(ReviewError) as lost:
        push(server, some(3), title, progress=delete)
    assert lost.value.status == 404
    assert "2 of 3" in lost.value.fix
    assert push(server, some(3), title).sent == 3


# What of a file goes out


def test_a_sample_does_not_depend_on_the_order_of_the_file(some: Callable[[int], list[Dilemma]]) -> None:
    drawn = selection.choose(some(30), sample=10, seed=1)
    assert set(drawn) == set(selection.choose(some(30)[::-1], sample=10, seed=1))
    assert list(drawn) == [one for one in some(30) if one in drawn]
    assert set(drawn) != set(selection.choose(some(30), sample=10, seed=2))


def test_a_larger_sample_or_a_larger_file_keeps_what_was_drawn(some: Callable[[int], list[Dilemma]]) -> None:
    drawn = set(selection.choose(some(30), sample=10, seed=1))
    assert drawn < set(selection.choose(some(30), sample=15, seed=1))
    grown = set(selection.choose(some(40), sample=10, seed=1))
    assert {one for one in grown if one in some(30)} <= drawn


def test_only_what_is_undecided_goes_out(some: Callable[[int], list[Dilemma]]) -> None:
    first, other = some(2)
    open_ = other.model_copy(update={"review": other.review.model_copy(update={"status": "undecided"})})
    assert selection.choose([first, open_], only_undecided=True) == (open_,)
    with pytest.raises(InputError, match="undecided"):
        selection.choose([first, other], only_undecided=True)


def test_no_more_can_be_drawn_than_there_is(some: Callable[[int], list[Dilemma]]) -> None:
    with pytest.raises(InputError, match="only 3"):
        selection.choose(some(3), sample=4)


def test_readings_are_read_as_they_were_written(tmp_path: Path, some: Callable[[int], list[Dilemma]]) -> None:
    given = tuple(
        reading(one, repeat=repeat, text_sha256=text)
        for one in some(2)
        for repeat, text in enumerate((None, one.text_sha256))
    )
    path = tmp_path / "judgements.jsonl"
    path.write_text("".join(one.model_dump_json() + "\n" for one in given))
    assert selection.readings(path, some(2)) == given


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"dilemma": "made-09"}, "made-09"),
        ({"revision": 2}, "revision 2"),
        ({"text_sha256": "0" * 64}, "another text"),
        ({"kind": "person"}, "person"),
        ({"repeat": 0}, "earlier line"),
    ],
)
def test_a_reading_that_does_not_fit_the_file_is_told_by_its_line(
    tmp_path: Path, some: Callable[[int], list[Dilemma]], changes: Record, what: str
) -> None:
    (dilemma,) = some(1)
    path = tmp_path / "judgements.jsonl"
    lines = [reading(dilemma), reading(dilemma, repeat=1).model_copy(update=changes)]
    path.write_text("".join(one.model_dump_json() + "\n" for one in lines))
    with pytest.raises(InputError, match=what) as refused:
        selection.readings(path, [dilemma])
    assert refused.value.where.endswith("line 2")


def test_a_line_that_is_no_reading_is_told(tmp_path: Path, some: Callable[[int], list[Dilemma]]) -> None:
    path = tmp_path / "judgements.jsonl"
    path.write_text('{"dilemma": "made-00"\n')
    with pytest.raises(InputError, match="JSON") as refused:
        selection.readings(path, some(1))
    assert refused.value.where.endswith("line 1")
    assert "check --judge" in refused.value.fix


# The command


def test_the_command_pushes_and_says_what_it_did(
    label_studio: Team,
    title: str,
    command: Run,
    write_lines: Callable[..., Path],
    record: Record,
    some: Callable[[int], list[Dilemma]],
) -> None:
    path = write_lines(*(record | {"id": one.id} for one in some(3)))
    readings = write_lines(*(reading(one).model_dump(mode="json") for one in some(3)), name="judgements.jsonl")
    environment = label_studio.environment()
    first = command("review", "push", path, "--project", title, "--sample", 2, "--blind", env=environment)
    assert first.returncode == 0, first.stderr
    assert title in first.stdout
    assert "2 sent" in first.stdout
    assert label_studio.url in first.stdout
    assert "dilemmas review status" in first.stdout
    more = ("--predictions", readings, "--json")
    again = command("review", "push", path, "--project", title, "--blind", *more, env=environment)
    assert again.returncode == 0
    assert again.stderr == ""
    told = json.loads(again.stdout)
    assert (told["sent"], told["dilemmas"], told["created"], told["form"]) == (1, 3, False, "blind")
    assert told["predictions"] == 3


@pytest.mark.parametrize(
    ("options", "what"), [(["--sample", 5], "--sample"), (["--only-undecided"], "--only-undecided")]
)
def test_the_command_finds_what_is_wrong_with_its_input_without_a_server(
    command: Run, write_lines: Callable[..., Path], record: Record, options: list[Any], what: str
) -> None:
    done = command("review", "push", write_lines(record), "--project", "Round 1", *options)
    assert done.returncode == 2
    assert what in done.stderr


def test_the_command_names_the_line_of_a_bad_dilemma(
    command: Run, write_lines: Callable[..., Path], record: Record
) -> None:
    path = write_lines(record, record | {"id": "made-1", "scenario": ""})
    done = command("review", "push", path, "--project", "Round 1")
    assert done.returncode == 2
    assert "line 2" in done.stderr
    assert "scenario" in done.stderr

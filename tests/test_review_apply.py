"""A round applied to a file: what is written, what is refused, and that nothing is lost or half-written."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from label_studio_server import ALICE, BOB, Team

from dilemmas import dataset
from dilemmas.errors import InputError
from dilemmas.review import answers, form, rounds
from dilemmas.review.apply import apply, next_title
from dilemmas.review.decisions import Rule
from dilemmas.review.tasks import text_sha256
from dilemmas.schema import Decision, Dilemma, Edit, Judgement, Round

Record = dict[str, Any]
Command = Callable[..., subprocess.CompletedProcess[str]]
NAMES = ("good", "better", "bad", "split", "unseen", "edited")
"""Ids of the dilemmas of `drafts`."""


@pytest.fixture
def drafts(tmp_path: Path, record: Record) -> Path:
    """Six dilemmas, one a line, in a form that is not the one we write."""
    path = tmp_path / "drafts.jsonl"
    path.write_text("".join(json.dumps({**record, "id": name}, indent=None) + "\n" for name in NAMES))
    return path


def pull(
    folder: Path,
    judgements: list[Judgement],
    dilemmas: tuple[Dilemma, ...],
    title: str = "Round 1",
    *,
    pseudonyms: bool = True,
) -> Path:
    """A folder as `dilemmas review pull` writes it."""
    manifest = Round(
        project=title, form="open", annotators=2, pulled="2026-11-21T10:00:00Z", export="raw/1.json",
        sha256="0" * 64, pseudonyms=pseudonyms, counts={},
    )  # fmt: skip
    rounds.write(folder, rounds.Pulled(manifest, {one.id: one for one in dilemmas}, tuple(judgements), ()), "[]")
    return folder


def judged(dilemma: Dilemma, *decisions: str, **fields: Any) -> list[Judgement]:
    """Verdicts on a dilemma by reviewer-01 and so on."""
    return [
        Judgement.model_validate({
            "dilemma": dilemma.id, "revision": dilemma.revision, "text_sha256": text_sha256(dilemma),
            "reviewer": f"reviewer-{number:02}", "kind": "person", "decision": decision,
            "updated": "2026-11-20T08:30:00.5Z", **fields,
        })
        for number, decision in enumerate(decisions, start=1)
    ]  # fmt: skip


@pytest.fixture
def round_1(tmp_path: Path, drafts: Path) -> Path:
    """A round in which each of the dilemmas fares differently."""
    here = {one.id: one for one in dataset.read(drafts).dilemmas}
    older = here["edited"].model_copy(update={"scenario": "You are asked something else."})
    edit = Edit(polarity="opposed", intensity="mild", text="I say a little, and change the subject.")
    verdicts = [
        *judged(here["good"], "accept", "accept"),
        *judged(here["better"], "revise", "revise", edits=(edit,), comment="It said too much."),
        *judged(here["bad"], "reject", "reject"),
        *judged(here["split"], "accept", "reject"),
        *judged(older, "accept", "accept"),
        *judged(here["unseen"], "accept", state="draft"),
    ]
    return pull(tmp_path / "round-1", verdicts, (*list(here.values())[:-1], older))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(*arguments: Any, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        apply(*arguments, **options)
    return caught.value


def test_a_small_round_and_all_that_comes_of_it(
    command: Command, drafts: Path, round_1: Path, golden: Callable[[str, str], None]
) -> None:
    done = command("review", "apply", "round-1", "drafts.jsonl", "--out", "reviewed.jsonl")
    assert done.returncode == 3
    shown = [done.stdout, "--- standard error", done.stderr]
    for name in ("reviewed.jsonl", "reviewed.history.jsonl"):
        shown.append(f"--- {name}")
        for one in dataset.read(drafts.with_name(name)).dilemmas:
            shown.append(f"{one.id} {one.revision} {one.review} | {one.provenance.author}: {one.provenance.method}")
    decisions = drafts.with_name("reviewed.decisions.jsonl").read_text(encoding="utf-8")
    golden("review_apply.txt", "\n".join([*shown, "--- reviewed.decisions.jsonl", decisions]))


def test_the_same_command_gives_the_same_bytes_and_touches_nothing_else(
    tmp_path: Path, drafts: Path, round_1: Path
) -> None:
    before = contents(tmp_path)
    out = tmp_path / "reviewed.jsonl"
    first = apply(round_1, drafts, out, Rule())
    after = contents(tmp_path)
    assert {name: data for name, data in after.items() if name in before} == before
    assert after.keys() - before.keys() == {f"reviewed{kind}.jsonl" for kind in ("", ".history", ".decisions")}
    assert apply(round_1, drafts, out, Rule()) == first
    assert contents(tmp_path) == after


def test_lines_that_nobody_judged_stay_byte_for_byte(tmp_path: Path, drafts: Path, round_1: Path) -> None:
    apply(round_1, drafts, tmp_path / "reviewed.jsonl", Rule())
    lines = {json.loads(line)["id"]: line for line in drafts.read_text().splitlines()}
    written = (tmp_path / "reviewed.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in written] == ["good", "better", "split", "unseen", "edited"]
    assert written[3:] == [lines["unseen"], lines["edited"]]


def test_a_dilemma_that_a_model_drafted_is_judged_like_any_other(tmp_path: Path, record: Record) -> None:
    record["provenance"] |= {"kind": "model", "parameters": {"temperature": 0.8}, "seed": 1}
    drafts = tmp_path / "drafts.jsonl"
    drafts.write_text(json.dumps(record) + "\n")
    (dilemma,) = dataset.read(drafts).dilemmas
    folder = pull(tmp_path / "round", judged(dilemma, "revise", "revise", edits=(Edit(text="You wait."),)), (dilemma,))
    apply(folder, drafts, tmp_path / "out.jsonl", Rule())
    (now,) = dataset.read(tmp_path / "out.jsonl").dilemmas
    assert (now.provenance.kind, now.provenance.parameters, now.provenance.seed) == ("person", None, None)
    assert dataset.read(tmp_path / "out.history.jsonl").dilemmas == (dilemma,)


def test_a_second_round_builds_on_the_first_and_loses_nothing_of_it(
    tmp_path: Path, drafts: Path, round_1: Path
) -> None:
    first, second = tmp_path / "reviewed.jsonl", tmp_path / "reviewed-2.jsonl"
    apply(round_1, drafts, first, Rule())
    here = {one.id: one for one in dataset.read(first).dilemmas}
    round_2 = pull(tmp_path / "round-2", judged(here["split"], "reject", "reject"), (here["split"],), "Round 2")
    found = apply(round_2, first, second, Rule())
    assert not found.open
    assert [one.id for one in dataset.read(second).dilemmas] == ["good", "better", "unseen", "edited"]
    history = [json.loads(line) for line in (tmp_path / "reviewed-2.history.jsonl").open()]
    assert [(one["id"], one["review"]["status"], one["review"]["reviewers"]) for one in history] == [
        ("better", "unreviewed", 0), ("bad", "rejected", 2), ("split", "rejected", 4),
    ]  # fmt: skip
    decided = [Decision.model_validate_json(line) for line in (tmp_path / "reviewed-2.decisions.jsonl").open()]
    assert [(one.project, one.dilemma) for one in decided][-2:] == [("Round 1", "split"), ("Round 2", "split")]


def test_a_round_applied_to_what_came_of_it_counts_no_verdict_twice(
    tmp_path: Path, drafts: Path, round_1: Path
) -> None:
    apply(round_1, drafts, tmp_path / "reviewed.jsonl", Rule())
    found = apply(round_1, tmp_path / "reviewed.jsonl", tmp_path / "again.jsonl", Rule())
    assert (found.decisions, found.before) == ((), 4)
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "reviewed.jsonl").read_bytes()


def test_another_file_is_written_over_only_by_force_and_its_history_only_grows(
    tmp_path: Path, drafts: Path, round_1: Path
) -> None:
    out, history = tmp_path / "reviewed.jsonl", tmp_path / "reviewed.history.jsonl"
    out.write_text("mine\n")
    history.write_text("older\n")
    before = contents(tmp_path)
    assert "--force" in refused(round_1, drafts, out, Rule()).fix
    assert contents(tmp_path) == before
    apply(round_1, drafts, out, Rule(), force=True)
    assert len(dataset.read(out).dilemmas) == 5
    assert history.read_text().splitlines()[0] == "older"
    assert len(history.read_text().splitlines()) == 3


def test_a_text_that_is_written_over_goes_to_the_history_and_its_decision_stays_as_replaced(
    tmp_path: Path, drafts: Path, round_1: Path
) -> None:
    out = tmp_path / "reviewed.jsonl"
    apply(round_1, drafts, out, Rule())
    first = {one.id: one for one in dataset.read(out).dilemmas}
    here = {one.id: one for one in dataset.read(drafts).dilemmas}
    verdicts = [*judged(here["better"], "accept", "accept"), *judged(here["bad"], "reject", "accept")]
    later = pull(tmp_path / "later", verdicts, tuple(here.values()))
    apply(later, drafts, out, Rule(), force=True)

    assert dataset.to_line(first["better"]) in (tmp_path / "reviewed.history.jsonl").read_text().splitlines()
    assert decided(out) == [
        ("good", "accept", True), ("better", "revise", True), ("bad", "reject", True), ("split", "undecided", True),
        ("better", "accept", False), ("bad", "undecided", False),
    ]  # fmt: skip
    after = contents(tmp_path)
    apply(later, drafts, out, Rule())
    assert contents(tmp_path) == after
    assert "--force" in refused(round_1, drafts, out, Rule()).fix
    apply(round_1, drafts, out, Rule(), force=True)
    assert [one for one in decided(out) if not one[2]] == [
        ("good", "accept", False), ("better", "revise", False), ("bad", "reject", False),
        ("split", "undecided", False),
    ]  # fmt: skip


def decided(out: Path) -> list[tuple[str, str, bool]]:
    """The decisions beside a file: dilemma, outcome, and whether it was replaced."""
    lines = dataset.beside(out, "decisions").read_text().splitlines()
    return [(one.dilemma, one.outcome, one.replaced) for one in map(Decision.model_validate_json, lines)]


def test_other_decisions_are_replaced_only_by_force_even_where_the_dilemmas_come_out_the_same(
    tmp_path: Path, drafts: Path, round_1: Path
) -> None:
    out = tmp_path / "reviewed.jsonl"
    apply(round_1, drafts, out, Rule())
    before = contents(tmp_path)
    error = refused(round_1, drafts, out, Rule("majority"))
    assert error.where == str(tmp_path / "reviewed.decisions.jsonl")
    assert "--force" in error.fix
    assert contents(tmp_path) == before
    apply(round_1, drafts, out, Rule("majority"), force=True)
    assert out.read_bytes() == before["reviewed.jsonl"]
    assert len(decided(out)) == 8


def test_another_rule_on_the_reviewed_file_leaves_it_and_is_told(drafts: Path, round_1: Path, command: Command) -> None:
    apply(round_1, drafts, drafts.with_name("reviewed.jsonl"), Rule())
    rule = ("--rule", "adjudicator", "--adjudicator", "reviewer-01")
    done = command("review", "apply", "round-1", "reviewed.jsonl", "--out", "again.jsonl", *rule)
    assert done.returncode == 3
    assert "not applied: split was decided on before (undecided) by another rule: unanimous" in done.stderr
    assert "the file that was pushed" in done.stderr


def test_a_reviewed_file_that_was_renamed_without_its_decisions_is_refused(
    tmp_path: Path, drafts: Path, round_1: Path
) -> None:
    apply(round_1, drafts, tmp_path / "reviewed.jsonl", Rule())
    renamed, decisions = tmp_path / "final.jsonl", tmp_path / "final.decisions.jsonl"
    (tmp_path / "reviewed.jsonl").rename(renamed)
    before = contents(tmp_path)
    error = refused(round_1, renamed, tmp_path / "again.jsonl", Rule())
    assert error.where == str(decisions)
    assert "2 of the dilemmas" in error.what
    assert contents(tmp_path) == before
    (tmp_path / "reviewed.decisions.jsonl").rename(decisions)
    assert apply(round_1, renamed, tmp_path / "again.jsonl", Rule()).before == 4
    decisions.write_text("")
    assert apply(round_1, renamed, tmp_path / "other.jsonl", Rule()).before == 0


def test_addresses_get_into_a_dataset_only_where_that_is_asked_for(
    tmp_path: Path, drafts: Path, command: Command
) -> None:
    dilemmas = dataset.read(drafts).dilemmas
    pull(tmp_path / "named", judged(dilemmas[0], "accept", "accept"), dilemmas, pseudonyms=False)
    before = contents(tmp_path)
    arguments = ("review", "apply", "named", "drafts.jsonl", "--out", "out.jsonl")
    done = command(*arguments)
    assert done.returncode == 2
    assert "addresses" in done.stderr
    assert "--names-in-dataset" in done.stderr
    assert contents(tmp_path) == before
    assert command(*arguments, "--names-in-dataset").returncode == 0


def test_it_is_told_where_nothing_is_left(tmp_path: Path, drafts: Path, command: Command) -> None:
    dilemmas = dataset.read(drafts).dilemmas
    pull(tmp_path / "all", [one for each in dilemmas for one in judged(each, "reject", "reject")], dilemmas)
    done = command("review", "apply", "all", "drafts.jsonl", "--out", "out.jsonl")
    assert done.returncode == 0
    assert "out.jsonl is empty: every dilemma was rejected" in done.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    again = command("review", "apply", "all", "drafts.jsonl", "--out", "out.jsonl")
    assert (again.returncode, again.stdout) == (0, done.stdout)


@pytest.mark.parametrize(
    "out", ["drafts.jsonl", "folder/../drafts.jsonl", "drafts", "link.jsonl", "folder", "round-1/new.jsonl"]
)
def test_nothing_is_written_where_it_would_do_harm(tmp_path: Path, drafts: Path, round_1: Path, out: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.jsonl").symlink_to(drafts)
    before = contents(tmp_path)
    error = refused(round_1, drafts, tmp_path / out, Rule(), force=True)
    assert error.where == str(tmp_path / out)
    assert error.fix
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (Rule("adjudicator"), "reviewer-01, reviewer-02"),
        (Rule("adjudicator", 2, "reviewer-2"), 'Did you mean "reviewer-02"?'),
        (Rule("adjudicator", 2, "Zoe"), "reviewer-01, reviewer-02"),
        (Rule("majority", 2, "reviewer-01"), "--rule adjudicator"),
    ],
)
def test_an_adjudicator_must_be_one_of_the_reviewers(
    tmp_path: Path, drafts: Path, round_1: Path, rule: Rule, told: str
) -> None:
    error = refused(round_1, drafts, tmp_path / "reviewed.jsonl", rule)
    assert error.where == "--adjudicator"
    assert told in error.fix


def test_a_round_without_verdicts_is_refused(tmp_path: Path, drafts: Path) -> None:
    (dilemma, *_) = dataset.read(drafts).dilemmas
    folder = pull(tmp_path / "round", judged(dilemma, "accept", state="skipped"), (dilemma,))
    assert refused(folder, drafts, tmp_path / "reviewed.jsonl", Rule()).where == str(folder)


def test_a_round_about_other_dilemmas_is_refused(tmp_path: Path, drafts: Path, round_1: Path, record: Record) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps(record) + "\n")
    assert refused(round_1, other, tmp_path / "reviewed.jsonl", Rule()).where == str(other)


@pytest.mark.parametrize("line", ["{", "[]", '{"dilemma": "good"}'])
def test_a_broken_file_of_decisions_is_told_with_its_line(
    tmp_path: Path, drafts: Path, round_1: Path, line: str
) -> None:
    apply(round_1, drafts, tmp_path / "reviewed.jsonl", Rule())
    path = tmp_path / "reviewed.decisions.jsonl"
    path.write_text(f"{path.read_text().splitlines()[0]}\n\n{line}\n")
    error = refused(round_1, tmp_path / "reviewed.jsonl", tmp_path / "again.jsonl", Rule())
    assert error.where.startswith(f"{path}, line 3")
    assert not (tmp_path / "again.jsonl").exists()


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("file", [1, 2, 3])
def test_a_full_disk_or_an_interruption_leaves_everything_as_it_was(
    tmp_path: Path, drafts: Path, round_1: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, file: int
) -> None:
    out = tmp_path / "reviewed.jsonl"
    apply(round_1, drafts, out, Rule())
    before = contents(tmp_path)
    steps = iter(range(1, 4))

    def sync(_: int) -> None:
        if next(steps) == file:
            raise failure

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises((InputError, KeyboardInterrupt)):
        apply(round_1, drafts, out, Rule("unanimous", 1), force=True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("title", "then"),
    [("Round 1", "Round 2"), ("Round 9", "Round 10"), ("Pilot", "Pilot 2"), ("2026", "2027")],
)
def test_the_next_round_has_the_next_title(title: str, then: str) -> None:
    assert next_title(title) == then


def test_a_settled_round_ends_well_and_says_so_to_a_script(tmp_path: Path, drafts: Path, command: Command) -> None:
    dilemmas = dataset.read(drafts).dilemmas
    pull(tmp_path / "done", [one for each in dilemmas for one in judged(each, "accept")], dilemmas)
    arguments = ("done", "drafts.jsonl", "--out", "out.jsonl", "--rule", "majority", "--min-reviewers", "1", "--json")
    done = command("review", "apply", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["rule"] == {"name": "majority", "min_reviewers": 1, "adjudicator": None}
    assert told["counts"] == {"accepted": 6, "revised": 0, "rejected": 0, "undecided": 0, "unchanged": 0}
    assert told["files"] == {"reviewed": "out.jsonl", "decisions": "out.decisions.jsonl"}
    assert {one["outcome"] for one in told["decisions"]} == {"accept"}


def test_wrong_input_is_told_on_standard_error(drafts: Path, round_1: Path, command: Command) -> None:
    done = command("review", "apply", "round-1", "drafts.jsonl", "--out", "drafts.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert "drafts.jsonl" in done.stderr


def test_two_rounds_on_a_real_server(
    tmp_path: Path, record: Record, command: Command, label_studio: Team, write_lines: Callable[..., Path]
) -> None:
    write_lines(*({**record, "id": name} for name in ("good", "better", "bad", "split")), name="drafts.jsonl")
    env = label_studio.environment()

    def run(*arguments: str, code: int = 0) -> str:
        done = command("review", *arguments, env=env)
        assert done.returncode == code, done.stderr
        return done.stdout

    run("push", "drafts.jsonl", "--project", "Apply 1")
    edit = {"type": "textarea", "from_name": "edit_4", "to_name": "action_4", "value": {"text": ["I say a little."]}}
    said = {"good": ("accept", "accept"), "better": ("revise", "revise"), "bad": ("reject", "reject"),
            "split": ("accept", "reject")}  # fmt: skip
    annotate(label_studio, "Apply 1", said, {"better": edit})
    run("pull", "--project", "Apply 1", "--out", "round-1")
    told = run("apply", "round-1", "drafts.jsonl", "--out", "reviewed.jsonl", code=3)
    assert "split: not unanimous: 1 accept, 1 reject" in told
    (then,) = [line.partition("dilemmas review ")[2] for line in told.splitlines() if line.startswith("next ")]
    run(*shlex.split(then))
    annotate(label_studio, "Apply 2", {"split": ("accept", "accept")}, {})
    run("pull", "--project", "Apply 2", "--out", "round-2")
    run("apply", "round-2", "reviewed.jsonl", "--out", "reviewed-2.jsonl")
    now = {one.id: one for one in dataset.read(tmp_path / "reviewed-2.jsonl").dilemmas}
    assert {name: (one.review.status, one.review.reviewers, one.revision) for name, one in now.items()} == {
        "good": ("accepted", 2, 1), "better": ("revised", 2, 2), "split": ("accepted", 4, 1),
    }  # fmt: skip
    assert now["better"].action("opposed", "mild").text == "I say a little."
    assert now["better"].provenance.author.startswith("reviewer-")
    assert "@" not in (tmp_path / "reviewed-2.decisions.jsonl").read_text()


def annotate(team: Team, title: str, said: dict[str, tuple[str, str]], edits: dict[str, Record]) -> None:
    """Have Alice and Bob judge a project's tasks; the edits are Alice's."""
    server = team.server()
    (project,) = server.projects(title)
    task_of = {task["data"]["dilemma_id"]: task["id"] for task in server.tasks(project)}
    assert task_of.keys() == said.keys()
    fits = {control: codes[0] for control, codes in form.offered("open").items()}
    for name, decisions in said.items():
        for person, decision in zip((ALICE, BOB), decisions, strict=True):
            result = answers.result(fits | {"decision": decision})
            if person is ALICE and name in edits:
                result.append(edits[name])
            team.sdk(person).annotations.create(id=task_of[name], result=result, ground_truth=False)

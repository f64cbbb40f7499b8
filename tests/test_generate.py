"""What is drafted, and in what form: plans, prompts and files, without a server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from draft_server import draft
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dilemmas import config, dataset
from dilemmas.dataset import history_of
from dilemmas.drafts import planning
from dilemmas.drafts.file import DraftFile, alone, journal_of, move_aside
from dilemmas.drafts.form import Draft, completion, form, recalled, said, told
from dilemmas.drafts.planning import AVOIDED, Job, avoid, prepare, summary, todo
from dilemmas.drafts.writing import Task
from dilemmas.errors import InputError
from dilemmas.journal import Entry, Journal
from dilemmas.prompts import Prompts
from dilemmas.schema import PLACES, Coverage, Dilemma, Finding, Findings, Setting, Severity, sha256

Record = dict[str, Any]
SHIPPED = dataset.read(dataset.shipped_path()).dilemmas


def job(out: Path, values: str = "Honest,Loyal", topics: str = "all", per_cell: int = 1, **changes: Any) -> Job:
    resume = changes.pop("resume", True)
    return prepare(config.load(None, changes), values=values, topics=topics, per_cell=per_cell, out=out, resume=resume)


def as_dilemma(task: Task, **changes: Any) -> Dilemma:
    """A dilemma that fills a task."""
    return SHIPPED[0].model_copy(
        update={
            "id": task.id,
            "value": task.value,
            "topic": task.topic,
            "competing_value": task.competing_value,
            "setting": task.setting,
            "revision": task.revision,
            **changes,
        }
    )


# The form of a reply


def test_the_longest_and_the_shortest_shipped_dilemmas_have_the_form() -> None:
    for dilemma in SHIPPED:
        steps = {
            f"{polarity}_{intensity}": dilemma.action(polarity, intensity).model_dump(include={"text", "rationale"})
            for polarity, intensity in PLACES
        }
        assert Draft.model_validate({"scenario": dilemma.scenario, **steps}).scenario == dilemma.scenario


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scenario": "You. " * 10}, ("scenario", "at least 170 characters")),
        ({"aligned_mild": {"text": "I go.", "rationale": "r" * 60}}, ("aligned_mild.text", "at least 40 characters")),
        ({"opposed_mild": {"text": "I go home. " * 9}}, ("opposed_mild.rationale", "required")),
        ({"aligned_mild": draft()["opposed_strong"]}, ("opposed_strong.text repeats aligned_mild.text",)),
        ({"scenario": "You see \x1b[31m " * 20}, ("scenario", "unprintable character U+001B")),
        ({"title": "A"}, ("title", "not permitted")),
        ({"\x1b[31mred": "A"}, ("\ufffd[31mred", "not permitted")),
    ],
)
def test_what_is_wrong_with_a_reply_is_told_by_its_field(changes: Record, words: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        Draft.model_validate(draft(**changes))
    message = told(caught.value)
    assert [word for word in words if word not in message] == []
    assert message.isprintable()


def test_texts_that_differ_in_case_and_space_only_are_the_same() -> None:
    twin = {**draft()["opposed_mild"], "text": f"  {draft()['aligned_mild']['text'].upper()} "}
    with pytest.raises(ValidationError, match=r"opposed_mild\.text repeats aligned_mild\.text"):
        Draft.model_validate(draft(opposed_mild=twin))


def lengths(node: Any) -> list[tuple[int, int]]:
    if isinstance(node, list):
        return [pair for part in node for pair in lengths(part)]
    if not isinstance(node, dict):
        return []
    own = [(node["minLength"], node["maxLength"])] if "maxLength" in node else []
    return own + [pair for part in node.values() for pair in lengths(part)]


def test_lengths_are_sent_where_they_are_followed_and_narrow_ones_to_a_tiny_model() -> None:
    schema = {"response_format": {"type": "json_schema", "json_schema": {"schema": Draft.model_json_schema()}}}
    assert sorted(lengths(form(schema, "json_schema", brief=False))) == [(40, 300), (50, 400), (170, 1200)]
    assert sorted(lengths(form(schema, "json_schema", brief=True))) == [(40, 80), (50, 100), (170, 340)]
    assert lengths(form(schema, "json_schema_plain", brief=False)) == []
    assert form({"messages": []}, "free", brief=False) == {}


@pytest.mark.parametrize(("text", "shown"), [("{" * 5000, "{" * 1500), (" first\n", "first"), (" \n", "(nothing)")])
def test_asking_again_shows_the_last_reply_and_what_was_wrong_with_it(text: str, shown: str) -> None:
    prompt: list[Record] = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    *first, reply, wrong = recalled(prompt, text, "too short" + "!" * 5000)
    assert first == prompt
    assert reply == {"role": "assistant", "content": shown}
    assert wrong["role"] == "user"
    assert "anew" in wrong["content"]
    assert "too short!" in wrong["content"]
    assert len(wrong["content"]) == 1500


def reply_with(**message: Any) -> Record:
    return {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", **message}}]}


def called(**call: Any) -> Record:
    return {"id": "1", "type": "function", "function": {"name": "Draft", "arguments": "{}"}, **call}


@pytest.mark.parametrize(
    ("message", "content", "calls", "text"),
    [
        ({"content": "a"}, "a", 0, "a"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]}, "ab", 0, "ab"),
        ({"content": {"a": 1}}, None, 0, ""),
        ({"content": 5}, None, 0, ""),
        ({}, None, 0, ""),
        ({"content": None, "tool_calls": [called()]}, None, 1, "{}"),
        ({"tool_calls": [called(), {"id": "2", "type": "custom", "custom": {"name": "x"}}]}, None, 1, "{}"),
        ({"tool_calls": [called(function={"name": "Draft", "arguments": None})]}, None, 0, ""),
        ({"tool_calls": [called(function={"name": "Draft", "arguments": {}})]}, None, 0, ""),
        ({"tool_calls": [called(function={"name": None, "arguments": "{}"})]}, None, 0, ""),
        ({"tool_calls": [called(function=None), {}, None, "x"]}, None, 0, ""),
        ({"tool_calls": "abc"}, None, 0, ""),
    ],
)  # fmt: skip
def test_of_a_reply_only_what_has_the_usual_form_is_read(
    message: Record, content: str | None, calls: int, text: str
) -> None:
    body = reply_with(**message)
    found = completion(body).choices[0].message
    assert (found.content, len(found.tool_calls or ())) == (content, calls)
    assert said(body) == text


# What is open


@cache
def planned(per_cell: int) -> Job:
    return job(Path("none.jsonl"), per_cell=per_cell)


@given(
    per_cell=st.integers(1, 3),
    filled=st.lists(st.integers(0, 65), max_size=30, unique=True),
    by_hand=st.lists(st.integers(0, 65), max_size=10, unique=True),
)
def test_what_is_open_and_what_is_there_make_the_plan(per_cell: int, filled: list[int], by_hand: list[int]) -> None:
    wanted = planned(per_cell)
    tasks = todo(wanted, ()).tasks
    assert [task.id for task in tasks] == [cell.id for cell in wanted.plan]
    there = [as_dilemma(tasks[place]) for place in filled if place < len(tasks)]
    there += [as_dilemma(tasks[n], id=f"by-hand-{n}") for n in by_hand if n < len(tasks) and n not in filled]
    found = todo(wanted, there)
    assert found.there + len(found.tasks) == len(wanted.plan)
    after = [*there, *(as_dilemma(task) for task in found.tasks)]
    assert len({one.id for one in after}) == len(after)
    assert set(Counter((one.value, one.topic) for one in after).values()) == {per_cell}
    assert todo(wanted, after).tasks == []


def test_more_dilemmas_for_each_cell_come_after_those_that_are_there(tmp_path: Path) -> None:
    once = todo(job(tmp_path / "a.jsonl"), ()).tasks
    twice = todo(job(tmp_path / "a.jsonl", per_cell=2), [as_dilemma(task) for task in once])
    assert twice.there == len(once)
    assert [task.id for task in twice.tasks] == [f"{task.id}-2" for task in once]


def found_wrong(*about: tuple[str, int, Severity]) -> Findings:
    return Findings(
        dataset="a.jsonl",
        sha256="0" * 64,
        dilemmas=3,
        created="2026-11-21T00:00:00Z",
        versions={},
        findings=(
            *(
                Finding(
                    id=name, revision=revision, rule="a-rule", severity=severity, what="Bad.", where="", fix="Mend."
                )
                for name, revision, severity in about
            ),
            Finding(rule="a-rule", severity="error", what="All bad.", where="", fix="Mend."),
        ),
        coverage=Coverage(grid={}, basic_values={}, competing_values={}, relations={}, settings={}),
    )


def test_errors_and_warnings_of_the_present_revision_are_mended(tmp_path: Path) -> None:
    one, two, three, four = SHIPPED[:4]
    four = four.model_copy(update={"review": four.review.model_copy(update={"status": "rejected"})})
    findings = found_wrong(
        (one.id, 1, "error"), (one.id, 1, "note"), (two.id, 2, "error"), (three.id, 1, "note"), (four.id, 1, "warning"),
        ("gone-gone", 1, "error"),
    )  # fmt: skip
    wanted = Job(config.load(None, {}), tmp_path / "a.jsonl", Prompts(), findings=findings)
    found = todo(wanted, [one, two, three, four])
    (task,) = found.tasks
    assert (task.id, task.revision, task.previous, task.setting) == (one.id, 2, one, None)
    assert [finding.severity for finding in task.findings] == ["error"]
    assert [notice.split()[0] for notice in found.notices] == ["1", "1", "1"]
    assert [word for word in ("judged", "another revision", "no longer") if word not in str(found.notices)] == []


def test_a_shared_setting_is_not_kept_when_a_dilemma_is_written_anew(tmp_path: Path) -> None:
    place = Setting(place="A yard", relationship="A friend", role="A guest", stakes="An hour")
    one = SHIPPED[0].model_copy(update={"setting": place})
    for rule, kept in (("same-setting", None), ("length", place)):
        finding = found_wrong((one.id, 1, "error")).findings[0].model_copy(update={"rule": rule})
        findings = found_wrong().model_copy(update={"findings": (finding,)})
        (task,) = todo(Job(config.load(None, {}), tmp_path / "a.jsonl", Prompts(), findings=findings), [one]).tasks
        assert task.setting == kept


def test_what_somebody_edited_since_the_check_is_left_to_them(tmp_path: Path) -> None:
    one, two = SHIPPED[:2]
    checksums = {dilemma.id: sha256(dataset.to_line(dilemma)) for dilemma in (one, two)}
    findings = found_wrong((one.id, 1, "error"), (two.id, 1, "error")).model_copy(update={"records": checksums})
    edited = one.model_copy(update={"scenario": "You mended this by hand."})
    found = todo(Job(config.load(None, {}), tmp_path / "a.jsonl", Prompts(), findings=findings), [edited, two])
    assert [task.id for task in found.tasks] == [two.id]
    assert "edited since" in str(found.notices)


def test_what_does_not_fit_the_plan_is_said(tmp_path: Path) -> None:
    first, second = todo(job(tmp_path / "a.jsonl"), ()).tasks[:2]
    place = Setting(place="A yard", relationship="A friend", role="A guest", stakes="An hour")
    other_seed = as_dilemma(first, setting=place)
    moved = as_dilemma(second, value="Equality", setting=None)
    found = todo(job(tmp_path / "a.jsonl"), (other_seed, moved))
    assert [notice.split()[0] for notice in found.notices] == ["1", "1"]
    assert "another value" in found.notices[0]
    assert "--seed" in found.notices[1]
    assert todo(job(tmp_path / "a.jsonl"), (as_dilemma(first),)).notices == ()


def test_the_list_of_what_to_avoid_is_short_and_about_the_same_value() -> None:
    task = Task("a-task", "Honest", "Religion", "Loyal", None)
    place = Setting(place="A yard", relationship="A friend", role="A guest", stakes="An hour")
    planned = [Task(f"later-{n}", "Honest", "Religion", "Loyal", place) for n in range(30)]
    others = [Task("other-value", "Loyal", "Religion", "Honest", place), task]
    drafts = {f"done-{n}": as_dilemma(task, id=f"done-{n}", scenario=f"{n} " + "word " * 90) for n in range(5)}
    assert avoid(task, {}, others) == []
    lines = avoid(task, drafts, planned)
    assert len(lines) == AVOIDED
    assert lines[0] == "0" + " word" * 19
    assert lines[5:] == ["A yard; A friend"] * (AVOIDED - 5)


# Files


def test_a_file_is_in_the_order_of_the_plan_after_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    tasks = todo(job(path), ()).tasks[:4]
    drafts = [as_dilemma(task) for task in tasks]
    dataset.write(path, (drafts[3],))
    file = DraftFile(path, {task.id: rank for rank, task in enumerate(tasks)})
    file.keep()
    for one in (drafts[2], drafts[0], drafts[1]):
        file.put(one)
    file.keep()
    assert dataset.read(path).dilemmas == (drafts[3], *drafts[:3])


def test_a_revision_gets_into_the_history_once_and_before_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    strange = SHIPPED[0].model_copy(update={"scenario": "You see \u2028 and {{ 7*7 }} on a wall. " * 6})
    dataset.write(path, (strange,))
    file = DraftFile(path, {})
    file.put(strange.model_copy(update={"revision": 2}))
    with monkeypatch.context() as broken:
        broken.setattr(dataset, "write", lambda *_: (_ for _ in ()).throw(InputError("no room")))
        with pytest.raises(InputError):
            file.keep()
    assert dataset.read(history_of(path)).dilemmas == dataset.read(path).dilemmas == (strange,)
    file.keep()
    again = DraftFile(path, {})
    again.put(strange.model_copy(update={"revision": 3}))
    again.keep()
    lines = history_of(path).read_text(encoding="utf-8").split("\n")[:-1]
    assert [Dilemma.model_validate_json(line).revision for line in lines] == [1, 2]
    assert [one.revision for one in dataset.read(path).dilemmas] == [3]


def test_a_file_that_somebody_else_changes_meanwhile_is_left_to_them(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file = DraftFile(path, {})
    file.put(SHIPPED[0])
    file.keep()
    theirs = SHIPPED[0].model_copy(update={"scenario": "You mended this by hand."})
    dataset.write(path, (theirs,))
    file.put(SHIPPED[1])
    with pytest.raises(InputError, match="changed by somebody else") as caught:
        file.keep()
    assert caught.value.where == str(path)
    assert "no draft is lost" in caught.value.fix
    assert dataset.read(path).dilemmas == (theirs,)


def test_files_that_differ_in_their_endings_share_nothing(tmp_path: Path) -> None:
    names = {journal_of(tmp_path / name) for name in ("a", "a.json", "a.jsonl.txt", "b.jsonl")}
    assert len(names) == 4
    assert journal_of(tmp_path / "drafts.jsonl").name == "drafts.attempts.jsonl"


@pytest.mark.parametrize("out", [".", "", "a-folder"])
def test_a_folder_is_no_file_of_drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-folder").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        job(Path(out))
    assert [path.name for path in tmp_path.iterdir()] == ["a-folder"]


def test_a_link_leads_to_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    assert job(tmp_path / "link.jsonl").out == tmp_path / "real.jsonl"


def test_an_empty_file_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n")
    assert len(todo(job(path), tuple(DraftFile(path, {}).dilemmas.values())).tasks) == 22


def test_what_cannot_be_read_can_be_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal_of(path).write_text("no journal\n")
    assert len(move_aside(path)) == 1
    assert [found.read_text() for found in tmp_path.iterdir()] == ["no journal\n"]
    path.write_text("no dilemma\n")
    assert len(move_aside(path)) == 1
    assert not journal_of(path).exists()


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    (tmp_path / ".a.jsonl.abcd").write_text("half a li")
    (tmp_path / ".b.jsonl.abcd").write_text("another's")
    with alone(path):
        assert [found.name for found in tmp_path.glob(".*")] == [".b.jsonl.abcd"]


# Before anything is asked


def test_a_dry_run_tells_the_plan_and_leaves_no_trace(tmp_path: Path) -> None:
    wanted = job(tmp_path / "none" / "a.jsonl", topics="Religion,Politics", limit=3)
    found = summary(wanted)
    assert (found["open"], found["there"], found["now"]) == (4, 0, 3)
    assert found["values"] == {"Honest": 2, "Loyal": 1}
    assert 2000 < found["prompt_tokens"] < 4000
    assert "Focal value: Honest" in found["example"][1]["content"]
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_counts_what_the_file_and_the_journal_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    wanted = job(path, topics="Religion,Politics")
    first, second = (as_dilemma(task) for task in todo(wanted, ()).tasks[:2])
    dataset.write(path, (first,))
    with Journal.opened(journal_of(path)) as journal:
        result = second.model_dump(mode="json", exclude_none=True)
        journal.add(Entry(subject=f"{second.id}@1", attempt=1, at="2026", request={}, result=result))
    found = summary(wanted)
    assert (found["open"], found["there"]) == (2, 2)
    assert found["example"][0]["role"] == "system"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("--values", "all")),
        (("--values", "Honesty"), ('"Honesty"', 'Did you mean "Honest"?')),
        (("--values", "Honest", "--topics", "Sport"), ("--topics", "Sport")),
        (("--values", "Honest", "--per-cell", "0"), ("--per-cell",)),
        (("--values", "Honest", "--model", "scripted"), ("--model", "writes nothing")),
        (("--values", "Honest", "--temperature", "9"), ("temperature",)),
        (("--values", "Honest", "--limit", "0"), ("limit",)),
        (("--values", "Honest", "--resume", "--force"), ("--resume", "--force")),
        (("--values", "Honest", "--model", "a-model"), ("a-model", "--base-url")),
        (("--values", "Honest", "--templates", "gone"), ("templates", "gone")),
        (("--repair", "gone.json"), ("gone.json", "findings")),
        (("--repair", "gone.json", "--values", "Honest"), ("--repair", "--values")),
    ],
)
def test_wrong_wishes_are_told_before_anything_is_asked(
    run_here: Callable[..., tuple[int, str]], arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    code, message = run_here("generate", *arguments, "--out", str(tmp_path / "a.jsonl"))
    assert code == 2
    assert [word for word in words if word not in message] == []
    assert not (tmp_path / "a.jsonl").exists()
    assert not journal_of(tmp_path / "a.jsonl").exists()


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run a command in this process; gives the exit code, and the message where it fails."""

    def run(*arguments: str) -> tuple[int, str]:
        from dilemmas.cli import app
        from dilemmas.errors import DilemmasError

        try:
            app(arguments, prog_name="dilemmas")
        except SystemExit as ended:
            return int(ended.code or 0), capsys.readouterr().out
        except DilemmasError as error:
            return error.exit_code, str(error)
        raise AssertionError("typer ends in an exit")

    return run


def test_a_dry_run_is_printed(run_here: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    out = str(tmp_path / "a.jsonl")
    code, said = run_here("generate", "--values", "Honest", "--topics", "all", "--dry-run", "--out", out)
    assert code == 0
    assert "11 to write now, 11 open in all, 0 there" in said
    assert "Honest 11" in said
    assert "Focal value: Honest" in said
    code, said = run_here("generate", "--values", "Honest", "--dry-run", "--json", "--out", out)
    assert json.loads(said)["now"] == 11


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    wanted = job(tmp_path / "a.jsonl")
    journal_of(wanted.out).write_text('{"subject": 1}\n')
    with pytest.raises(InputError, match="no journal"):
        summary(wanted)


def test_findings_that_are_none_say_what_they_lack(tmp_path: Path) -> None:
    (tmp_path / "findings.json").write_text("[]")
    with pytest.raises(InputError, match="holds no findings"):
        planning.prepare_repair(config.load(None, {}), findings=tmp_path / "findings.json")

"""Drafting on a server: what is asked, what is asked again, what is kept, and what is told."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from draft_server import Answer, DraftServer, Gate, about, attempts, draft, sent, written
from fake_server import completion, error

from dilemmas import cli, config, dataset, generate
from dilemmas.drafts import form, planning, writing
from dilemmas.drafts.form import said
from dilemmas.errors import InputError
from dilemmas.schema import Dilemma, Finding, Severity

Record = dict[str, Any]
Drafted = Callable[..., generate.Outcome]


class Done(NamedTuple):
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]
KEY = "sk-Sentinel-42-Sentinel"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "drafts.jsonl"


@pytest.fixture
def drafted(out: Path) -> Drafted:
    """Draft in this process: three values, one topic, unless told otherwise."""

    def run(server: DraftServer, **settings: Any) -> generate.Outcome:
        what: Record = {"values": "Honest,Equality,Loyal", "topics": "Religion", "per_cell": 1, "out": out}
        what |= {
            name: settings.pop(name) for name in ("values", "topics", "per_cell", "resume", "force") & settings.keys()
        }
        model = {"model.name": "fake", "model.base_url": server.address, "model.timeout": 20.0}
        job = planning.prepare(config.load(None, {**model, **settings}), **what)
        return asyncio.run(generate.generate(job))

    return run


@pytest.fixture
def generated(
    out: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Done]]:
    """`dilemmas generate` on a server, in this process."""
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}

    def run(server: DraftServer, *arguments: str) -> Done:
        given = ["--model", "fake", "--base-url", server.address, *arguments]
        if "--repair" not in arguments:
            given += [] if "--values" in arguments else ["--values", "Honest,Equality,Loyal", "--topics", "Religion"]
            given += ["--out", str(out)]
        monkeypatch.setattr(sys, "argv", ["dilemmas", "generate", *given])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capfd.readouterr())

    yield run
    for one, handler in handlers.items():
        signal.signal(one, handler)


def ids(path: Path) -> list[str]:
    return [dilemma.id for dilemma in written(path)]


def only(value: str, answer: Any) -> Callable[[Record], Any]:
    """A reply for one value, good ones for all others."""
    return lambda body: answer if about(body).startswith(value) else None


# What is written


def test_drafts_are_written_in_the_order_of_the_plan_and_say_where_they_come_from(drafted: Drafted, out: Path) -> None:
    with DraftServer() as server:
        outcome = drafted(server, **{"model.sampling.temperature": 0.7, "seed": 5})
    assert (outcome.asked, outcome.open, outcome.mode, outcome.stopped) == (3, 0, "json_schema", None)
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (300, 21)
    assert ids(out) == ["equality-religion", "honest-religion", "loyal-religion"]
    for dilemma, body in zip(written(out), sorted(server.drafts, key=about), strict=True):
        assert dilemma.scenario == draft(about(body))["scenario"].strip()
        assert [action.text for action in dilemma.actions] == [
            step["text"] for name, step in draft(about(body)).items() if name != "scenario"
        ]
        origin = dilemma.provenance
        assert (origin.kind, origin.author, origin.method, origin.attempt) == ("model", "fake", "dilemmas generate", 1)
        assert origin.server == "vllm, context 4096"
        assert origin.seed == body["seed"]
        assert origin.template_sha256
        assert origin.parameters == {
            "temperature": 0.7, "top_p": 0.95, "top_k": 64, "max_tokens": 512, "mode": "json_schema"
        }  # fmt: skip
        assert dilemma.review.status == "unreviewed"
        assert dilemma.setting is not None
        assert dilemma.setting.place in body["messages"][1]["content"]
    assert len({body["seed"] for body in server.drafts}) == 3


@pytest.mark.parametrize(
    ("settings", "mode", "field"),
    [
        ({}, "json_schema", "response_format"),
        ({"schema": "plain"}, "json_schema_plain", "response_format"),
        ({"schema": "ignored", "tools": True}, "tools", "tools"),
        ({"schema": "refused"}, "free", None),
        ({"schema": "ignored"}, "free", None),
    ],
)
def test_the_form_is_imposed_in_the_strictest_way_the_server_follows(
    drafted: Drafted, out: Path, settings: Record, mode: str, field: str | None
) -> None:
    with DraftServer(**settings) as server:
        outcome = drafted(server)
    assert (outcome.mode, outcome.asked) == (mode, 3)
    assert {dilemma.provenance.parameters["mode"] for dilemma in written(out) if dilemma.provenance.parameters} == {
        mode
    }
    for body in server.drafts:
        assert {"response_format", "tools", "tool_choice"} & body.keys() == (
            {"tools", "tool_choice"} if field == "tools" else {field} - {None}
        )
        assert ("maxLength" in json.dumps(body.get("response_format"))) == (mode == "json_schema")


def test_fields_that_a_server_refuses_are_not_sent(drafted: Drafted, out: Path) -> None:
    with DraftServer(unknown=("top_k", "seed")) as server:
        assert drafted(server).asked == 3
    assert {"top_k", "seed"} & server.drafts[0].keys() == set()
    assert written(out)[0].provenance.seed is None
    assert "top_k" not in (written(out)[0].provenance.parameters or {})


def test_what_is_there_or_planned_for_the_same_value_is_named_in_the_prompt(drafted: Drafted, out: Path) -> None:
    with DraftServer() as server:
        drafted(server, values="Honest", topics="Religion,Environment,Politics", **{"model.concurrency": 1})
    politics, religion, environment = (body["messages"][1]["content"] for body in server.drafts)
    first, second, third = written(out)
    opening = " ".join(first.scenario.split()[:20])
    assert second.setting is not None
    assert third.setting is not None
    assert f"- {second.setting.place}; {second.setting.relationship}" in politics
    assert f"- {opening}\n" in religion
    assert f"- {third.setting.place}; {third.setting.relationship}" in religion
    assert environment.count(opening) == 1
    assert third.setting.place in environment
    assert f"- {third.setting.place};" not in environment


# Replies that break the form


BROKEN: list[tuple[Any, str]] = [
    ("{", "JSON"),
    ("I would rather talk about the weather.", "JSON"),
    (draft(scenario="   "), "scenario"),
    (draft(scenario="You are bell\x07 " * 30), "U+0007"),
    (draft(scenario="You wait. " * 300), "at most 1200"),
    (draft(surprise="!"), "surprise"),
    (draft(aligned_mild=draft()["opposed_mild"]), "opposed_mild.text repeats aligned_mild.text"),
    ({name: part for name, part in draft().items() if name != "opposed_strong"}, "opposed_strong"),
    ([draft()], "an object"),
    (completion(json.dumps(draft())[:300], finish="length"), "cut off"),
    (completion(None, refusal="I'd rather not."), "I'd rather not"),
    (completion(None, tool_calls=[{"function": None}]), "JSON"),
    (completion(5), "JSON"),
    (completion(None), "JSON"),
]


@pytest.mark.parametrize(("broken", "told"), BROKEN)
def test_a_broken_reply_is_asked_for_again(drafted: Drafted, out: Path, broken: Any, told: str) -> None:
    replies = iter([broken, None])
    with DraftServer(lambda body: next(replies)) as server:
        outcome = drafted(server, values="Honest")
    assert (outcome.asked, outcome.asked_again, outcome.open) == (1, 1, 0)
    first, second = attempts(out)
    assert (first.subject, first.attempt, second.attempt) == ("honest-religion@1", 1, 2)
    assert told in first.error
    assert first.reply is not None
    assert (first.result, second.error) == (None, "")
    assert second.result == json.loads(dataset.to_line(written(out)[0]))
    assert written(out)[0].provenance.attempt == 2
    assert written(out)[0].provenance.seed == second.request["seed"] != first.request["seed"]


MODES: list[Record] = [{}, {"schema": "ignored", "tools": True}, {"schema": "ignored"}]


@pytest.mark.parametrize("settings", MODES)
def test_the_second_request_says_what_was_wrong_in_plain_turns(drafted: Drafted, settings: Record) -> None:
    replies = iter([draft(scenario="Too short."), "{not json", None])
    with DraftServer(lambda body: next(replies), **settings) as server:
        assert drafted(server, values="Honest").asked == 1
    first, second, third = (body["messages"] for body in server.drafts)
    assert [message["role"] for message in third] == ["system", "user", "assistant", "user"]
    assert all(set(message) == {"role", "content"} for message in second + third)
    assert second[:2] == third[:2] == first
    assert "Too short." in second[2]["content"]
    assert "scenario" in second[3]["content"]
    assert "at least 170 characters" in second[3]["content"]
    assert third[2]["content"] == "{not json"
    assert "errors.pydantic.dev" not in second[3]["content"] + third[3]["content"]


def call(kind: str = "function", **what: Any) -> Answer:
    return completion(
        None, tool_calls=[{"id": "1", "type": kind, kind: {"name": "Draft", **what}}], finish="tool_calls"
    )


@pytest.mark.parametrize("settings", MODES)
@pytest.mark.parametrize(
    ("broken", "shown", "wrong"),
    [
        ("{not json", "{not json", "JSON"),
        (completion('{"scenario": "You', finish="length"), '{"scenario": "You', "cut off"),
        (completion(None, refusal="I'd rather not."), "I'd rather not.", "I'd rather not."),
        (completion("", finish="content_filter"), "(nothing)", "the content filter"),
        (call(arguments=None), "(nothing)", ""),
        (call("custom", input="{"), "(nothing)", ""),
    ],
)
def test_whatever_is_wrong_with_a_reply_is_said_in_the_second_request(
    drafted: Drafted, out: Path, settings: Record, broken: Any, shown: str, wrong: str
) -> None:
    replies = iter([broken, None])
    with DraftServer(lambda body: next(replies), **settings) as server:
        assert drafted(server, values="Honest").asked == 1
    first, second = (body["messages"] for body in server.drafts)
    assert second[:-2] == first
    assert second[-2] == {"role": "assistant", "content": shown}
    noted = attempts(out)[0].error
    assert noted
    assert wrong in noted
    assert noted in second[-1]["content"]
    if "tools" not in server.drafts[1] and "response_format" not in server.drafts[1]:
        assert '"opposed_strong"' in second[0]["content"], "the schema stands in the prompt alone"


@pytest.mark.parametrize("finish", ["eos", 3, None])
def test_text_in_parts_and_an_odd_reason_for_the_end_are_no_harm(drafted: Drafted, finish: Any) -> None:
    text = json.dumps(draft())
    parts = [{"type": "text", "text": text[:90]}, {"type": "text", "text": text[90:]}]
    with DraftServer(lambda body: completion(parts, finish=finish)) as server:
        outcome = drafted(server, values="Honest")
    assert (outcome.asked, outcome.asked_again) == (1, 0)


def test_a_reply_that_cannot_be_handled_leaves_its_dilemma_open_and_the_others_are_written(
    drafted: Drafted, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(body: Record) -> Any:
        if said(body) == "odd":
            raise KeyError("a form nobody thought of")
        return form.completion(body)

    monkeypatch.setattr(writing, "completion", read)
    with DraftServer(only("Honest", "odd")) as server:
        outcome = drafted(server)
    assert (outcome.asked, outcome.open, outcome.stopped) == (2, 1, None)
    assert outcome.left_open == {"honest-religion": "KeyError: 'a form nobody thought of'"}
    (odd,) = (entry for entry in attempts(out) if entry.subject == "honest-religion@1")
    assert odd.reply is not None
    assert (odd.attempt, odd.error, odd.result) == (1, outcome.left_open["honest-religion"], None)


def test_a_long_broken_reply_does_not_make_the_next_prompt_long(drafted: Drafted) -> None:
    replies = iter(["x" * 200_000, {**draft(), "y" * 100_000: 1}, None])
    with DraftServer(lambda body: next(replies)) as server:
        assert drafted(server, values="Honest").asked == 1
    assert max(len(m["content"]) for body in server.drafts for m in body["messages"][2:]) <= 1500


def test_a_dilemma_whose_replies_stay_broken_is_left_open_and_the_others_are_written(
    generated: Command, out: Path
) -> None:
    with DraftServer(only("Honest", "{")) as server:
        done = generated(server, "--attempts", "3")
    assert done.returncode == 3, done.stderr
    assert ids(out) == ["equality-religion", "loyal-religion"]
    assert re.search(r"open +honest-religion: .*JSON", done.stdout)
    assert "2 written, 0 there before, 1 left open" in done.stdout
    assert f"dilemmas check {out}" in done.stdout
    tries = [entry for entry in attempts(out) if entry.subject == "honest-religion@1"]
    assert [entry.attempt for entry in tries] == [1, 2, 3]
    assert all(
        entry.error and entry.reply and entry.reply["choices"][0]["message"]["content"] == "{" for entry in tries
    )


HOSTILE = [
    "{{ 7*7 }} {% for x in y %} {{ config }}",
    "<script>alert(1)</script> & [bold]bold[/bold] </s><|im_end|>",
    'quotes " and \\ backslashes, line\nbreaks\tand \u2028 separators',
    "\u202egnol dna \U0001f600",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_reply_says_is_kept_as_text(drafted: Drafted, out: Path, text: str) -> None:
    scenario = f"You read this on a wall and are asked about it: {text} " + "and you wait for an answer " * 6
    with DraftServer(lambda body: draft(about(body), scenario=scenario)) as server:
        drafted(server, values="Honest", topics="Religion,Environment", **{"model.concurrency": 1})
    assert [dilemma.scenario for dilemma in written(out)] == [scenario.strip()] * 2
    assert " ".join(scenario.split()[:20]) in server.drafts[1]["messages"][1]["content"]


def test_numbers_that_are_none_do_not_spoil_the_journal(drafted: Drafted, out: Path) -> None:
    body = json.dumps(completion(json.dumps(draft())).body).replace(
        '"usage": {', '"usage": {"odd": NaN, "big": 1e999, '
    )
    with DraftServer(lambda _: Answer(body=body)) as server:
        assert drafted(server, values="Honest").asked == 1
    assert attempts(out)[0].completion_tokens == 7


# A server that fails


def test_a_server_that_slips_is_asked_again_and_the_slips_are_noted(drafted: Drafted, out: Path) -> None:
    replies = iter([error(503, "busy", retry_after="0"), Answer(drop=True), None])
    with DraftServer(lambda body: next(replies)) as server:
        outcome = drafted(server, values="Honest")
    assert (outcome.asked, outcome.failed_attempts, outcome.asked_again) == (1, 2, 0)
    assert [(entry.attempt, entry.reply is None, bool(entry.error)) for entry in attempts(out)] == [
        (1, True, True), (2, True, True), (3, False, False)
    ]  # fmt: skip


def test_what_came_instead_of_a_reply_is_kept_without_the_key(
    drafted: Drafted, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-0123456789")
    page = Answer(503, "<h1>Busy</h1> sk-0123456789 " + "and so on " * 100, kind="text/html")
    odd = Answer(body={"choices": [], "note": "sk-0123456789"})
    replies = iter([page, odd, None])
    with DraftServer(lambda body: next(replies), key="sk-0123456789") as server:
        assert drafted(server, values="Honest", **{"model.api_key_env": "MY_KEY"}).asked == 1
    busy, empty, good = attempts(out)
    assert busy.raw.startswith("<h1>Busy</h1> [key]")
    assert busy.raw.count("and so on") == 100
    assert json.loads(empty.raw) == {"choices": [], "note": "[key]"}
    assert good.raw == ""


def test_a_server_that_dies_ends_the_work_and_the_rest_is_asked_later(generated: Command, out: Path) -> None:
    many = ("--values", "Honest", "--topics", "all")
    with DraftServer(die_after_drafts=2) as server:
        done = generated(server, *many, "--concurrency", "1", "--attempts", "1", "--patience", "0")
    assert done.returncode == 2
    assert "error: gave up after" in done.stderr.replace(f"{server.address}: ", "")
    assert "--resume" in done.stderr
    before = written(out)
    assert len(before) == 2
    with DraftServer() as server:
        assert generated(server, *many).returncode == 2, "the file is there"
        assert generated(server, *many, "--resume").returncode == 0
        assert len(server.drafts) == 9
    assert written(out)[:2] == before
    assert len(ids(out)) == 11


def test_one_refused_prompt_is_left_open_and_the_others_are_written(drafted: Drafted, out: Path) -> None:
    with DraftServer(only("Honest", error(400, "blocked by the content filter"))) as server:
        outcome = drafted(server)
    assert (outcome.asked, outcome.open, outcome.stopped) == (2, 1, None)
    assert "content filter" in outcome.left_open["honest-religion"]
    assert len(server.drafts) == 3


@pytest.mark.parametrize(("status", "asked"), [(401, 1), (403, 1), (404, 1), (400, 3)])
def test_refusals_of_everything_stop_the_work(drafted: Drafted, out: Path, status: int, asked: int) -> None:
    with DraftServer(lambda body: error(status, "no")) as server:
        outcome = drafted(server, topics="all", **{"model.concurrency": 1})
    assert outcome.stopped is not None
    assert len(server.drafts) == asked
    assert len(attempts(out)) == asked
    assert not out.exists()


def test_a_wrong_key_is_told_and_nothing_is_left_behind(
    generated: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", KEY)
    with DraftServer(key="another-key") as server:
        done = generated(server, "--api-key-env", "SECRET")
    assert done.returncode == 2
    assert "401" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_key_gets_into_no_file_and_no_message(
    generated: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", KEY)
    leaky = draft(scenario=f"You find the key {KEY} on a note, " + "and somebody asks you for it tonight " * 6)
    replies = iter([f"what {KEY}", leaky])
    with DraftServer(lambda body: next(replies), key=KEY) as server:
        done = generated(server, "--api-key-env", "SECRET", "--limit", "1")
        assert done.returncode == 0, done.stderr
    kept = [path.read_text() for path in tmp_path.iterdir()]
    assert len(kept) == 2
    assert all(KEY not in text for text in [*kept, done.stdout, done.stderr])


# Many at once


@pytest.mark.parametrize("concurrency", [1, 4, 7])
def test_as_many_requests_as_wanted_are_in_flight_from_first_to_last(drafted: Drafted, concurrency: int) -> None:
    cells = 22
    gate = Gate(concurrency, cells)

    with DraftServer(lambda body: gate.pass_through()) as server:
        outcome = drafted(server, values="Honest,Loyal", topics="all", **{"model.concurrency": concurrency})
    assert (outcome.asked, outcome.open) == (cells, 0)
    left = range(cells, 0, -1)
    assert gate.in_flight == [min(concurrency, count) for count in left]


# Killed, interrupted


def start(server: DraftServer, out: Path, *arguments: str) -> subprocess.Popen[str]:
    given = ["--values", "Honest,Loyal", "--topics", "all", "--out", str(out), "--concurrency", "3", *arguments]
    return subprocess.Popen(
        [sys.executable, "-m", "dilemmas", "generate", "--model", "fake", "--base-url", server.address, *given],
        cwd=out.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_ends_in_the_middle_loses_nothing(drafted: Drafted, out: Path, how: signal.Signals) -> None:
    stop_at = 9

    def reply(body: Record) -> None:
        if len(server.drafts) == stop_at:
            process.send_signal(how)
            process.wait(60)

    with DraftServer(reply) as server:
        given = ["--values", "Honest,Loyal", "--topics", "all", "--out", str(out), "--concurrency", "3"]
        process = subprocess.Popen(
            [sys.executable, "-m", "dilemmas", "generate", "--model", "fake", "--base-url", server.address, *given],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = process.communicate(timeout=60)
        assert process.returncode == (130 if how == signal.SIGINT else -9), said
        if how == signal.SIGINT:
            assert "--resume" in said[1]
            assert len(ids(out)) == len([entry for entry in attempts(out) if entry.result])
        kept = {entry.subject for entry in attempts(out) if entry.result}
        assert len(kept) >= stop_at - 3
        outcome = drafted(server, values="Honest,Loyal", topics="all", resume=True)
        assert (outcome.reused, outcome.asked) == (len(kept), 22 - len(kept))
        asked = Counter(about(body) for body in server.drafts)
    assert len(ids(out)) == len(set(ids(out))) == len(asked) == 22
    assert sum(asked.values()) - 22 <= 3, "only those in flight are asked twice"
    assert {f"{dilemma.id}@1" for dilemma in written(out)} >= kept


# What is there already


def test_a_file_that_is_there_is_left_alone(generated: Command, out: Path) -> None:
    out.write_text("mine\n")
    with DraftServer() as server:
        done = generated(server)
        assert server.seen == []
    assert done.returncode == 2
    assert all(word in done.stderr for word in (str(out), "--resume", "--force"))
    assert out.read_text() == "mine\n"


def test_a_journal_without_its_file_is_left_alone_and_can_be_gone_on_with(drafted: Drafted, out: Path) -> None:
    with DraftServer() as server:
        drafted(server)
        before = out.read_bytes()
        out.unlink()
        with pytest.raises(InputError, match="file is gone"):
            drafted(server)
        outcome = drafted(server, resume=True)
        assert len(server.drafts) == 3
    assert (outcome.reused, outcome.asked) == (3, 0)
    assert out.read_bytes() == before


def test_force_moves_what_was_there_aside(generated: Command, out: Path) -> None:
    with DraftServer() as server:
        generated(server)
        before = {out.read_bytes(), out.with_name("drafts.attempts.jsonl").read_bytes()}
        done = generated(server, "--force")
    assert done.returncode == 0, done.stderr
    aside = [
        path for path in out.parent.iterdir() if re.fullmatch(r"drafts\.\d{8}T\d{6}Z(\.attempts)?\.jsonl", path.name)
    ]
    assert {path.read_bytes() for path in aside} == before
    assert all(path.name in done.stdout for path in aside)
    assert len(ids(out)) == 3


def test_what_people_changed_in_the_file_stays(drafted: Drafted, out: Path) -> None:
    with DraftServer() as server:
        drafted(server)
        edited = [one.model_copy(update={"scenario": "You wrote this by hand."}) for one in written(out)]
        edited[0] = edited[0].model_copy(update={"id": "by-hand"})
        dataset.write(out, tuple(edited[:2]))
        outcome = drafted(server, resume=True, values="Honest,Equality,Loyal,Devout")
        assert Counter(about(body) for body in server.drafts)["Equality and Religion"] == 1, "by-hand fills that cell"
    assert outcome.asked == 1
    assert written(out)[:2] == edited[:2]
    assert sorted(ids(out)) == ["by-hand", "devout-religion", "equality-religion", "honest-religion", "loyal-religion"]


# Written anew


@pytest.fixture
def checked(out: Path, drafted: Drafted) -> Callable[..., Path]:
    """Draft three dilemmas and write findings about them."""

    def run(server: DraftServer, *found: tuple[str, Severity], **changes: Any) -> Path:
        drafted(server)
        dilemmas = {one.id: one for one in written(out)}
        findings = [
            Finding(
                id=name, revision=dilemmas[name].revision, rule="a-rule", severity=severity, what=f"{name} is bad",
                where="scenario", fix="Mend it.", others=("loyal-religion",) if name == "honest-religion" else (),
            )
            for name, severity in found
        ]  # fmt: skip
        path = out.parent / "checks" / "findings.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            json.dumps(
                {
                    "dataset": "../drafts.jsonl",
                    "sha256": dataset.read(out).sha256,
                    "dilemmas": 3,
                    "created": "2026-11-21T00:00:00Z",
                    "versions": {},
                    "findings": [finding.model_dump(mode="json") for finding in findings],
                    "coverage": {
                        "grid": {}, "basic_values": {}, "competing_values": {}, "relations": {}, "settings": {}
                    },
                }
                | changes
            )
        )  # fmt: skip
        return path

    return run


def test_only_what_was_found_wrong_is_written_anew(generated: Command, checked: Callable[..., Path], out: Path) -> None:
    with DraftServer() as server:
        findings = checked(server, ("honest-religion", "error"), ("equality-religion", "note"))
        before = {one.id: one for one in written(out)}
        server.seen.clear()
        done = generated(server, "--repair", str(findings))
        assert done.returncode == 0, done.stderr
        (body,) = server.drafts
    prompt = body["messages"][1]["content"]
    assert before["honest-religion"].scenario in prompt
    assert "honest-religion is bad" in prompt
    assert "Mend it." in prompt
    assert "- " + " ".join(before["loyal-religion"].scenario.split()[:20]) in prompt
    after = {one.id: one for one in written(out)}
    assert list(after) == list(before)
    new, old = after.pop("honest-religion"), before.pop("honest-religion")
    assert after == before
    same = ("id", "value", "topic", "competing_value", "setting")
    assert new.model_dump(include=set(same)) == old.model_dump(include=set(same))
    assert (new.revision, new.review.status) == (2, "unreviewed")
    assert written(out.with_name("drafts.history.jsonl")) == [old]


def test_a_repair_goes_on_where_it_was_stopped_and_then_has_nothing_to_do(
    generated: Command, checked: Callable[..., Path], out: Path
) -> None:
    with DraftServer() as server:
        findings = checked(server, *((name, "warning") for name in ids_of_three()))
        first = out.read_bytes()
        assert generated(server, "--repair", str(findings), "--limit", "1").returncode == 0
        assert sorted(one.revision for one in written(out)) == [1, 1, 2]
        out.write_bytes(first)  # as after a kill between journal and file
        server.seen.clear()
        assert generated(server, "--repair", str(findings)).returncode == 0
        assert len(server.drafts) == 2
        third = generated(server, "--repair", str(findings))
        assert third.returncode == 0
        assert "has changed since it was checked" in third.stdout
        assert len(server.drafts) == 2
    assert [one.revision for one in written(out)] == [2, 2, 2]
    history = [Dilemma.model_validate_json(line) for line in out.with_name("drafts.history.jsonl").open()]
    assert sorted((one.id, one.revision) for one in history) == [(name, 1) for name in ids_of_three()]


def ids_of_three() -> list[str]:
    return ["equality-religion", "honest-religion", "loyal-religion"]


def test_what_a_person_judged_stays(generated: Command, checked: Callable[..., Path], out: Path) -> None:
    with DraftServer() as server:
        findings = checked(server, *((name, "error") for name in ids_of_three()))
        first, *rest = written(out)
        judged = first.model_copy(update={"review": first.review.model_copy(update={"status": "accepted"})})
        dataset.write(out, (judged, *rest))
        done = generated(server, "--repair", str(findings))
    assert "1 with findings judged by a person" in done.stdout
    assert written(out)[0] == judged
    assert [one.revision for one in written(out)] == [1, 2, 2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"findings": "none"}, ("holds no findings", "field findings")),
        ({"coverage": None}, ("holds no findings", "field coverage")),
        ({"dataset": "gone.jsonl"}, ("no such", "gone.jsonl")),
        ({"dataset": "../other.jsonl"}, ("another file", "other.jsonl", "--out")),
    ],
)
def test_findings_that_do_not_fit_are_refused(
    generated: Command, checked: Callable[..., Path], out: Path, record: Record, changes: Record, words: tuple[str, ...]
) -> None:
    out.with_name("other.jsonl").write_text(json.dumps(record) + "\n")
    with DraftServer() as server:
        findings = checked(server, ("honest-religion", "error"), **changes)
        server.seen.clear()
        done = generated(server, "--repair", str(findings))
        assert server.seen == []
    assert done.returncode == 2
    assert [word for word in words if word not in done.stderr] == []


def test_a_script_gets_the_outcome_as_json(generated: Command, out: Path) -> None:
    with DraftServer(lambda body: sent(body, draft(about(body)))) as server:
        done = generated(server, "--json", "--limit", "2")
    found = json.loads(done.stdout)
    assert (found["asked"], found["later"], found["open"], found["path"]) == (2, 1, 0, str(out))

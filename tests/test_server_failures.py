"""A server that fails, met through the command line: exit code, message, what is kept and what is asked again."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fake_server import Answer, FakeServer, Script, Seen, completion, error, html

from dilemmas import config, evaluate
from dilemmas import study as planning
from dilemmas.flow.breaker import UNREACHABLE_LIMIT

Command = Callable[..., "subprocess.CompletedProcess[str]"]
TRIALS = 12
"""Trials of a study of two dilemmas: two questions, three repeats, the model as itself."""


@pytest.fixture
def ask(command: Command, tmp_path: Path) -> Command:
    """`dilemmas evaluate` on a server: two dilemmas, no persona, no report."""

    def run(server: FakeServer | str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        address = server if isinstance(server, str) else server.address
        (tmp_path / "run.toml").write_text(f"[model]\npatience = 0\n{options.pop('model', '')}", encoding="utf-8")
        study = ["--config", "run.toml", "--run", "run", "--persona-set", "none", "--no-report"]
        if "--limit" not in arguments:
            study += ["--limit", "2"]
        return command("evaluate", "--model", "fake", "--base-url", address, *study, *arguments, **options)

    return run


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., evaluate.Outcome]:
    """The same study in this process, where the command line adds nothing to what is tested."""

    def run(server: FakeServer, **settings: Any) -> evaluate.Outcome:
        study = {"name": "run", "limit": 2, "persona_set": "none"}
        model = {"model.name": "fake", "model.base_url": server.address, "model.patience": 0.0}
        chosen = config.load(None, {**study, **model, **settings})
        return asyncio.run(evaluate.evaluate(planning.prepare(chosen), tmp_path / "runs"))

    return run


def stored(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "runs/run/run.sqlite")) as db:
        return db.execute(query).fetchall()


def failed(done: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> str:
    """Check how a command failed; gives its message."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    message = done.stderr[done.stderr.index("error: ") :] if code == 2 else done.stdout + done.stderr
    assert [word for word in words if word not in message] == []
    if code == 2:
        assert message.strip().count("\n") == 1, "what and where on one line, the fix on the next"
    return message


def prompts(server: FakeServer) -> Counter[str]:
    return Counter(json.dumps([body["messages"], body.get("seed")]) for body in server.questions)


def to_questions(answer: Answer, about: Callable[[Seen], bool] = lambda seen: True) -> Script:
    return lambda seen: answer if seen.is_question and about(seen) else None


def about_first_item() -> Callable[[Seen], bool]:
    """Whether a request is about the first dilemma of the shipped ones."""
    from dilemmas.dataset import read, shipped_path

    scenario = read(shipped_path()).dilemmas[0].scenario
    return lambda seen: scenario in seen.prompt


def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


# Nothing can be asked


def test_nobody_at_the_address(ask: Command, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{closed_port()}/v1"
    failed(ask(address), "nobody answers", address, "Start the server")
    assert not (tmp_path / "runs").exists()


def test_another_web_server(ask: Command, tmp_path: Path) -> None:
    with FakeServer(script=lambda seen: html()) as server:
        failed(ask(server), "text/html", server.address, "/v1")
    assert not (tmp_path / "runs").exists()


def test_a_web_server_without_such_a_page(ask: Command) -> None:
    with FakeServer(script=lambda seen: html(404)) as server:
        failed(ask(server), "HTTP 404", server.address, "/v1")


def test_a_server_that_wants_a_key(ask: Command) -> None:
    with FakeServer(key="the-right-key") as server:
        failed(ask(server), "HTTP 401", "not sent", server.address, "--api-key-env")


def test_a_model_the_server_does_not_have(ask: Command) -> None:
    with FakeServer(models=("Qwen/Qwen3-8B", "fakes")) as server:
        failed(ask(server), '"fake"', "Qwen/Qwen3-8B, fakes", server.address, 'Did you mean "fakes"?')
        assert server.chats == []


def test_no_log_probabilities_although_they_are_needed(ask: Command, tmp_path: Path) -> None:
    with FakeServer(most_logprobs=0) as server:
        failed(ask(server, "--protocol", "logprob"), "no log-probabilities", "--protocol", "reasoned")
        assert server.questions == []
    assert not (tmp_path / "runs").exists()


def test_an_address_that_leads_elsewhere(ask: Command) -> None:
    with FakeServer() as there:
        moved = Answer(308, "", {"location": there.address})
        with FakeServer(script=lambda seen: moved) as server:
            failed(ask(server), "HTTP 308", "redirect", server.address, "--base-url")
        assert there.seen == []


@pytest.mark.parametrize("wording", ["vllm", "llama.cpp"])
def test_a_prompt_longer_than_the_context(ask: Command, wording: Any) -> None:
    with FakeServer(context=300, wording=wording) as server:
        done = ask(server, "--limit", "12")
        failed(done, "longer than the model's context", server.address, "longer context", "as baseline")
        assert set(prompts(server).values()) == {1}
        assert len(server.questions) <= 24, "of 72"


# The server is lost


def test_a_server_that_dies_is_left_alone_and_the_same_command_goes_on_later(ask: Command, tmp_path: Path) -> None:
    with FakeServer(die_after=7) as server:
        failed(ask(server, "--concurrency", "1"), server.address, "failures in a row", "same command again")
        assert len(server.questions) == 8
    before = stored(tmp_path, "SELECT * FROM replies ORDER BY trial")
    assert len(before) == 7
    refused = "SELECT count(*) FROM attempts WHERE kind = 'UnreachableError'"
    assert stored(tmp_path, refused) == [(UNREACHABLE_LIMIT,)]

    with FakeServer(port=server.port) as living:
        done = ask(living, "--concurrency", "1")
        assert done.returncode == 0, done.stderr
        assert "7 answers reused, 5 asked" in done.stdout
        assert "0 left open" in done.stdout
        assert len(living.questions) == 5
    assert set(before) <= set(stored(tmp_path, "SELECT * FROM replies"))
    assert stored(tmp_path, "SELECT count(*) FROM replies") == [(TRIALS,)]


def test_a_dying_server_costs_a_few_attempts_whatever_the_number_of_workers(
    evaluated: Callable[..., evaluate.Outcome], tmp_path: Path
) -> None:
    with FakeServer(die_after=20) as server:
        outcome = evaluated(server, limit=8)
    assert outcome.stopped is not None
    assert outcome.asked <= 20
    assert outcome.asked + outcome.open == 48
    assert outcome.failed_attempts <= UNREACHABLE_LIMIT + 2 * 8
    assert stored(tmp_path, "SELECT count(*) FROM replies") == [(outcome.asked,)]
    with FakeServer() as living:
        again = evaluated(living, limit=8)
        assert (again.reused, again.asked, again.open) == (outcome.asked, outcome.open, 0)
        assert len(living.questions) == outcome.open


def test_answers_are_reused_whatever_the_address_of_the_server(evaluated: Callable[..., evaluate.Outcome]) -> None:
    with FakeServer() as one, FakeServer() as other:
        assert evaluated(one).asked == TRIALS
        assert evaluated(other).reused == TRIALS
        assert (len(one.questions), len(other.questions)) == (TRIALS, 0)


def test_a_server_that_fails_at_everything_is_not_asked_everything(ask: Command, tmp_path: Path) -> None:
    down = to_questions(error(500, "CUDA out of memory", retry_after="0"))
    with FakeServer(script=down) as server:
        failed(ask(server, "--limit", "12"), "CUDA out of memory", server.address, "failures in a row", "same command")
        assert len(server.questions) <= 60, "of 288 questions"
    assert len(server.questions) == len(stored(tmp_path, "SELECT 1 FROM attempts"))


def test_garbage_in_mid_run_is_asked_again(evaluated: Callable[..., evaluate.Outcome], tmp_path: Path) -> None:
    def breaks(seen: Seen) -> Answer | None:
        return html() if seen.is_question and len(server.questions) == 6 else None

    with FakeServer(script=breaks) as server:
        outcome = evaluated(server, **{"model.concurrency": 1})
        assert len(server.questions) == TRIALS + 1
    assert (outcome.asked, outcome.open, outcome.failed_attempts) == (TRIALS, 0, 1)
    assert stored(tmp_path, "SELECT kind, status FROM attempts") == [("TransientError", 200)]


# A request is refused


def test_a_refused_request_is_put_once_and_the_run_goes_on(ask: Command, tmp_path: Path) -> None:
    def refuses_the_fourth(seen: Seen) -> Answer | None:
        return error(400, "System role not supported") if seen.is_question and len(server.questions) == 4 else None

    with FakeServer(script=refuses_the_fourth) as server:
        done = ask(server, "--concurrency", "1")
        failed(done, "11 asked", "1 left open", "HTTP 400", "System role not supported", code=3)
        assert set(prompts(server).values()) == {1}
        assert len(server.questions) == TRIALS
    assert stored(tmp_path, "SELECT kind, status FROM attempts") == [("rejected", 400)]


def test_a_key_that_expires_in_mid_run_stops_it(ask: Command, tmp_path: Path) -> None:
    def expires(seen: Seen) -> Answer | None:
        return error(401, "token expired") if len(server.questions) > 6 else None

    with FakeServer(script=expires) as server:
        failed(ask(server, "--concurrency", "1"), "HTTP 401", "token expired", server.address)
        failed(ask(server), "HTTP 401", "token expired", server.address)
        assert len(server.questions) == 7
    assert len(stored(tmp_path, "SELECT 1 FROM replies")) == 6


# A failure that may pass


@pytest.mark.parametrize("workers", [1, 8])
def test_one_item_that_always_fails_leaves_the_others_alone(
    ask: Command, evaluated: Callable[..., evaluate.Outcome], tmp_path: Path, workers: int
) -> None:
    hated = about_first_item()
    crash = to_questions(error(500, "worker crashed", retry_after="0"), hated)
    with FakeServer(script=crash) as server:
        done = ask(server, "--concurrency", str(workers), "--limit", "4")
        failed(done, "18 asked", "6 left open", "worker crashed", "same command again", code=3)
        asked = prompts(server)
        assert sorted(asked.values()) == [1] * 18 + [4] * 6
        assert all((count == 4) == hated(Seen("POST", "/chat/completions", {}, {"messages": json.loads(key)[0]}))
                   for key, count in asked.items())  # fmt: skip
    assert len(stored(tmp_path, "SELECT 1 FROM replies")) == 18
    assert stored(tmp_path, "SELECT DISTINCT status FROM attempts") == [(500,)]
    with FakeServer() as living:
        again = evaluated(living, limit=4)
        assert (again.reused, again.asked, again.open) == (18, 6, 0)
        assert len(living.questions) == 6


@pytest.mark.parametrize(
    "hiccup",
    [
        error(429, "slow down", retry_after="0"),
        Answer(503, "busy", {"retry-after": "0"}, kind="text/plain"),
        Answer(502, "<h1>Bad Gateway</h1>", {"retry-after": "0"}, kind="text/html"),
    ],
)
def test_each_question_is_put_again_after_a_hiccup(
    evaluated: Callable[..., evaluate.Outcome], tmp_path: Path, hiccup: Answer
) -> None:
    def first_time(seen: Seen) -> Answer | None:
        return hiccup if seen.is_question and prompts(server)[key_of(seen)] == 1 else None

    def key_of(seen: Seen) -> str:
        return json.dumps([seen.body["messages"], seen.body.get("seed")])

    with FakeServer(script=first_time) as server:
        outcome = evaluated(server)
        assert (outcome.asked, outcome.open, outcome.failed_attempts) == (TRIALS, 0, TRIALS)
        assert set(prompts(server).values()) == {2}
    assert stored(tmp_path, "SELECT status, count(*) FROM attempts GROUP BY 1") == [(hiccup.status, TRIALS)]


def test_too_many_requests_do_not_end_a_run(ask: Command) -> None:
    def first_three(seen: Seen) -> Answer | None:
        few = seen.is_question and len(server.questions) <= 3
        return error(429, "slow down", retry_after="0") if few else None

    with FakeServer(script=first_three) as server:
        done = ask(server)
        assert done.returncode == 0, done.stderr
        assert f"{TRIALS} asked" in done.stdout
        assert len(server.questions) == TRIALS + 3


def test_an_item_that_gets_no_reply_in_time_is_left_open(ask: Command, tmp_path: Path) -> None:
    with FakeServer(script=to_questions(Answer(delay=15.0), about_first_item())) as server:
        done = ask(server, model="timeout = 0.4\nattempts = 2\n")
        failed(done, "6 asked", "6 left open", "no reply in time", "same command again", code=3)
        assert sorted(prompts(server).values()) == [1] * 6 + [2] * 6
    assert len(stored(tmp_path, "SELECT 1 FROM replies")) == 6


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (Answer(body=completion("B").body, drip=0.2), "no reply in time"),
        (Answer(drop=True), "connection was lost"),
        (Answer(body={"choices": []}), "choices"),
    ],
)
def test_an_item_that_gets_no_whole_reply_is_left_open(
    evaluated: Callable[..., evaluate.Outcome], slip: Answer, words: str
) -> None:
    with FakeServer(script=to_questions(slip, about_first_item())) as server:
        outcome = evaluated(server, **{"model.timeout": 0.4, "model.attempts": 1})
        assert (outcome.asked, outcome.open, outcome.stopped) == (6, 6, None)
        assert words in outcome.last_failure
        assert set(prompts(server).values()) == {1}


# A reply that is no answer is data


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (completion('{"reasoning": "As far as', finish="length"), 0),
        (completion("<think>Let me see"), 0),
        (completion(None), 0),
        (completion(None, refusal="I'd rather not."), TRIALS),
        (completion("", finish="content_filter"), TRIALS),
    ],
)
def test_replies_that_hold_no_answer_are_kept_and_never_asked_again(
    evaluated: Callable[..., evaluate.Outcome], answer: Answer, refused: int
) -> None:
    with FakeServer(script=to_questions(answer)) as server:
        first, second = evaluated(server), evaluated(server)
        assert (first.asked, first.refused, first.unreadable, first.open) == (TRIALS, refused, TRIALS - refused, 0)
        assert (second.reused, second.asked, second.open) == (TRIALS, 0, 0)
        assert len(server.questions) == TRIALS


def test_a_study_without_a_single_answer_ends_with_tables(ask: Command) -> None:
    with FakeServer(script=to_questions(completion('{"reasoning": "As far as', finish="length"))) as server:
        done = ask(server)
    assert done.returncode == 0, done.stderr
    assert "12 asked (0 refused, 12 unreadable), 0 left open" in done.stdout
    assert "tables" in done.stdout


def test_thinking_around_an_answer_is_no_obstacle(evaluated: Callable[..., evaluate.Outcome], tmp_path: Path) -> None:
    answer = completion('<think>C or D?</think>{"reasoning": "x", "answer": "B"}', reasoning_content="apart")
    with FakeServer(script=to_questions(answer)) as server:
        outcome = evaluated(server)
    assert (outcome.asked, outcome.refused, outcome.unreadable) == (TRIALS, 0, 0)
    letters = stored(tmp_path, "SELECT DISTINCT json_extract(response, '$.letter') FROM responses")
    kept = stored(tmp_path, "SELECT DISTINCT json_extract(reply, '$.reasoning') FROM replies")
    assert (letters, kept) == ([("B",)], [("apart",)])


def test_a_script_gets_json_and_the_messages_apart(ask: Command, tmp_path: Path) -> None:
    crash = to_questions(error(500, "worker crashed", retry_after="0"), about_first_item())
    with FakeServer(script=crash) as server:
        done = ask(server, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["counts"]["open"] == 6
    assert re.search(r"6 left open", done.stderr)

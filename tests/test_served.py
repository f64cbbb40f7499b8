"""A model behind an OpenAI-compatible server: what is sent, what is found out, what comes back."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fake_server import Answer, FakeServer, Script, Seen, completion, error, html

from dilemmas import config, evaluate
from dilemmas import study as planning
from dilemmas.config import ModelConfig
from dilemmas.errors import DilemmasError, InputError, ModelError, RejectedError, TransientError, UnreachableError
from dilemmas.models import Model, Request, http, open_model
from dilemmas.models.served import ServedModel
from dilemmas.protocols import PROTOCOLS
from dilemmas.protocols.reading import apart, spoken
from dilemmas.schema import Capabilities, Message, ProtocolName, Reply, Run, Sampling
from dilemmas.store import FILE, Store

T = TypeVar("T")
QUESTION = Request(
    messages=(
        Message(role="system", content="You are somebody."),
        Message(role="user", content="Which?\n\nA. x\nB. y"),
    ),
    sampling=Sampling(temperature=0.3, top_p=0.9, top_k=40, max_tokens=77),
    options=("x", "y"),
    seed=11,
    reply_schema={"type": "object", "properties": {"answer": {"enum": ["A", "B"]}}},
)
BARE = QUESTION.model_copy(update={"sampling": Sampling(top_k=0), "seed": None, "reply_schema": None})


def with_model(server: FakeServer | str, do: Callable[[Model], Awaitable[T]], **settings: Any) -> T:
    address = server if isinstance(server, str) else server.address

    async def run() -> T:
        async with open_model(ModelConfig(**{"name": "fake", "base_url": address, "timeout": 20, **settings})) as model:
            return await do(model)

    return asyncio.run(run())


def probe(server: FakeServer, protocol: ProtocolName = "reasoned") -> Capabilities:
    return with_model(server, lambda model: model.probe(protocol))


def ask(server: FakeServer | str, request: Request = QUESTION, **settings: Any) -> Reply:
    return with_model(server, lambda model: model.ask(request), **settings)


async def opened(model: Model) -> str:
    return model.identity.name


def to_questions(answer: Answer) -> Script:
    return lambda seen: answer if seen.is_question else None


def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


# Finding out what a server can do


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ({}, {"reply_schema": "bounded", "top_k": True, "seed": True}),
        ({"schema": "plain"}, {"reply_schema": "plain"}),
        ({"schema": "ignored"}, {"reply_schema": "none"}),
        ({"schema": "refused"}, {"reply_schema": "none"}),
        ({"unknown": ("response_format",)}, {"reply_schema": "none"}),
        ({"unknown": ("top_k",)}, {"top_k": False, "seed": True}),
        ({"unknown": ("seed",)}, {"top_k": True, "seed": False}),
        ({"unknown": ("top_k", "seed")}, {"top_k": False, "seed": False, "reply_schema": "bounded"}),
    ],
)
def test_what_a_server_can_do_is_found_by_asking_it(server: dict[str, Any], found: dict[str, Any]) -> None:
    with FakeServer(**server) as fake:
        able = probe(fake)
        assert 2 <= len(fake.chats) <= 6
    assert able.model_dump() | found == able.model_dump()
    assert able.server == "vllm, context 4096"


def tool_reply(arguments: Any) -> Answer:
    call = {"id": "1", "type": "function", "function": {"name": "reply", "arguments": arguments}}
    return completion(None, tool_calls=[call])


@pytest.mark.parametrize(
    ("answer", "able"),
    [
        (tool_reply('{"reasoning": "", "answer": "qzx-7"}'), True),
        (tool_reply('{"reasoning": "", "answer": "red"}'), False),
        (tool_reply(None), False),
        (completion('{"reasoning": "", "answer": "qzx-7"}'), False),
        (completion(None, tool_calls=[{"function": None}]), False),
        (error(400, "tools are not supported"), False),
        (error(500, "grammar failed"), False),
    ],
)
def test_a_server_calls_tools_where_the_arguments_have_the_form(answer: Answer, able: bool) -> None:
    async def calls_tools(model: Model) -> bool:
        assert isinstance(model, ServedModel)
        return await model.calls_tools()

    with FakeServer(script=lambda seen: answer if seen.is_chat else None) as fake:
        assert with_model(fake, calls_tools) is able
        (body,) = fake.chats
    assert body["tool_choice"]["function"]["name"] == body["tools"][0]["function"]["name"]


def test_a_completion_without_a_choice_is_no_completion() -> None:
    async def complete(model: Model) -> Any:
        assert isinstance(model, ServedModel)
        return await model.complete({"messages": [{"role": "user", "content": "Which?"}]})

    empty = FakeServer(script=lambda seen: Answer(body={"choices": []}) if seen.is_chat else None)
    with empty, pytest.raises(TransientError, match="choices"):
        with_model(empty, complete)


@pytest.mark.parametrize(
    ("most", "found", "tried"), [(1000, 50, [50]), (50, 50, [50]), (20, 20, [50, 20]), (5, 5, [50, 20, 5])]
)
def test_the_highest_number_of_log_probabilities_is_found(most: int, found: int, tried: list[int]) -> None:
    with FakeServer(most_logprobs=most) as fake:
        assert probe(fake, "logprob").top_logprobs == found
        assert [body["top_logprobs"] for body in fake.chats] == tried


def test_a_server_that_ignores_the_wish_for_log_probabilities_has_none() -> None:
    with FakeServer(most_logprobs=0) as fake:
        assert probe(fake, "logprob").top_logprobs == 0


def test_a_server_that_refuses_log_probabilities_has_none() -> None:
    with FakeServer(unknown=("logprobs",)) as fake:
        assert probe(fake, "logprob").top_logprobs == 0


def test_no_more_log_probabilities_are_asked_for_than_were_granted() -> None:
    listed = [{"token": f"t{n}", "logprob": -1.0 - n} for n in range(21)]

    def one_too_many(seen: Seen) -> Answer | None:
        wanted = seen.body.get("top_logprobs", 0) if seen.is_chat else 0
        return completion("A", logprobs={"content": [{"top_logprobs": listed}]}) if wanted == 20 else None

    with FakeServer(script=one_too_many) as fake:
        assert probe(fake, "logprob").top_logprobs == 20


@pytest.mark.parametrize("protocol", ["reasoned", "logprob"])
def test_a_server_that_refuses_every_question_is_reported_not_taken_for_unable(protocol: ProtocolName) -> None:
    refusing = FakeServer(script=lambda seen: error(400, "no chat template") if seen.is_chat else None)
    with refusing, pytest.raises(RejectedError, match="no chat template"):
        probe(refusing, protocol)


def test_a_server_that_is_busy_or_loading_at_the_start_is_asked_again() -> None:
    waits = iter([error(503, "Loading model", retry_after="0"), error(429, "slow down", retry_after="0")] * 2)

    def busy(seen: Seen) -> Answer | None:
        return next(waits, None)

    with FakeServer(script=busy) as fake:
        with pytest.raises(TransientError) as caught:
            probe(fake)
        assert caught.value.status == 429
        assert len(fake.seen) == 4
        assert probe(fake).reply_schema == "bounded"


def run_of(server: FakeServer, folder: Path, **settings: Any) -> Run:
    chosen = config.load(
        None,
        {
            "name": "run",
            "limit": 1,
            "persona_set": "three",
            "model.name": "fake",
            "model.base_url": server.address,
            **settings,
        },
    )
    outcome = asyncio.run(evaluate.evaluate(planning.prepare(chosen), folder))
    assert outcome.open == 0
    with Store.reading(Path(outcome.folder) / FILE) as store:
        run = store.run()
    assert run is not None
    return run


def test_what_was_found_is_recorded_and_nothing_refused_is_sent(tmp_path: Path) -> None:
    with FakeServer(unknown=("top_k", "seed"), schema="refused") as fake:
        entry = run_of(fake, tmp_path).models[0]
        sent = fake.questions
    assert entry.capabilities.model_dump() == {
        "top_logprobs": 0,
        "reply_schema": "none",
        "top_k": False,
        "seed": False,
        "server": "vllm, context 4096",
        "noise_replies": 0,
        "noise_nats": None,
        "noise_texts": None,
    }
    assert (entry.mode, entry.send_seed, entry.sampling.top_k) == ("free", False, 0)
    assert len(sent) == 24
    assert {frozenset(body) for body in sent} == {
        frozenset({"model", "messages", "temperature", "top_p", "max_tokens"})
    }


def test_the_schema_that_was_honoured_is_the_one_that_is_sent(tmp_path: Path) -> None:
    with FakeServer(schema="plain") as fake:
        entry = run_of(fake, tmp_path).models[0]
        sent = fake.questions
    assert entry.mode == "json_schema_plain"
    assert all(body["response_format"]["type"] == "json_schema" for body in sent)
    assert not any("maxLength" in json.dumps(body) for body in sent)
    assert all(isinstance(body["seed"], int) and body["top_k"] == 64 for body in sent)


def test_the_number_of_log_probabilities_found_is_the_one_asked_for(tmp_path: Path) -> None:
    with FakeServer(most_logprobs=20) as fake:
        entry = run_of(fake, tmp_path, **{"model.protocol": "logprob"}).models[0]
        sent = fake.questions
    assert (entry.mode, entry.capabilities.top_logprobs) == ("top20", 20)
    assert {body["top_logprobs"] for body in sent} == {20}
    assert {(body["temperature"], body["max_tokens"]) for body in sent} == {(0, 1)}
    assert not any({"seed", "top_k", "response_format"} & set(body) for body in sent)


# What is sent


def test_a_question_is_sent_word_for_word_with_its_sampling() -> None:
    with FakeServer() as fake:
        ask(fake)
        assert fake.questions == [
            {
                "model": "fake",
                "messages": [
                    {"role": "system", "content": "You are somebody."},
                    {"role": "user", "content": "Which?\n\nA. x\nB. y"},
                ],
                "temperature": 0.3,
                "top_p": 0.9,
                "top_k": 40,
                "max_tokens": 77,
                "seed": 11,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "reply", "strict": True, "schema": QUESTION.reply_schema},
                },
            }
        ]


def test_what_is_not_wanted_is_not_sent() -> None:
    with FakeServer() as fake:
        ask(fake, BARE)
        assert set(fake.questions[0]) == {"model", "messages", "temperature", "top_p", "max_tokens"}
        ask(fake, BARE.model_copy(update={"top_logprobs": 20}))
        assert fake.questions[1]["logprobs"] is True
        assert fake.questions[1]["top_logprobs"] == 20


FOREIGN = {
    "OPENAI_API_KEY": "foreign-api-key",
    "OPENAI_ADMIN_KEY": "foreign-admin-key",
    "OPENAI_ORG_ID": "foreign-org",
    "OPENAI_PROJECT_ID": "foreign-project",
    "OPENAI_WEBHOOK_SECRET": "foreign-webhook",
    "OPENAI_CUSTOM_HEADERS": "\n".join(
        f"{name}: foreign" for name in ("X-Foreign", "Authorization", "User-Agent", "Host", "Accept", "Content-Type")
    ),
}
ORDINARY = {"host", "accept", "connection", "content-type", "content-length", "user-agent", "authorization"}


@pytest.mark.parametrize("key", [None, "a-key-of-this-server"])
def test_nothing_meant_for_another_service_reaches_a_users_server(
    monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    settings = {}
    if key is not None:
        monkeypatch.setenv("MY_KEY", key)
        settings = {"api_key_env": "MY_KEY"}
    with FakeServer() as elsewhere, FakeServer(key=key) as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", elsewhere.address)
        monkeypatch.setenv("HTTP_PROXY", elsewhere.address)
        ask(fake, **settings)
        assert elsewhere.seen == []
        assert len(fake.seen) == 2
        for seen in fake.seen:
            assert "foreign" not in repr(seen)
            assert seen.headers.get("authorization") == (None if key is None else f"Bearer {key}")
            assert seen.headers["host"] == f"127.0.0.1:{fake.port}"
            assert set(seen.headers) <= ORDINARY


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_is_followed(status: int, method: str) -> None:
    with FakeServer() as elsewhere:
        there = Answer(status, "", {"location": f"{elsewhere.address}/models"})
        with FakeServer(script=lambda seen: there if seen.method == method else None) as fake:
            with pytest.raises(RejectedError, match="redirect") as caught:
                ask(fake)
            assert caught.value.where == fake.address
            assert "--base-url" in caught.value.fix
        assert elsewhere.seen == []


# What comes back


def read(answer: Answer) -> Reply:
    with FakeServer(script=to_questions(answer)) as fake:
        return ask(fake)


def test_a_reply_is_kept_as_it_came() -> None:
    text = '<think>A?\n</think>\n```json\n{"answer": "B"}\n``` <b>&amp;</b> {{7*7}} caf\u00e9 \U0001f600\u0000'
    reply = read(completion(text))
    assert reply.model_dump(exclude={"latency"}) == {
        "text": text,
        "reasoning": "",
        "refusal": "",
        "finish_reason": "stop",
        "top_tokens": None,
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "fingerprint": "fake-1",
    }
    assert reply.latency > 0


@pytest.mark.parametrize(
    ("answer", "field", "value"),
    [
        (completion("B", reasoning="I think"), "reasoning", "I think"),
        (completion("B", reasoning_content="I think"), "reasoning", "I think"),
        (completion(None, refusal="No."), "refusal", "No."),
        (completion(None), "text", ""),
        (completion("cut", finish="length"), "finish_reason", "length"),
        (completion("B", logprobs=None), "top_tokens", None),
        (completion("B", logprobs={"content": None}), "top_tokens", None),
        (completion("B", logprobs={"content": []}), "top_tokens", None),
        (Answer(body={"choices": [{"message": {"content": "B"}}]}), "text", "B"),
        (Answer(body={"choices": [{"message": {"content": "B"}}], "usage": None}), "prompt_tokens", None),
        (Answer(body='{"choices": [{"message": {"content": "half of one: \\ud83d"}}]}'), "text", "half of one: ?"),
    ],
)
def test_every_part_of_a_reply_is_read_where_servers_put_it(answer: Answer, field: str, value: object) -> None:
    assert getattr(read(answer), field) == value


def test_tokens_that_cannot_come_have_no_probability() -> None:
    listed = [
        '{"token": "A", "logprob": -0.5}',
        '{"token": "B", "logprob": -Infinity}',
        '{"token": "C", "logprob": null}',
        '{"token": "D", "logprob": NaN}',
        '{"token": "E", "logprob": 1e-9}',
    ]
    choice = (
        f'{{"message": {{"content": "A"}}, "logprobs": {{"content": [{{"top_logprobs": [{", ".join(listed)}]}}]}}}}'
    )
    tokens = read(Answer(body=f'{{"choices": [{choice}]}}')).top_tokens
    assert tokens is not None
    assert [(token.token, token.logprob) for token in tokens] == [("A", -0.5), ("E", 0.0)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": [{}]},
        {"choices": [{"message": None}]},
        {"choices": ["B"]},
        {"choices": [{"message": {"content": ["B"]}}]},
        {"choices": [{"message": {"content": "B"}}], "usage": {"prompt_tokens": -1}},
        {"error": {"message": "engine died"}},
        {
            "choices": [
                {
                    "message": {"content": "B"},
                    "logprobs": {"content": [{"top_logprobs": [{"token": "A", "logprob": -(10**400)}]}]},
                }
            ]
        },
    ],
)
def test_a_reply_without_an_answer_in_it_is_a_failure_that_may_pass(body: dict[str, Any]) -> None:
    with pytest.raises(TransientError) as caught:
        read(Answer(body=body))
    assert "engine died" in caught.value.what or "choices" in caught.value.what


def test_a_reply_that_is_nested_a_thousand_deep_is_a_failure_that_may_pass() -> None:
    with pytest.raises(TransientError, match="nested too deep"):
        read(Answer(body='{"a": ' + "[" * 1000 + "]" * 1000 + "}"))


@pytest.mark.parametrize(
    "wish", ["Wed, 21 Oct 2015 07:28:00 +99999999999999999", f"Wed, 21 Oct {'9' * 23} 07:28:00 GMT"]
)
def test_a_wish_to_wait_that_makes_no_sense_is_none(wish: str) -> None:
    with pytest.raises(TransientError) as caught:
        read(Answer(503, {"error": "busy"}, {"retry-after": wish}))
    assert caught.value.retry_after is None


@pytest.mark.parametrize("usage", [{"prompt_tokens": -4}, {"prompt_tokens": [1]}, "none", None])
def test_a_completion_is_given_as_it_came_whatever_else_is_odd_about_it(
    monkeypatch: pytest.MonkeyPatch, usage: Any
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-0123456789")
    body = {"choices": [{"message": {"content": ["B"]}, "finish_reason": 3}], "usage": usage, "sk-0123456789": 1}

    async def complete(model: Model) -> dict[str, Any]:
        assert isinstance(model, ServedModel)
        return await model.complete({"messages": [{"role": "user", "content": "A question?\nA. a\nB. b"}]})

    with FakeServer(key="sk-0123456789", script=to_questions(Answer(body=body))) as fake:
        found = with_model(fake, complete, api_key_env="MY_KEY")
    assert {**found, "[key]": 1} == found
    assert (found["choices"], found["usage"]) == (body["choices"], usage)
    assert "sk-0123456789" not in found


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ({"max_model_len": 4096}, 4096),
        ({"meta": {"n_ctx": 512}}, 512),
        ({"max_model_len": "long"}, None),
        ({}, None),
    ],
)
def test_the_context_a_server_tells_of_is_known(entry: dict[str, Any], context: int | None) -> None:
    async def known(model: Model) -> int | None:
        assert isinstance(model, ServedModel)
        return model.context

    listing = Answer(body={"data": [{"id": "fake", **entry}]})
    with FakeServer(script=lambda seen: None if seen.is_chat else listing) as fake:
        assert with_model(fake, known) == context


def test_a_short_placeholder_for_a_key_leaves_replies_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "token")
    with FakeServer(key="token", script=to_questions(completion("A. I take the token"))) as fake:
        assert ask(fake, api_key_env="MY_KEY").text == "A. I take the token"


# What goes wrong


def failure(server: FakeServer | str, request: Request = QUESTION, **settings: Any) -> DilemmasError:
    with pytest.raises(DilemmasError) as caught:
        ask(server, request, **settings)
    return caught.value


@pytest.mark.parametrize("status", [400, 404, 405, 410, 413, 418, 422, 451, 501])
def test_what_is_refused_for_good_is_rejected(status: int) -> None:
    with FakeServer(script=to_questions(error(status, "not like this"))) as fake:
        found = failure(fake)
        assert len(fake.questions) == 1
    assert isinstance(found, RejectedError)
    assert found.status == status
    assert "not like this" in found.what
    assert found.where == fake.address


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 507, 529])
def test_what_may_pass_is_transient_and_the_client_does_not_ask_again_by_itself(status: int) -> None:
    with FakeServer(script=to_questions(error(status, "later"))) as fake:
        found = failure(fake)
        assert len(fake.questions) == 1
    assert isinstance(found, TransientError)
    assert not isinstance(found, UnreachableError)
    assert found.status == status
    assert "later" in found.what


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *[("7", 7.0), ("0", 0.0), ("1.5", 1.5), ("-3", 0.0), ("soon", None), ("inf", None), ("nan", None)],
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_the_servers_wish_to_wait_is_read(header: str, seconds: float | None) -> None:
    with FakeServer(script=to_questions(error(429, "slow down", retry_after=header))) as fake:
        found = failure(fake)
    assert isinstance(found, TransientError)
    assert found.retry_after == seconds


def test_the_servers_wish_to_wait_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    with FakeServer(script=to_questions(error(503, "later", retry_after=date))) as fake:
        found = failure(fake)
    assert isinstance(found, TransientError)
    assert found.retry_after is not None
    assert 3000 < found.retry_after <= 3600


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_and_a_wrong_key_are_told_apart(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("MY_KEY", "the-wrong-key")
    with FakeServer(script=lambda seen: error(status, "who are you")) as fake:
        without, wrong = failure(fake), failure(fake, api_key_env="MY_KEY")
    assert "not sent" in without.what
    assert "refused" in wrong.what
    for found in (without, wrong):
        assert isinstance(found, RejectedError)
        assert "--api-key-env" in found.fix
        assert "the-wrong-key" not in str(found)


def test_nobody_there_is_unreachable() -> None:
    found = failure(f"http://127.0.0.1:{closed_port()}/v1")
    assert isinstance(found, UnreachableError)
    assert "--base-url" in found.fix


def test_a_host_that_does_not_take_the_call_is_unreachable() -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        callers = []
        try:
            for _ in range(8):
                callers.append(socket.create_connection(listener.getsockname(), timeout=0.2))
        except TimeoutError:
            found = failure(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeout=0.3)
        else:
            pytest.skip("this system takes every call")
        finally:
            for caller in callers:
                caller.close()
    assert isinstance(found, UnreachableError)


def test_a_dropped_connection_may_pass() -> None:
    with FakeServer(script=to_questions(Answer(drop=True))) as fake:
        found = failure(fake)
        assert len(fake.questions) == 1
    assert isinstance(found, TransientError)
    assert not isinstance(found, UnreachableError)
    assert "connection" in found.what


@pytest.mark.parametrize("slow", [{"delay": 15.0}, {"drip": 0.1}])
def test_a_reply_that_takes_too_long_is_given_up(slow: dict[str, float]) -> None:
    late = Answer(body=completion("B").body, **slow)
    with FakeServer(script=to_questions(late)) as fake:
        found = failure(fake, timeout=0.5)
    assert isinstance(found, TransientError)
    assert "in time" in found.what
    assert "timeout" in found.fix


@pytest.mark.parametrize(
    "answer", [html(), Answer(body="OK", kind="text/plain"), Answer(body=[]), Answer(body="[" * 200_000)]
)
def test_what_is_no_json_object_is_no_such_server(answer: Answer) -> None:
    with FakeServer(script=lambda seen: answer) as fake:
        found = failure(fake)
    assert isinstance(found, RejectedError)
    assert answer.kind.split(";")[0] in found.what
    assert "/v1" in found.fix
    assert len(str(found)) < 700


@pytest.mark.parametrize("answer", [html(), Answer(body="{" * 200, kind="text/plain"), Answer(body='{"choices": [')])
def test_garbage_from_a_server_that_has_answered_properly_may_pass(answer: Answer) -> None:
    async def twice(model: Model) -> Reply:
        await model.ask(QUESTION)
        return await model.ask(QUESTION)

    def breaks(seen: Seen) -> Answer | None:
        return answer if len(fake.questions) == 2 else None

    with FakeServer(script=breaks) as fake, pytest.raises(TransientError, match="no JSON object") as caught:
        with_model(fake, twice)
    assert caught.value.status == 200
    assert caught.value.raw == answer.body


@pytest.mark.parametrize("at_once", [True, False])
def test_a_body_without_an_end_is_not_read_to_the_end(monkeypatch: pytest.MonkeyPatch, at_once: bool) -> None:
    monkeypatch.setattr(http, "LARGEST", 2**20)
    body = b" " * (2**20 + 1 if at_once else 2**23)
    with FakeServer(script=to_questions(Answer(body=body))) as fake:
        found = failure(fake)
    assert isinstance(found, RejectedError)
    assert "more than 1 MB" in found.what


def test_a_compressed_reply_is_read_and_none_is_asked_for() -> None:
    squeezed = gzip.compress(json.dumps(completion("B").body).encode())
    with FakeServer(script=to_questions(Answer(body=squeezed, headers={"content-encoding": "gzip"}))) as fake:
        assert ask(fake).text == "B"
        assert all("accept-encoding" not in seen.headers for seen in fake.seen)


def test_no_cookie_is_kept() -> None:
    async def twice(model: Model) -> None:
        await model.ask(QUESTION)
        await model.ask(QUESTION)

    baker = to_questions(Answer(body=completion("B").body, headers={"set-cookie": "who=me; Path=/"}))
    with FakeServer(script=baker) as fake:
        with_model(fake, twice)
        assert all("cookie" not in seen.headers for seen in fake.seen)


def test_nothing_of_netrc_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login me password sesame\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with FakeServer() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        assert with_model("http://gpu.example:8000/v1", opened) == "fake"
        assert proxy.seen[0].path == "http://gpu.example:8000/v1/models"
        assert not {"authorization", "proxy-authorization"} & set(proxy.seen[0].headers)


def test_a_proxys_password_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeServer() as proxy:
        monkeypatch.setenv("https_proxy", f"http://alice:sesame@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(ModelError) as caught:
            with_model("https://gpu.example:8000/v1", opened)
    assert "sesame" not in f"{caught.value} {caught.value!r}"
    assert "HTTP 501" in str(caught.value)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "ftp://127.0.0.1:9", "http://", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_named_as_what_it_is(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="proxy") as caught:
        with_model("http://gpu.example:8000/v1", opened)
    assert "no_proxy" in caught.value.fix


def test_more_requests_than_the_system_allows_open_files_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 512))
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: raised.append(limits))
    with FakeServer() as fake:
        with pytest.raises(InputError, match="512") as caught:
            with_model(fake, opened, concurrency=1000)
        assert "--concurrency" in caught.value.where
        assert with_model(fake, opened, concurrency=300) == "fake"
        assert with_model(fake, opened, concurrency="auto") == "fake"
    assert raised == [(512, 512), (428, 512), (512, 512)]


@pytest.mark.parametrize(
    "body", ["no JSON", "[" * 200_000, [], {}, {"error": "text"}, {"error": None}, {"detail": [1]}]
)
def test_an_error_of_any_form_is_reported(body: object) -> None:
    with FakeServer(script=to_questions(Answer(400, body))) as fake:
        assert "HTTP 400" in failure(fake).what


@pytest.mark.parametrize("wording", ["vllm", "llama.cpp"])
def test_a_prompt_that_is_too_long_is_called_that(wording: Any) -> None:
    with FakeServer(context=20, wording=wording) as fake:
        found = failure(fake)
    assert isinstance(found, RejectedError)
    assert "longer than the model's context" in found.what
    assert "longer context" in found.fix


def test_a_servers_words_cannot_steer_the_terminal() -> None:
    with FakeServer(script=to_questions(error(400, "\x1b]0;owned\x07\x1b[2J\r\u202eevil"))) as fake:
        assert failure(fake).what.isprintable()


def test_an_unknown_model_is_told_what_there_is() -> None:
    with FakeServer(models=("Qwen/Qwen3-8B", "other")) as fake:
        found = failure(fake, name="Qwen/Qwen3-9B")
        assert fake.chats == []
    assert isinstance(found, RejectedError)
    assert "Qwen/Qwen3-8B, other" in found.what
    assert 'Did you mean "Qwen/Qwen3-8B"?' in found.fix


def test_an_unknown_model_of_a_server_without_a_list_is_rejected_by_the_first_question() -> None:
    with FakeServer(script=lambda seen: None if seen.is_chat else error(404, "Not Found")) as fake:
        found = failure(fake, name="other")
    assert isinstance(found, RejectedError)
    assert "other" in found.what


@pytest.mark.parametrize(
    "listing",
    [
        error(404, "Not Found"),
        error(405, "Method Not Allowed"),
        error(501, "Not Implemented"),
        Answer(body={}),
        Answer(body={"data": []}),
        Answer(body={"data": None}),
        Answer(body={"data": 5}),
        Answer(body={"data": ["fake", {"id": "fake", "meta": "none", "owned_by": None}]}),
        Answer(body={"data": [{"id": "fake", "meta": {"n_ctx": 512}}]}),
    ],
)
def test_a_server_with_an_odd_list_of_models_can_be_asked(listing: Answer) -> None:
    with FakeServer(script=lambda seen: None if seen.is_chat else listing) as fake:
        assert ask(fake).text


# What the user gave


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": ()}, ["--base-url"]),
        ({"name": "embedded"}, ["embedded", "--base-url"]),
        ({"name": "local:x.gguf"}, ["local:x.gguf", "--base-url"]),
        ({"api_key_env": "NO_SUCH_KEY"}, ["NO_SUCH_KEY", "export"]),
        ({"base_url": "http://a..b/v1"}, ["--base-url", "address"]),
    ],
)
def test_a_model_that_cannot_be_opened_says_which_setting_to_mend(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        with_model("http://127.0.0.1:9/v1", opened, **settings)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("key", ["", "   ", "two words-secret", "secret\nline", "secr\u00e9t-key", "secret\x7f"])
def test_a_variable_that_holds_no_key_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with FakeServer() as fake:
        with pytest.raises(InputError, match="MY_KEY") as caught:
            with_model(fake, opened, api_key_env="MY_KEY")
        assert fake.seen == []
    assert not key.strip() or key not in str(caught.value)
    assert "secr" not in str(caught.value)


def test_a_key_is_used_without_the_line_break_of_the_file_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "the-right-key\n")
    with FakeServer(key="the-right-key") as fake:
        assert with_model(fake, opened, api_key_env="MY_KEY") == "fake"


def test_every_protocol_can_be_asked_over_the_wire(tmp_path: Path) -> None:
    for name in PROTOCOLS:
        with FakeServer() as fake:
            run = run_of(fake, tmp_path / name, **{"model.protocol": name})
        assert run.counts["answered"] == run.counts["planned"] == 24
        assert run.models[0].protocol == name


def test_errors_of_this_module_are_errors_of_a_model() -> None:
    assert issubclass(UnreachableError, TransientError)
    assert issubclass(TransientError, ModelError)
    assert issubclass(RejectedError, ModelError)
    assert not issubclass(RejectedError, TransientError)


def test_a_key_too_short_to_be_struck_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "hunt3r2")
    with FakeServer() as fake:
        error = failure(fake, api_key_env="MY_KEY")
        assert fake.questions == []
    assert "MY_KEY" in str(error)
    assert "hunt3r2" not in str(error)


# Reasoning models


THINKING: dict[str, Any] = {
    "reasoning_effort": "low",
    "chat_template_kwargs": {"enable_thinking": True, "depth": {"steps": [1, 2]}},
    "thinking_budget": 64,
    "extra_body": {"min_p": 0.1},
}
SENT = {
    "reasoning_effort": "low",
    "chat_template_kwargs": {"enable_thinking": True, "depth": {"steps": [1, 2]}},
    "thinking_token_budget": 64,
    "min_p": 0.1,
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_how_a_model_is_to_think_is_sent_with_every_request_and_kept(tmp_path: Path, protocol: ProtocolName) -> None:
    settings = {f"model.{name}": value for name, value in THINKING.items()}
    with FakeServer() as fake:
        run = run_of(fake, tmp_path, **settings, **{"model.protocol": protocol})
        assert len(fake.questions) == 24
        assert [body for body in fake.chats if body | SENT != body] == []
    assert run.models[0].sampling.extra == SENT


def test_a_server_that_does_not_know_how_to_think_says_so_before_anything_is_asked() -> None:
    with FakeServer(unknown=("thinking_token_budget",)) as fake:
        with pytest.raises(RejectedError, match="thinking_token_budget"):
            with_model(fake, lambda model: model.probe("reasoned"), thinking_budget=64)
        assert fake.questions == []


def test_a_model_that_thinks_before_it_fits_a_schema_is_found_to_honour_it() -> None:
    def thinks(seen: Seen) -> Answer | None:
        if not (seen.is_chat and "response_format" in seen.body):
            return None
        assert seen.body["max_tokens"] == 2048
        return completion('I am to say qzx-7.</think>{"reasoning": "", "answer": "qzx-7"}')

    with FakeServer(script=thinks) as fake:
        found = with_model(fake, lambda model: model.probe("reasoned"), sampling=Sampling(max_tokens=2048))
    assert found.reply_schema == "bounded"


def reads(text: str, finish: str = "stop", reasoning: str = "") -> tuple[str, str | None]:
    """Status and letter of a reply to a question with two options."""
    reply = Reply(text=text, finish_reason=finish, reasoning=reasoning)
    response = PROTOCOLS["reasoned"].read(reply, ("one", "two"), ("I go", "I stay"))
    return response.status, response.letter


@pytest.mark.parametrize(
    ("text", "thinking"),
    [
        ('<think>A, surely.</think>{"answer": "B"}', "A, surely."),
        ('A, surely.\n</think>\n\n{"answer": "B"}', "A, surely."),
        ('<THINKING>A?</THINKING> <think>\nNo.\n</think> {"answer": "B"}', "A?\nNo."),
        ('<think></think>{"answer": "B"}', ""),
        ('{"answer": "B"}', ""),
    ],
)
def test_thinking_is_told_from_the_answer_wherever_it_stands(text: str, thinking: str) -> None:
    assert reads(text) == ("answered", "B")
    assert apart(text).thinking == thinking
    assert apart(text, "apart").thinking == f"apart\n{thinking}".strip()
    assert apart(text).words == '{"answer": "B"}'


@pytest.mark.parametrize(
    ("text", "finish", "reasoning", "cause"),
    [
        ("<think>A or", "length", "", "thinking"),
        ("", "length", "A or", "thinking"),
        ("<think>A</think>", "length", "", "thinking"),
        ('<think>A</think>{"reas', "length", "", "reply"),
        ('{"reas', "length", "", "reply"),
        ("<think>A or", "stop", "", "thinking does not end"),
    ],
)
def test_a_reply_that_was_cut_off_tells_whether_it_was_in_its_thinking(
    text: str, finish: str, reasoning: str, cause: str
) -> None:
    found = spoken(Reply(text=text, finish_reason=finish, reasoning=reasoning))
    assert found.trouble == "unreadable"
    assert found.reason.startswith(f"cut off: the {cause}")


# Strict, and what is not


def likely(*logprobs: float) -> Answer:
    listed = [{"token": token, "logprob": value} for token, value in zip("ABC", logprobs, strict=True)]
    return completion("A", logprobs={"content": [{"top_logprobs": listed}]})


def noise_of(server: FakeServer, protocol: ProtocolName, **settings: Any) -> Capabilities:
    return with_model(server, lambda model: model.probe(protocol, noise=True), **settings)


def is_noise(body: dict[str, Any]) -> bool:
    """Whether one of the two questions is asked that show a server's noise."""
    return "moving house" in body["messages"][-1]["content"]


def test_the_noise_of_log_probabilities_is_that_of_the_letters() -> None:
    """The first question's A goes up and down by .25 and its B by .125; its C is no option, and the second has less."""
    first = iter([(-0.5, -1.0, -9.0), (-0.5, -1.125, -9.0), (-0.75, -1.0, -3.0), (-0.5, -1.0, -9.0)])
    second = iter([(-2.5, -1.0, -9.0), (-2.5, -1.0, -9.0), (-2.5, -1.0625, -9.0), (-2.5, -1.0, -9.0)])

    def noisy(seen: Seen) -> Answer | None:
        if not (seen.is_chat and is_noise(seen.body)):
            return None
        with turn:
            return likely(*next(first if "A) I help" in seen.prompt else second))

    turn = threading.Lock()
    with FakeServer(script=noisy) as fake:
        found = noise_of(fake, "logprob")
        asked = [body for body in fake.chats if is_noise(body)]
    assert len(asked) == 8
    assert {(body["max_tokens"], body["temperature"], body["top_logprobs"]) for body in asked} == {(1, 0, 20)}
    assert (found.noise_replies, found.noise_nats, found.noise_texts) == (8, 0.25, None)


def test_the_noise_of_words_is_the_number_of_replies_that_differ_from_the_first() -> None:
    words = iter(["one", "other", "one", "new", "one", "one", "new", "other"])

    def noisy(seen: Seen) -> Answer | None:
        return completion(next(words)) if seen.is_chat and is_noise(seen.body) else None

    with FakeServer(script=noisy) as fake:
        found = noise_of(fake, "reasoned", concurrency=1)
        asked = [body for body in fake.chats if is_noise(body)]
    assert (found.noise_replies, found.noise_nats, found.noise_texts) == (8, None, 3)
    assert {(body["seed"], body["temperature"]) for body in asked} == {(1, 0.2)}


def test_noise_that_could_not_be_measured_is_missing() -> None:
    def silent(seen: Seen) -> Answer | None:
        return error(500, "out of memory") if seen.is_chat and is_noise(seen.body) else None

    with FakeServer(script=silent) as fake:
        found = noise_of(fake, "logprob")
    assert (found.noise_replies, found.noise_nats) == (0, None)


def owned_by(owner: str) -> Script:
    listing = Answer(body={"data": [{"id": "fake", "owned_by": owner}]})
    return lambda seen: None if seen.is_chat else listing


@pytest.mark.parametrize(
    ("owner", "settings", "sent"),
    [
        ("llamacpp", {"strict": True}, False),
        ("vllm", {"strict": True}, None),
        ("vllm", {"strict": True, "extra_body": {"cache_prompt": False}}, False),
        ("llamacpp", {}, None),
    ],
)
def test_strict_leaves_the_prompt_cache_of_llama_cpp_unused(
    tmp_path: Path, owner: str, settings: dict[str, Any], sent: bool | None
) -> None:
    with FakeServer(script=owned_by(owner)) as fake:
        run_of(fake, tmp_path, **{f"model.{name}": value for name, value in settings.items()})
        assert {body.get("cache_prompt") for body in fake.chats} == {sent}


def test_strict_has_one_request_in_flight() -> None:
    async def capacity(model: Model) -> int:
        return model.capacity

    with FakeServer() as fake:
        assert with_model(fake, capacity, strict=True) == 1
        assert with_model(fake, capacity) == 8
        assert with_model(fake, capacity, concurrency=17) == 17


# Several servers


def share(servers: list[FakeServer], do: Callable[[Model], Awaitable[T]], **settings: Any) -> T:
    return with_model(servers[0], do, base_url=[server.address for server in servers], **settings)


def test_several_servers_share_the_work() -> None:
    async def many(model: Model) -> int:
        await asyncio.gather(*(model.ask(QUESTION) for _ in range(12)))
        return model.capacity

    with FakeServer() as one, FakeServer() as two:
        assert share([one, two], many, concurrency=3) == 6
        assert len(one.questions) + len(two.questions) == 12
        assert one.questions
        assert two.questions


def test_what_all_servers_can_do_is_what_the_weakest_can() -> None:
    able, weak = FakeServer(most_logprobs=20), FakeServer(most_logprobs=5, schema="plain", unknown=("seed",))
    with able, weak:
        assert share([able, weak], lambda model: model.probe("logprob")).top_logprobs == 5
        found = share([able, weak], lambda model: model.probe("reasoned"))
    assert (found.reply_schema, found.seed, found.top_k) == ("plain", False, True)
    assert found.server == "vllm, context 4096"


def test_a_server_with_another_model_is_named() -> None:
    with FakeServer() as one, FakeServer(models=("other",)) as two:
        with pytest.raises(RejectedError, match="other") as caught:
            share([one, two], opened)
        assert caught.value.where == two.address


def test_a_server_that_does_not_answer_at_the_start_is_noted_and_set_aside() -> None:
    gone = f"http://127.0.0.1:{closed_port()}/v1"

    async def several(model: Model) -> tuple[str, ...]:
        assert isinstance(model, ServedModel)
        await model.probe("reasoned")
        await asyncio.gather(*(model.ask(QUESTION) for _ in range(8)))
        assert [one.set_aside for one in model.standing()] == [True, False]
        return model.notices

    with FakeServer() as one:
        (notice,) = with_model(one, several, base_url=[gone, one.address], concurrency=2)
        assert len(one.questions) == 8
    assert gone in notice
    assert "nobody answers" in notice


def test_no_server_at_all_is_an_error() -> None:
    urls = [f"http://127.0.0.1:{closed_port()}/v1" for _ in range(2)]
    with pytest.raises(UnreachableError) as caught:
        with_model(urls[0], opened, base_url=urls)
    assert caught.value.where in urls

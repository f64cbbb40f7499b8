"""What a server can do, found out by `dilemmas probe` and told to a person and to a script."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from canned_servers import MODEL, SERVERS
from fake_server import Answer, FakeServer, Seen, completion, error

from dilemmas.config import ModelConfig
from dilemmas.errors import InputError, RejectedError
from dilemmas.models import probing, traits
from dilemmas.models.traits import Value
from dilemmas.probe import Probed, probe

Command = Callable[..., subprocess.CompletedProcess[str]]

KEY = "sk-canned-12345"
THINKS_OFF = "chat_template_kwargs = { enable_thinking = false }"
EFFORT = ['reasoning_effort = "none"', 'reasoning_effort = "low"']


def found_at(server: FakeServer, **settings: Any) -> Probed:
    config = ModelConfig(**{"name": MODEL, "base_url": server.address, "timeout": 10, **settings})
    return asyncio.run(probe(config))


def values(probed: Probed) -> dict[str, Value]:
    return {one.name: one.value for one in probed.findings}


def seen(probed: Probed) -> dict[str, str]:
    return {one.name: one.seen for one in probed.findings}


EXPECTED: dict[str, dict[str, Value]] = {
    "vllm": {
        "software": "vLLM 0.33.0",
        "context": 4096,
        "thinking": "reasoning",
        "thinking_off": [THINKS_OFF],
        "logprobs": 20,
        "schema": "bounded",
        "unknown_field": "ignored",
        "seed": True,
        "top_k": True,
        "min_p": True,
        "wrong_name": "refused",
        "too_long": "refused",
    },
    "sglang": {
        "software": "SGLang 0.5.23",
        "context": 4096,
        "thinking": "reasoning_content",
        "thinking_off": [THINKS_OFF, *EFFORT],
        "logprobs": 50,
        "prefix_cache": None,
        "wrong_name": "answered",
        "too_long": "refused",
    },
    "llama.cpp": {
        "software": "llama.cpp b6700-abc",
        "context": 4096,
        "thinking": "none",
        "logprobs": 50,
        "wrong_name": "answered",
    },
    "ollama": {
        "software": "Ollama 0.12.11",
        "context": None,
        "thinking": "reasoning",
        "thinking_off": EFFORT,
        "logprobs": 0,
        "schema": "bounded",
        "seed": True,
        "top_k": False,
        "min_p": False,
        "prefix_cache": None,
        "too_long": None,
    },
    "transformers": {
        "models": [MODEL, "org/another"],
        "software": None,
        "thinking": "<think>",
        "thinking_off": [THINKS_OFF],
        "logprobs": 0,
        "schema": "none",
        "unknown_field": "refused",
        "seed": True,
        "top_k": False,
        "min_p": False,
        "wrong_name": "refused",
    },
    "lm studio": {
        "software": None,
        "thinking": "reasoning_content",
        "thinking_off": [],
        "logprobs": 0,
        "schema": "bounded",
        "top_k": True,
        "min_p": False,
    },
    "tgi": {
        "software": "TGI 3.3.4",
        "thinking": "none",
        "logprobs": 5,
        "schema": "none",
        "wrong_name": "answered",
    },
    "openai": {
        "software": None,
        "thinking": "none",
        "logprobs": 20,
        "schema": "plain",
        "unknown_field": "refused",
        "seed": True,
        "top_k": False,
        "min_p": False,
    },
}
MODES = {
    "vllm": ("json_schema", "top20"),
    "sglang": ("json_schema", "top50"),
    "llama.cpp": ("json_schema", "top50"),
    "ollama": ("json_schema", ""),
    "transformers": ("free", ""),
    "lm studio": ("json_schema", ""),
    "tgi": ("free", "top5"),
    "openai": ("json_schema_plain", "top20"),
}


@pytest.mark.parametrize("name", SERVERS)
def test_each_server_is_found_to_do_what_it_documents(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANNED_KEY", KEY)
    with SERVERS[name]().server() as server:
        probed = found_at(server, api_key_env="CANNED_KEY" if name == "openai" else None)
        asked = len(server.chats)
    told = values(probed)
    assert told == told | EXPECTED[name]
    assert tuple(way.mode for way in probed.protocols) == MODES[name]
    assert asked == probed.requests <= 40
    for way in probed.protocols:
        assert bool(way.command) == bool(way.answered)
        assert way.answered == (2 if way.mode else 0)


def test_letters_beyond_what_a_server_returns_are_named() -> None:
    with SERVERS["tgi"]().server() as server:
        probed = found_at(server)
    assert values(probed)["letters"] == pytest.approx(1 - 0.5**5)
    assert "not returned: F" in seen(probed)["letters"]


def test_the_mass_on_the_letters_is_that_of_our_own_question() -> None:
    with SERVERS["vllm"]().server() as server:
        probed = found_at(server)
        asked = [body for body in server.questions if body.get("logprobs")]
    assert values(probed)["letters"] == pytest.approx(1 - 0.5**6)
    assert len(asked) == 2
    assert all("\nF. " in body["messages"][-1]["content"] for body in asked)


def test_tokens_from_the_cache_are_read_where_each_server_tells_them() -> None:
    def telling(cached: dict[str, Any]) -> FakeServer:
        def answer(seen: Seen) -> Answer | None:
            if not (seen.is_chat and seen.is_question and seen.body["max_tokens"] == 1 and "logprobs" not in seen.body):
                return None
            told = completion("A")
            again = sum("logprobs" not in body and body["max_tokens"] == 1 for body in server.questions) > 1
            usage = {**told.body["usage"], **(cached.get("usage", {}) if again else {})}
            return Answer(body={**told.body, "usage": usage, **({"timings": cached["timings"]} if again else {})})

        server = FakeServer(models=(MODEL,), script=answer)
        return server

    for cached in (
        {"usage": {"prompt_tokens_details": {"cached_tokens": 80}}, "timings": None},
        {"usage": {"prompt_tokens_details": None}, "timings": {"cache_n": 80}},
    ):
        with telling(cached) as server:
            probed = found_at(server)
        assert values(probed)["prefix_cache"] == 0.8
        assert "80 of 100" in seen(probed)["prefix_cache"]


def test_the_prompts_that_begin_alike_begin_as_no_prompt_did_before() -> None:
    with SERVERS["vllm"]().server() as server:
        found_at(server)
        found_at(server)
        first = [body["messages"][0]["content"] for body in server.questions if body["max_tokens"] == 1]
    marks = [content[:18] for content in first if content.startswith("(")]
    assert marks[0] == marks[1] != marks[2] == marks[3]


def test_a_reply_that_never_varies_leaves_open_what_a_seed_does() -> None:
    constant = FakeServer(models=(MODEL,), script=lambda seen: completion("Blue.") if seen.is_chat else None)
    with constant as server:
        told = values(found_at(server))
    assert (told["seed"], told["top_k"], told["min_p"]) == (None, None, None)


def test_thinking_that_is_counted_and_not_shown_is_noticed() -> None:
    body = completion("Blue.").body
    hidden = {**body, "usage": {"completion_tokens_details": {"reasoning_tokens": 9}}}
    assert traits.thinks_in(hidden) == "usage"
    assert traits.thinks_in({**body, "usage": {"completion_tokens_details": [1]}}) == "none"


def test_a_refused_look_at_the_thinking_is_not_taken_for_thinking() -> None:
    def on_room(seen: Seen) -> Answer | None:
        return error(400, "too many tokens") if seen.is_chat and seen.body["max_tokens"] == 256 else None

    with FakeServer(models=(MODEL,), script=on_room) as server:
        probed = found_at(server)
    assert values(probed)["thinking"] is False
    assert "thinking_off" not in values(probed)
    assert not any("thinks" in line for line in probed.advice)


@pytest.mark.parametrize("fails", [error(500, "out of memory"), Answer(body={"choices": []}), Answer(drop=True)])
def test_a_failure_leaves_one_thing_open_and_not_the_others(fails: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float) -> None:
        pass

    monkeypatch.setattr("dilemmas.models.listing.asyncio.sleep", at_once)

    def on_tools(seen: Seen) -> Answer | None:
        return fails if seen.is_chat and "tools" in seen.body else None

    with FakeServer(models=(MODEL,), script=on_tools) as server:
        probed = found_at(server)
    assert values(probed)["tools"] in (None, False)
    assert [way.answered for way in probed.protocols] == [2, 2]


def test_a_prompt_that_is_cut_without_a_word_is_warned_of() -> None:
    canned = SERVERS["vllm"]()
    canned.long = 0
    with canned.server() as server:
        probed = found_at(server)
    assert values(probed)["too_long"] == "answered"
    assert any("longer context" in line for line in probed.advice)


def test_a_context_too_long_to_be_tried_is_not_tried() -> None:
    async def never(body: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError(body)

    chat: probing.Chat = never
    assert asyncio.run(traits.too_long(chat, 10**7))[0] is None


def test_a_server_that_refuses_every_question_is_an_error() -> None:
    no_chat = FakeServer(models=(MODEL,), script=lambda seen: error(400, "no chat template") if seen.is_chat else None)
    with no_chat as server, pytest.raises(RejectedError, match="no chat template"):
        found_at(server)


def test_the_only_model_is_taken_and_several_are_named() -> None:
    async def chosen(server: FakeServer) -> Probed:
        return await probe(ModelConfig(base_url=(server.address,)), choose=True)

    with SERVERS["vllm"]().server() as server:
        assert asyncio.run(chosen(server)).model == MODEL
    with SERVERS["transformers"]().server() as server, pytest.raises(InputError) as caught:
        asyncio.run(chosen(server))
    assert "org/another" in caught.value.what
    assert "--model" in caught.value.fix
    with FakeServer(models=()) as server, pytest.raises(InputError, match="no models"):
        asyncio.run(chosen(server))


def test_the_scripted_model_can_be_asked_by_both_protocols(here: Command) -> None:
    ran = here("probe", "--model", "scripted", "--json")
    told = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert [(way["protocol"], way["mode"], way["answered"]) for way in told["protocols"]] == [
        ("reasoned", "json_schema", 2),
        ("logprob", "top50", 2),
    ]
    assert told["protocols"][0]["command"] == "dilemmas evaluate --model scripted --protocol reasoned"


def test_the_embedded_model_is_found_to_be_what_it_is(here: Command) -> None:
    ran = here("probe", "--json", "--timeout", "180")
    told = json.loads(ran.stdout)
    value = {one["name"]: one["value"] for one in told["findings"]}
    assert ran.returncode == 0, ran.stderr
    assert value["software"].startswith("llama.cpp")
    assert (value["context"], value["logprobs"], value["schema"]) == (4096, 50, "bounded")
    assert (value["thinking"], value["unknown_field"]) == ("none", "ignored")
    assert (value["seed"], value["top_k"]) == (True, True)
    assert (value["wrong_name"], value["too_long"]) == ("answered", "refused")
    assert value["prefix_cache"] > 0.3
    assert 0.3 < value["letters"] < 1
    assert [way["mode"] for way in told["protocols"]] == ["json_schema", "top50"]
    assert told["address"] == ""


def test_a_person_sees_what_was_asked_what_came_and_the_command(here: Command) -> None:
    with SERVERS["vllm"]().server() as server:
        ran = here("probe", "--base-url", server.address)
    assert ran.returncode == 0
    for word in ("logprobs", "50 refused (HTTP 400), 20 came of 20", "top20", "vLLM 0.33.0", "thinks first"):
        assert word in ran.stdout
    command = f"dilemmas evaluate --model {MODEL} --base-url {server.address} --protocol logprob --concurrency auto"
    assert command in ran.stdout.splitlines()


def test_words_of_a_server_cannot_steer_the_terminal(here: Command) -> None:
    canned = SERVERS["vllm"]()
    canned.version = ("/version", {"version": "1\x1b[2J[bold]"})
    with canned.server() as server:
        ran = here("probe", "--base-url", server.address)
    assert ran.returncode == 0
    assert "\x1b[2J" not in ran.stdout
    assert "[bold]" in ran.stdout


def test_a_listed_name_that_no_model_can_have_is_refused(here: Command) -> None:
    with FakeServer(models=("evil\x1b[2J",)) as server:
        ran = here("probe", "--base-url", server.address)
    assert ran.returncode == 2
    assert "\x1b" not in ran.stderr


def test_a_missing_key_is_wanted_and_a_given_one_is_not_shown(here: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANNED_KEY", KEY)
    with SERVERS["openai"]().server() as server:
        without = here("probe", "--base-url", server.address)
        given = here("probe", "--base-url", server.address, "--api-key-env", "CANNED_KEY")
    assert without.returncode == 2
    assert "--api-key-env" in without.stderr
    assert given.returncode == 0
    assert KEY not in given.stdout + given.stderr
    assert "--api-key-env CANNED_KEY" in given.stdout


def test_no_server_and_no_such_model_are_errors_that_say_what_to_do(here: Command) -> None:
    with SERVERS["vllm"]().server() as server:
        other = here("probe", "--base-url", server.address, "--model", "org/model-8b")
        address = server.address
    nobody = here("probe", "--base-url", address)
    assert (other.returncode, nobody.returncode) == (2, 2)
    assert f'Did you mean "{MODEL}"?' in other.stderr
    assert "nobody answers" in nobody.stderr


@pytest.mark.parametrize("owner", ["vllm", "llama.cpp"])
def test_a_run_is_not_begun_with_another_model_than_its_own(here: Command, owner: str) -> None:
    """llama.cpp answers under any name, so that the list is what tells."""
    with SERVERS[owner]().server() as server:
        ran = here("evaluate", "--base-url", server.address, "--model", "org/model-80B", "--limit", "1")
        assert not server.chats
    assert ran.returncode == 2
    assert f'Did you mean "{MODEL}"?' in ran.stderr
    assert "org/model-80B" in ran.stderr

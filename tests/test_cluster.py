"""What a cluster needs and no cluster is needed for: the desk, what travels, servers that are started, options."""

from __future__ import annotations

import asyncio
import math
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from conftest import plan_of
from hypothesis import given
from hypothesis import strategies as st
from processes import server_command, wait_for_end

from dilemmas import config, study
from dilemmas.asker import Asker
from dilemmas.cluster import Cluster
from dilemmas.cluster import serving as servers
from dilemmas.cluster.desk import Desk, Found
from dilemmas.cluster.driving import _actors, stretches
from dilemmas.cluster.remote import RemoteLedger
from dilemmas.cluster.telling import Told
from dilemmas.errors import DilemmasError, GoneError, InputError, SetupError
from dilemmas.models import Request
from dilemmas.schema import Capabilities, ModelIdentity, Reply, Response
from dilemmas.store import FILE, Planned, Store

SMALL = {"name": "run", "limit": 2, "persona_set": "none", "model.name": "m", "model.protocol": "logprob"}
FOUND = Found(ModelIdentity(name="m"), "logprob", Capabilities(top_logprobs=20), "", ())
REPLY, RESPONSE = Reply(text="A"), Response(status="unreadable", reason="a test")
Command = Callable[..., subprocess.CompletedProcess[str]]


def desk_of(place: Path, **changes: Any) -> tuple[Desk, list[Planned]]:
    settings = {**SMALL, **changes}
    chosen = config.load(None, settings)
    found = Capabilities(top_logprobs=20)
    return Desk(Told.of(study.prepare(chosen)), chosen.model, place / "runs", ()), plan_of(found, **settings)


def test_what_a_dead_actor_had_taken_is_given_out_again_but_not_what_it_had_answered(tmp_path: Path) -> None:
    desk, plan = desk_of(tmp_path)

    async def work() -> Any:
        await desk.enrol(FOUND)
        first = await desk.take(plan)
        await desk.keep(plan[0].trial.id, REPLY, RESPONSE)
        return first, await desk.take(plan), await desk.finish()

    first, again, outcome = asyncio.run(work())
    assert first == (list(range(len(plan))), [])
    assert again == (list(range(1, len(plan))), [])
    assert (outcome.asked, outcome.open, outcome.reused) == (1, len(plan) - 1, 0)


def test_of_two_answers_to_a_trial_the_first_is_kept_and_counted(tmp_path: Path) -> None:
    desk, plan = desk_of(tmp_path)
    trial = plan[0].trial.id

    async def work() -> Any:
        await desk.enrol(FOUND)
        await desk.take(plan)
        for text in ("first", "second"):
            await desk.keep(trial, REPLY.model_copy(update={"text": text}), RESPONSE)
        return await desk.finish()

    assert asyncio.run(work()).asked == 1
    with Store.reading(tmp_path / "runs" / "run" / FILE) as store:
        assert store.replies_to([trial])[trial].text == "first"


def test_the_same_words_in_another_group_are_asked_once(tmp_path: Path) -> None:
    (tmp_path / "own" / "persona").mkdir(parents=True)
    (tmp_path / "own" / "persona" / "variables.j2").write_text("You are somebody.", encoding="utf-8")
    desk, plan = desk_of(tmp_path, persona_set="three", orders="fixed", templates=str(tmp_path / "own"))
    twins = len(plan) - len({one.trial.id for one in plan})
    assert twins

    async def work() -> Any:
        await desk.enrol(FOUND)
        mine, elsewhere = await desk.take(plan)
        for place in mine:
            await desk.keep(plan[place].trial.id, REPLY, RESPONSE)
        again = await desk.take([plan[place] for place in elsewhere])
        return mine, elsewhere, again, await desk.finish()

    mine, elsewhere, again, outcome = asyncio.run(work())
    assert (len(elsewhere), again, outcome.open) == (twins, ([], []), 0)
    assert (outcome.asked, outcome.reused) == (len(mine), twins)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Found(ModelIdentity(name="m", revision="sha256:0"), "logprob", Capabilities(top_logprobs=20), "", ()), "same"),
        (Found(ModelIdentity(name="m"), "logprob", Capabilities(top_logprobs=5), "", ()), "can do less"),
    ],
)
def test_a_node_with_other_weights_or_a_weaker_server_is_refused(tmp_path: Path, other: Found, message: str) -> None:
    desk, _ = desk_of(tmp_path)

    async def work() -> Any:
        return await desk.enrol(FOUND), await desk.enrol(other), await desk.finish()

    asking, refused, _ = asyncio.run(work())
    assert not isinstance(asking, DilemmasError)
    assert isinstance(refused, SetupError)
    assert message in str(refused)


def test_a_node_that_can_do_more_is_asked_as_the_others_are(tmp_path: Path) -> None:
    desk, _ = desk_of(tmp_path)
    more = Found(FOUND.identity, "logprob", Capabilities(top_logprobs=50, reply_schema="bounded"), "", ())

    async def work() -> Any:
        return await desk.enrol(FOUND), await desk.enrol(more), await desk.finish()

    first, second, _ = asyncio.run(work())
    assert first[0] == second[0]


def test_an_actor_that_is_lost_again_and_again_ends_the_run(tmp_path: Path) -> None:
    desk, _ = desk_of(tmp_path)

    async def work() -> Any:
        first = [await desk.deal(name, None) for name in ("a", "b")]
        await desk.mourn("node 10.0.0.2: out of memory")
        return *first, await desk.deal("a", None), await desk.finish()

    first, second, again, outcome = asyncio.run(work())
    assert (first, second) == (0, 1)
    assert isinstance(again, SetupError)
    assert "node 10.0.0.2: out of memory" in str(again)
    assert "out of memory" in outcome.notices[0]


def test_an_actor_of_a_round_that_is_over_is_not_wanted(tmp_path: Path) -> None:
    desk, _ = desk_of(tmp_path)

    async def work() -> Any:
        dismissed = [await desk.deal("a", "its handle", 0), await desk.dismiss(1)]
        return *dismissed, await desk.deal("late", None, 0), await desk.deal("b", None, 1)

    assert asyncio.run(work()) == (0, ["its handle"], None, 0)


def test_what_a_dead_command_had_claimed_is_free_after_the_round(tmp_path: Path) -> None:
    desk, plan = desk_of(tmp_path)

    async def work() -> Any:
        await desk.enrol(FOUND)
        await desk.take(plan)
        await desk.rest()
        with closing(sqlite3.connect(tmp_path / "runs" / "run" / FILE)) as other, other:
            other.execute("INSERT INTO claims VALUES (?, 'of one that is dead')", (plan[0].trial.id,))
        first = await desk.take(plan)
        await desk.rest()
        return first, await desk.take(plan), await desk.finish()

    first, again, _ = asyncio.run(work())
    assert first == (list(range(1, len(plan))), [0])
    assert again == (list(range(len(plan))), [])


def test_a_desk_is_heard_while_a_large_plan_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, _ = desk_of(tmp_path)
    heard = threading.Event()
    monkeypatch.setattr("dilemmas.cluster.desk.begin", lambda *_: heard.wait(20) or pytest.fail("nobody was heard"))

    async def work() -> Any:
        enrolling = asyncio.create_task(desk.enrol(FOUND))
        await asyncio.sleep(0.05)
        standing = await desk.standing()
        heard.set()
        asking, _ = await enrolling
        desk._stack.close()
        return standing, asking

    standing, asking = asyncio.run(work())
    assert not standing.begun
    assert asking.name == "m"


def test_an_actor_with_a_gpu_needs_no_processor_besides() -> None:
    there = [{"Alive": True, "Resources": resources} for resources in ({"CPU": 2.0, "GPU": 8.0}, {"CPU": 2.0})]
    ray = SimpleNamespace(nodes=lambda: there)
    settings = config.ModelConfig(name="m")
    assert _actors(ray, Cluster(gpus_per_actor=1), settings) == 8
    assert _actors(ray, Cluster(gpus_per_actor=0.5), settings) == 16
    assert _actors(ray, Cluster(), settings) == 2
    with pytest.raises(InputError, match="2 GPUs each"):
        _actors(ray, Cluster(gpus_per_actor=2, actors=5), settings)


def test_a_run_of_other_settings_is_not_touched(tmp_path: Path) -> None:
    desk, plan = desk_of(tmp_path)

    async def begin() -> None:
        await desk.enrol(FOUND)
        await desk.take(plan)
        await desk.keep(plan[0].trial.id, REPLY, RESPONSE)
        await desk.finish()

    asyncio.run(begin())
    other, _ = desk_of(tmp_path, seed=7)

    async def enrol() -> Any:
        return await other.enrol(FOUND), await other.finish()

    refused, _ = asyncio.run(enrol())
    assert isinstance(refused, InputError)
    assert "seed" in str(refused)


def test_a_runner_that_stops_does_not_wait_for_more_to_ask(tmp_path: Path) -> None:
    desk, plan = desk_of(tmp_path)

    class Gone:
        capacity = 2

        async def ask(self, request: Request) -> Reply:
            raise GoneError("nobody is there")

        def close(self) -> None:
            pass

    async def batches() -> AsyncIterator[list[Planned]]:
        yield plan
        await asyncio.Event().wait()

    async def work() -> Any:
        await desk.enrol(FOUND)
        asker = Asker(config.ModelConfig(name="m"), cast("Any", Gone()), RemoteLedger(Handle(desk)))
        await asyncio.wait_for(asker.go_through(batches()), 20)
        return asker.stopped, await desk.finish()

    stopped, outcome = asyncio.run(work())
    assert isinstance(stopped, GoneError)
    assert (outcome.asked, outcome.open, outcome.set_aside) == (0, len(plan), 0)


class Handle:
    """A desk in this process, called as one elsewhere is."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self._desk, name))


def test_a_study_travels_with_its_templates_and_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-very-secret-123")
    own = tmp_path / "own"
    (own / "ask").mkdir(parents=True)
    (own / "ask" / "value.j2").write_text("What do you value?", encoding="utf-8")
    there = study.prepare(config.load(None, {**SMALL, "templates": str(own), "model.api_key_env": "SOME_KEY"}))
    sent = pickle.dumps(Told.of(there))
    assert b"sk-very-secret" not in sent
    (own / "ask" / "value.j2").unlink()
    with ExitStack() as stack:
        here = pickle.loads(sent).study(stack)
        assert here.prompts.render("ask/value.j2") == "What do you value?"
        assert (here.name, here.size, here.personas) == (there.name, there.size, there.personas)


def test_another_version_on_a_node_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told.of(study.prepare(config.load(None, SMALL)))
    monkeypatch.setattr("dilemmas.cluster.telling.__version__", "0.0.1")
    with ExitStack() as stack, pytest.raises(InputError, match="same version"):
        told.study(stack)


@given(st.integers(1, 10**7), st.integers(1, 40), st.integers(1, 64), st.integers(1, 1024))
def test_stretches_are_the_whole_plan_in_its_order(groups: int, trials: int, actors: int, in_flight: int) -> None:
    settings = config.ModelConfig(name="m", concurrency=in_flight)
    parts = stretches(groups, trials, settings, actors)
    assert [first for first, _ in parts] == [0, *(end for _, end in parts[:-1])]
    assert parts[-1][1] == groups
    assert len(parts) <= 4096
    assert len(parts) >= min(groups, 8 * actors, 4096) or parts[0][1] == -(-groups // 4096)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "ray://head:10001"}, "--address"),
        ({"address": "head"}, "HOST:PORT"),
        ({"actors": 0}, "--actors"),
        *(({"gpus_per_actor": gpus}, "--gpus-per-actor") for gpus in (-1.0, 1.5, math.nan, math.inf)),
        ({"serve": "vllm serve m"}, "{port}"),
        ({"serve": "sh -c 'vllm {port}"}, "No closing quotation"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Cluster(**options).check(config.load(None, SMALL))


@pytest.mark.parametrize("given_too", [{"model.name": "embedded"}, {"model.base_url": "http://127.0.0.1:1/v1"}])
def test_a_server_is_not_started_for_a_model_that_has_one(given_too: dict[str, str]) -> None:
    with pytest.raises(InputError, match="has one already"):
        Cluster(serve="serve --port {port}").check(config.load(None, {**SMALL, **given_too}))


@pytest.mark.parametrize("options", [("--engine", "dask"), ("--actors", "2"), ("--address", "auto")])
def test_engine_options_are_checked_before_anything_is_asked(here: Command, options: tuple[str, ...]) -> None:
    done = here("evaluate", "--model", "scripted", *options)
    assert done.returncode == 2
    assert "--engine" in done.stderr
    assert not Path("runs").exists()


def test_without_ray_the_extra_is_named(here: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    done = here("evaluate", "--model", "scripted", "--engine", "ray")
    assert done.returncode == 2
    assert "dilemmas[ray]" in done.stderr


PARENT = """
import asyncio, sys, time
from dilemmas.cluster import serving

async def main():
    async with serving.started(sys.argv[1], "m") as server:
        print(server.url, flush=True)
        time.sleep(60)

asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_started_server_and_its_children_do_not_outlive_their_actor(tmp_path: Path) -> None:
    noted = tmp_path / "processes"
    command = [sys.executable, "-c", PARENT, server_command(tmp_path, noted)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("http://127.0.0.1:")
        server, child = map(int, noted.read_text(encoding="utf-8").split())
        os.kill(parent.pid, signal.SIGKILL)
    assert wait_for_end(server, child)


@pytest.mark.parametrize("command", ["sh -c 'echo out of memory >&2; exit 3' {port}", "no-such-command {port}"])
def test_a_server_that_does_not_start_says_why(command: str) -> None:
    async def start() -> None:
        async with servers.started(command, "m"):
            raise AssertionError("it is not there")

    with pytest.raises(SetupError, match=r"out of memory|No such file"):
        asyncio.run(start())

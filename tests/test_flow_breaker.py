"""A server that fails is set aside before the queue is burnt on it, tried again, and given up in the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from virtual_time import SimulatedServer, keep_busy, now, pool, run

from dilemmas.errors import DilemmasError, GoneError, RejectedError, TransientError, UnreachableError
from dilemmas.flow.breaker import FEWEST_BLAMING, FEWEST_FAILURES, LONGEST_REST, UNREACHABLE_LIMIT
from dilemmas.flow.pool import Pool

BROKEN = TransientError("HTTP 500: no memory", status=500, where="http://there")
BUSY = TransientError("HTTP 429: slow down", status=429, where="http://there")
NOBODY = UnreachableError("nobody answers", where="http://there")


async def fail(asked: Pool[Any], error: DilemmasError, times: int, subjects: int = 10) -> None:
    """Requests one after the other, about some subjects in turn, that all fail."""
    for number in range(times):
        try:
            async with asked.slot(f"item {number % subjects}"):
                raise error
        except GoneError:
            raise
        except type(error):
            pass


def is_set_aside(asked: Pool[Any]) -> bool:
    return asked.standing()[0].set_aside


# Set aside


def test_a_server_that_refuses_connections_is_set_aside_whatever_is_asked() -> None:
    async def go() -> None:
        asked = pool("a", concurrency=1)
        await fail(asked, NOBODY, UNREACHABLE_LIMIT - 1, subjects=1)
        assert not is_set_aside(asked)
        await fail(asked, NOBODY, 1)
        assert is_set_aside(asked)

    run(go())


@pytest.mark.parametrize("error", [BROKEN, BUSY])
def test_a_server_that_fails_at_several_items_in_a_row_is_set_aside(error: TransientError) -> None:
    async def go() -> None:
        asked = pool("a", concurrency=1)
        await fail(asked, error, FEWEST_FAILURES - 1)
        assert not is_set_aside(asked)
        await fail(asked, error, 1)
        assert is_set_aside(asked)

    run(go())


def test_items_that_fail_by_themselves_are_not_the_servers_fault() -> None:
    async def go() -> None:
        asked = pool("a", concurrency=1)
        await fail(asked, BROKEN, 100, subjects=FEWEST_BLAMING - 1)
        assert not is_set_aside(asked)

    run(go())


@pytest.mark.parametrize("answer", [None, RejectedError("no", status=400)])
def test_failures_in_between_answers_are_not_in_a_row(answer: RejectedError | None) -> None:
    async def go() -> None:
        asked = pool("a", concurrency=1)
        for _ in range(20):
            await fail(asked, BROKEN, FEWEST_FAILURES - 1)
            if answer:
                await fail(asked, answer, 1)
            else:
                async with asked.slot("item"):
                    pass
        assert not is_set_aside(asked)

    run(go())


@pytest.mark.parametrize("in_flight", [1, 8, 32, 200])
def test_a_server_that_dies_fails_little_more_than_what_was_in_flight(in_flight: int) -> None:
    server = SimulatedServer(seconds=0.1, down=(3.0, 1e9))

    async def go() -> int:
        asked = pool(server, concurrency=in_flight, patience=0)
        with pytest.raises(GoneError):
            await keep_busy_until_gone(asked)
        return asked.standing()[0].failed

    assert run(go()) <= max(in_flight, FEWEST_FAILURES) + FEWEST_BLAMING - 1


async def keep_busy_until_gone(asked: Pool[SimulatedServer]) -> None:
    """As many as may be in flight at once, again and again."""

    async def work(number: int) -> None:
        while True:
            try:
                async with asked.slot(f"item {number}") as server:
                    await server.answer()
            except GoneError:
                raise
            except TransientError:
                await asyncio.sleep(0.1)

    await asyncio.gather(*(work(number) for number in range(400)))


# Tried again


def test_a_server_is_tried_again_after_longer_and_longer_times_with_a_single_request() -> None:
    tried: list[float] = []
    server = SimulatedServer(down=(0.0, 100.0))

    async def go() -> None:
        asked = pool(server, concurrency=8, patience=1e9)

        async def work(number: int) -> None:
            while True:
                try:
                    async with asked.slot(f"item {number}"):
                        if is_set_aside(asked):
                            assert asked.standing()[0].in_flight == 1
                            tried.append(now())
                        await server.answer()
                        return
                except TransientError:
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(work(number) for number in range(50)))
        assert not is_set_aside(asked)

    run(go())
    waited = [round(later - earlier) for earlier, later in zip([0.0, *tried], tried, strict=False)]
    assert waited == [1, 2, 4, 8, 16, LONGEST_REST, LONGEST_REST, LONGEST_REST]
    assert server.most_in_flight == 8, "all may be asked again once one was answered"


def test_a_trial_that_is_cancelled_leaves_room_for_another() -> None:
    async def go() -> None:
        asked = pool("a", concurrency=4)
        await fail(asked, NOBODY, UNREACHABLE_LIMIT)

        async def trial() -> None:
            async with asked.slot("item"):
                await asyncio.sleep(1000)

        task = asyncio.create_task(trial())
        await asyncio.sleep(2)
        assert asked.standing()[0].in_flight == 1
        task.cancel()
        async with asked.slot("another"):
            assert now() == 2
        assert not is_set_aside(asked)

    run(go())


def test_one_server_that_is_down_for_a_while_costs_the_other_nothing() -> None:
    dies, lives = SimulatedServer(down=(1.0, 5.0)), SimulatedServer()

    async def go() -> tuple[int, list[int]]:
        asked = pool(dies, lives, concurrency=8)
        failed = await keep_busy(asked, 2000)
        return failed, [standing.answered for standing in asked.standing()]

    failed, answered = run(go())
    assert failed <= 8 + 2 + 3
    assert sum(answered) == 2000 - failed
    assert answered[0] > 300, "it is asked again once it is back"
    assert answered[1] > answered[0]


def test_a_server_that_did_not_answer_at_the_start_is_tried_later() -> None:
    async def go() -> list[str]:
        asked, had = pool("a", "b", concurrency=1), []
        asked.set_aside("a")
        for _ in range(4):
            async with asked.slot("item") as server:
                had.append(server)
                await asyncio.sleep(0.4)
        return had

    assert run(go()) == ["b", "b", "b", "a"]


# Given up


def test_all_who_wait_and_all_who_come_are_told_that_nobody_is_there() -> None:
    async def go() -> None:
        asked = pool("a", concurrency=1, patience=0)

        async def one(number: int) -> None:
            async with asked.slot(f"item {number}"):
                raise NOBODY

        ended = await asyncio.gather(*(one(number) for number in range(50)), return_exceptions=True)
        assert sum(isinstance(how, GoneError) for how in ended) == 50 - UNREACHABLE_LIMIT
        with pytest.raises(GoneError) as gone:
            await one(50)
        assert "5 failures in a row" in str(gone.value)
        assert "nobody answers" in str(gone.value)
        assert "http://there" in str(gone.value)
        assert "same command again" in gone.value.fix
        assert now() == 0.0

    run(go())


@pytest.mark.parametrize("patience", [0.5, 10.0, 100.0])
def test_a_server_is_given_up_when_patience_is_at_an_end_and_it_was_tried_again(patience: float) -> None:
    async def go() -> float:
        asked = pool("a", concurrency=1, patience=patience)
        with pytest.raises(GoneError):
            await fail(asked, NOBODY, 100)
        return now()

    given_up = run(go())
    assert given_up >= max(patience, 1.0)
    assert given_up <= patience + LONGEST_REST


def test_nothing_is_given_up_while_one_server_answers() -> None:
    async def go() -> None:
        asked = pool("a", "b", concurrency=4, patience=0)

        async def one(number: int) -> None:
            async with asked.slot(f"item {number}") as server:
                await asyncio.sleep(0.1)
                if server == "a":
                    raise NOBODY

        ended = await asyncio.gather(*(one(number) for number in range(400)), return_exceptions=True)
        assert not any(isinstance(how, GoneError) for how in ended)
        assert sum(how is None for how in ended) >= 385

    run(go())


def test_an_answer_begins_patience_anew() -> None:
    async def go() -> None:
        asked = pool("a", concurrency=1, patience=60)
        for _ in range(5):
            await fail(asked, BROKEN, FEWEST_FAILURES + 4)  # 15 s of rest
            async with asked.slot("item"):
                await asyncio.sleep(20)
        assert now() > 120

    run(go())


def test_a_server_that_is_busy_for_ever_is_given_up_in_other_words() -> None:
    async def go() -> GoneError:
        asked = pool("a", concurrency=8, patience=30)
        with pytest.raises(GoneError) as gone:
            await fail(asked, TransientError("HTTP 429", status=429, retry_after=1.0), 100)
        return gone.value

    gone = run(go())
    assert "busy" in gone.what
    assert "--concurrency" in gone.fix
    assert "same command" in gone.fix

"""Workers that go through one list: what is asked again, when one item is set aside, and when all stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from virtual_time import SimulatedServer, now, pool, run

from dilemmas.asking import MOST_IN_A_ROW, MOST_REJECTED, Workers
from dilemmas.errors import DilemmasError, GoneError, ModelError, RejectedError, TransientError, UnreachableError


def rejected(status: int = 400) -> RejectedError:
    return RejectedError("no", status=status)


def test_items_that_a_server_refuses_are_set_aside_once_it_has_answered_another() -> None:
    workers = Workers(1, 1)

    async def answer() -> str:
        return "yes"

    async def run() -> None:
        assert await workers.insist("first", answer, lambda error: None) == "yes"
        for number in range(3 * MOST_REJECTED):
            workers.set_aside(f"item-{number}", rejected())

    asyncio.run(run())


def test_a_server_that_begins_to_refuse_everything_is_not_asked_on() -> None:
    async def answer() -> str:
        return "yes"

    workers = Workers(1, 1)
    workers.has_answered()
    for number in range(MOST_IN_A_ROW - 1):
        workers.set_aside(f"item-{number}", rejected())
    asyncio.run(workers.insist("another", answer, lambda error: None))
    for number in range(MOST_IN_A_ROW - 1):
        workers.set_aside(f"item-{number}", rejected())
    with pytest.raises(RejectedError):
        workers.set_aside("one too many", rejected())


def test_a_server_that_refuses_one_after_the_other_is_not_asked_on() -> None:
    workers = Workers(1, 1)
    for number in range(MOST_REJECTED - 1):
        workers.set_aside(f"item-{number}", rejected())
        workers.set_aside(f"item-{number}", rejected())  # the same one again tells nothing new
    with pytest.raises(RejectedError):
        workers.set_aside("another", rejected())


@pytest.mark.parametrize("status", [302, 401, 402, 403, 404, 407])
def test_what_any_other_request_would_meet_stops_at_once(status: int) -> None:
    with pytest.raises(RejectedError):
        Workers(1, 1).set_aside("item", rejected(status))


# Asked again


def in_virtual_time(ask: Callable[[], Awaitable[str]], attempts: int = 4) -> tuple[str | None, list[str], float]:
    """What insisting gives, what it was told of, and how long it took, seconds."""
    failures: list[str] = []

    async def insist() -> tuple[str | None, list[str], float]:
        return (
            await Workers(1, attempts).insist("item", ask, lambda error: failures.append(error.what)),
            failures,
            now(),
        )

    return run(insist())


def failing(*errors: Exception) -> Callable[[], Awaitable[str]]:
    """Fails in these ways one after the other, and answers then."""
    todo = iter(errors)

    async def ask() -> str:
        for error in todo:
            raise error
        return "yes"

    return ask


def test_what_may_pass_is_tried_again_after_longer_and_longer_pauses() -> None:
    answer, failures, took = in_virtual_time(failing(*[TransientError("busy")] * 3))
    assert (answer, failures) == ("yes", ["busy"] * 3)
    assert 0.7 * 3.5 <= took <= 1.3 * 3.5


def test_attempts_are_used_up() -> None:
    answer, failures, _ = in_virtual_time(failing(*[TransientError("busy")] * 5))
    assert (answer, failures) == (None, ["busy"] * 4)


def test_the_servers_wish_to_wait_is_honoured() -> None:
    _, _, took = in_virtual_time(failing(TransientError("busy", retry_after=7.0), TransientError("!", retry_after=1e6)))
    assert took == pytest.approx(67.0)


def test_a_server_that_is_not_there_uses_up_no_attempt() -> None:
    answer, failures, _ = in_virtual_time(failing(*[UnreachableError("nobody")] * 30), attempts=1)
    assert (answer, len(failures)) == ("yes", 30)


@pytest.mark.parametrize("error", [GoneError("all are gone"), RejectedError("no")])
def test_what_will_not_pass_is_not_tried_again(error: ModelError) -> None:
    with pytest.raises(type(error)):
        in_virtual_time(failing(error))


def test_a_pause_holds_no_place_at_the_server() -> None:
    server = SimulatedServer(seconds=1.0)

    async def go() -> float:
        asked, workers = pool(server, concurrency=1), Workers(2, 4)
        hiccups = {"first": [TransientError("HTTP 500", status=500, retry_after=50.0)], "second": []}

        async def ask(item: str) -> str:
            async with asked.slot(item):
                if hiccups[item]:
                    raise hiccups[item].pop()
                await server.answer()
                return item

        async def do(item: str) -> None:
            assert await workers.insist(item, lambda: ask(item), lambda error: None) == item
            if item == "second":
                assert now() == 1.0

        await workers.go_through(iter(hiccups), do)
        assert workers.stopped is None
        return now()

    assert run(go()) == 51.0


# Several at once


def test_there_are_as_many_workers_as_may_be_in_flight_now() -> None:
    async def go() -> list[int]:
        working, seen = 0, []

        async def do(number: int) -> None:
            nonlocal working
            working += 1
            seen.append(working)
            await asyncio.sleep(1)
            working -= 1

        await Workers(lambda: 2 if now() < 3 else 5, 1).go_through(iter(range(50)), do)
        return seen

    seen = run(go())
    assert max(seen[:6]) == 2
    assert max(seen) == 5


def test_an_error_of_ours_stops_all_and_the_first_stays() -> None:
    async def go() -> tuple[list[int], DilemmasError | None]:
        workers, done = Workers(3, 1), []

        async def do(number: int) -> None:
            await asyncio.sleep(number % 3)
            done.append(number)
            if number >= 4:
                raise GoneError(f"gone at {number}")

        await workers.go_through(iter(range(50)), do)
        return done, workers.stopped

    done, stopped = run(go())
    assert len(done) <= 7
    assert stopped is not None
    assert stopped.what == "gone at 4"


def test_a_mistake_in_one_ends_all_and_keeps_its_type() -> None:
    async def do(number: int) -> None:
        await asyncio.sleep(number)
        if number == 3:
            raise ZeroDivisionError

    async def go() -> None:
        with pytest.raises(ZeroDivisionError):
            await Workers(8, 1).go_through(iter(range(100)), do)
        assert now() == 3

    run(go())

"""Whose turn it is at which server: the least busy one, in the order of those who wait, and nothing is lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import now, pool, run

from dilemmas.errors import DilemmasError, GoneError, RejectedError, TransientError, UnreachableError
from dilemmas.flow.pool import LONGEST_WAIT, Pool

Ending = Literal["answered", "rejected", "failed", "busy", "unreachable", "broken", "cancelled"]
ERRORS: dict[Ending, Exception] = {
    "rejected": RejectedError("no", status=400),
    "failed": TransientError("HTTP 500", status=500),
    "busy": TransientError("HTTP 429", status=429, retry_after=2.0),
    "unreachable": UnreachableError("nobody answers"),
    "broken": ZeroDivisionError("a mistake of ours"),
}


async def ask(asked: Pool[Any], who: str = "item", *, seconds: float = 0.0, ending: Ending = "answered") -> Any:
    """One request; the server that had it."""
    async with asked.slot(who) as server:
        await asyncio.sleep(seconds)
        if ending in ERRORS:
            raise ERRORS[ending]
        return server


def in_flight(asked: Pool[Any]) -> list[int]:
    return [standing.in_flight for standing in asked.standing()]


# Which server


def test_the_least_busy_server_is_asked_and_the_first_of_several() -> None:
    async def go() -> None:
        asked = pool("a", "b", concurrency=2)
        async with asked.slot("1") as one, asked.slot("2") as two, asked.slot("3") as three, asked.slot("4") as four:
            assert [one, two, three, four] == ["a", "b", "a", "b"]
            assert in_flight(asked) == [2, 2]

    run(go())


def test_a_server_that_wants_us_to_wait_is_left_alone_and_the_others_are_not() -> None:
    async def go() -> None:
        asked = pool("a", "b", concurrency=4)
        with pytest.raises(TransientError):
            await ask(asked, ending="busy")
        assert {await ask(asked) for _ in range(4)} == {"b"}
        await asyncio.sleep(1.9)
        assert await ask(asked) == "b"
        await asyncio.sleep(0.2)
        assert await ask(asked) == "a"

    run(go())


@pytest.mark.parametrize(("wish", "waited"), [(0.0, 0.0), (7.0, 7.0), (86_400.0, LONGEST_WAIT)])
def test_all_wait_as_long_as_the_only_server_wishes(wish: float, waited: float) -> None:
    async def go() -> float:
        asked = pool("a", concurrency=4)
        with pytest.raises(TransientError):
            async with asked.slot("1"):
                raise TransientError("HTTP 503", status=503, retry_after=wish)
        await asyncio.gather(*(ask(asked, str(number)) for number in range(8)))
        return now()

    assert run(go()) == pytest.approx(waited)


def test_a_wish_to_wait_that_comes_with_another_status_is_for_that_request_alone() -> None:
    async def go() -> float:
        asked = pool("a", concurrency=1)
        with pytest.raises(TransientError):
            async with asked.slot("1"):
                raise TransientError("HTTP 500", status=500, retry_after=9.0)
        await ask(asked)
        return now()

    assert run(go()) == 0.0


# Whose turn


def test_who_came_first_is_served_first() -> None:
    async def go() -> list[int]:
        asked, order = pool("a", concurrency=1), []

        async def one(number: int) -> None:
            async with asked.slot(str(number)):
                order.append(number)
                await asyncio.sleep(0.1)

        await asyncio.gather(*(one(number) for number in range(20)))
        return order

    assert run(go()) == list(range(20))


def test_nobody_overtakes_one_who_waits() -> None:
    async def go() -> list[str]:
        asked, order = pool("a", concurrency=1), []

        async def one(name: str) -> None:
            async with asked.slot(name):
                order.append(name)

        async with asked.slot("holds it"):
            waits = asyncio.create_task(one("waits"))
            await asyncio.sleep(0)
        await one("comes when it is free")
        await waits
        return order

    assert run(go()) == ["waits", "comes when it is free"]


def test_one_who_no_longer_waits_is_passed_over() -> None:
    async def go() -> None:
        asked = pool("a", concurrency=1)
        async with asked.slot("holds it"):
            gone, stays = (asyncio.create_task(ask(asked, name)) for name in ("gone", "stays"))
            await asyncio.sleep(0)
            gone.cancel()
        assert await stays == "a"
        assert in_flight(asked) == [0]

    run(go())


def test_a_place_that_comes_at_the_moment_of_the_cancellation_goes_to_the_next() -> None:
    async def go() -> None:
        asked = pool("a", concurrency=1)
        async with asked.slot("holds it"):
            gone, stays = (asyncio.create_task(ask(asked, name)) for name in ("gone", "stays"))
            await asyncio.sleep(0)
        gone.cancel()  # it has the place already, and does not know it yet
        assert await stays == "a"
        assert gone.cancelled()
        assert in_flight(asked) == [0]

    run(go())


@pytest.mark.parametrize("ending", ["broken", "cancelled"])
def test_what_does_not_come_from_the_server_says_nothing_about_it(ending: Ending) -> None:
    async def go() -> None:
        asked = pool("a", concurrency=1, patience=0)
        for number in range(40):
            task = asyncio.create_task(ask(asked, str(number), seconds=1.0, ending=ending))
            await asyncio.sleep(0.5)
            if ending == "cancelled":
                task.cancel()
            with suppress(asyncio.CancelledError, ZeroDivisionError):
                await task
        (standing,) = asked.standing()
        assert (standing.in_flight, standing.answered, standing.failed, standing.set_aside) == (0, 0, 0, False)

    run(go())


def test_what_stands_in_the_table() -> None:
    async def go() -> None:
        asked = pool("a", concurrency=3)
        await ask(asked)
        for ending in ("rejected", "failed"):
            with suppress(DilemmasError):
                await ask(asked, ending=ending)
        (standing,) = asked.standing()
        assert (standing.name, standing.allowed, standing.answered, standing.failed) == ("server-0", 3, 2, 1)
        assert (asked.capacity, asked.ceiling) == (3, 3)
        assert pool("a", "b").capacity == 16

    run(go())


# Any order of events

REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(sorted({*ERRORS, "answered", "cancelled"})),
        st.integers(0, 30),  # when it comes, tenths of a second
        st.integers(0, 30),  # how long it takes
        st.integers(0, 40),  # when it is cancelled
        st.integers(0, 5),  # who asks
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(
    requests=REQUESTS,
    servers=st.integers(1, 3),
    concurrency=st.sampled_from([None, 1, 2, 5]),
    patience=st.sampled_from([0.0, 20.0]),
)
def test_all_are_served_or_told_and_no_server_has_more_than_allowed(
    requests: list[tuple[Ending, int, int, int, int]], servers: int, concurrency: int | None, patience: float
) -> None:
    async def go() -> None:
        asked = pool(*range(servers), concurrency=concurrency, patience=patience)
        most = 12 if concurrency is None else concurrency  # so few requests do not raise it further
        at = [0] * servers

        async def one(ending: Ending, comes: int, takes: int, who: int) -> None:
            await asyncio.sleep(comes / 10)
            async with asked.slot(f"item {who}") as server:
                at[server] += 1
                assert at[server] <= most
                try:
                    await asyncio.sleep(takes / 10)
                    if ending in ERRORS:
                        raise ERRORS[ending]
                finally:
                    at[server] -= 1

        async def cancel(task: asyncio.Task[None], ending: Ending, when: int) -> None:
            await asyncio.sleep(when / 10)
            if ending == "cancelled":
                task.cancel()

        tasks = [asyncio.create_task(one(e, comes, takes, who)) for e, comes, takes, _, who in requests]
        async with asyncio.TaskGroup() as group:
            for task, (ending, _, _, when, _) in zip(tasks, requests, strict=True):
                group.create_task(cancel(task, ending, when))
        ended = await asyncio.gather(*tasks, return_exceptions=True)  # in virtual time: a wait without end is an error
        for (ending, *_), how in zip(requests, ended, strict=True):
            expected = ERRORS.get(ending)
            assert how is expected or isinstance(how, GoneError) or (ending == "cancelled" and how is not expected)
        assert in_flight(asked) == [0] * servers

    run(go())

"""How many requests are in flight at servers of several kinds, found out by itself or bounded."""

from __future__ import annotations

from typing import Any

import pytest
from virtual_time import SimulatedServer, keep_busy, now, pool, run

from dilemmas.errors import TransientError
from dilemmas.flow.limit import START


def busy(server: SimulatedServer, requests: int, **options: Any) -> tuple[int, int]:
    """What is allowed at a server after so many requests, and how many failed."""

    async def ask() -> tuple[int, int]:
        asked = pool(server, **options)
        failed = await keep_busy(asked, requests)
        return asked.standing()[0].allowed, failed

    return run(ask())


@pytest.mark.parametrize("spread", [0.0, 0.3])
@pytest.mark.parametrize("lanes", [1, 4, 16, 64])
def test_a_server_that_serves_some_at_a_time_is_kept_busy_and_not_much_more(lanes: int, spread: float) -> None:
    server = SimulatedServer(lanes=lanes, seconds=0.1, spread=spread)
    allowed, _ = busy(server, 1500 + 100 * lanes)
    assert lanes / 2 <= allowed <= max(2 * lanes, 12)  # a few too many only wait in the server's queue
    assert server.rate(last=500) >= 0.9 * lanes / 0.1


@pytest.mark.parametrize("knee", [4, 32])
def test_a_server_that_slows_down_is_not_overloaded(knee: int) -> None:
    server = SimulatedServer(seconds=0.1, spread=0.1, knee=knee)
    busy(server, 1500 + 100 * knee)
    assert server.rate(last=500) >= 0.9 * knee / 0.1


@pytest.mark.parametrize("most", [3, 10, 32])
def test_a_server_that_turns_requests_away_is_asked_less(most: int) -> None:
    server = SimulatedServer(seconds=0.1, most=most)
    allowed, failed = busy(server, 1000 + 100 * most)
    assert most / 2 <= allowed <= 1.3 * most
    assert server.rate(last=500) >= 0.9 * most / 0.1
    assert failed <= 80 + 4 * most


def test_requests_that_fail_whatever_the_load_do_not_slow_down_the_others() -> None:
    calm, moody = SimulatedServer(lanes=32), SimulatedServer(lanes=32, moody=0.1)
    busy(calm, 5000)
    busy(moody, 5000)
    assert moody.rate(last=500) >= 0.9 * calm.rate(last=500)


def test_a_number_that_is_given_is_the_number_that_is_in_flight() -> None:
    server = SimulatedServer(lanes=3)
    allowed, failed = busy(server, 1000, concurrency=12)
    assert (allowed, failed, server.most_in_flight) == (12, 0, 12)


def test_a_number_that_is_too_high_for_the_server_falls_and_comes_back_with_the_servers_strength() -> None:
    server = SimulatedServer(seconds=0.1, most=8)

    async def ask() -> tuple[int, int]:
        asked = pool(server, concurrency=64)
        await keep_busy(asked, 1000)
        weak = asked.standing()[0].allowed
        server.most = None
        await keep_busy(asked, 20_000)
        return weak, asked.standing()[0].allowed

    weak, strong = run(ask())
    assert 4 <= weak <= 10
    assert strong == 64


def test_a_search_does_not_go_beyond_what_is_used() -> None:
    server = SimulatedServer()

    async def ask() -> int:
        asked = pool(server)
        await keep_busy(asked, 2000, workers=START)
        return asked.standing()[0].allowed

    assert run(ask()) <= 2 * START


def test_a_fast_search_takes_seconds_of_the_servers_time() -> None:
    server = SimulatedServer(lanes=256, seconds=1.0, spread=0.3)

    async def ask() -> float:
        asked = pool(server)
        await keep_busy(asked, 2500)
        return now()

    assert run(ask()) <= 45  # with 256 from the start on it would take 10
    assert server.rate(last=500) >= 0.7 * 256


def allowed_after(status: int | None) -> int:
    """What is allowed at a server that failed at two items ten times, of at first 10."""

    async def ask() -> int:
        asked = pool(object(), concurrency=10)
        for number in range(10):
            with pytest.raises(TransientError):
                async with asked.slot(f"item {number % 2}"):
                    raise TransientError("no", status=status)
        return asked.standing()[0].allowed

    return run(ask())


@pytest.mark.parametrize("status", [429, 503, 408, 504, None])
def test_a_server_that_is_busy_or_too_slow_is_asked_less(status: int | None) -> None:
    assert allowed_after(status) < 10


@pytest.mark.parametrize("status", [500, 502, 409])
def test_a_mistake_of_the_server_is_no_overload(status: int) -> None:
    assert allowed_after(status) == 10

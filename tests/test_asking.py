"""Workers that share a server: when one item is set aside, and when all stop."""

from __future__ import annotations

import asyncio

import pytest

from dilemmas.asking import MOST_REJECTED, Workers
from dilemmas.errors import RejectedError


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


def test_a_server_that_refuses_one_after_the_other_is_not_asked_on() -> None:
    workers = Workers(1, 1)
    for number in range(MOST_REJECTED - 1):
        workers.set_aside(f"item-{number}", rejected())
        workers.set_aside(f"item-{number}", rejected())  # the same one again tells nothing new
    with pytest.raises(RejectedError):
        workers.set_aside("another", rejected())


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_any_other_request_would_meet_stops_at_once(status: int) -> None:
    with pytest.raises(RejectedError):
        Workers(1, 1).set_aside("item", rejected(status))

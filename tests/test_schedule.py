"""The order of asking: one of each group first, the rest once it is back, nothing twice and nothing forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas.schedule import Schedule


def groups_of(sizes: Sequence[int]) -> list[list[Any]]:
    return [
        [SimpleNamespace(trial=SimpleNamespace(id=f"{group}.{place}")) for place in range(size)]
        for group, size in enumerate(sizes)
    ]


async def go_through(groups: Sequence[Sequence[Any]], workers: int, ahead: int = 2) -> tuple[list[str], list[str]]:
    """Ids in the order in which they were begun, and what was begun before the first of its group was done."""
    schedule, begun, done, early = Schedule(), [], set(), []

    async def load() -> None:
        for group in groups:
            await schedule.add(group, ahead)
        schedule.end()

    async def work(number: int) -> None:
        while (one := await schedule.next()) is not None:
            name = one.trial.id
            begun.append(name)
            group, place = name.split(".")
            if place != "0" and f"{group}.0" not in done:
                early.append(name)
            for _ in range(1 + (number + len(begun)) % 4):
                await asyncio.sleep(0)
            done.add(name)
            schedule.done(one)

    async with asyncio.timeout(20):
        await asyncio.gather(load(), *(work(number) for number in range(workers)))
    return begun, early


@given(st.lists(st.integers(1, 6), max_size=12), st.integers(1, 9), st.integers(1, 4))
def test_all_are_handed_out_once_and_the_first_of_a_group_leads(sizes: list[int], workers: int, ahead: int) -> None:
    groups = groups_of(sizes)
    begun, early = asyncio.run(go_through(groups, workers, ahead))
    assert sorted(begun) == sorted(one.trial.id for group in groups for one in group)
    assert early == []


def test_one_worker_asks_in_the_order_of_the_plan() -> None:
    groups = groups_of([3, 1, 2])
    begun, _ = asyncio.run(go_through(groups, workers=1))
    assert begun == ["0.0", "0.1", "0.2", "1.0", "2.0", "2.1"]


def test_no_more_groups_wait_than_are_allowed() -> None:
    async def load() -> int:
        schedule = Schedule()
        first, second, third = groups_of([1, 1, 1])
        await schedule.add(first, 2)
        await schedule.add(second, 2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(schedule.add(third, 2), 0.02)
        await schedule.next()
        await asyncio.wait_for(schedule.add(third, 2), 5)
        return len(schedule._groups)

    assert asyncio.run(load()) == 2


def test_after_a_stop_nobody_waits_and_nothing_is_handed_out() -> None:
    async def stopped() -> list[Any]:
        schedule = Schedule()
        groups = groups_of([3, 2])
        await schedule.add(groups[0], 1)
        first = await schedule.next()
        idle = [asyncio.create_task(schedule.next()) for _ in range(3)]
        adding = asyncio.create_task(schedule.add(groups[1], 0))
        await asyncio.sleep(0)
        schedule.stop()
        assert first is not None
        schedule.done(first)
        async with asyncio.timeout(5):
            await adding
            return [await one for one in idle]

    assert asyncio.run(stopped()) == [None] * 3

"""Group commits: nothing is acknowledged before it is on disk, and one failure is told to all who share it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from dilemmas.errors import StoreError
from dilemmas.group_commit import GroupCommit
from dilemmas.store import FILE, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.writing(tmp_path / FILE) as opened:
        opened.add_records("items", [])
        yield opened


def on_disk(path: Path) -> set[str]:
    with closing(sqlite3.connect(path / FILE)) as db:
        return {row[0] for row in db.execute("SELECT id FROM items")}


def add(store: Store, name: str) -> None:
    store.add_records("items", [(name, "{}")])


def test_what_is_acknowledged_is_on_disk_and_many_share_a_transaction(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = []
    commit = Store._commit
    monkeypatch.setattr(Store, "_commit", lambda self: (transactions.append(1), commit(self)))

    async def keep(commits: GroupCommit, name: str) -> None:
        await commits.soon(partial(add, store, name))
        assert name in on_disk(tmp_path)

    async def all_of_them() -> None:
        commits = GroupCommit(store)
        await asyncio.gather(*(keep(commits, f"item-{number}") for number in range(200)))

    asyncio.run(all_of_them())
    assert len(on_disk(tmp_path)) == 200
    assert len(transactions) <= 3


def test_a_failure_reaches_all_who_share_the_transaction_and_leaves_nothing_of_it(store: Store, tmp_path: Path) -> None:
    def fail() -> None:
        raise StoreError("the disk is full")

    async def both() -> list[object]:
        commits = GroupCommit(store)
        waiting = [commits.soon(partial(add, store, "item-1")), commits.soon(fail)]
        found: list[object] = list(await asyncio.gather(*waiting, return_exceptions=True))
        await commits.soon(partial(add, store, "item-2"))
        return found

    assert [type(one) for one in asyncio.run(both())] == [StoreError, StoreError]
    assert on_disk(tmp_path) == {"item-2"}


def test_what_nobody_waits_for_is_written_by_the_end(store: Store, tmp_path: Path) -> None:
    async def leave() -> None:
        commits = GroupCommit(store)
        commits.by_the_way(partial(add, store, "item-1"))
        given_up = asyncio.ensure_future(commits.soon(partial(add, store, "item-2")))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await commits.alone(lambda: 7) == 7
        await commits.finish()

    asyncio.run(leave())
    assert on_disk(tmp_path) == {"item-1", "item-2"}

"""Many answers to disk in one go: each waits until its transaction is written, and all share the wait.

Making an answer durable takes the disk some milliseconds, however many are written at once. Statements
are executed where the answers arrive, and only the waiting for the disk is done by a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from dilemmas.store import Store

T = TypeVar("T")
PAUSE = 0.002
"""Seconds to wait for more, where many answers come at once: fewer transactions are less work."""


class GroupCommit:
    """What is written to a store while a run goes on, in groups."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = asyncio.Lock()
        self._waiting: list[Callable[[], object]] = []
        self._next: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._crowd = 0
        """How many were written together last."""

    def soon(self, write: Callable[[], object]) -> asyncio.Future[None]:
        """Have something written with whatever else is waiting.

        Returns:
            A future that is done when it is on disk, and fails with a StoreError when it cannot be.
        """
        return asyncio.shield(self._joined(write))  # who gives up waiting does not stop the others' writing

    def by_the_way(self, write: Callable[[], object]) -> None:
        """Have something written for which nobody waits."""
        self._joined(write)

    def _joined(self, write: Callable[[], object]) -> asyncio.Future[None]:
        self._waiting.append(write)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._write())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._next

    async def alone(self, do: Callable[[], T]) -> T:
        """What `do` gives, once what it wrote is on disk."""
        async with self._turn, self._store.together_later():
            return do()

    async def finish(self) -> None:
        """Wait until all is written."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _write(self) -> None:
        if self._crowd > 1:
            await asyncio.sleep(PAUSE)
        async with self._turn:
            waiting, done = self._waiting, self._next
            assert done is not None
            self._waiting, self._next, self._crowd = [], None, len(waiting)
            try:
                async with self._store.together_later():
                    for write in waiting:
                        write()
            except Exception as error:  # noqa: BLE001 - whoever waits gets it
                done.set_exception(error)
                done.exception()  # perhaps nobody waits any more
            else:
                done.set_result(None)

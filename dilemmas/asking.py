"""Asking by several workers at once, and again where that helps.

What may be asked again is decided by the type of the error (`errors.py`). Which server is asked,
and when none is asked any more because they all fail, is decided by the model's pool (`flow`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from dilemmas.errors import DilemmasError, GoneError, RejectedError, TransientError, UnreachableError
from dilemmas.flow.pool import LONGEST_WAIT

REJECTED_FOR_ALL = frozenset({301, 302, 303, 307, 308, 401, 402, 403, 404, 407})
"""Statuses that any other request would meet as well: a wrong key, address or model, or no money left."""
MOST_REJECTED, MOST_IN_A_ROW = 3, 50
"""Items rejected, before any brought a reply and since the last that did, after which nothing more is asked."""

T = TypeVar("T")
Failure = RejectedError | TransientError


class Workers:
    """Some workers that go through one list and stop together.

    Args:
        count: how many work at once; a function where that changes meanwhile, as a model's capacity does.
        attempts: times a request is tried.
    """

    def __init__(self, count: int | Callable[[], int], attempts: int) -> None:
        self.stopped: DilemmasError | None = None
        """Why nothing more is asked, once that is so."""
        self._count = count if callable(count) else lambda: count
        self._attempts = attempts
        self._rejected: set[str] = set()
        self._answered = False
        self._stop = asyncio.Event()

    async def go_through(self, todo: Iterator[T], do: Callable[[T], Awaitable[None]]) -> None:
        """Do something with each of a list, some at a time; an error of ours stops all workers."""
        working = 0

        async def work() -> None:
            for one in todo:
                if self.stopped:
                    return
                try:
                    await do(one)
                except DilemmasError as error:
                    self.stop(error)
                hire()

        def hire() -> None:
            nonlocal working
            while working < self._count():
                group.create_task(work())
                working += 1

        try:
            async with asyncio.TaskGroup() as group:
                hire()
        except BaseExceptionGroup as several:  # a mistake of ours in one of them has ended all
            raise several.exceptions[0] from None

    async def insist(self, item: str, ask: Callable[[], Awaitable[T]], failed: Callable[[Failure], None]) -> T | None:
        """What `ask` gives, tried again while that may help; None where the attempts are used up.

        Args:
            item: what is asked about.
            ask: one attempt.
            failed: told of each attempt that failed.

        Raises:
            RejectedError: asking again is pointless.
            GoneError: there is nobody left to ask.
        """
        tried = 0
        while tried < self._attempts:
            try:
                reply = await ask()
            except GoneError:
                raise
            except RejectedError as error:
                failed(error)
                raise
            except TransientError as error:
                failed(error)
                # Where nobody is there nothing was asked. That has an end too: the pool gives up.
                tried += not isinstance(error, UnreachableError)
                if tried < self._attempts:
                    await self._wait(_pause(max(tried, 1), error.retry_after))
                if self.stopped:
                    return None
                continue
            self._answered = True
            self._rejected.clear()
            return reply
        return None

    def has_answered(self) -> None:
        """Note that it is known to answer: a refusal is about its item alone."""
        self._answered = True

    def set_aside(self, item: str, error: RejectedError) -> None:
        """Leave an item that the server refuses, so that the others can go on.

        Raises:
            RejectedError: the same one, where it is plainly not the item that is wrong.
        """
        self._rejected.add(item)
        most = MOST_IN_A_ROW if self._answered else MOST_REJECTED
        if error.status in REJECTED_FOR_ALL or len(self._rejected) >= most:
            raise error

    def stop(self, error: DilemmasError) -> None:
        """Stop all workers; the first reason stays."""
        self.stopped = self.stopped or error
        self._stop.set()

    async def _wait(self, seconds: float) -> None:
        """Pause before another attempt, but not after the workers were stopped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _pause(attempt: int, retry_after: float | None) -> float:
    """Seconds to wait before the next attempt: the server's wish, else 0.5, 1, 2, ... with jitter."""
    if retry_after is not None:
        return min(retry_after, LONGEST_WAIT)
    return min(0.5 * 2.0 ** (attempt - 1) * random.uniform(0.7, 1.3), LONGEST_WAIT)  # noqa: S311

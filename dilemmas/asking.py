"""Asking a server by several workers at once: again where that helps, and no more once it is gone.

What may be asked again is decided by the type of the error (`errors.py`). All workers of one call
share one `Workers`, so that a server that is lost is noticed before the whole plan is burnt on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from dilemmas.errors import DilemmasError, RejectedError, TransientError, UnreachableError

UNREACHABLE_LIMIT = 5
"""Refused connections in a row after which nothing more is asked."""
FAILURE_LIMIT = 3
"""Rounds of failures, one for each worker and of any passing kind, after which nothing more is asked."""
BAD_ITEMS = 2
"""Items that may each fail to the last attempt, one after the other, before the server is blamed."""
REJECTED_FOR_ALL = frozenset({401, 403, 404})
"""Statuses that any other request would meet as well: a wrong key, address or model."""
MOST_REJECTED = 3
"""Items rejected, before any brought a reply, after which nothing more is asked."""
LONGEST_WAIT = 60.0
"""Longest pause before a request is tried again, seconds."""

T = TypeVar("T")
Failure = RejectedError | TransientError


class Workers:
    """Some workers that go through one list and stop together.

    Args:
        count: how many requests are in flight.
        attempts: times a request is tried.
    """

    def __init__(self, count: int, attempts: int) -> None:
        self.stopped: DilemmasError | None = None
        """Why nothing more is asked, once that is so."""
        self._count, self._attempts = count, attempts
        self._most_failures = max(FAILURE_LIMIT * count, 6 * attempts)
        self._failures = self._unreachable = 0
        self._failing: set[str] = set()
        self._rejected: set[str] = set()
        self._answered = False
        self._stop = asyncio.Event()

    async def go_through(self, todo: Iterator[T], do: Callable[[T], Awaitable[None]]) -> None:
        """Do something with each of a list, some at a time; an error of ours stops all workers."""

        async def work() -> None:
            for one in todo:
                if self.stopped:
                    return
                try:
                    await do(one)
                except DilemmasError as error:
                    self.stop(error)

        await asyncio.gather(*(work() for _ in range(self._count)))

    async def insist(self, item: str, ask: Callable[[], Awaitable[T]], failed: Callable[[Failure], None]) -> T | None:
        """What `ask` gives, tried again while that may help; None where the attempts are used up.

        Args:
            item: what is asked about.
            ask: one attempt.
            failed: told of each attempt that failed.

        Raises:
            RejectedError: asking again is pointless.
        """
        for attempt in range(1, self._attempts + 1):
            try:
                reply = await ask()
            except RejectedError as error:
                failed(error)
                raise
            except TransientError as error:
                failed(error)
                self._count_failure(error, item)
                if attempt < self._attempts:
                    await self._wait(_pause(attempt, error.retry_after))
                if self.stopped:
                    return None
                continue
            self._failures = self._unreachable = 0
            self._failing.clear()
            self._answered = True
            return reply
        return None

    def set_aside(self, item: str, error: RejectedError) -> None:
        """Leave an item that the server refuses, so that the others can go on.

        Raises:
            RejectedError: the same one, where it is plainly not the item that is wrong.
        """
        self._rejected.add(item)
        if error.status in REJECTED_FOR_ALL or (not self._answered and len(self._rejected) >= MOST_REJECTED):
            raise error

    def stop(self, error: DilemmasError) -> None:
        """Stop all workers; the first reason stays."""
        self.stopped = self.stopped or error
        self._stop.set()

    def _count_failure(self, error: TransientError, item: str) -> None:
        """Stop all workers once a server is plainly gone."""
        self._failures += 1
        self._failing.add(item)
        self._unreachable = self._unreachable + 1 if isinstance(error, UnreachableError) else 0
        most = self._most_failures if len(self._failing) > BAD_ITEMS else 8 * self._most_failures
        if self._unreachable >= UNREACHABLE_LIMIT or self._failures >= most:
            count = self._unreachable if self._unreachable >= UNREACHABLE_LIMIT else self._failures
            self.stop(
                TransientError(
                    f"gave up after {count} failures in a row; the last: {error.what}",
                    where=error.where,
                    fix="Mend or restart the server and run the same command again: only what is missing is asked.",
                )
            )

    async def _wait(self, seconds: float) -> None:
        """Pause before another attempt, but not after the workers were stopped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _pause(attempt: int, retry_after: float | None) -> float:
    """Seconds to wait before the next attempt: the server's wish, else 0.5, 1, 2, ... with jitter."""
    if retry_after is not None:
        return min(retry_after, LONGEST_WAIT)
    return min(0.5 * 2.0 ** (attempt - 1) * random.uniform(0.7, 1.3), LONGEST_WAIT)  # noqa: S311

"""An event loop whose time passes at once, and servers that live in it."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from dilemmas.errors import TransientError, UnreachableError
from dilemmas.flow.pool import Pool

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Sleeps take no time. A wait that nothing will ever end is an error."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self._now = 0.0
        select = self._selector.select

        def jump(timeout: float | None = None) -> Any:
            if timeout is None:
                raise RuntimeError("everybody waits, and nobody will come")
            self._now += timeout
            return select(0)

        self._selector.select = jump

    def time(self) -> float:
        return self._now


def run(main: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now() -> float:
    """The present virtual time, seconds."""
    return asyncio.get_running_loop().time()


def pool(*servers: Any, concurrency: int | None = None, **options: Any) -> Pool[Any]:
    names = [f"server-{number}" for number in range(len(servers))]
    return Pool(servers, concurrency=concurrency, names=names, clock=now, **options)


@dataclass
class SimulatedServer:
    """Serves some requests at a time, each in some seconds; the others wait in its queue."""

    lanes: int = 1024
    seconds: float = 0.1
    spread: float = 0.0
    """Coefficient of variation of these times, by a gamma distribution; 1 is exponential."""
    knee: int | None = None
    """Requests above which it slows down by more than it gains."""
    most: int | None = None
    """Requests above which it says 429."""
    moody: float = 0.0
    """Share of requests to which it says 429 for no reason."""
    retry_after: float | None = None
    down: tuple[float, float] = (0.0, 0.0)
    """From when to when it is dead: what is in flight fails, and after that nobody is there."""

    def __post_init__(self) -> None:
        self.in_flight = self.most_in_flight = self.asked = self.turned_away = 0
        self.answered_at: list[float] = []
        self._queue = asyncio.Semaphore(self.lanes)
        self._dice = random.Random(1)

    async def answer(self) -> None:
        self.asked += 1
        start, end = self.down
        if start <= now() < end:
            raise UnreachableError("nobody answers", where="there")
        full = self.most is not None and self.in_flight >= self.most
        if full or (self.moody and self._dice.random() < self.moody):
            self.turned_away += 1
            await asyncio.sleep(0.001)
            raise TransientError("HTTP 429", status=429, retry_after=self.retry_after)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            async with self._queue:
                await asyncio.sleep(self._time())
            if start <= now() < end:
                raise TransientError("HTTP 500: engine dead", status=500)
            self.answered_at.append(now())
        finally:
            self.in_flight -= 1

    def rate(self, last: int) -> float:
        """Answers per second over the last ones."""
        return last / (self.answered_at[-1] - self.answered_at[-last - 1])

    def _time(self) -> float:
        shape = 1 / self.spread**2 if self.spread else 0.0
        seconds = self._dice.gammavariate(shape, self.seconds / shape) if shape else self.seconds
        if self.knee is not None and self.in_flight > self.knee:
            seconds *= (self.in_flight / self.knee) ** 2
        return seconds


async def keep_busy(asked: Pool[SimulatedServer], requests: int, workers: int = 300) -> int:
    """Put so many requests, each once and whatever becomes of it; how many failed."""
    todo, failed = iter(range(requests)), 0

    async def work() -> None:
        nonlocal failed
        for number in todo:
            try:
                async with asked.slot(f"item {number}") as server:
                    await server.answer()
            except TransientError:
                failed += 1

    await asyncio.gather(*(work() for _ in range(workers)))
    return failed

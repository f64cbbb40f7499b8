"""Servers that share the work: the least busy one first, and none that asked us to wait or that is down.

Whoever waits is served in the order in which they came. A place that becomes free is handed over
on the spot, so that nobody can overtake.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from dilemmas.errors import GoneError, RejectedError, TransientError, UnreachableError
from dilemmas.flow.breaker import Breaker
from dilemmas.flow.limit import Limit, Result, Ticket

T = TypeVar("T")
PATIENCE = 60.0
"""Time without any answer after which servers that fail are given up, seconds."""
LONGEST_WAIT = 60.0
"""Longest that a server may have us wait by Retry-After, seconds."""
_BUSY = frozenset({429, 503})
"""How a server says that it has too much to do."""
_SLOW = frozenset({408, 504, None})
"""How it is known that it took too long; None is our own clock, or a connection that was cut."""


@dataclass(frozen=True)
class ServerStanding:
    """How one server stands."""

    name: str
    in_flight: int
    allowed: int
    """Most that may be in flight there now."""
    set_aside: bool
    """Whether it is not asked for a while, because it fails."""
    answered: int
    """Requests it answered, refused ones (HTTP 400 and the like) included."""
    failed: int
    """Requests that failed in a way that may pass."""


class Pool(Generic[T]):
    """Servers of one model.

    Args:
        servers: at least one; whatever `slot` is to hand out.
        concurrency: most in flight at EACH server; None finds out by itself.
        names: what to call each server, for `standing`.
        patience: time without an answer from any server after which all is given up, seconds; with 0
            at once when all are set aside.
        clock: seconds that only grow; the event loop's, if that has one of its own.
    """

    def __init__(
        self,
        servers: Sequence[T],
        *,
        concurrency: int | None,
        names: Sequence[str],
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lanes = [_Lane(server, name, concurrency) for server, name in zip(servers, names, strict=True)]
        self._patience, self._clock = patience, clock
        self._waiting: deque[asyncio.Future[_Place[T] | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._failing_since = 0.0
        self._failures = self._busy = 0
        """Failures in a row, at all servers together, and how many of them said that a server is busy."""
        self._gone: GoneError | None = None

    @asynccontextmanager
    async def slot(self, who: str) -> AsyncIterator[T]:
        """Wait for a server that may be asked, and hold a place there for the length of the block.

        How the block ends tells how the server is: without an error or by a `RejectedError` it
        answered; by an `UnreachableError` nobody is there; by any other `TransientError` it failed
        (its `status` and `retry_after` are used; no status is read as no reply in time); anything
        else, cancellation included, says nothing about it. The error goes on to the caller.

        Args:
            who: what is asked about. Failures of one alone are never the server's fault.

        Raises:
            GoneError: no server answers any more.
        """
        place = await self._place()
        try:
            yield place.lane.server
        except RejectedError:
            self._answered(place)
            raise
        except TransientError as error:
            self._failed(place, who, error)
            raise
        except BaseException:
            self._leave(place)
            raise
        else:
            self._answered(place)

    def set_aside(self, server: T) -> None:
        """Take a server for one that is down, without having asked it; it is tried again later."""
        for lane in self._lanes:
            if lane.server is server:
                lane.breaker.leave(self._clock())

    @property
    def capacity(self) -> int:
        """Most that may be in flight now, at all servers together; it changes while the pool finds out."""
        return sum(lane.limit.allowed for lane in self._lanes)

    @property
    def ceiling(self) -> int:
        """Most that may ever be in flight, at all servers together."""
        return sum(lane.limit.ceiling for lane in self._lanes)

    def standing(self) -> list[ServerStanding]:
        """How each server stands, in their order."""
        return [
            ServerStanding(
                name=lane.name,
                in_flight=lane.limit.in_flight,
                allowed=lane.limit.allowed,
                set_aside=lane.breaker.set_aside,
                answered=lane.answered,
                failed=lane.failed,
            )
            for lane in self._lanes
        ]

    async def _place(self) -> _Place[T]:
        if self._gone:
            raise _again(self._gone)
        now = self._clock()
        if not self._waiting and (lane := self._freest(now)):
            return lane.take(now)
        waiter: asyncio.Future[_Place[T] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._serve()
        try:
            place = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and (place := waiter.result()):
                self._leave(place)  # it came at the moment of the cancellation
            raise
        if place is None:
            assert self._gone is not None
            raise _again(self._gone)
        return place

    def _freest(self, now: float) -> _Lane[T] | None:
        """The least busy server that may be asked; the first of several."""
        free = [lane for lane in self._lanes if lane.is_free(now)]
        return min(free, key=lambda lane: lane.limit.in_flight / lane.limit.allowed) if free else None

    def _serve(self) -> None:
        """Give those who wait what is free, and come back when a server's time of rest is over."""
        if not self._waiting:
            return
        now = self._clock()
        while self._waiting:
            if self._waiting[0].done():  # cancelled
                self._waiting.popleft()
            elif lane := self._freest(now):
                self._waiting.popleft().set_result(lane.take(now))
            else:
                break
        if self._timer:
            self._timer.cancel()
            self._timer = None
        rests = [lane.rests_until for lane in self._lanes if lane.rests_until > now]
        if self._waiting and rests:
            self._timer = asyncio.get_running_loop().call_later(min(rests) - now, self._serve)

    def _answered(self, place: _Place[T]) -> None:
        lane = place.lane
        self._failures = self._busy = 0
        lane.answered += 1
        if lane.breaker.failures or lane.breaker.set_aside:
            lane.breaker = Breaker()
        lane.limit.end(place.ticket, "answered", self._clock())
        self._serve()

    def _failed(self, place: _Place[T], who: str, error: TransientError) -> None:
        lane, now = place.lane, self._clock()
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        self._busy += error.status in _BUSY
        lane.failed += 1
        if error.status in _BUSY and error.retry_after is not None:
            lane.paused_until = max(lane.paused_until, now + min(error.retry_after, LONGEST_WAIT))
        lane.breaker.failed(place.ticket, who, error, lane.limit.in_flight, now)
        slow = error.status in _SLOW and not isinstance(error, UnreachableError)
        result: Result = "overloaded" if slow or error.status in _BUSY else "failed"
        lane.limit.end(place.ticket, result, now)
        if self._is_gone(now):
            self._give_up(error, now)
        self._serve()

    def _leave(self, place: _Place[T]) -> None:
        place.lane.breaker.left(place.ticket)
        place.lane.limit.end(place.ticket, "left", self._clock())
        self._serve()

    def _is_gone(self, now: float) -> bool:
        breakers = [lane.breaker for lane in self._lanes]
        if self._patience <= 0:
            return all(breaker.set_aside for breaker in breakers)
        waited = now - self._failing_since >= self._patience
        return waited and all(breaker.set_aside and breaker.tried_in_vain for breaker in breakers)

    def _give_up(self, last: TransientError, now: float) -> None:
        """Tell all who wait, and all who will come, that there is nobody to ask."""
        busy = self._busy == self._failures
        self._gone = GoneError(
            f"gave up after {self._failures} failures in a row{', each of them a server that is busy' if busy else ''}"
            f"; the last: {last.what}",
            where=last.where,
            fix="Ask fewer at a time (--concurrency), or later, with the same command: only what is missing is asked."
            if busy
            else "Mend or restart the server and run the same command again: only what is missing is asked.",
            status=last.status,
        )
        self._tell()

    def close(self, why: str) -> None:
        """Let nobody in any more; those inside go on."""
        self._gone = self._gone or GoneError(why)
        self._tell()

    def _tell(self) -> None:
        """Have all who wait learn that there is nobody to ask."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()


class _Lane(Generic[T]):
    """One server with what is known of it."""

    def __init__(self, server: T, name: str, concurrency: int | None) -> None:
        self.server, self.name = server, name
        self.limit, self.breaker = Limit(concurrency), Breaker()
        self.paused_until = 0.0
        """When the server wants to be asked again, by Retry-After."""
        self.answered = self.failed = 0

    @property
    def rests_until(self) -> float:
        """When it may be asked again, if it is set aside or wants us to wait."""
        return max(self.paused_until, self.breaker.rests_until)

    def is_free(self, now: float) -> bool:
        """Whether a request may be sent."""
        return now >= self.paused_until and self.breaker.lets(self.limit.in_flight, self.limit.allowed, now)

    def take(self, now: float) -> _Place[T]:
        """A place at this server, which is free."""
        ticket = self.limit.begin(now)
        self.breaker.begin(ticket)
        return _Place(self, ticket)


class _Place(NamedTuple, Generic[T]):
    """A request's place at a server."""

    lane: _Lane[T]
    ticket: Ticket


def _again(error: GoneError) -> GoneError:
    """An equal error, because one that is raised in several tasks would gather all their tracebacks."""
    return GoneError(error.what, where=error.where, fix=error.fix, status=error.status)

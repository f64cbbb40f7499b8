"""How many requests may be in flight at one server: a fixed number, or as many as make it faster.

The search is by steps. At each level the answers per second are measured over a window, and of two
neighbouring levels the higher one is kept only where it is worth it, so that the search also finds
its way down. When no step helps any more the level is held, and tried again after a while.

Answers per second are not counted by the clock but taken from Little's law: what is in flight,
divided by the time a request takes (https://doi.org/10.1287/opre.9.3.383). Servers that work in
batches answer in bursts, and a count would depend on how many bursts a window happens to hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

Result = Literal["answered", "overloaded", "failed", "left"]
"""How a request ended: `overloaded` is a server that is busy or too slow, `left` says nothing about it."""

START = 8
"""In flight at first where the number is to be found out."""
CEILING = 1024
"""Most in flight at one server."""
STEPS = (1.5, 1.2, 1 / 1.5)
"""Changes that are tried one after the other: each again as long as it helps."""
WORTH = 1.05
"""What a higher level must bring of a lower one's answers per second."""
HOLD, LONGEST_HOLD = 5, 80
"""Windows for which a level is held once no step helps, at first and at most; it doubles each time."""
FALL = 0.7
"""What remains of that in flight after an overload."""
OVERLOADED, FEWEST_OVERLOADED = 0.2, 8
"""Share of a window's requests, and their number, that an overloaded server turns away or lets wait in vain.
Fewer tell nothing: some prompts always take too long, and must not slow down all others."""
FILLED = 0.8
"""Share of a level that must have been in use once before it is left for a better one."""
SHORTEST_WINDOW = 20
"""Requests."""
SHORTEST_TIME = 0.25
"""Of a window, seconds."""


class Ticket(NamedTuple):
    """A request in flight."""

    started: float
    window: int
    settled: bool
    """Whether what an earlier level left was done when it started."""


class Limit:
    """What may be in flight at one server, and what is.

    Args:
        fixed: the number; it falls after an overload and then comes back. None searches for one.
    """

    def __init__(self, fixed: int | None = None) -> None:
        self.allowed = START if fixed is None else fixed
        self.ceiling = CEILING if fixed is None else fixed
        self.in_flight = 0
        self._searching = fixed is None
        self._level = self.allowed
        """The best level known; `allowed` differs from it while a step is tried."""
        self._known: _Measured | None = None
        """What was measured at that level."""
        self._step = self._held = 0
        self._hold = HOLD
        self._window = 0
        """Number of the present one."""
        self._settling = self.allowed
        """Requests to come that still meet what an earlier level left."""
        self._sums = _Sums()
        self._in_flight_seconds = self._last = 0.0

    def begin(self, now: float) -> Ticket:
        """Note a request that starts."""
        self._advance(now)
        self.in_flight += 1
        self._settling -= 1
        settled = self._settling < 0
        if settled:
            if math.isnan(self._sums.since):
                self._sums.since, self._in_flight_seconds = now, 0.0
            self._sums.most = max(self._sums.most, self.in_flight)
        return Ticket(now, self._window, settled)

    def end(self, ticket: Ticket, result: Result, now: float) -> None:
        """Note how a request ended, and change what is allowed where a window is complete."""
        self._advance(now)
        self.in_flight -= 1
        if ticket.window != self._window or result == "left":
            return  # it was sent under another level, or says nothing
        size = max(SHORTEST_WINDOW, 2 * self.allowed)
        sums = self._sums
        sums.overloaded += result == "overloaded"
        sums.all_ended += 1
        usual = self._known.overloaded if self._known else 0.0
        if sums.overloaded >= max(FEWEST_OVERLOADED, (usual + OVERLOADED) * max(size, sums.all_ended)):
            self._fall()
        elif ticket.settled:
            sums.ended += 1
            sums.answered += result == "answered"
            sums.seconds += now - ticket.started
            passed = now - sums.since
            if sums.ended >= size and passed >= SHORTEST_TIME:
                self._judge(sums.measured(self._in_flight_seconds / passed))

    def _advance(self, now: float) -> None:
        self._in_flight_seconds += self.in_flight * (now - self._last)
        self._last = now

    def _allow(self, level: int) -> None:
        """Begin a window."""
        self._settling = level if level != self.allowed else 0
        self._window += 1
        self._sums = _Sums()
        self.allowed = level

    def _fall(self) -> None:
        if self.allowed > self._level:  # the step was too large, and the level below is known to be good
            self._step += 1
        else:
            self._level = max(1, int(FALL * min(self.in_flight + 1, self.allowed)))
            self._known, self._step, self._hold = None, len(STEPS), HOLD
        self._held = 0
        self._allow(self._level)

    def _judge(self, found: _Measured) -> None:
        """Learn from a window, and choose the level of the next."""
        filled = self._sums.most >= FILLED * self.allowed
        if self.allowed != self._level:
            assert self._known is not None
            up = self.allowed > self._level
            better = found.is_worth_it(self._known) if up else not self._known.is_worth_it(found)
            if better:
                self._level, self._known, self._hold = self.allowed, found, HOLD
            else:
                self._step += 1
        elif self._window > 0:  # in the first one connections are made, and caches are empty
            self._known = found.mixed_with(self._known)
            self._held += 1
            if self._held >= self._hold:
                self._step, self._held, self._hold = 0, 0, min(2 * self._hold, LONGEST_HOLD)
        self._allow(self._next() if filled else self._level)

    def _next(self) -> int:
        """The level to be tried next; the present one where no step is left, or nothing is measured yet."""
        while self._known is not None and self._step < len(STEPS):
            step = STEPS[self._step]
            level = max(self._level + 1, round(self._level * step)) if step > 1 else max(1, int(self._level * step))
            # A number that was asked for is kept where no request is turned away.
            wanted = step > 1 or self._searching or self._known.overloaded > 0
            if wanted and min(level, self.ceiling) != self._level:
                return min(level, self.ceiling)
            self._step += 1
        return self._level


@dataclass
class _Sums:
    """What a window adds up."""

    all_ended: int = 0
    overloaded: int = 0
    since: float = math.nan
    """When the first settled one began. What follows is of these."""
    most: int = 0
    """Most in flight."""
    ended: int = 0
    answered: int = 0
    seconds: float = 0.0

    def measured(self, in_flight: float) -> _Measured:
        """What the window tells, with so many in flight on average; the rate by Little's law."""
        rate = self.answered * in_flight / self.seconds if self.seconds else 0.0
        return _Measured(rate, self.overloaded / self.all_ended, self.ended)


@dataclass(frozen=True)
class _Measured:
    """What is known of a level."""

    rate: float
    """Answers per second."""
    overloaded: float
    """Share of the requests that were turned away or waited in vain."""
    requests: int

    def is_worth_it(self, lower: _Measured) -> bool:
        """Whether this level brings enough more than a lower one, and has no more turned away."""
        more = (self.overloaded - lower.overloaded) * min(self.requests, lower.requests)
        return self.rate >= WORTH * lower.rate and more < FEWEST_OVERLOADED

    def mixed_with(self, old: _Measured | None) -> _Measured:
        """The mean with what was measured at the same level before."""
        if old is None:
            return self
        return _Measured((self.rate + old.rate) / 2, (self.overloaded + old.overloaded) / 2, self.requests)

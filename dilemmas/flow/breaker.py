"""When a server is left alone because it fails, and when it is tried again.

A server that dies fails all that is in flight there at once. So the first failures in a row already
make it doubtful: nothing more is sent until one of those under way has ended well. Where none does,
it is set aside, and then tried again with a single request now and then.
"""

from __future__ import annotations

from dilemmas.errors import TransientError, UnreachableError

UNREACHABLE_LIMIT = 5
"""Refused connections in a row after which a server is set aside."""
FEWEST_FAILURES = 8
"""Failures in a row, of any passing kind, before a server is set aside; more where more was in flight."""
FEWEST_BLAMING = 3
"""Different subjects of requests that must have failed before the server is blamed, and not they."""
FIRST_REST, LONGEST_REST = 1.0, 30.0
"""Time for which a server is set aside at first, and at most, seconds; it doubles with each vain trial."""


class Breaker:
    """What is known of a server since it last answered. An answer makes all of it void: a new one begins."""

    def __init__(self) -> None:
        self.failures = 0
        """Failures in a row."""
        self.set_aside = False
        self.rests_until = 0.0
        """When it may be tried again, once it is set aside."""
        self.tried_in_vain = False
        """Whether it was tried again since it was set aside, and failed."""
        self._trial: object = None
        self._rest = FIRST_REST
        self._unreachable = self._enough = 0
        self._blaming: set[str] = set()

    def lets(self, in_flight: int, allowed: int, now: float) -> bool:
        """Whether a request may be sent, with so many in flight."""
        if self.set_aside:
            return self._trial is None and now >= self.rests_until
        return in_flight < (1 if self._doubtful else allowed)

    def begin(self, request: object) -> None:
        """Note a request that is sent: the trial, where the server was set aside."""
        if self.set_aside:
            self._trial = request

    def failed(self, request: object, who: str, error: TransientError, in_flight: int, now: float) -> None:
        """Note a failure.

        Args:
            request: the object that `begin` was given.
            who: what was asked about.
            error: how it failed.
            in_flight: requests that were in flight, this one included.
            now: the time, seconds.
        """
        if not self.failures:
            self._enough = max(FEWEST_FAILURES, in_flight)
        self.failures += 1
        self._unreachable = self._unreachable + 1 if isinstance(error, UnreachableError) else 0
        if not self._doubtful:
            self._blaming.add(who)
        if not self.set_aside:
            if self._unreachable >= UNREACHABLE_LIMIT or (self._doubtful and self.failures >= self._enough):
                self.leave(now)
        elif request is self._trial:
            self.tried_in_vain = True
            self._rest = min(2 * self._rest, LONGEST_REST)
            self.leave(now)

    def left(self, request: object) -> None:
        """Note a request that ended without telling anything, such as a cancelled one."""
        if request is self._trial:
            self._trial = None

    def leave(self, now: float) -> None:
        """Set the server aside for its time of rest."""
        self.set_aside, self._trial = True, None
        self.rests_until = now + self._rest

    @property
    def _doubtful(self) -> bool:
        return len(self._blaming) >= FEWEST_BLAMING

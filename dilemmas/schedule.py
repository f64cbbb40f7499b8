"""In which order trials are asked: as planned, and of each group one first.

A group shares the beginning of its prompts (a persona and a scenario). Once a server has read that for
the first of them, it need not read it again for the rest; were all sent at once, it would read it for each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from dilemmas.store import Planned


class Schedule:
    """Groups of trials, handed out one by one. `add` them, `end`, and say of each trial when it is `done`."""

    def __init__(self) -> None:
        self._groups: deque[Sequence[Planned]] = deque()
        self._following: deque[Planned] = deque()
        self._held: dict[str, Sequence[Planned]] = {}
        """The rest of the groups whose first trial is being asked, by that trial."""
        self._ended = False
        self._idle: deque[asyncio.Future[None]] = deque()
        self._room: asyncio.Future[None] | None = None

    async def add(self, group: Sequence[Planned], most: int) -> None:
        """Add a group, as soon as fewer than `most` groups are waiting; after the end it is left."""
        while len(self._groups) >= most and not self._ended:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        if not self._ended:
            self._groups.append(group)
            self._wake(1)

    def end(self) -> None:
        """No more groups come."""
        self._ended = True
        self._wake(len(self._idle))

    def stop(self) -> None:
        """Hand nothing out any more."""
        self._groups.clear()
        self._following.clear()
        self._held.clear()
        self._make_room()
        self.end()

    async def next(self) -> Planned | None:
        """The next trial, as soon as there is one; None when all are done."""
        while True:
            if self._following:
                return self._following.popleft()
            if self._groups:
                first, *rest = self._groups.popleft()
                self._make_room()
                if rest:
                    self._held[first.trial.id] = rest
                return first
            if self._ended and not self._held:
                return None
            turn = asyncio.get_running_loop().create_future()
            self._idle.append(turn)
            await turn

    def done(self, planned: Planned) -> None:
        """A trial was asked, with whatever success: if others waited for it, it is their turn."""
        following = self._held.pop(planned.trial.id, ())
        self._following.extend(following)
        self._wake(len(self._idle) if self._ended and not self._held else len(following))

    def _wake(self, count: int) -> None:
        while count and self._idle:
            turn = self._idle.popleft()
            if not turn.done():
                turn.set_result(None)
                count -= 1

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

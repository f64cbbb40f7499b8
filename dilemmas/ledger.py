"""Where a run's trials are taken from and its answers are kept: the store, with the count of what came of it.

The runner (`asker`) sees no more of a store than this, so that it can also run on another machine than the
store does (`cluster`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from dilemmas.errors import DilemmasError, StoreError
from dilemmas.group_commit import GroupCommit
from dilemmas.protocols import PARSER_VERSION
from dilemmas.schema import Reply, Response
from dilemmas.store import Planned, Store

SHOWN_EVERY = 0.1
"""Seconds between two calls of the progress function, for one model."""


@dataclass
class Outcome:
    """What came of one call of `evaluate`, or of one model in it."""

    run: str = ""
    folder: str = ""
    model: str = ""
    """Name of the model, as it was configured; empty for all together."""
    planned: int = 0
    reused: int = 0
    """Trials of this plan that had an answer in the store, or in a run that may be reused."""
    asked: int = 0
    """Trials answered now, refusals and unreadable replies included."""
    refused: int = 0
    unreadable: int = 0
    open: int = 0
    """Trials of this plan that have no answer yet."""
    set_aside: int = 0
    """Open trials that the server refuses, or that failed as often as they may."""
    failed_attempts: int = 0
    last_failure: str = ""
    """What went wrong last, where something did."""
    seconds: float = 0.0
    notices: tuple[str, ...] = ()
    """What the user should know, such as servers that did not answer at the start."""
    stopped: DilemmasError | None = field(default=None, repr=False)
    """Why nothing more was asked, if the run was stopped."""
    each: tuple[Outcome, ...] = field(default=(), repr=False)
    """What came of each model, where there are several."""


Progress = Callable[[Outcome], None]


class Ledger(Protocol):
    """Takes trials for asking, and keeps what comes of them."""

    async def take(self, batch: Sequence[Planned]) -> list[Planned]:
        """Those of some trials that are to be asked here and now; they are held until they are kept or given back.

        Raises:
            StoreError: the store cannot be written.
        """
        ...

    async def keep(self, trial: str, reply: Reply, response: Response) -> None:
        """Keep an answer; on return it is on disk.

        Raises:
            StoreError: the store cannot be written.
        """
        ...

    async def give_back(self, trial: str, *, set_aside: bool) -> None:
        """Give a trial back unanswered; one that is set aside is not handed out again in this run.

        Raises:
            StoreError: the store cannot be written.
        """
        ...

    def failed(self, trial: str, kind: str, status: int | None, what: str) -> None:
        """Note an attempt that failed, without waiting."""
        ...


class StoreLedger:
    """The ledger of one model in a store that is open here.

    Args:
        store: the run's store.
        commits: what writes to it.
        others: stores of other runs, whose answers may be taken over.
        outcome: is counted up.
        progress: called with it now and then.
    """

    def __init__(
        self, store: Store, commits: GroupCommit, others: Sequence[Store], outcome: Outcome, progress: Progress
    ) -> None:
        self.outcome = outcome
        self.elsewhere: list[Planned] = []
        """Trials that another process is asking, and those of the same words as one that is being asked."""
        self._store, self._commits, self._others = store, commits, others
        self._progress, self._shown = progress, 0.0
        self._known = self._found = 0
        self._failed: set[str] = set()
        """Trials that are set aside, and those of the same words with them."""
        self._started = time.monotonic()

    def begin(self, planned: int, known: int) -> None:
        """Begin to count, with the trials of the plan and those of them that have an answer."""
        self.outcome.planned, self._known = planned, known
        self.count_found(0)
        self.note()

    async def take(self, batch: Sequence[Planned]) -> list[Planned]:
        """Those of some trials that are to be asked here and now, as `Ledger` says."""
        mine = await self._commits.alone(partial(self.claim, batch))
        self.note()
        return mine

    async def keep(self, trial: str, reply: Reply, response: Response) -> None:
        """Keep an answer, as `Ledger` says."""
        await self._commits.soon(partial(self._store.put, trial, reply, response, PARSER_VERSION))
        outcome = self.outcome
        outcome.asked += 1
        outcome.open -= 1
        outcome.refused += response.status == "refused"
        outcome.unreadable += response.status == "unreadable"
        self.note()

    async def give_back(self, trial: str, *, set_aside: bool) -> None:
        """Give a trial back unanswered, as `Ledger` says."""
        await self._commits.soon(partial(self._store.release, trial))
        if set_aside:
            self._failed.add(trial)
            self.outcome.set_aside += 1

    def failed(self, trial: str, kind: str, status: int | None, what: str) -> None:
        """Note an attempt that failed."""
        self._commits.by_the_way(partial(self._store.put_attempt, trial, kind, status, what))
        self.outcome.failed_attempts += 1
        self.outcome.last_failure = what

    async def release_all(self, model: str) -> None:
        """Give back all that is held of a model, as far as the store can be written."""
        with suppress(StoreError):  # perhaps that is why
            await self._commits.alone(partial(self._store.release_all, model))

    async def release_dead(self) -> None:
        """Give back what processes hold that have died since."""
        await self._commits.alone(self._store.release_dead)

    def claim(self, batch: Sequence[Planned]) -> list[Planned]:
        """Note trials in the store; those that are to be asked here. To be called in a transaction."""
        self._store.add_trials(batch)
        mine, there, seen = list[Planned](), 0, set[str]()
        claims = self._store.claim([planned.trial.id for planned in batch])
        for planned in batch:
            name = planned.trial.id
            if claims[name] == "answered":
                there += 1
            elif claims[name] == "taken" or name in seen:  # the same words, as another persona
                self.elsewhere.append(planned)
            elif name in self._failed:
                self._store.release(name)
                self.outcome.set_aside += 1
            else:
                mine.append(planned)
                seen.add(name)
        for other in self._others:
            found = other.outcomes_of(one.trial.id for one in mine)
            self._store.adopt(found)
            adopted = {one.trial for one in found}
            mine = [one for one in mine if one.trial.id not in adopted]
            there += len(adopted)
        self.count_found(there)
        return mine

    def count_found(self, more: int) -> None:
        """Count trials of the plan that were found answered; those that the store had are known from the start."""
        self._found += more
        outcome = self.outcome
        outcome.reused = max(self._known, self._found)
        outcome.open = outcome.planned - outcome.reused - outcome.asked

    def note(self, *, last: bool = False) -> None:
        """Show how far it is, if that was not done just now."""
        at = time.monotonic()
        if last or at - self._shown >= SHOWN_EVERY:
            self._shown, self.outcome.seconds = at, at - self._started
            self._progress(self.outcome)

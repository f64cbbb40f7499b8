"""Asking one model all that is missing of a plan.

Trials are rendered, noted, claimed and asked as places become free, so that a million of them need
no more memory than ten thousand. A place is free again once its answer is on disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import attrgetter

from dilemmas.asking import Workers
from dilemmas.config import ModelConfig
from dilemmas.errors import DilemmasError, RejectedError, StoreError, TransientError
from dilemmas.group_commit import GroupCommit
from dilemmas.models import Model
from dilemmas.protocols import PARSER_VERSION, PROTOCOLS
from dilemmas.schedule import Schedule
from dilemmas.schema import Asking
from dilemmas.store import Planned, Store
from dilemmas.study import Study, answered, plan

SMALLEST_BATCH, LARGEST_BATCH = 12, 1024
"""Trials that are rendered and claimed at once: twice as many as may be in flight, within these bounds."""
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


class Asker:
    """Asks one model all that is missing of a plan, as many at once as its servers bear."""

    def __init__(
        self,
        settings: ModelConfig,
        model: Model,
        commits: GroupCommit,
        store: Store,
        others: Sequence[Store],
        outcome: Outcome,
        progress: Progress,
    ) -> None:
        self.outcome = outcome
        self._model, self._commits, self._store, self._others = model, commits, store, others
        self._progress, self._shown = progress, 0.0
        self._workers = Workers(model.capacity, settings.attempts)
        self._schedule = Schedule()
        self._tasks: set[asyncio.Task[None]] = set()
        self._working = self._known = self._found = 0
        self._taken: list[Planned] = []
        self._failed: set[str] = set()
        """Trials that are set aside, and those of the same words with them."""
        self._started = time.monotonic()

    async def ask_all(self, study: Study, asking: Asking) -> None:
        """Ask trials until none is left; wait for those that another process is asking."""
        self.outcome.planned = study.size
        self._known = answered(study, asking.name, self._store)
        if self._known:
            self._workers.has_answered()
        self._count_reused(0)
        self._note()
        todo = plan(study, asking)
        while True:
            await self._go_through(todo)
            self.outcome.stopped = self._workers.stopped
            if self.outcome.stopped:
                with suppress(StoreError):  # perhaps that is why
                    await self._commits.alone(partial(self._store.release_all, asking.name))
            if self.outcome.stopped or not self._taken:
                break
            await asyncio.sleep(0.5)
            await self._commits.alone(self._store.release_dead)
            todo, self._taken = iter(self._taken), []
        self._note(last=True)

    async def _go_through(self, todo: Iterator[Planned]) -> None:
        self._schedule = Schedule()
        tasks = self._tasks = {asyncio.create_task(self._load(todo))}
        self._working = 0
        self._grow()
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                tasks -= done
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _grow(self) -> None:
        """As many workers as requests may be in flight."""
        while self._working < self._model.capacity:
            self._working += 1
            self._tasks.add(asyncio.create_task(self._work()))

    async def _load(self, todo: Iterator[Planned]) -> None:
        """Claim what is missing of a plan, some way ahead of those who ask."""
        groups = (list(group) for _, group in groupby(todo, attrgetter("trial.persona", "trial.item")))
        try:
            for group in groups:
                batch = group
                wanted = min(max(2 * self._model.capacity, SMALLEST_BATCH), LARGEST_BATCH)
                while len(batch) < wanted and (more := next(groups, None)):
                    batch += more
                missing = await self._commits.alone(partial(self._claim, batch))
                for _, together in groupby(missing, attrgetter("trial.persona", "trial.item")):
                    await self._schedule.add(list(together), most=wanted // 6)
                self._note()
                if self._workers.stopped:
                    return
        except StoreError as error:
            self._stop(error)
        self._schedule.end()

    def _claim(self, batch: Sequence[Planned]) -> list[Planned]:
        """Note trials in the store; those that are to be asked here."""
        self._store.add_trials(batch)
        mine, there, seen = list[Planned](), 0, set[str]()
        claims = self._store.claim([planned.trial.id for planned in batch])
        for planned in batch:
            name = planned.trial.id
            if claims[name] == "answered":
                there += 1
            elif claims[name] == "taken" or name in seen:  # the same words, as another persona
                self._taken.append(planned)
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
        self._count_reused(there)
        return mine

    def _count_reused(self, more: int) -> None:
        """Count trials of the plan that were found answered; those that the store had are known from the start."""
        self._found += more
        outcome = self.outcome
        outcome.reused = max(self._known, self._found)
        outcome.open = outcome.planned - outcome.reused - outcome.asked

    async def _work(self) -> None:
        while (planned := await self._schedule.next()) is not None:
            try:
                await self._ask(planned)
            except DilemmasError as error:
                self._stop(error)
            finally:
                self._schedule.done(planned)
            self._grow()

    def _stop(self, error: DilemmasError) -> None:
        self._workers.stop(error)
        self._schedule.stop()
        self._model.close()

    async def _ask(self, planned: Planned) -> None:
        """Ask one trial until it is answered, refused or its attempts are used up."""
        trial, way = planned.trial, PROTOCOLS[planned.trial.protocol]
        outcome, why = self.outcome, None

        def failed(error: RejectedError | TransientError) -> None:
            rejected = isinstance(error, RejectedError)
            kind = "rejected" if rejected else type(error).__name__
            self._commits.by_the_way(partial(self._store.put_attempt, trial.id, kind, error.status, error.what))
            outcome.failed_attempts += 1
            outcome.last_failure = error.what
            if rejected:
                error.fix = f"{error.fix} (asked about {trial.item} as {trial.persona})".strip()

        try:
            reply = await self._workers.insist(
                trial.item, lambda: self._model.ask(way.request(trial, planned.options)), failed
            )
        except RejectedError as error:
            reply, why = None, error
        if reply is None:
            await self._commits.soon(partial(self._store.release, trial.id))
            self._failed.add(trial.id)
            outcome.set_aside += not self._workers.stopped
            if why is not None:
                self._workers.set_aside(trial.item, why)
            return
        response = way.read(reply, trial.order, planned.options)
        await self._commits.soon(partial(self._store.put, trial.id, reply, response, PARSER_VERSION))
        outcome.asked += 1
        outcome.open -= 1
        outcome.refused += response.status == "refused"
        outcome.unreadable += response.status == "unreadable"
        self._note()

    def _note(self, *, last: bool = False) -> None:
        at = time.monotonic()
        if last or at - self._shown >= SHOWN_EVERY:
            self._shown, self.outcome.seconds = at, at - self._started
            self._progress(self.outcome)

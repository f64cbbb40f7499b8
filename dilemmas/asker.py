"""The runner: asks one model all that is missing of a plan.

Trials are rendered, noted, claimed and asked as places become free, so that a million of them need
no more memory than ten thousand. A place is free again once its answer is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from dilemmas.asking import Workers
from dilemmas.config import ModelConfig
from dilemmas.errors import DilemmasError, RejectedError, StoreError, TransientError
from dilemmas.ledger import Ledger, StoreLedger
from dilemmas.models import Model
from dilemmas.protocols import PROTOCOLS
from dilemmas.schedule import Schedule
from dilemmas.schema import Asking
from dilemmas.store import Planned
from dilemmas.study import Study, plan

SMALLEST_BATCH, LARGEST_BATCH = 12, 1024
"""Trials that are rendered and claimed at once: twice as many as may be in flight, within these bounds."""

_group = attrgetter("trial.persona", "trial.item")


class Asker:
    """Asks one model, as many requests at once as its servers bear."""

    def __init__(self, settings: ModelConfig, model: Model, ledger: Ledger, *, has_answered: bool = False) -> None:
        self._model, self._ledger = model, ledger
        self._workers = Workers(model.capacity, settings.attempts)
        if has_answered:
            self._workers.has_answered()
        self._schedule = Schedule()
        self._tasks: set[asyncio.Task[None]] = set()
        self._working = 0

    @property
    def stopped(self) -> DilemmasError | None:
        """Why nothing more is asked, once that is so."""
        return self._workers.stopped

    @property
    def batch(self) -> int:
        """Trials that are to be rendered and claimed at once."""
        return min(max(2 * self._model.capacity, SMALLEST_BATCH), LARGEST_BATCH)

    async def go_through(self, batches: AsyncIterator[Sequence[Planned]]) -> None:
        """Ask what is missing of some batches of trials; groups are whole in them."""
        self._schedule = Schedule()
        self._loader = asyncio.create_task(self._load(batches))
        tasks = self._tasks = {self._loader}
        self._working = 0
        self._grow()
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                tasks -= done
                for task in done:
                    if not task.cancelled():
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

    async def _load(self, batches: AsyncIterator[Sequence[Planned]]) -> None:
        """Take what is missing of a plan, some way ahead of those who ask."""
        try:
            async for batch in batches:
                missing = await self._ledger.take(batch)
                for _, together in groupby(missing, _group):
                    await self._schedule.add(list(together), most=self.batch // 6)
                if self._workers.stopped:
                    return
        except StoreError as error:
            self._stop(error)
        self._schedule.end()

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
        self._loader.cancel()  # it may be waiting for more

    async def _ask(self, planned: Planned) -> None:
        """Ask one trial until it is answered, refused or its attempts are used up."""
        trial, way = planned.trial, PROTOCOLS[planned.trial.protocol]
        why = None

        def failed(error: RejectedError | TransientError) -> None:
            rejected = isinstance(error, RejectedError)
            kind = "rejected" if rejected else type(error).__name__
            self._ledger.failed(trial.id, kind, error.status, error.what)
            if rejected:
                error.fix = f"{error.fix} (asked about {trial.item} as {trial.persona})".strip()

        try:
            reply = await self._workers.insist(
                trial.item, lambda: self._model.ask(way.request(trial, planned.options)), failed
            )
        except RejectedError as error:
            reply, why = None, error
        if reply is None:
            await self._ledger.give_back(trial.id, set_aside=not self._workers.stopped)
            if why is not None:
                self._workers.set_aside(trial.item, why)
            return
        await self._ledger.keep(trial.id, reply, way.read(reply, trial.order, planned.options))


async def ask_all(
    study: Study, asking: Asking, settings: ModelConfig, model: Model, ledger: StoreLedger, known: int
) -> None:
    """Ask all that is missing of a study; wait for what another process is asking.

    Args:
        study: what is asked.
        asking: how the model is asked.
        settings: the model's.
        model: is asked.
        ledger: of the model, in the run's store.
        known: trials of the study that have an answer there.
    """
    ledger.begin(study.size, known)
    asker = Asker(settings, model, ledger, has_answered=bool(known))
    todo = plan(study, asking)
    while True:
        await asker.go_through(in_batches(todo, lambda: asker.batch))
        ledger.outcome.stopped = asker.stopped
        if asker.stopped:
            await ledger.release_all(asking.name)
        if asker.stopped or not ledger.elsewhere:
            break
        await asyncio.sleep(0.5)
        await ledger.release_dead()
        todo, ledger.elsewhere = iter(ledger.elsewhere), []
    ledger.note(last=True)


async def in_batches(todo: Iterable[Planned], wanted: Callable[[], int]) -> AsyncIterator[list[Planned]]:
    """Trials in batches of about so many as are wanted; trials about one item as one persona stay together."""
    groups: Iterator[list[Planned]] = (list(group) for _, group in groupby(todo, _group))
    for group in groups:
        batch = group
        while len(batch) < wanted() and (more := next(groups, None)):
            batch += more
        yield batch

"""The desk: the one process that writes to the run's store, on the driver's machine.

Actors take trials from it and bring it their answers; an answer is acknowledged once it is on disk. When a node
is lost, Ray hands its stretch of the plan to another actor, which asks here what is still open of it: what the
dead one had taken is given out again, what it had answered is not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dilemmas.cluster.telling import Told, tells
from dilemmas.config import ModelConfig
from dilemmas.errors import DilemmasError, SetupError, StoreError
from dilemmas.evaluate import stores_of
from dilemmas.group_commit import GroupCommit
from dilemmas.ledger import Outcome, StoreLedger
from dilemmas.manifest import begin, finish, folder_of_its_own
from dilemmas.models.probing import common
from dilemmas.schema import Asking, Capabilities, ModelIdentity, ProtocolName, Reply, Response
from dilemmas.store import FILE, Planned, Store
from dilemmas.study import answered, asking_of


@dataclass(frozen=True)
class Found:
    """What an actor found out about its model."""

    identity: ModelIdentity
    protocol: ProtocolName
    capabilities: Capabilities
    caveat: str
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """How far the actors are."""

    outcome: Outcome
    idle: float
    """Seconds since an actor gave a sign of life."""
    begun: bool
    """Whether the run has begun: a model was found."""


class Desk:
    """Keeps the answers of one model's actors.

    Args:
        told: what is asked.
        settings: the model's.
        runs: folder of the runs, absolute.
        reuse: folders of other runs, whose answers may be taken over.
    """

    def __init__(self, told: Told, settings: ModelConfig, runs: Path, reuse: Sequence[Path]) -> None:
        self._stack = ExitStack()
        self._study, self._settings = told.study(self._stack), settings
        self._folder, self._reuse = folder_of_its_own(runs, self._study.name), reuse
        self._outcome = Outcome(self._study.name, str(self._folder), settings.name, planned=self._study.size)
        self._outcome.open = self._study.size
        self._opening = asyncio.Lock()
        self._round = 0
        self._lost: list[str] = []
        """What servers wrote last that were started by actors and are gone."""
        self._actors: dict[str, Any] = {}
        self._asked_at: dict[str, int] = {}
        """Of each actor, how much was answered when it was last started."""
        self._asking: Asking | None = None
        self._ledger: StoreLedger | None = None
        self._held: dict[str, tuple[str, str]] = {}
        """Persona and item of the group for which a trial is being asked."""
        self._sign = time.monotonic()

    # For the actors

    @tells
    async def deal(self, name: str, actor: Any, round_: int = 0) -> int | None:
        """Number of an actor, from 0; one that is started again keeps it. None for one of a round that is over.

        Raises:
            SetupError: nothing came back since it was last started, so that it would go on like this for ever.
        """
        self._sign = time.monotonic()
        if round_ != self._round:
            return None
        if self._asked_at.get(name) == self._outcome.asked:
            said = f"; its server's last words: {self._lost[-1]}" if self._lost else ""
            raise SetupError(
                f"an actor was lost and nothing came back since it was last started{said}",
                fix="The same command again asks only what is missing.",
            )
        self._asked_at[name] = self._outcome.asked
        self._actors[name] = actor
        return list(self._asked_at).index(name)

    @tells
    async def enrol(self, found: Found) -> tuple[Asking, bool]:
        """How the model is asked, and whether it has answered before. The first to come decides it for all.

        Raises:
            DilemmasError: the model is another one, or can do less than what the run is asked with; the store cannot
                be opened, or the run was begun with other settings.
        """
        self._sign = time.monotonic()
        async with self._opening:
            if self._asking is None:
                # A large plan is noted for minutes, in which actors and driver must be heard.
                self._asking = await asyncio.to_thread(self._begin, found)
        if found.identity != self._asking.identity:
            raise SetupError(
                f'has the model "{found.identity.name}" {found.identity.revision}, and other nodes have '
                f'"{self._asking.name}" {self._asking.revision}',
                fix="Serve the same weights on all nodes.",
            )
        if common([found.capabilities, self._asking.capabilities]) != common([self._asking.capabilities]):
            raise SetupError(
                f"can do less than the run is asked with: {_said(found.capabilities)}, and not "
                f"{_said(self._asking.capabilities)}",
                fix="Serve the model in the same way on all nodes.",
            )
        self._outcome.notices = tuple(dict.fromkeys((*self._outcome.notices, *found.notices)))
        return self._asking, self._outcome.reused + self._outcome.asked > 0

    @tells
    async def take(self, batch: Sequence[Planned]) -> tuple[list[int], list[int]]:
        """Places in a batch of the trials that are to be asked, and of those that are being asked by others."""
        self._sign = time.monotonic()
        return await self._commits.alone(partial(self._take, batch))

    @tells
    async def keep(self, trial: str, reply: Reply, response: Response) -> None:
        """Keep an answer; one that came after another for the same trial is left."""
        self._sign = time.monotonic()
        if self._held.pop(trial, None):
            await self._open().keep(trial, reply, response)

    @tells
    async def give_back(self, trial: str, *, set_aside: bool) -> None:
        """Take a trial back unanswered."""
        if self._held.pop(trial, None):
            await self._open().give_back(trial, set_aside=set_aside)

    async def failed(self, trial: str, kind: str, status: int | None, what: str) -> None:
        """Note an attempt that failed."""
        self._sign = time.monotonic()
        self._open().failed(trial, kind, status, what)

    async def pulse(self) -> None:
        """Hear that an actor is at work."""
        self._sign = time.monotonic()

    async def mourn(self, words: str) -> None:
        """Hear the last words of a server that an actor had started, and will start again."""
        self._lost.append(words)

    async def stop(self, error: DilemmasError) -> None:
        """Hear why nothing more is to be asked; the first reason stays."""
        self._outcome.stopped = self._outcome.stopped or error

    # For the driver

    async def standing(self) -> Standing:
        """How far it is."""
        if self._ledger is not None:
            self._ledger.note(last=True)
        return Standing(self._outcome, time.monotonic() - self._sign, self._asking is not None)

    async def dismiss(self, round_: int) -> list[Any]:
        """Handles of all actors there have been; from now on there are none but those of another round."""
        gone = list(self._actors.values())
        self._round = round_
        self._actors, self._asked_at = {}, {}
        return gone

    async def rest(self) -> Outcome:
        """The outcome between two rounds, when nobody is asking: whatever was held is free again."""
        async with self._opening:  # a plan that is being noted is noted to its end
            begun = self._asking
        if begun is not None:
            try:
                await self._commits.finish()
                await self._commits.alone(partial(self._store.release_all, begun.name))
                await self._commits.alone(self._store.release_dead)
                self._held.clear()
                self._recount()
            except StoreError as error:
                await self.stop(error)
        self._sign = time.monotonic()
        return self._outcome

    async def finish(self) -> Outcome:
        """Bring the manifest up to date and close the store."""
        outcome = await self.rest()
        if self._lost:
            outcome.notices += (f"servers were lost and started again: {len(self._lost)}; the last: {self._lost[-1]}",)
        try:
            if self._asking is not None:
                finish(self._store, self._folder)
            self._stack.close()
        except DilemmasError as error:
            await self.stop(error)
        return outcome

    # Inside

    def _begin(self, found: Found) -> Asking:
        """Open the store and note the plan in it."""
        asking = asking_of(self._settings, found.identity, found.protocol, found.capabilities, found.caveat)
        store = self._stack.enter_context(Store.writing(self._folder / FILE))
        others = self._stack.enter_context(stores_of(self._reuse, self._folder))
        begin(self._study, store, [asking])
        self._store, self._commits = store, GroupCommit(store)
        ledger = _Ledger(store, self._commits, others, self._outcome, lambda outcome: None)
        ledger.begin(self._study.size, answered(self._study, asking.name, store))
        self._ledger = ledger
        return asking

    def _open(self) -> StoreLedger:
        assert self._ledger is not None
        return self._ledger

    def _take(self, batch: Sequence[Planned]) -> tuple[list[int], list[int]]:
        places = {id(planned): place for place, planned in enumerate(batch)}
        for trial, *_ in batch:  # of a group that comes again, whoever had it is dead
            if self._held.get(trial.id) == (trial.persona, trial.item):
                del self._held[trial.id]
                self._store.release(trial.id)
        ledger = self._open()
        mine = ledger.claim(batch)
        elsewhere, ledger.elsewhere = ledger.elsewhere, []
        self._held |= {trial.id: (trial.persona, trial.item) for trial, _ in mine}
        return [places[id(one)] for one in mine], [places[id(one)] for one in elsewhere]

    def _recount(self) -> None:
        """Count in the store what is open; the same trial may have come past here several times."""
        assert self._asking is not None
        outcome = self._outcome
        there = answered(self._study, self._asking.name, self._store)
        outcome.open, outcome.reused = outcome.planned - there, there - outcome.asked
        outcome.set_aside = min(outcome.set_aside, outcome.open)


class _Ledger(StoreLedger):
    """Counts no trial that is found answered: it may be one that was asked just now, by an actor that died."""

    def count_found(self, more: int) -> None:
        super().count_found(0)


def _said(found: Capabilities) -> str:
    """What a server can do, in words."""
    return (
        f"{found.top_logprobs} log-probabilities, JSON schema {found.reply_schema}, "
        f"top_k {'yes' if found.top_k else 'no'}, seed {'yes' if found.seed else 'no'}"
    )

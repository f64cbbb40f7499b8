"""The desk as an actor sees it: a ledger whose store is on another machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from dilemmas.cluster.telling import heard
from dilemmas.schema import Reply, Response
from dilemmas.store import Planned


class Batch(list[Planned]):
    """Trials that are taken together, and what is still to be done about them."""

    def __init__(self, trials: Sequence[Planned]) -> None:
        super().__init__(trials)
        self.elsewhere: list[Planned] = []
        """Those that another actor or process is asking, and those of the same words as one of these."""
        self.open: set[str] = set()
        self.done = asyncio.Event()
        """Set once there is nothing more to wait for."""


class RemoteLedger:
    """Takes trials from the desk and brings it the answers.

    Args:
        desk: handle of the desk.
    """

    def __init__(self, desk: Any) -> None:
        self._desk = desk
        self._batches: dict[str, Batch] = {}
        """Of each trial that is being asked, its batch."""

    @property
    def is_busy(self) -> bool:
        """Whether anything is being asked."""
        return bool(self._batches)

    async def take(self, batch: Sequence[Planned]) -> list[Planned]:
        """Those of some trials that are to be asked here and now, as `Ledger` says."""
        mine, elsewhere = await heard(self._desk.take.remote(list(batch)))
        taken = [batch[place] for place in mine]
        if isinstance(batch, Batch):
            batch.elsewhere = [batch[place] for place in elsewhere]
            batch.open = {one.trial.id for one in taken}
            self._batches |= dict.fromkeys(batch.open, batch)
            if not taken:
                batch.done.set()
        return taken

    async def keep(self, trial: str, reply: Reply, response: Response) -> None:
        """Keep an answer, as `Ledger` says."""
        await heard(self._desk.keep.remote(trial, reply, response))
        self._is_done(trial)

    async def give_back(self, trial: str, *, set_aside: bool) -> None:
        """Give a trial back unanswered, as `Ledger` says."""
        await heard(self._desk.give_back.remote(trial, set_aside=set_aside))
        self._is_done(trial)

    def failed(self, trial: str, kind: str, status: int | None, what: str) -> None:
        """Note an attempt that failed."""
        self._desk.failed.remote(trial, kind, status, what)

    def _is_done(self, trial: str) -> None:
        if batch := self._batches.pop(trial, None):
            batch.open.discard(trial)
            if not batch.open:
                batch.done.set()

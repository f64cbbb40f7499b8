"""What runs in each actor: the ordinary runner, fed with stretches of the plan, against a server of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, ExitStack
from typing import Any, TypeVar

from dilemmas.asker import Asker, in_batches
from dilemmas.cluster.desk import Found
from dilemmas.cluster.remote import Batch, RemoteLedger
from dilemmas.cluster.serving import Server, started
from dilemmas.cluster.telling import Told, heard
from dilemmas.config import ModelConfig
from dilemmas.errors import DilemmasError, GoneError
from dilemmas.models import open_model
from dilemmas.study import Planner

T = TypeVar("T")
PULSE = 2.0
"""Seconds between two signs of life."""


class Worker:
    """Asks stretches of a plan; Ray Data makes one in each actor and calls it from several threads.

    Args:
        told: what is asked.
        settings: the model's.
        serve: command that starts its server; empty where there is one.
        actors: how many share the addresses.
        desk: handle of the desk.
        round_: number of the round in which it is to ask.

    Raises:
        DilemmasError: the model cannot be asked from here; the desk has been told why.
    """

    def __init__(self, told: Told, settings: ModelConfig, serve: str, actors: int, desk: Any, round_: int) -> None:
        from dilemmas.cluster.connecting import library

        ray = library()
        context = ray.get_runtime_context()
        self._desk, self._serve, self._node = desk, serve, ray.util.get_node_ip_address()
        self._round = round_
        self._stack, self._files = AsyncExitStack(), ExitStack()
        self._server: Server | None = None
        self._ledger: RemoteLedger | None = None
        self._loop = _loop()
        self._alive = asyncio.run_coroutine_threadsafe(self._pulse(), self._loop)
        self._do(self._begin(told, settings, actors, context.get_actor_id(), context.current_actor))

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[int]]:
        """Ask the stretches from group `first` up to but without group `end`.

        Returns:
            `first` and `end` of those in which something was left that others are asking.
        """
        stretches = [(int(first), int(end)) for first, end in zip(rows["first"], rows["end"], strict=True)]
        left = [stretch for stretch in stretches if self._do(self._ask(*stretch))]
        return {"first": [first for first, _ in left], "end": [end for _, end in left]}

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the runner's loop do something, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _begin(self, told: Told, settings: ModelConfig, actors: int, name: str, actor: Any) -> None:
        try:
            number = await heard(self._desk.deal.remote(name, actor, self._round))
            if number is None:
                raise RuntimeError("came too late: others have been given its part")
            # Whatever is opened here ends with this process: servers see to it that they do not outlive it.
            study = told.study(self._files)
            config = settings
            if self._serve:
                self._server = await self._stack.enter_async_context(started(self._serve, settings.name))
                config = settings.model_copy(update={"base_url": (self._server.url,)})
            elif urls := settings.base_url:
                share = urls[number::actors] or (urls[number % len(urls)],)
                config = settings.model_copy(update={"base_url": share})
            model = await self._stack.enter_async_context(open_model(config))
            protocol = model.default_protocol if config.protocol == "auto" else config.protocol
            can = await model.probe(protocol, noise=config.noise or config.strict)
            found = Found(model.identity, protocol, can, model.caveat, model.notices)
            asking, has_answered = await heard(self._desk.enrol.remote(found))
        except DilemmasError as error:
            await self._stop(error)
            raise
        self._planner = Planner(study, asking)
        self._ledger = RemoteLedger(self._desk)
        self._asker = Asker(config, model, self._ledger, has_answered=has_answered)
        self._fed: asyncio.Queue[Batch] = asyncio.Queue(1)  # no more is rendered than is wanted
        self._asking = asyncio.create_task(self._asker.go_through(self._batches()))

    async def _batches(self) -> AsyncIterator[Batch]:
        while True:
            yield await self._fed.get()

    async def _ask(self, first: int, end: int) -> bool:
        """Ask some groups; whether something is left that others are asking."""
        plan = (planned for number in range(first, end) for planned in self._planner.group(number))
        asked = []
        async for trials in in_batches(plan, lambda: self._asker.batch):
            batch = Batch(trials)
            await self._until(self._fed.put(batch))
            asked.append(asyncio.create_task(self._finish(batch)))
        return any([await self._until(one) for one in asked])

    async def _finish(self, batch: Batch) -> bool:
        """Wait for a batch that the runner has; whether something is left that others are asking."""
        await batch.done.wait()
        if batch.elsewhere:  # twins in the batch itself have their answer by now
            batch = Batch(batch.elsewhere)
            await self._fed.put(batch)
            await batch.done.wait()
        return bool(batch.elsewhere)

    async def _until(self, work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
        """What some work gives that waits for the runner.

        Raises:
            DilemmasError: the runner has stopped.
        """
        waiting = work if isinstance(work, asyncio.Task) else asyncio.create_task(work)
        await asyncio.wait({waiting, self._asking}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        stopped = self._asker.stopped
        if self._server and isinstance(stopped, GoneError):
            await self._desk.mourn.remote(f"node {self._node}: {self._server.last_words}")
            os._exit(1)  # Ray starts this actor again, and it a new server
        if stopped:
            await self._stop(stopped)
            raise stopped
        self._asking.result()  # raises what ended it
        raise AssertionError("the runner ends when it is stopped")

    async def _stop(self, error: DilemmasError) -> None:
        """Tell the desk that all is over, and where."""
        if not error.where.startswith("node "):
            error.where = f"node {self._node}" + (f", {error.where}" if error.where else "")
        await self._desk.stop.remote(error.with_traceback(None))

    async def _pulse(self) -> None:
        """Let the desk know that there is life here, as long as there is something to do."""
        while True:
            if self._ledger is None or self._ledger.is_busy:
                await self._desk.pulse.remote()
            await asyncio.sleep(PULSE)


def _loop() -> asyncio.AbstractEventLoop:
    """An event loop in a thread of its own."""
    try:
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    except ImportError:
        loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop

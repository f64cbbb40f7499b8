"""Drafts of dilemmas: from a plan, or from what `dilemmas check` found, to a file.

Every attempt is in a journal beside the file before the next step, and the file follows now and then:
whatever stops the work, what was written is kept, and the same command goes on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dilemmas.asking import Workers
from dilemmas.drafts.file import DraftFile, alone, drafts_of, journal_of, move_aside
from dilemmas.drafts.planning import Job, avoid, leftovers, todo
from dilemmas.drafts.writing import Task, Writer, mode_of
from dilemmas.errors import DilemmasError, RejectedError
from dilemmas.journal import Entry, Journal
from dilemmas.models import EMBEDDED, in_process, open_model
from dilemmas.models.embedded import CONTEXT
from dilemmas.models.served import ServedModel
from dilemmas.prompts import DRAFTING
from dilemmas.protocols import reasoned
from dilemmas.schema import Dilemma

KEEP_EVERY = 2.0
"""Seconds between two writings of the file; the journal has each draft at once."""


@dataclass
class Outcome:
    """What came of one call of `generate`."""

    path: str
    model: str
    mode: str = ""
    """How the form of the replies was imposed; empty where nothing was asked."""
    caveat: str = ""
    """What a reader of these drafts must know; may be empty."""
    planned: int = 0
    """Dilemmas to be written by this call."""
    reused: int = 0
    """Dilemmas that were there already."""
    later: int = 0
    """Open ones that were left for another call, because of a limit."""
    asked: int = 0
    """Dilemmas written."""
    drafts: list[Dilemma] = field(default_factory=list, repr=False)
    """The dilemmas written."""
    asked_again: int = 0
    """Replies that broke the form."""
    failed_attempts: int = 0
    """Requests that brought no reply."""
    open: int = 0
    """Dilemmas of this call that are not written."""
    left_open: dict[str, str] = field(default_factory=dict)
    """Those of them that were tried, by id, with what was wrong last."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    notices: list[str] = field(default_factory=list)
    """What the user should know besides."""
    stopped: DilemmasError | None = field(default=None, repr=False)
    """Why nothing more was asked, if the server was lost or refuses everything."""


Progress = Callable[[Outcome], None]


async def generate(job: Job, progress: Progress = lambda outcome: None) -> Outcome:
    """Write what is open of a job.

    Args:
        job: what is to be written.
        progress: called after each dilemma.

    Returns:
        The outcome; `stopped` is set where a server was lost or refuses everything, and what was
        written until then is kept.

    Raises:
        DilemmasError: the work cannot begin: no such model, no place to write, another process writes.
    """
    outcome = Outcome(str(job.out), job.config.model.name)
    if job.force:
        outcome.notices += move_aside(job.out)
    with alone(job.out) as journal:
        file = DraftFile(job.out, {cell.id: rank for rank, cell in enumerate(job.plan)})
        for dilemma in leftovers(job, file.dilemmas, drafts_of(journal.results, journal_of(job.out))):
            file.put(dilemma)
        file.keep()
        found = todo(job, tuple(file.dilemmas.values()))
        # Those that were tried in vain come last, lest they take the places of a limit again and again.
        tasks = sorted(found.tasks, key=lambda task: journal.attempts[task.subject] > 0)[: job.config.limit]
        outcome.notices += job.notices + found.notices
        outcome.reused, outcome.later = found.there, len(found.tasks) - len(tasks)
        outcome.planned = outcome.open = len(tasks)
        if tasks:
            async with open_model(job.config.model) as model:
                assert isinstance(model, ServedModel)
                outcome.model, outcome.caveat = model.identity.name, model.caveat
                await _Run(job, journal, file, outcome, progress).write(tasks, model)
    return outcome


class _Run:
    """The work of one call."""

    def __init__(self, job: Job, journal: Journal, file: DraftFile, outcome: Outcome, progress: Progress) -> None:
        self._job, self._journal, self._file = job, journal, file
        self._outcome, self._progress = outcome, progress
        self._last_error: dict[str, str] = {}

    async def write(self, tasks: Sequence[Task], model: ServedModel) -> None:
        """Write all tasks, some at a time, and the file now and then."""
        settings = self._job.config.model
        workers = Workers(lambda: model.capacity, settings.attempts)
        writer = await self._writer(model, workers)
        self._outcome.mode = writer.mode
        self._progress(self._outcome)
        started = time.monotonic()

        async def draft(task: Task) -> None:
            dilemma = await self._draft(writer, task, avoid(task, self._file.dilemmas, tasks))
            if dilemma is None:
                self._outcome.left_open[task.id] = self._last_error.get(task.subject, "not asked")
            else:
                self._file.put(dilemma)
                self._outcome.drafts.append(dilemma)
                self._outcome.asked += 1
                self._outcome.open -= 1
            self._outcome.seconds = time.monotonic() - started
            self._progress(self._outcome)

        done = asyncio.Event()
        keeper = asyncio.create_task(self._keep(done, workers))
        try:
            await workers.go_through(iter(tasks), draft)
        finally:
            done.set()
            await keeper
        self._outcome.stopped = workers.stopped

    async def _writer(self, model: ServedModel, workers: Workers) -> Writer:
        job, settings = self._job, self._job.config.model
        able = await model.probe("reasoned")
        sampling = reasoned.sampling(settings.sampling, able)
        return Writer(
            model=model,
            mode=await mode_of(model, able.reply_schema),
            sampling=sampling,
            context=CONTEXT if in_process(settings.name) else model.context,
            tiny=settings.name == EMBEDDED,
            server=able.server,
            seed=job.config.seed if settings.send_seed and able.seed and sampling.temperature > 0 else None,
            attempts=settings.attempts,
            prompts=job.prompts,
            template_sha256=job.prompts.checksum(DRAFTING),
            journal=self._journal,
            workers=workers,
            noted=self._count,
        )

    async def _draft(self, writer: Writer, task: Task, unlike: Sequence[str]) -> Dilemma | None:
        """A draft; None where this one stays open.

        Raises:
            RejectedError: none would be written any more.
        """
        try:
            return await writer.write(task, unlike)
        except RejectedError as error:
            self._outcome.left_open[task.id] = error.what
            writer.workers.set_aside(task.id, error)
            return None

    def _count(self, entry: Entry) -> None:
        outcome = self._outcome
        outcome.prompt_tokens += entry.prompt_tokens or 0
        outcome.completion_tokens += entry.completion_tokens or 0
        if entry.reply is None:
            outcome.failed_attempts += 1
        else:
            outcome.asked_again += entry.result is None
        self._last_error[entry.subject] = entry.error

    async def _keep(self, done: asyncio.Event, workers: Workers) -> None:
        """Write the file now and then, and at the end; in a thread, so that no request waits for the disk."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), KEEP_EVERY)
            last = done.is_set()
            try:
                await asyncio.to_thread(self._file.keep)
            except DilemmasError as error:
                workers.stop(error)
            if last:
                return

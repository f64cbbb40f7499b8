"""Asking: from a study to a run's store.

The plan is gone through once, lazily: trials are rendered, noted, claimed and asked as places become
free, so that a million of them need no more memory than ten thousand. Whatever is answered is on disk
before its place is given to another; the same settings again ask only what is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from dilemmas import dataset
from dilemmas.asking import Workers
from dilemmas.config import ModelConfig
from dilemmas.errors import DilemmasError, InputError, ModelError, RejectedError, StoreError, TransientError
from dilemmas.group_commit import GroupCommit
from dilemmas.models import Model, open_model
from dilemmas.protocols import PARSER_VERSION, PROTOCOLS
from dilemmas.questions import INSTRUMENTS
from dilemmas.resources import now, versions, write_text
from dilemmas.schedule import Schedule
from dilemmas.schema import Asking, DatasetUsed, ProtocolName, Run, canonical_json
from dilemmas.store import FILE, Planned, Store
from dilemmas.study import Study, answered, asking_of, check_same_run, design_of, known_name, plan

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


async def evaluate(
    study: Study, runs: Path, progress: Progress = lambda outcome: None, *, reuse: Sequence[Path] = ()
) -> Outcome:
    """Ask all that is missing of a study and keep every answer. Several models are asked at the same time.

    Args:
        study: what is asked.
        runs: folder of the runs; the run's own folder is made in it.
        progress: called now and then with what came of one model so far, and once it is through.
        reuse: folders of other runs, whose answers to the very same trials are taken over.

    Returns:
        The outcome; `stopped` is set where a server was lost or refused all requests, and what was
        answered until then is kept.

    Raises:
        DilemmasError: the run cannot begin: other settings, no such model, no place to write.
    """
    folder = _folder_of_its_own(runs, study.name)
    if (folder / FILE).exists():
        with Store.reading(folder / FILE) as store:
            if not store.is_untouched():
                check_same_run(store.run(), study, None)
    async with AsyncExitStack() as opened:
        models: list[tuple[ModelConfig, Model, Asking]] = []
        unasked: list[Outcome] = []
        for config in study.config.models:
            try:
                model = await opened.enter_async_context(open_model(config))
                protocol = model.default_protocol if config.protocol == "auto" else config.protocol
                found = await model.probe(protocol, noise=config.noise or config.strict)
            except ModelError as error:
                unasked.append(
                    Outcome(study.name, str(folder), config.name, study.size, open=study.size, stopped=error)
                )
                continue
            models.append((config, model, asking_of(config, model.identity, protocol, found, model.caveat)))
        if not models:
            assert unasked[0].stopped is not None
            raise unasked[0].stopped
        _check_names([asking.name for _, _, asking in models])
        with Store.writing(folder / FILE) as store, _others(reuse, folder) as others:
            _begin(study, store, [asking for _, _, asking in models])
            for one in unasked:
                one.reused = answered(study, known_name(one.model), store)
                one.open = one.planned - one.reused
                if not one.open:
                    one.stopped = None  # there was nothing to ask
            commits = GroupCommit(store)
            askers = [
                _Asker(
                    config,
                    model,
                    commits,
                    store,
                    others,
                    Outcome(study.name, str(folder), config.name, notices=model.notices),
                    progress,
                )
                for config, model, _ in models
            ]
            asked = [
                asyncio.create_task(one.ask_all(study, asking))
                for one, (_, _, asking) in zip(askers, models, strict=True)
            ]
            try:
                await asyncio.gather(*asked)
            finally:
                for task in asked:
                    task.cancel()
                await asyncio.gather(*asked, return_exceptions=True)
                await commits.finish()
                _finish(store, folder)
    return _together([*(one.outcome for one in askers), *unasked])


def _check_names(names: Sequence[str]) -> None:
    """Refuse models that the store could not tell apart.

    Raises:
        InputError: two have the same name.
    """
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f'two of the models are called "{name}" by their servers or weights files, so a run cannot tell them '
                "apart",
                fix="Ask them in runs of their own, with --run NAME.",
            )


def _begin(study: Study, store: Store, askings: Sequence[Asking]) -> None:
    """Note in the store what is to be asked, of whom.

    Raises:
        InputError, StoreError: the run was begun with other settings, dilemmas or personas.
    """

    def begun(old: Run | None) -> Run:
        try:
            return _manifest(study, old, askings)
        except InputError:
            if not store.is_untouched():
                raise
        store.forget_plan()  # settings that never brought an answer bind nobody
        return _manifest(study, None, askings)

    store.update_run(begun)
    store.add_records("items", ((d.id, dataset.to_line(d)) for d in study.dilemmas))
    store.add_records("personas", ((p.id, canonical_json(p.model_dump())) for p in study.personas))
    sides = {name: instrument.SIDE for name, instrument in INSTRUMENTS.items()}
    personas, items = [one.id for one in study.personas], [one.id for one in study.dilemmas]
    for asking in askings:
        store.add_cells(asking.name, personas, items, sides, study.config.repeats)


@contextmanager
def _others(folders: Sequence[Path], own: Path) -> Iterator[list[Store]]:
    """The stores of runs whose answers may be taken over.

    Raises:
        InputError, StoreError: one of them is this run, or is no run.
    """
    with ExitStack() as opened:
        stores = []
        for folder in folders:
            if folder.resolve() == own.resolve():
                raise InputError("a run cannot reuse itself", where=f"--reuse {folder.name}", fix="Name another run.")
            stores.append(opened.enter_context(Store.reading(folder / FILE)))
        yield stores


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcomes of all models as one."""
    if len(outcomes) == 1:
        return outcomes[0]
    total = Outcome(outcomes[0].run, outcomes[0].folder, each=tuple(outcomes))
    for one in outcomes:
        for name in ("planned", "reused", "asked", "refused", "unreadable", "open", "set_aside", "failed_attempts"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        total.seconds = max(total.seconds, one.seconds)
        total.stopped = total.stopped or one.stopped
        total.notices += one.notices
        total.last_failure = total.last_failure or one.last_failure
    return total


def _folder_of_its_own(runs: Path, name: str) -> Path:
    """The run's folder, which must not lead out of the folder of the runs.

    Raises:
        InputError: it is a link to another place.
    """
    if not (runs / name / FILE).resolve().is_relative_to(runs.resolve()):
        raise InputError(
            "the run's folder is a link to another place",
            where=str(runs / name),
            fix="Name the place itself with --runs-dir, or start another run with --run NAME.",
        )
    return runs / name


def read_again(folder: Path) -> int:
    """Read all stored replies with this version's reader; asks no model.

    Returns:
        How many replies are read differently now.
    """
    with Store.writing(folder / FILE) as store:
        before = {trial: response for *_, trial, response in store.cells()}
        read = [
            (one.trial, PROTOCOLS[_protocol(one.protocol)].read(one.reply, one.order, one.options))
            for one in store.replies()
        ]
        store.read_again(read, PARSER_VERSION)
        return sum(before.get(trial) != response.model_dump_json() for trial, response in read)


class _Asker:
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


def _protocol(name: str) -> ProtocolName:
    if name not in PROTOCOLS:
        raise StoreError(f'holds a reply of an unknown protocol "{name}"')
    return "logprob" if name == "logprob" else "reasoned"


def _manifest(study: Study, old: Run | None, askings: Sequence[Asking]) -> Run:
    """The run's manifest with this call's models and persona set in it. Nothing in it is secret.

    Raises:
        InputError: the run was begun with other settings.
    """
    for asking in askings:
        check_same_run(old, study, asking)
    design = design_of(study) if old is None else old.design
    if study.config.scale is not None:
        design = design.model_copy(update={"scale": study.config.scale})
    asked = {known.name: known for known in (*(old.models if old else ()), *askings)}
    models = [asked[name] for name in sorted(asked)]
    sets = old.persona_sets if old else ()
    named = Path(study.config.persona_set).name
    return Run(
        name=study.name,
        created=old.created if old else now(),
        updated=now(),
        caveat=" ".join(dict.fromkeys(known.caveat for known in models if known.caveat)),
        design=design,
        dataset=DatasetUsed(
            name=study.dataset.name,
            sha256=study.dataset.sha256,
            dilemmas=len(study.dataset.dilemmas),
            unreviewed=sum(d.review.status in ("unreviewed", "undecided") for d in study.dataset.dilemmas),
        ),
        persona_sets=sets if named in sets else (*sets, named),
        models=tuple(models),
        versions=versions(),
        counts={},
    )


def _finish(store: Store, folder: Path) -> None:
    """Bring the manifest up to date, in the store and as a file beside it."""

    def counted(run: Run | None) -> Run:
        assert run is not None
        return run.model_copy(update={"updated": now(), "counts": store.counts()})

    done = store.update_run(counted)
    write_text(folder / "manifest.json", done.model_dump_json(indent=2) + "\n")

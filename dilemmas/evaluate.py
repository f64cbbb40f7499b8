"""Asking: from a study to a run's store.

Whatever is answered is kept at once; the same settings again ask only what is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from dilemmas import dataset
from dilemmas.asking import Workers
from dilemmas.config import ModelConfig
from dilemmas.errors import DilemmasError, InputError, RejectedError, StoreError, TransientError
from dilemmas.models import Model, open_model
from dilemmas.protocols import PARSER_VERSION, PROTOCOLS
from dilemmas.resources import now, versions, write_text
from dilemmas.schema import Asking, DatasetUsed, ProtocolName, Run, canonical_json
from dilemmas.store import FILE, Planned, Store
from dilemmas.study import Study, asking_of, check_same_run, design_of, plan


@dataclass
class Outcome:
    """What came of one call of `evaluate`."""

    run: str = ""
    folder: str = ""
    planned: int = 0
    reused: int = 0
    """Trials of this plan that had an answer in the store."""
    asked: int = 0
    """Trials answered now, refusals and unreadable replies included."""
    refused: int = 0
    unreadable: int = 0
    open: int = 0
    """Trials of this plan that have no answer yet."""
    failed_attempts: int = 0
    last_failure: str = ""
    """What went wrong last, where something did."""
    seconds: float = 0.0
    stopped: DilemmasError | None = field(default=None, repr=False)
    """Why nothing more was asked, if the run was stopped."""


Progress = Callable[[Outcome], None]


async def evaluate(study: Study, runs: Path, progress: Progress = lambda outcome: None) -> Outcome:
    """Ask all that is missing of a study and keep every answer.

    Args:
        study: what is asked.
        runs: folder of the runs; the run's own folder is made in it.
        progress: called after each trial.

    Returns:
        The outcome; `stopped` is set where a server was lost or refused a request, and what was
        answered until then is kept.

    Raises:
        DilemmasError: the run cannot begin: other settings, no such model, no place to write.
    """
    folder = _folder_of_its_own(runs, study.name)
    config = study.config
    if (folder / FILE).exists():
        with Store.reading(folder / FILE) as store:
            if not store.is_untouched():
                check_same_run(store.run(), study, None)
    async with open_model(config.model) as model:
        protocol = model.default_protocol if config.model.protocol == "auto" else config.model.protocol
        found = await model.probe(protocol)
        asking = asking_of(config.model, model.identity, protocol, found, model.caveat)
        with Store.writing(folder / FILE) as store:

            def begun(old: Run | None) -> Run:
                try:
                    return _manifest(study, old, asking)
                except InputError:
                    if not store.is_untouched():
                        raise
                store.forget_plan()  # settings that never brought an answer bind nobody
                return _manifest(study, None, asking)

            store.update_run(begun)
            store.add_records("items", ((d.id, dataset.to_line(d)) for d in study.dilemmas))
            store.add_records("personas", ((p.id, canonical_json(p.model_dump())) for p in study.personas))
            answered, reused, trials = store.answered(), 0, plan(study, asking)
            while batch := list(islice(trials, 1000)):
                store.add_trials(batch)
                reused += sum(planned.trial.id in answered for planned in batch)
            outcome = Outcome(study.name, str(folder), study.size, reused, open=study.size - reused)
            try:
                await _Asker(config.model, model, store, outcome, progress).ask_all(
                    one for one in plan(study, asking) if one.trial.id not in answered
                )
            finally:
                _finish(store, folder)
    return outcome


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
        return sum(before.get(trial) != canonical_json(response.model_dump()) for trial, response in read)


class _Asker:
    """The workers of one call: they share an iterator of trials and an outcome."""

    def __init__(self, settings: ModelConfig, model: Model, store: Store, outcome: Outcome, progress: Progress) -> None:
        self.outcome = outcome
        self._model, self._store, self._progress = model, store, progress
        self._workers = Workers(settings.concurrency or model.default_concurrency, settings.attempts)
        self._started = time.monotonic()

    async def ask_all(self, todo: Iterator[Planned]) -> None:
        """Ask trials until none is left; wait for those another process is asking."""
        self._progress(self.outcome)
        while True:
            taken: list[Planned] = []

            async def work(planned: Planned, taken: list[Planned] = taken) -> None:
                claim = self._store.claim(planned.trial.id)
                if claim == "taken":
                    taken.append(planned)
                elif claim == "answered":
                    self._note(reused=1)
                else:
                    try:
                        await self._ask(planned)
                    finally:
                        self._store.release(planned.trial.id)

            await self._workers.go_through(todo, work)
            self.outcome.stopped = self._workers.stopped
            if self.outcome.stopped or not taken:
                return
            await asyncio.sleep(0.5)
            self._store.release_dead()
            todo = iter(taken)

    async def _ask(self, planned: Planned) -> None:
        """Ask one trial until it is answered or its attempts are used up."""
        trial = planned.trial
        way = PROTOCOLS[trial.protocol]

        def failed(error: RejectedError | TransientError) -> None:
            rejected = isinstance(error, RejectedError)
            self._store.put_attempt(
                trial.id, "rejected" if rejected else type(error).__name__, error.status, error.what
            )
            self.outcome.failed_attempts += 1
            if rejected:
                error.fix = f"{error.fix} (asked about {trial.item} as {trial.persona})".strip()
            else:
                self.outcome.last_failure = error.what

        reply = await self._workers.insist(
            trial.item, lambda: self._model.ask(way.request(trial, planned.options)), failed
        )
        if reply is None:
            return
        response = way.read(reply, trial.order, planned.options)
        self._store.put(trial.id, reply, response, PARSER_VERSION)
        self._note(asked=1, refused=int(response.status == "refused"), unreadable=int(response.status == "unreadable"))

    def _note(self, *, asked: int = 0, reused: int = 0, refused: int = 0, unreadable: int = 0) -> None:
        outcome = self.outcome
        outcome.asked += asked
        outcome.reused += reused
        outcome.refused += refused
        outcome.unreadable += unreadable
        outcome.open -= asked + reused
        outcome.seconds = time.monotonic() - self._started
        self._progress(outcome)


def _protocol(name: str) -> ProtocolName:
    if name not in PROTOCOLS:
        raise StoreError(f'holds a reply of an unknown protocol "{name}"')
    return "logprob" if name == "logprob" else "reasoned"


def _manifest(study: Study, old: Run | None, asking: Asking) -> Run:
    """The run's manifest with this call's model and persona set in it. Nothing in it is secret.

    Raises:
        InputError: the run was begun with other settings.
    """
    check_same_run(old, study, asking)
    design = design_of(study) if old is None else old.design
    if study.config.scale is not None:
        design = design.model_copy(update={"scale": study.config.scale})
    others = [known for known in (old.models if old else ()) if known.name != asking.name]
    models = sorted([*others, asking], key=lambda known: known.name)
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

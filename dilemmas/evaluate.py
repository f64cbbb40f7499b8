"""Asking: from a study to a run's store.

The plan is gone through once, lazily: trials are rendered, noted, claimed and asked as places become
free, so that a million of them need no more memory than ten thousand. Whatever is answered is on disk
before its place is given to another; the same settings again ask only what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

from dilemmas.asker import ask_all
from dilemmas.config import ModelConfig
from dilemmas.errors import InputError, ModelError, StoreError
from dilemmas.group_commit import GroupCommit
from dilemmas.ledger import Outcome, Progress, StoreLedger
from dilemmas.manifest import begin, finish, folder_of_its_own
from dilemmas.models import Model, open_model
from dilemmas.protocols import PARSER_VERSION, PROTOCOLS
from dilemmas.schema import Asking, ProtocolName
from dilemmas.store import FILE, Store
from dilemmas.study import Study, answered, asking_of, check_same_run, known_name

__all__ = ["Outcome", "Progress", "evaluate", "read_again"]


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
    folder = folder_of_its_own(runs, study.name)
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
        with Store.writing(folder / FILE) as store, stores_of(reuse, folder) as others:
            begin(study, store, [asking for _, _, asking in models])
            for one in unasked:
                one.reused = answered(study, known_name(one.model), store)
                one.open = one.planned - one.reused
                if not one.open:
                    one.stopped = None  # there was nothing to ask
            commits = GroupCommit(store)
            ledgers = [
                StoreLedger(
                    store,
                    commits,
                    others,
                    Outcome(study.name, str(folder), config.name, notices=model.notices),
                    progress,
                )
                for config, model, _ in models
            ]
            asked = [
                asyncio.create_task(ask_all(study, asking, config, model, ledger, answered(study, asking.name, store)))
                for ledger, (config, model, asking) in zip(ledgers, models, strict=True)
            ]
            try:
                await asyncio.gather(*asked)
            finally:
                for task in asked:
                    task.cancel()
                await asyncio.gather(*asked, return_exceptions=True)
                await commits.finish()
                finish(store, folder)
    return together([*(one.outcome for one in ledgers), *unasked])


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


@contextmanager
def stores_of(folders: Sequence[Path], own: Path) -> Iterator[list[Store]]:
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


def together(outcomes: Sequence[Outcome]) -> Outcome:
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


def _protocol(name: str) -> ProtocolName:
    if name not in PROTOCOLS:
        raise StoreError(f'holds a reply of an unknown protocol "{name}"')
    return "logprob" if name == "logprob" else "reasoned"

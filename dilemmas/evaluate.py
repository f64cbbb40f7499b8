"""Asking: from dilemmas, personas and settings to a run's store.

Trials are planned in the order persona, item, question, repeat, so that what neighbouring prompts
share stands first in them and a server's prefix cache is hit. Whatever is answered is kept at
once; the same settings again ask only what is missing.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from dilemmas import __version__, dataset
from dilemmas.config import ModelConfig, RunConfig, check_run_name
from dilemmas.dataset import Dataset
from dilemmas.errors import DilemmasError, InputError, RejectedError, StoreError, TransientError, UnreachableError
from dilemmas.models import EMBEDDED, LOCAL, SCRIPTED, Capabilities, Model, open_model
from dilemmas.orders import option_order
from dilemmas.personas.listed import render, resolve
from dilemmas.prompts import Prompts, lettered
from dilemmas.protocols import PARSER_VERSION, PROTOCOLS
from dilemmas.questions import INSTRUMENTS
from dilemmas.resources import write_text
from dilemmas.schema import (
    BASELINE,
    Dilemma,
    Message,
    ModelIdentity,
    Persona,
    ProtocolName,
    Question,
    Run,
    Sampling,
    Trial,
    canonical_json,
    sha256,
)
from dilemmas.store import FILE, Planned, Store, now

UNREACHABLE_LIMIT = 5
"""Refused connections in a row after which nothing more is asked."""
FAILURE_LIMIT = 3
"""Rounds of failures, one for each worker and of any passing kind, after which nothing more is asked."""
BAD_ITEMS = 2
"""Items that may each fail to the last attempt, one after the other, before the server is blamed."""
LONGEST_WAIT = 60.0
"""Longest pause before a request is tried again, seconds."""

EMBEDDED_SECONDS: dict[ProtocolName, float] = {"logprob": 0.55, "reasoned": 1.4}
"""Seconds for one reply of the embedded model, measured on two quiet cores (docs/methods.md)."""

LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "pydantic", "jinja2", "openai", "xllamacpp")


@dataclass(frozen=True)
class Study:
    """What is to be asked, all files read and all names resolved."""

    config: RunConfig
    dataset: Dataset
    personas: tuple[Persona, ...]
    prompts: Prompts

    @property
    def dilemmas(self) -> tuple[Dilemma, ...]:
        """The dilemmas asked about."""
        return self.dataset.dilemmas[: self.config.limit]

    @property
    def name(self) -> str:
        """The run's name."""
        return self.config.name or check_run_name(Path(self.dataset.name).stem)

    @property
    def size(self) -> int:
        """Number of trials: conditions x dilemmas x questions x repeats."""
        return len(self.personas) * len(self.dilemmas) * len(INSTRUMENTS) * self.config.repeats


@dataclass(frozen=True)
class Asking:
    """How one model is asked: what the server's abilities made of the settings."""

    identity: ModelIdentity
    protocol: ProtocolName
    mode: str
    sampling: Sampling
    send_seed: bool
    persona_role: str


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


def prepare(config: RunConfig) -> Study:
    """Read the dataset, the personas and the templates that a configuration names.

    Raises:
        InputError: one of them cannot be used.
    """
    path = Path(config.dataset) if config.dataset else dataset.shipped_path()
    study = Study(
        config,
        dataset.read(path),
        (BASELINE, *resolve(config.persona_set)),
        Prompts(Path(config.templates) if config.templates else None),
    )
    try:
        check_run_name(study.name)
    except ValueError as error:
        raise InputError(str(error), where=f'run name "{path.stem}"', fix="Give a name with --run.") from None
    study.prompts.checksum()
    return study


def plan(study: Study, asking: Asking) -> Iterator[Planned]:
    """All trials of a study, rendered as they are drawn."""
    config, prompts = study.config, study.prompts
    questions = [
        instrument.question(dilemma, prompts) for dilemma in study.dilemmas for instrument in INSTRUMENTS.values()
    ]
    for persona in study.personas:
        system = render(persona, config.prompt_style, prompts)
        for question in questions:
            texts = {option.code: option.text for option in question.options}
            for repeat in range(config.repeats):
                order = option_order(
                    list(texts),
                    orders=config.orders,
                    seed=config.seed,
                    item=question.item,
                    question=question.name,
                    persona=persona.id,
                    repeat=repeat,
                )
                options = tuple(texts[code] for code in order)
                messages = _messages(prompts, asking, system, question, options)
                trial = Trial(
                    model=asking.identity,
                    persona=persona.id,
                    item=question.item,
                    question=question.name,
                    side=question.side,
                    repeat=repeat,
                    order=order,
                    protocol=asking.protocol,
                    mode=asking.mode,
                    sampling=asking.sampling,
                    seed=_sampling_seed(config.seed, repeat, messages) if asking.send_seed else None,
                    messages=messages,
                )
                yield Planned(trial, options)


def asking_of(config: ModelConfig, identity: ModelIdentity, protocol: ProtocolName, found: Capabilities) -> Asking:
    """How a model is asked, given what its server was found to do.

    Raises:
        SetupError: the server cannot do what the protocol needs.
    """
    way = PROTOCOLS[protocol]
    sampling = way.sampling(config.sampling, found)
    return Asking(
        identity=identity,
        protocol=protocol,
        mode=way.mode(found),
        sampling=sampling,
        send_seed=config.send_seed and found.seed and sampling.temperature > 0,
        persona_role=config.persona_role,
    )


def plan_summary(study: Study, runs: Path) -> dict[str, Any]:
    """What a study will cost, without asking anything; `examples` has a prompt of each question.

    The time is given at a measured rate: that of this model's replies in this or another run, else
    the one measured for the embedded model; None where there is none.
    """
    config = study.config.model
    in_process = config.name in (EMBEDDED, SCRIPTED) or config.name.startswith(LOCAL)
    protocol: ProtocolName = "logprob" if in_process and config.name != SCRIPTED else "reasoned"
    protocol = protocol if config.protocol == "auto" else config.protocol
    can_all = Capabilities(top_logprobs=20, reply_schema="bounded")
    asking = asking_of(config, ModelIdentity(name=config.name), protocol, can_all)
    characters, examples = 0, dict[str, list[dict[str, str]]]()
    for planned in plan(study, asking):
        characters += sum(len(message.content) for message in planned.trial.messages)
        trial = planned.trial
        if trial.question not in examples or trial.persona == study.personas[-1].id:
            examples[trial.question] = [message.model_dump() for message in trial.messages]
    model = _known_name(config.name)
    seconds, source = _measured(model, protocol, runs) or (
        (EMBEDDED_SECONDS[protocol], "measured on two cores") if config.name == EMBEDDED else (None, "")
    )
    workers = config.concurrency or (1 if in_process else 8)
    answered = 0
    if (runs / study.name / FILE).exists():
        with Store.reading(runs / study.name / FILE) as store:
            answered = store.replies_of(model)
    return {
        "run": study.name,
        "model": config.name,
        "protocol": protocol,
        "trials": study.size,
        "conditions": len(study.personas),
        "dilemmas": len(study.dilemmas),
        "questions": len(INSTRUMENTS),
        "repeats": study.config.repeats,
        "answered": answered,
        "prompt_tokens": characters // 4,
        "seconds_per_reply": seconds,
        "seconds": None if seconds is None else max(0, study.size - answered) * seconds / workers,
        "rate_source": source,
        "examples": examples,
    }


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
            _check_same_run(store.run(), study, None)
    async with open_model(config.model) as model:
        protocol = model.default_protocol if config.model.protocol == "auto" else config.model.protocol
        found = await model.probe(protocol)
        asking = asking_of(config.model, model.identity, protocol, found)
        with Store.writing(folder / FILE) as store:
            store.update_run(lambda old: _manifest(study, old, model, asking, found))
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
        self._settings, self._model, self._store, self._progress = settings, model, store, progress
        self._workers = settings.concurrency or model.default_concurrency
        self._most_failures = max(FAILURE_LIMIT * self._workers, 6 * settings.attempts)
        self._failures = self._unreachable = 0
        self._failing: set[str] = set()
        self._started = time.monotonic()

    async def ask_all(self, todo: Iterator[Planned]) -> None:
        """Ask trials until none is left; wait for those another process is asking."""
        self._progress(self.outcome)
        while True:
            taken: list[Planned] = []
            await asyncio.gather(*(self._work(todo, taken) for _ in range(self._workers)))
            if self.outcome.stopped or not taken:
                return
            await asyncio.sleep(0.5)
            self._store.release_dead()
            todo = iter(taken)

    async def _work(self, todo: Iterator[Planned], taken: list[Planned]) -> None:
        for planned in todo:
            if self.outcome.stopped:
                return
            claim = self._store.claim(planned.trial.id)
            if claim == "taken":
                taken.append(planned)
                continue
            if claim == "answered":
                self._note(reused=1)
                continue
            try:
                await self._ask(planned)
            except DilemmasError as error:
                self.outcome.stopped = self.outcome.stopped or error
            finally:
                self._store.release(planned.trial.id)

    async def _ask(self, planned: Planned) -> None:
        """Ask one trial until it is answered or its attempts are used up."""
        trial = planned.trial
        way = PROTOCOLS[trial.protocol]
        for attempt in range(1, self._settings.attempts + 1):
            try:
                reply = await self._model.ask(way.request(trial, planned.options))
            except RejectedError as error:
                self._store.put_attempt(trial.id, "rejected", error.status, error.what)
                self.outcome.failed_attempts += 1
                error.fix = f"{error.fix} (asked about {trial.item} as {trial.persona})".strip()
                raise
            except TransientError as error:
                self._store.put_attempt(trial.id, type(error).__name__, error.status, error.what)
                self.outcome.failed_attempts += 1
                self._count_failure(error, trial.item)
                if attempt < self._settings.attempts and not self.outcome.stopped:
                    await asyncio.sleep(_pause(attempt, error.retry_after))
                if self.outcome.stopped:
                    return
                continue
            self._failures = self._unreachable = 0
            self._failing.clear()
            response = way.read(reply, trial.order, planned.options)
            self._store.put(trial.id, reply, response, PARSER_VERSION)
            self._note(
                asked=1, refused=int(response.status == "refused"), unreadable=int(response.status == "unreadable")
            )
            return

    def _count_failure(self, error: TransientError, item: str) -> None:
        """Stop all workers once a server is plainly gone, before the whole plan is burnt on it."""
        self.outcome.last_failure = error.what
        self._failures += 1
        self._failing.add(item)
        self._unreachable = self._unreachable + 1 if isinstance(error, UnreachableError) else 0
        most = self._most_failures if len(self._failing) > BAD_ITEMS else 8 * self._most_failures
        if self._unreachable >= UNREACHABLE_LIMIT or self._failures >= most:
            count = self._unreachable if self._unreachable >= UNREACHABLE_LIMIT else self._failures
            self.outcome.stopped = self.outcome.stopped or TransientError(
                f"gave up after {count} failures in a row; the last: {error.what}",
                where=error.where,
                fix="Mend or restart the server and run the same command again: only what is missing is asked.",
            )

    def _note(self, *, asked: int = 0, reused: int = 0, refused: int = 0, unreadable: int = 0) -> None:
        outcome = self.outcome
        outcome.asked += asked
        outcome.reused += reused
        outcome.refused += refused
        outcome.unreadable += unreadable
        outcome.open -= asked + reused
        outcome.seconds = time.monotonic() - self._started
        self._progress(outcome)


def _messages(
    prompts: Prompts, asking: Asking, system: str, question: Question, options: tuple[str, ...]
) -> tuple[Message, ...]:
    shown = lettered(options)
    reply = prompts.render(f"ask/{asking.protocol}.j2", options=shown)
    user = prompts.render("ask/question.j2", context=question.context, stem=question.stem, options=shown, reply=reply)
    if not system:
        return (Message(role="user", content=user),)
    if asking.persona_role == "user":
        return (Message(role="user", content=f"{system}\n\n{user}"),)
    return (Message(role="system", content=system), Message(role="user", content=user))


def _sampling_seed(seed: int, repeat: int, messages: tuple[Message, ...]) -> int:
    """A seed of 31 bits that the run's seed, the repeat and the words decide."""
    return int(sha256(canonical_json([seed, repeat, [m.content for m in messages]]))[:8], 16) & 0x7FFFFFFF


def _pause(attempt: int, retry_after: float | None) -> float:
    """Seconds to wait before the next attempt: the server's wish, else 0.5, 1, 2, ... with jitter."""
    if retry_after is not None:
        return min(retry_after, LONGEST_WAIT)
    return min(0.5 * 2.0 ** (attempt - 1) * random.uniform(0.7, 1.3), LONGEST_WAIT)  # noqa: S311


def _known_name(name: str) -> str:
    """Name under which a configured model stands in a store."""
    if name == EMBEDDED:
        return "SmolLM2-135M-Instruct.Q4_1"
    return Path(name.removeprefix(LOCAL)).stem if name.startswith(LOCAL) else name


def _measured(model: str, protocol: str, runs: Path) -> tuple[float, str] | None:
    """Seconds for one reply of a model, from the newest run that has some."""
    stores = sorted(runs.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in stores:
        try:
            with Store.reading(path) as store:
                if seconds := store.seconds_per_reply(model, protocol):
                    return seconds, f"measured in the run {path.parent.name}"
        except StoreError:
            continue
    return None


def _protocol(name: str) -> ProtocolName:
    if name not in PROTOCOLS:
        raise StoreError(f'holds a reply of an unknown protocol "{name}"')
    return "logprob" if name == "logprob" else "reasoned"


def _design(study: Study) -> dict[str, Any]:
    """Settings that all trials of a run share."""
    config = study.config
    return {
        "orders": config.orders,
        "repeats": config.repeats,
        "seed": config.seed,
        "prompt_style": config.prompt_style,
        "templates_sha256": study.prompts.checksum(),
        "scale": config.scale,
    }


def _model_entry(asking: Asking) -> dict[str, Any]:
    """Settings that all trials of one model of a run share."""
    return {
        "name": asking.identity.name,
        "revision": asking.identity.revision,
        "protocol": asking.protocol,
        "mode": asking.mode,
        "sampling": asking.sampling.model_dump(),
        "send_seed": asking.send_seed,
        "persona_role": asking.persona_role,
    }


def _check_same_run(run: Run | None, study: Study, asking: Asking | None) -> None:
    """Refuse to mix trials of other dilemmas or other settings into a run.

    Raises:
        InputError: names what differs.
    """
    if run is None:
        return
    differs = []
    if run.dataset["sha256"] != study.dataset.sha256:
        old, new = run.dataset, study.dataset
        differs.append(f"dataset ({old['name']} {old['sha256'][:8]} / {new.name} {new.sha256[:8]})")
    for key, now_ in _design(study).items():
        if key != "scale" and run.design.get(key) != now_:
            then = run.design.get(key)
            differs.append(key if key.endswith("sha256") else f"{key} ({then} / {now_})")
    if asking is not None:
        entry = _model_entry(asking)
        for known in run.models:
            if known["name"] == entry["name"]:
                differs += [f"{key} ({known.get(key)} / {entry[key]})" for key in entry if known.get(key) != entry[key]]
    if differs:
        raise InputError(
            f'the run "{run.name}" exists with other settings (there / now): {"; ".join(differs)}',
            fix="Start another run with --run NAME, or use the settings it was begun with.",
        )


def _manifest(study: Study, old: Run | None, model: Model, asking: Asking, found: Capabilities) -> Run:
    """The run's manifest with this call's model and persona set in it. Nothing in it is secret.

    Raises:
        InputError: the run was begun with other settings.
    """
    _check_same_run(old, study, asking)
    entry = {**_model_entry(asking), "capabilities": found.model_dump(), "caveat": model.caveat}
    models = [known for known in (old.models if old else []) if known["name"] != entry["name"]]
    models = sorted([*models, entry], key=lambda known: str(known["name"]))
    sets = list(old.persona_sets) if old else []
    named = Path(study.config.persona_set).name
    return Run(
        name=study.name,
        created=old.created if old else now(),
        updated=now(),
        caveat=" ".join(dict.fromkeys(str(known["caveat"]) for known in models if known["caveat"])),
        design=old.design if old else _design(study),
        dataset={
            "name": study.dataset.name,
            "sha256": study.dataset.sha256,
            "dilemmas": len(study.dataset.dilemmas),
            "unreviewed": sum(d.review.status == "unreviewed" for d in study.dataset.dilemmas),
        },
        persona_sets=sets if named in sets else [*sets, named],
        models=models,
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


def versions() -> dict[str, str]:
    """Versions of this package, of Python, of SQLite and of the libraries that numbers depend on."""
    found = {"dilemmas": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

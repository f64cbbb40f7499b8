"""What a study asks: files read, names resolved, and every trial of it rendered.

Trials are planned in the order persona, item, question, repeat, so that what neighbouring prompts
share stands first in them and a server's prefix cache is hit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dilemmas import dataset
from dilemmas.config import ModelConfig, RunConfig, check_run_name
from dilemmas.dataset import Dataset
from dilemmas.errors import InputError, StoreError
from dilemmas.models import EMBEDDED, LOCAL, defaults
from dilemmas.models.embedded import WEIGHTS
from dilemmas.orders import option_order
from dilemmas.personas.listed import render, resolve
from dilemmas.prompts import Prompts, lettered
from dilemmas.protocols import PROTOCOLS
from dilemmas.questions import INSTRUMENTS
from dilemmas.schema import (
    BASELINE,
    Asking,
    Capabilities,
    Design,
    Dilemma,
    Message,
    ModelIdentity,
    Persona,
    ProtocolName,
    Question,
    Record,
    Run,
    Trial,
    sampling_seed,
)
from dilemmas.store import FILE, Planned, Store

EMBEDDED_SECONDS: dict[ProtocolName, float] = {"logprob": 0.74, "reasoned": 1.7}
"""Seconds for one reply of the embedded model, measured on two quiet cores (docs/methods.md)."""


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
                words = [message.content for message in messages]
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
                    seed=sampling_seed(config.seed, repeat, words) if asking.send_seed else None,
                    messages=messages,
                )
                yield Planned(trial, options)


def asking_of(
    config: ModelConfig, identity: ModelIdentity, protocol: ProtocolName, found: Capabilities, caveat: str = ""
) -> Asking:
    """How a model is asked, given what its server was found to do.

    Raises:
        SetupError: the server cannot do what the protocol needs.
    """
    way = PROTOCOLS[protocol]
    sampling = way.sampling(config.sampling, found)
    return Asking(
        name=identity.name,
        revision=identity.revision,
        protocol=protocol,
        mode=way.mode(found),
        sampling=sampling,
        send_seed=config.send_seed and found.seed and sampling.temperature > 0,
        persona_role=config.persona_role,
        capabilities=found,
        caveat=caveat,
    )


def check_same_run(run: Run | None, study: Study, asking: Asking | None) -> None:
    """Refuse to mix trials of other dilemmas or other settings into a run.

    Raises:
        InputError: names what differs.
    """
    if run is None:
        return
    differs = []
    there, here = run.dataset, study.dataset
    if there.sha256 != here.sha256:
        differs.append(f"dataset ({there.name} {there.sha256[:8]} / {here.name} {here.sha256[:8]})")
    differs += _differences(run.design, design_of(study), but={"scale"})
    for known in run.models:
        if asking is not None and known.name == asking.name:
            differs += _differences(known, asking, but={"capabilities", "caveat"})
    if differs:
        raise InputError(
            f'the run "{run.name}" exists with other settings (there / now): {"; ".join(differs)}',
            fix="Start another run with --run NAME, or use the settings it was begun with.",
        )


def _differences(there: Record, here: Record, *, but: set[str]) -> list[str]:
    """Fields in which two records differ, with both contents unless they are checksums."""
    then, now_ = there.model_dump(exclude=but), here.model_dump(exclude=but)
    return [
        key if key.endswith("sha256") else f"{key} ({then[key]} / {now_[key]})"
        for key in now_
        if then[key] != now_[key]
    ]


def design_of(study: Study) -> Design:
    """Settings that all trials of a run share."""
    config = study.config
    return Design(
        orders=config.orders,
        repeats=config.repeats,
        seed=config.seed,
        prompt_style=config.prompt_style,
        templates_sha256=study.prompts.checksum(),
        scale=config.scale or "even",
    )


def plan_summary(study: Study, runs: Path) -> dict[str, Any]:
    """What a study will cost, without asking anything; `examples` has a prompt of each question.

    The time is given at a measured rate: that of this model's replies in this or another run, else
    the one measured for the embedded model; None where there is none.

    Raises:
        InputError: the run exists with other settings.
    """
    config = study.config.model
    usual, workers = defaults(config.name)
    protocol = usual if config.protocol == "auto" else config.protocol
    workers = config.concurrency or workers
    can_all = Capabilities(top_logprobs=20, reply_schema="bounded")
    asking = asking_of(config, ModelIdentity(name=config.name), protocol, can_all)
    model = _known_name(config.name)
    known = _answered(study, model, runs)
    characters, answered, examples = 0, 0, dict[str, list[dict[str, str]]]()
    for planned in plan(study, asking):
        characters += sum(len(message.content) for message in planned.trial.messages)
        trial = planned.trial
        answered += (trial.persona, trial.item, trial.question, trial.repeat) in known
        if trial.question not in examples or trial.persona == study.personas[-1].id:
            examples[trial.question] = [message.model_dump() for message in trial.messages]
    seconds, source = _measured(model, protocol, runs) or (
        (EMBEDDED_SECONDS[protocol], "measured on two cores") if config.name == EMBEDDED else (None, "")
    )
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


def _known_name(name: str) -> str:
    """Name under which a configured model stands in a store."""
    if name == EMBEDDED:
        return Path(WEIGHTS).stem
    return Path(name.removeprefix(LOCAL)).stem if name.startswith(LOCAL) else name


def _answered(study: Study, model: str, runs: Path) -> set[tuple[str, str, str, int]]:
    """Persona, item, question and repeat of the trials of a model that the run has replies to."""
    path = runs / study.name / FILE
    if not path.exists():
        return set()
    with Store.reading(path) as store:
        if store.is_untouched():
            return set()
        check_same_run(store.run(), study, None)
        return store.answered_places(model)


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

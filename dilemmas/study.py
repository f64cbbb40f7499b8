"""What a study asks: files read, names resolved, and every trial of it rendered.

Trials are planned in the order persona, item, question, repeat, so that what neighbouring prompts
share stands first in them and a server's prefix cache is hit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import chain
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
    sha256,
)
from dilemmas.store import FILE, Planned, Store

_REMEMBERED = 4096
"""Messages kept, because other conditions are sent the same; of some 3,500 characters each."""
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
        """The run's name, with the shard where only that is asked."""
        name = self.config.name or check_run_name(Path(self.dataset.name).stem)
        return f"{name}-{self.config.shard.replace('/', 'of')}" if self.config.shard else name

    @cached_property
    def size(self) -> int:
        """Number of trials: conditions x dilemmas x questions x repeats; of the shard, where there is one."""
        groups = len(self.personas) * len(self.dilemmas)
        if self.config.shard:
            groups = sum(self.asks(persona.id, item.id) for persona in self.personas for item in self.dilemmas)
        return groups * len(INSTRUMENTS) * self.config.repeats

    def asks(self, persona: str, item: str) -> bool:
        """Whether an item is put to a persona here, and not in another shard."""
        if not self.config.shard:
            return True
        part, parts = map(int, self.config.shard.split("/"))
        return int(sha256(f"{persona}\x1f{item}")[:15], 16) % parts == part - 1


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


class Planner:
    """Renders a study's trials in groups: all questions about one item, as one persona.

    Groups have numbers, from 0: persona by persona in the study's order, and item by item within. What
    conditions share is rendered once.
    """

    def __init__(self, study: Study, asking: Asking) -> None:
        self._study, self._asking = study, asking
        questions = [
            instrument.question(dilemma, study.prompts)
            for dilemma in study.dilemmas
            for instrument in INSTRUMENTS.values()
        ]
        known = list(enumerate(questions))
        self._questions = [known[at : at + len(INSTRUMENTS)] for at in range(0, len(known), len(INSTRUMENTS))]
        self._put = lru_cache(maxsize=_REMEMBERED)(partial(_put, study.prompts, asking.protocol, questions))
        self._persona = lru_cache(maxsize=1)(self._rendered)

    def __len__(self) -> int:
        return len(self._study.personas) * len(self._questions)

    def group(self, number: int) -> Iterator[Planned]:
        """The trials of a group; none where another shard asks it."""
        study, asking, config = self._study, self._asking, self._study.config
        persona, place = divmod(number, len(self._questions))
        name = study.personas[persona].id
        if not study.asks(name, study.dilemmas[place].id):
            return
        system, told = self._persona(persona)
        for key, question in self._questions[place]:
            codes = tuple(option.code for option in question.options)
            for repeat in range(config.repeats):
                order = option_order(
                    codes,
                    orders=config.orders,
                    seed=config.seed,
                    item=question.item,
                    question=question.name,
                    persona=name,
                    repeat=repeat,
                )
                user, options = self._put(key, order)
                if system and told is None:
                    user = Message(role="user", content=f"{system}\n\n{user.content}")
                messages = (user,) if told is None else (told, user)
                words = [message.content for message in messages]
                trial = Trial(
                    model=asking.identity,
                    persona=name,
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

    def _rendered(self, persona: int) -> tuple[str, Message | None]:
        """A persona in words, and the message that carries them where it is one of its own."""
        system = render(self._study.personas[persona], self._study.config.prompt_style, self._study.prompts)
        alone = system and self._asking.persona_role == "system"
        return system, Message(role="system", content=system) if alone else None


def plan(study: Study, asking: Asking) -> Iterator[Planned]:
    """All trials of a study, rendered as they are drawn."""
    planner = Planner(study, asking)
    return chain.from_iterable(map(planner.group, range(len(planner))))


def _put(
    prompts: Prompts, protocol: str, questions: Sequence[Question], key: int, order: tuple[str, ...]
) -> tuple[Message, tuple[str, ...]]:
    """One of the questions with its options in some order, as the message that puts it, and the options' words."""
    question = questions[key]
    texts = {option.code: option.text for option in question.options}
    options = tuple(texts[code] for code in order)
    shown = lettered(options)
    reply = prompts.render(f"ask/{protocol}.j2", options=shown)
    user = prompts.render("ask/question.j2", context=question.context, stem=question.stem, options=shown, reply=reply)
    return Message(role="user", content=user), options


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
    differs += differences(run.design, design_of(study), but={"scale"})
    for known in run.models:
        if asking is not None and known.name == asking.name:
            differs += differences(known, asking, but={"capabilities", "caveat"})
    if differs:
        raise InputError(
            f'the run "{run.name}" exists with other settings (there / now): {"; ".join(differs)}',
            fix="Start another run with --run NAME, or use the settings it was begun with.",
        )


def differences(there: Record, here: Record, *, but: Iterable[str] = ()) -> list[str]:
    """Fields in which two records of one kind differ, with both contents unless they are checksums."""
    then, now = (_flat(record.model_dump(exclude=set(but))) for record in (there, here))
    changed = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    return [key if key.endswith("sha256") else f"{key} ({then.get(key)} / {now.get(key)})" for key in changed]


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of records in a record under both names."""
    found = dict[str, Any]()
    for key, held in fields.items():
        found |= {f"{key}.{inner}": one for inner, one in held.items()} if isinstance(held, dict) else {key: held}
    return found


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


def plan_summary(study: Study, config: ModelConfig, runs: Path) -> dict[str, Any]:
    """What asking one model will cost, without asking anything; `examples` has a prompt of each question.

    The time is given at a measured rate: that of this model's replies in this or another run, else
    the one measured for the embedded model; None where there is none.

    Raises:
        InputError: the run exists with other settings.
    """
    usual, workers = defaults(config.name)
    protocol = usual if config.protocol == "auto" else config.protocol
    if isinstance(config.concurrency, int):
        workers = config.concurrency
    can_all = Capabilities(top_logprobs=20, reply_schema="bounded")
    asking = asking_of(config, ModelIdentity(name=config.name), protocol, can_all)
    model = known_name(config.name)
    known = _answered(study, model, runs)
    characters, examples = 0, dict[str, list[dict[str, str]]]()
    for planned in plan(study, asking):
        trial = planned.trial
        characters += sum(len(message.content) for message in trial.messages)
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
        "answered": known,
        "prompt_tokens": characters // 4,
        "seconds_per_reply": seconds,
        "seconds": None if seconds is None else max(0, study.size - known) * seconds / workers,
        "rate_source": source,
        "examples": examples,
    }


def known_name(name: str) -> str:
    """Name under which a configured model stands in a store."""
    if name == EMBEDDED:
        return Path(WEIGHTS).stem
    return Path(name.removeprefix(LOCAL)).stem if name.startswith(LOCAL) else name


def answered(study: Study, model: str, store: Store) -> int:
    """How many of a study's trials have a model's reply in a store."""
    personas, items = [one.id for one in study.personas], [one.id for one in study.dilemmas]
    return store.answered_among(model, personas, items, study.config.repeats)


def _answered(study: Study, model: str, runs: Path) -> int:
    """How many of a study's trials the run has a model's replies to."""
    path = runs / study.name / FILE
    if not path.exists():
        return 0
    with Store.reading(path) as store:
        if store.is_untouched():
            return 0
        check_same_run(store.run(), study, None)
        return answered(study, model, store)


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

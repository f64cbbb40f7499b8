"""From a study to batch files: what is open of its plan, in the words and fields that a server would be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import orjson

from dilemmas.batches.files import Part, Parts
from dilemmas.batches.ids import Ids
from dilemmas.config import ModelConfig
from dilemmas.errors import InputError
from dilemmas.manifest import begin, finish, folder_of_its_own
from dilemmas.models import defaults, in_process, open_model
from dilemmas.models.completions import CHAT, body_of
from dilemmas.protocols import PROTOCOLS
from dilemmas.schema import Asking, Capabilities, ModelIdentity, Run
from dilemmas.store import FILE, Asked, Planned, Store
from dilemmas.study import Study, asking_of, check_same_run, differences, known_name, plan

Service = Literal["openai", "vllm"]
URL = f"/v1{CHAT}"
CHUNK = 1000
"""Trials in memory at a time."""
_UNASKED = "as declared with --for, not probed"
DECLARED: dict[Service, Capabilities] = {
    # Lengths of strings are not among what its strict schemas document, nor is top_k among its fields
    # (https://platform.openai.com/docs/guides/structured-outputs, https://platform.openai.com/docs/api-reference/chat).
    "openai": Capabilities(top_logprobs=20, reply_schema="plain", top_k=False, server=f"OpenAI, {_UNASKED}"),
    # 20 log-probabilities unless it is started with --max-logprobs.
    "vllm": Capabilities(top_logprobs=20, reply_schema="bounded", server=f"vLLM, {_UNASKED}"),
}
"""What services can do by their documentation, where nobody can ask them."""
_ALL = Capabilities(top_logprobs=20, reply_schema="bounded")


@dataclass
class Written:
    """What was written, or would be."""

    run: str
    folder: str
    """Of the run."""
    planned: int
    """Trials of the plan, of all models."""
    answered: int = 0
    """Those of them that have an answer."""
    requests: int = 0
    """Requests in the files: trials of the very same words are asked once."""
    parts: tuple[Part, ...] = ()
    since: str = ""
    """When batch files of this run were first written before, UTC (ISO 8601); empty where none were."""


async def write(study: Study, runs: Path, out: Path, *, declared: Service | None = None, dry: bool = False) -> Written:
    """Write the open trials of a study as batch files, and note in its run that they are asked.

    What a server can do decides on a trial's words and id. It is taken from the run, where that has asked this model
    already; else from what is declared; else the model is probed, by a few real requests.

    Args:
        study: what is asked.
        runs: folder of the runs; the run's own folder is made in it.
        out: folder of the batch files.
        declared: the service that is to answer them.
        dry: write nothing and probe nothing, only count.

    Returns:
        What was written. There are no files where nothing is open.

    Raises:
        DilemmasError: the run has other settings, the model cannot be probed, a file is there already, no room.
    """
    folder = folder_of_its_own(runs, study.name)
    old = _begun(folder, study)
    askings = [(config, await _asking(config, old, declared, dry=dry)) for config in study.config.models]
    for _, asking in askings:
        check_same_run(old, study, asking)
    done = Written(study.name, str(folder), study.size * len(askings))
    if dry:
        parts = Parts(out, study.name, dry=True)
        if old is None:
            return _add_open(done, study, askings, lambda some: {}, parts)
        with Store.reading(folder / FILE) as store:
            done.since = store.batch_since()
            return _add_open(done, study, askings, partial(_known, store), parts)
    with Store.writing(folder / FILE) as store:
        begin(study, store, [asking for _, asking in askings])
        with Parts(out, study.name) as parts:
            _add_open(done, study, askings, partial(_noted, store), parts)
            done.since = store.batch_since()
            if done.requests:
                store.note_batch()
            parts.done()
        finish(store, folder)
    return done


def _begun(folder: Path, study: Study) -> Run | None:
    """The run, where it was begun with these settings."""
    if not (folder / FILE).exists():
        return None
    with Store.reading(folder / FILE) as store:
        old = None if store.is_untouched() else store.run()
    check_same_run(old, study, None)
    return old


async def _asking(config: ModelConfig, old: Run | None, declared: Service | None, *, dry: bool) -> Asking:
    """How a model is asked.

    Raises:
        InputError: nothing tells what its server can do, or the run asks it in another way than is declared.
    """
    usual, _ = defaults(config.name)
    protocol = usual if config.protocol == "auto" else config.protocol
    for known in old.models if old else ():
        if known.name == known_name(config.name) and known.protocol == protocol:
            if declared:
                _check_declared(known, asking_of(config, known.identity, protocol, DECLARED[declared]), declared)
            return asking_of(config, known.identity, protocol, known.capabilities, known.caveat)
    if declared or dry:
        found = DECLARED[declared] if declared else _ALL
        return asking_of(config, ModelIdentity(name=known_name(config.name)), protocol, found)
    if not config.base_url and not in_process(config.name):
        raise InputError(
            f'nothing tells what the server of "{config.name}" can do, on which its requests depend',
            where="--for",
            fix="Say --for openai or --for vllm, or give the address of a server that has it with --base-url.",
        )
    async with open_model(config) as model:
        return asking_of(config, model.identity, protocol, await model.probe(protocol), model.caveat)


def _check_declared(known: Asking, declared: Asking, service: Service) -> None:
    """Refuse to send a service what was made for another.

    Raises:
        InputError: names what differs.
    """
    if differs := differences(known, declared, but={"capabilities", "caveat"}):
        raise InputError(
            f"the run asks {known.name} otherwise than {service} would be asked (there / now): {'; '.join(differs)}",
            where="--for",
            fix="Leave it out to write what the run asks, or begin another run for this service with --run NAME.",
        )


def _known(store: Store, some: Sequence[Planned]) -> dict[str, Asked]:
    return store.asked_of(one.trial.id for one in some)


def _noted(store: Store, some: Sequence[Planned]) -> dict[str, Asked]:
    store.add_trials(some)
    return _known(store, some)


def _add_open(
    done: Written,
    study: Study,
    askings: Sequence[tuple[ModelConfig, Asking]],
    look_up: Callable[[Sequence[Planned]], dict[str, Asked]],
    parts: Parts,
) -> Written:
    """Go through the plan, add what is open to the parts and count it."""
    with Ids.opened() as met:
        for config, asking in askings:
            trials, without = plan(study, asking), _unknown_fields(config, asking)
            while some := list(islice(trials, CHUNK)):
                known = look_up(some)
                for one in some:
                    asked = known.get(one.trial.id)
                    if asked is not None and asked.answered:
                        done.answered += 1
                    elif met.add(one.trial.id) is None:
                        parts.add(asking.name, line(one, without=without))
    done.requests, done.parts = sum(part.requests for part in parts.made), tuple(parts.made)
    return done


def line(planned: Planned, *, without: frozenset[str] = frozenset()) -> bytes:
    """A trial as a line of a batch file: the body is the one that a server is sent.

    Args:
        planned: the trial.
        without: fields that are not sent to this server.
    """
    trial = planned.trial
    body = body_of(trial.model.name, PROTOCOLS[trial.protocol].request(trial, planned.options))
    sent = {name: value for name, value in body.items() if name not in without}
    return orjson.dumps({"custom_id": trial.id, "method": "POST", "url": URL, "body": sent}) + b"\n"


def _unknown_fields(config: ModelConfig, asking: Asking) -> frozenset[str]:
    """`cache_prompt` goes where the user wants it, else to llama.cpp alone."""
    owners = {told.partition(",")[0] for told in asking.capabilities.server.split("; ")}
    return frozenset() if "cache_prompt" in config.extra_body or owners == {"llamacpp"} else frozenset({"cache_prompt"})

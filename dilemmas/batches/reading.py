"""Results of batch files into a run's store: all of it is looked through first, so that nothing is half taken in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dilemmas.batches.files import lines
from dilemmas.batches.ids import Ids
from dilemmas.batches.results import NotWholeError, Result, is_model, result
from dilemmas.errors import InputError, StoreError, TransientError
from dilemmas.manifest import finish
from dilemmas.models.completions import reply_of, short
from dilemmas.protocols import PARSER_VERSION, PROTOCOLS
from dilemmas.resources import now
from dilemmas.runs import list_runs
from dilemmas.schema import ProtocolName
from dilemmas.store import FILE, Adopted, Asked, Attempt, Store

MOST_LINES, MOST_BYTES = 1000, 2**24
"""Lines, and their bytes, that are in memory at a time."""
_NAME_THE_RUN = "Name the run whose batch file this answers with --run."


@dataclass
class Taken:
    """What came of some files of results."""

    run: str
    lines: int = 0
    """Results in the files."""
    cut: int = 0
    """Lines that are not whole and were left out."""
    taken: int = 0
    """Trials answered by them, refusals and unreadable replies included."""
    refused: int = 0
    unreadable: int = 0
    known: int = 0
    """Results of trials that had an answer already."""
    failed: int = 0
    """Requests that failed; their trials stay open."""
    last_failure: str = ""
    open: int = 0
    """Trials of the run that have no answer yet."""


def read(folder: Path, files: Sequence[Path], *, partial: bool = False, served_as: str = "") -> Taken:
    """Take the results in some files into a run; the same files again change nothing.

    Args:
        folder: the run's.
        files: results, or errors, as services write them.
        partial: leave out lines that are not whole.
        served_as: another name by which replies may call the model.

    Raises:
        InputError: a file cannot be read, is cut off, or holds results of another run or model, or two answers to one
            request. Nothing was taken in.
        StoreError: the store cannot be written.
    """
    found = Taken(folder.resolve().name)
    with Store.writing(folder / FILE) as store:
        if store.run() is None:
            raise InputError("nothing was ever asked in this run", where=str(folder), fix=_NAME_THE_RUN)
        for path in files:
            _check(path, store, folder, partial=partial, served_as=served_as)
        for path in files:
            for some in _chunks(path, found, partial=partial):
                _take(some, store.asked_of(one.trial for one in some), path, store, found)
        finish(store, folder)
        found.open = store.counts()["open"]
    return found


def _chunks(path: Path, found: Taken, *, partial: bool) -> Iterator[list[Result]]:
    """A file's results, some at a time."""
    some, size = list[Result](), 0
    for number, raw in lines(path):
        try:
            some.append(result(number, raw, str(path)))
        except NotWholeError:
            if not partial:
                raise
            found.cut += 1
            continue
        size += len(raw)
        if len(some) >= MOST_LINES or size >= MOST_BYTES:
            yield some
            some, size = [], 0
    yield some


def _check(path: Path, store: Store, folder: Path, *, partial: bool, served_as: str) -> None:
    """Look a file through.

    Raises:
        InputError: it cannot be taken in as a whole.
    """
    strangers, first = 0, None
    with Ids.opened() as answers:
        for some in _chunks(path, Taken(""), partial=partial):
            known = store.asked_of(one.trial for one in some)
            for one in some:
                if one.trial not in known:
                    strangers, first = strangers + 1, first or one
                    continue
                _check_model(one, known[one.trial].model, served_as, path)
                _check_repeated(one, answers, path)
    if first is not None:
        raise InputError(
            f'{strangers:,} of its results are to requests that the run "{folder.resolve().name}" never made',
            where=f"{path}, line {first.line}",
            fix=_whose(first.trial, folder) or _NAME_THE_RUN,
        )


def _check_model(one: Result, asked: str, served_as: str, path: Path) -> None:
    if one.model and one.model != served_as and not is_model(asked, one.model):
        raise InputError(
            f'another model replied ("{short(one.model)}") than the one that was asked ("{asked}")',
            where=f"{path}, line {one.line}",
            fix="If that is only another name of it, give it with --served-as.",
        )


def _check_repeated(one: Result, answers: Ids, path: Path) -> None:
    if one.body is None:
        return
    if answers.add(one.trial, one.mark) not in (None, one.mark):
        raise InputError(
            "answers a request that another line of this file answers otherwise",
            where=f"{path}, line {one.line} ({one.trial})",
            fix="Were two files of results joined? Name them one by one; the first one's answers are taken then.",
        )


def _whose(trial: str, folder: Path) -> str:
    """Which of the runs beside this one made a request, as a hint; empty where none did."""
    for other in list_runs(folder.resolve().parent):
        try:
            with Store.reading(other / FILE, checked=False) as store:
                if trial in store.asked_of([trial]):
                    return f"They are those of another run: --run {other.name}."
        except StoreError:
            continue
    return ""


def _take(some: Sequence[Result], asked: dict[str, Asked], path: Path, store: Store, found: Taken) -> None:
    """Keep what some results tell, in one transaction."""
    found.lines += len(some)
    outcomes, attempts = dict[str, Adopted](), dict[tuple[str, str], Attempt]()
    for one in some:
        if one.trial not in asked:
            raise InputError("changed while it was read", where=str(path), fix="Run the same command again.")
        about = asked[one.trial]
        if about.answered or one.trial in outcomes:
            found.known += 1
            continue
        try:
            outcomes[one.trial] = _outcome(one, about, path)
        except TransientError as error:
            found.failed += 1
            found.last_failure = error.what
            attempts[one.trial, error.what] = Attempt(one.trial, now(), one.kind, one.status, error.what)
    for outcome in outcomes.values():
        found.taken += 1
        found.refused += outcome.status == "refused"
        found.unreadable += outcome.status == "unreadable"
    with store.together():
        store.adopt(outcomes.values())
        if attempts:  # a service gives each a mark of its own, so the same words are the same attempt
            noted = {(one.trial, one.message) for one in store.attempts_at({trial for trial, _ in attempts})}
            store.put_attempts(one for what, one in attempts.items() if what not in noted)


def _outcome(one: Result, about: Asked, path: Path) -> Adopted:
    """A result as the store keeps it.

    Raises:
        TransientError: it holds no answer.
    """
    if one.body is None:
        raise TransientError(one.failure, status=one.status)
    reply = reply_of(one.body, 0.0, f"{path}, line {one.line}")  # how long it took is not told
    protocol: ProtocolName = "logprob" if about.protocol == "logprob" else "reasoned"
    response = PROTOCOLS[protocol].read(reply, about.order, about.options)
    return Adopted(
        one.trial, reply.model_dump_json(), one.at, PARSER_VERSION, response.status, response.model_dump_json()
    )

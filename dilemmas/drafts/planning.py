"""What drafts are open: cells of a plan that have no dilemma yet, or dilemmas that `dilemmas check` found wrong."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from dilemmas import cells, dataset
from dilemmas.cells import Cell
from dilemmas.checks.overview import unanswered
from dilemmas.config import RunConfig
from dilemmas.drafts.file import journal_of, on_disk, results_so_far
from dilemmas.drafts.writing import CHARACTERS_A_TOKEN, Task, messages
from dilemmas.errors import InputError
from dilemmas.models import SCRIPTED
from dilemmas.prompts import Prompts
from dilemmas.resources import read_bytes
from dilemmas.schema import Dilemma, Finding, Findings, sha256

AVOIDED, OPENING_WORDS = 12, 20
"""Scenarios of the same value that a prompt names, and how many of their first words: some 350 tokens at most, so
that it still fits into a context of 4,096."""
REPLY_TOKENS = 563
"""Tokens of a reply, about: mean of the 616 shipped dilemmas in the form that is asked for, 4 characters a token."""


@dataclass(frozen=True)
class Job:
    """What is to be written, all names resolved and all files read but the drafts' own."""

    config: RunConfig
    out: Path
    """The file of the drafts."""
    prompts: Prompts
    plan: tuple[Cell, ...] = ()
    """New dilemmas that the file is to hold in the end."""
    per_cell: int = 1
    """Dilemmas for each value and topic."""
    findings: Findings | None = None
    """What is wrong with the file, where that is to be mended; then there is no plan."""
    resume: bool = False
    """Whether it adds to what is there."""
    force: bool = False
    """Whether an older file is moved out of the way."""
    notices: tuple[str, ...] = ()
    """What the user should know before it begins."""


class Todo(NamedTuple):
    """What is open of a job."""

    tasks: list[Task]
    there: int
    """How many are done already."""
    notices: tuple[str, ...] = ()
    """What the user should know about the rest."""


def prepare(
    config: RunConfig, *, values: str, topics: str, per_cell: int, out: Path, resume: bool = False, force: bool = False
) -> Job:
    """Plan new dilemmas.

    Args:
        config: the model, the seed, a limit and the templates.
        values, topics: names with commas between them, or "all".
        per_cell: dilemmas for each value and topic.
        out: the file of the drafts.
        resume: add to what is there.
        force: move what is there out of the way.

    Raises:
        InputError: a name is unknown, the model writes nothing, or there are drafts already.
    """
    if resume and force:
        raise InputError("--resume adds to the file and --force begins another", fix="Give one of them.")
    out = _file(out)
    named = cells.chosen(values, "values"), cells.chosen(topics, "topics")
    plan = cells.plan(*named, per_cell, config.seed)
    there = out if out.exists() else journal_of(out)
    if there.exists() and (there == out or there.stat().st_size) and not (resume or force):
        raise InputError(
            "is there already" if there == out else "is what is left of drafts whose file is gone",
            where=str(there),
            fix="Add --resume to go on with it, --force to move it aside, or give another --out.",
        )
    return Job(_writing(config), out, _prompts(config), plan=plan, per_cell=per_cell, resume=resume, force=force)


def prepare_repair(config: RunConfig, *, findings: Path, out: Path | None = None) -> Job:
    """Plan to write anew what `dilemmas check` found errors or warnings in.

    Args:
        config: the model, the seed, a limit and the templates.
        findings: the findings.json.
        out: the file it is about; by default the one it names.

    Raises:
        InputError: it holds no findings, is about another file, or the model writes nothing.
    """
    try:
        found = Findings.model_validate_json(read_bytes(findings, "file of findings"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"holds no findings: {first['msg']}",
            where=f"{findings}, field {place}" if place else str(findings),
            fix="Give the findings.json that `dilemmas check` wrote.",
        ) from None
    path = _file(out or Path(os.path.normpath(findings.parent / found.dataset)))
    there = dataset.read(path)
    known = {dilemma.id for dilemma in there.dilemmas}
    meant = {finding.id for finding in _grave(found)}
    if meant and not meant & known:
        raise InputError(
            f"is about another file: {path} has none of its dilemmas",
            where=str(findings),
            fix="Name the file it is about with --out, or check this one again.",
        )
    changed = f"{path} has changed since it was checked; only findings about its present revisions count"
    notices = () if there.sha256 == found.sha256 else (changed,)
    return Job(_writing(config), path, _prompts(config), findings=found, notices=notices)


def todo(job: Job, written: Sequence[Dilemma]) -> Todo:
    """What is open of a job.

    Args:
        job: what is to be written.
        written: what the file holds.
    """
    return _open_cells(job, written) if job.findings is None else _redrafts(job.findings, written)


def summary(job: Job) -> dict[str, Any]:
    """What a job will cost, without asking or writing anything; `example` is the prompt of the first open one.

    Raises:
        InputError: the file or its journal cannot be read.
    """
    written: dict[str, Dilemma] = {} if job.force else on_disk(job.out)
    journal = journal_of(job.out)
    results = {} if job.force or not journal.exists() else results_so_far(journal)
    written |= {dilemma.id: dilemma for dilemma in leftovers(job, written, results)}
    found = todo(job, tuple(written.values()))
    tasks = found.tasks[: job.config.limit]
    prompts = [messages(task, avoid(task, written, tasks), job.prompts) for task in tasks]
    return {
        "path": str(job.out),
        "model": job.config.model.name,
        "open": len(found.tasks),
        "there": found.there,
        "now": len(tasks),
        "values": dict(Counter(task.value for task in tasks)),
        "prompt_tokens": sum(len(m.content) for prompt in prompts for m in prompt) // CHARACTERS_A_TOKEN,
        "reply_tokens": REPLY_TOKENS * len(tasks),
        "notices": [*job.notices, *found.notices],
        "example": [message.model_dump() for message in prompts[0]] if prompts else [],
    }


def _open_cells(job: Job, written: Sequence[Dilemma]) -> Todo:
    """Cells without a dilemma; one of the same value and topic fills a cell under another id, too."""
    taken = {dilemma.id for dilemma in written}
    have = Counter((dilemma.value, dilemma.topic) for dilemma in written)
    here = {dilemma.id: dilemma for dilemma in written}
    same = [(cell, here[cell.id]) for cell in job.plan if cell.id in here]
    moved = sum((one.value, one.topic) != (cell.value, cell.topic) for cell, one in same)
    other = sum(one.setting not in (None, cell.setting) for cell, one in same)
    told = (
        (moved, "has the id of a cell of another value or topic, which stays unwritten"),
        (other, "was planned with another seed; give the same --seed, lest places and competing values repeat"),
    )
    tasks = []
    for cell in job.plan:
        if cell.id not in taken and have[cell.value, cell.topic] < job.per_cell:
            have[cell.value, cell.topic] += 1
            tasks.append(Task(cell.id, cell.value, cell.topic, cell.competing_value, cell.setting))
    notices = tuple(f"{number:,} of the dilemmas there {what}" for number, what in told if number)
    return Todo(tasks, len(job.plan) - len(tasks), notices)


def _redrafts(findings: Findings, written: Sequence[Dilemma]) -> Todo:
    """Dilemmas whose present revision has an error or a warning and that no person has judged."""
    wrong: dict[str, list[Finding]] = {}
    for finding in _grave(findings):
        wrong.setdefault(finding.id or "", []).append(finding)
    tasks, judged, since, edited = [], 0, 0, 0
    for dilemma in written:
        if dilemma.id not in wrong:
            continue
        present = tuple(finding for finding in wrong[dilemma.id] if finding.revision == dilemma.revision)
        if not present:
            since += 1
        elif dilemma.review.status != "unreviewed":
            judged += 1
        elif findings.records.get(dilemma.id) not in (None, sha256(dataset.to_line(dilemma))):
            edited += 1
        else:
            # A setting that another dilemma has too would only bring the same finding back.
            shared = any(finding.rule == "same-setting" for finding in present)
            tasks.append(
                Task(
                    dilemma.id,
                    dilemma.value,
                    dilemma.topic,
                    dilemma.competing_value,
                    None if shared else dilemma.setting,
                    revision=dilemma.revision + 1,
                    previous=dilemma,
                    findings=present,
                )
            )
    gone = len(wrong) - len(tasks) - judged - since - edited
    told = (
        (judged, "judged by a person and left as they are"),
        (since, "of another revision than the one that was checked"),
        (edited, "edited since they were checked and left as they are; check the file again"),
        (gone, "no longer in the file"),
    )
    return Todo(tasks, since, tuple(f"{number:,} with findings {what}" for number, what in told if number))


def _grave(findings: Findings) -> list[Finding]:
    """Errors and warnings about single dilemmas, but for those of which somebody has said why they stand."""
    return [finding for finding in unanswered(findings.findings) if finding.id]


def avoid(task: Task, written: Mapping[str, Dilemma], planned: Iterable[Task]) -> list[str]:
    """What the scenario must not resemble, a line each: what it resembled, then others of its value, then plans."""
    alike = [other for finding in task.findings for other in finding.others if other in written]
    same = [other.id for other in written.values() if other.value == task.value and other.id != task.id]
    lines = [_opening(written[other]) for other in dict.fromkeys(alike + same)]
    lines += [
        f"{other.setting.place}; {other.setting.relationship}"
        for other in planned
        if other.value == task.value and other.id != task.id and other.id not in written and other.setting
    ]
    return lines[:AVOIDED]


def _opening(dilemma: Dilemma) -> str:
    """The first words of a scenario."""
    return " ".join(islice(dilemma.scenario.split(), OPENING_WORDS))


def leftovers(job: Job, written: Mapping[str, Dilemma], results: Mapping[str, Dilemma]) -> list[Dilemma]:
    """Drafts that are in the journal but did not get into the file: something stopped in between."""
    if job.findings is not None:
        redrafts = _redrafts(job.findings, tuple(written.values())).tasks
        return [results[task.subject] for task in redrafts if task.subject in results]
    latest: dict[str, Dilemma] = {}
    for dilemma in results.values():
        if dilemma.id not in written and dilemma.revision >= latest.get(dilemma.id, dilemma).revision:
            latest[dilemma.id] = dilemma
    return list(latest.values())


def _file(path: Path) -> Path:
    """The file itself where a link leads to it, so that what belongs to it is found and locked.

    Raises:
        InputError: it is a folder.
    """
    if path.is_dir() or not path.name:
        raise InputError("is a folder", where=str(path), fix="Name a file, such as dataset/drafts.jsonl.")
    return path.resolve() if path.is_symlink() else path


def _writing(config: RunConfig) -> RunConfig:
    """The settings, if the model is one that writes.

    Raises:
        InputError: it is not.
    """
    if config.model.name == SCRIPTED:
        raise InputError(
            "the scripted model writes nothing", where="--model", fix="Name a model at --base-url, or embedded."
        )
    return config


def _prompts(config: RunConfig) -> Prompts:
    return Prompts(Path(config.templates) if config.templates else None)

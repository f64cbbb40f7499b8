"""Checking a file of dilemmas from end to end: whom to ask first, then the findings and their page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from dilemmas import checks, dataset
from dilemmas.checks import page, sameness
from dilemmas.config import ModelConfig
from dilemmas.errors import InputError
from dilemmas.judging import JUDGEMENTS, Sorting, kept, sort_blind
from dilemmas.models import open_model
from dilemmas.prompts import Prompts
from dilemmas.resources import read_bytes, write_text
from dilemmas.schema import Findings

FINDINGS, PAGE = "findings.json", "check.html"
"""Files in the folder."""


@dataclass(frozen=True)
class Checked:
    """What came of checking a file."""

    findings: Findings
    """What was found, and the measures behind it."""
    json: Path
    """Where that was written."""
    page: Path
    """Where it was written for people."""
    sorting: Sorting | None
    """What the judge made of the dilemmas; none where none was asked."""
    unusable: tuple[int, ...]
    """Numbers of the lines that hold no dilemma, or one whose id is taken."""


async def check_file(
    path: Path,
    folder: Path,
    *,
    judge: ModelConfig | None = None,
    embedder: ModelConfig | None = None,
    orders: int,
    seed: int,
    progress: Callable[[Sorting], None] = lambda sorting: None,
) -> Checked:
    """Check a file and write `findings.json` and `check.html`, each whole or not at all.

    Args:
        path: a JSON Lines file of dilemmas.
        folder: where the findings go, and what the judge said; made if it is not there.
        judge: a model to sort the actions blind; without it none is asked, and what an earlier one
            left in the folder about the same revisions counts, else what stands beside the file.
        embedder: a model whose embeddings tell which scenarios are alike; TF-IDF without it.
        orders: readings by the judge of each dilemma.
        seed: seed of the orders in which the judge is shown the actions, and of its sampling.
        progress: called after each reading by the judge.

    Raises:
        InputError: the file cannot be read as dilemmas at all, or the folder cannot be written or
            holds findings of another file.
        ModelError: the judging cannot begin, or there are no embeddings. A judge that is lost half-way
            is no error: its readings up to then count, and `sorting.stopped` says why it ended.
    """
    lines = dataset.survey(path).lines
    dilemmas = tuple(line.dilemma for line in lines if line.dilemma and not line.problem)
    _refuse_findings_of_another(path, folder)
    vectors = sorting = None
    if embedder is not None:
        async with open_model(embedder) as model:
            vectors = await sameness.embedded(dilemmas, model)
    if judge is not None:
        sorting = await sort_blind(
            dilemmas, judge, folder, orders=orders, seed=seed, prompts=Prompts(), progress=progress
        )
    if sorting:
        judgements = sorting.judgements
    else:
        judgements = kept(dilemmas, folder / JUDGEMENTS) or kept(dilemmas, dataset.beside(path, "judgements"))
    judges = [sorting.judge.name] if sorting else dict.fromkeys(one.reviewer for one in judgements)
    found, valid = checks.check(path, folder, judgements=judgements, judge=", ".join(judges) or None, vectors=vectors)
    write_text(folder / FINDINGS, text(found))
    return Checked(
        findings=found,
        json=folder / FINDINGS,
        page=page.write(folder / PAGE, found, valid, checks.RULES),
        sorting=sorting,
        unusable=tuple(line.number for line in lines if line.problem),
    )


def text(found: Findings) -> str:
    """Findings as they stand in their file."""
    return found.model_dump_json(indent=2) + "\n"


def _refuse_findings_of_another(path: Path, folder: Path) -> None:
    """Refuse a folder with the findings of another file: what a judge said of that one would be lost."""
    if not (folder / FINDINGS).is_file():
        return
    try:
        there = Findings.model_validate_json(read_bytes(folder / FINDINGS, "file of findings")).dataset
    except ValidationError:  # of no use to anybody, so it may be overwritten
        return
    if there != checks.noted(path, folder):
        raise InputError(
            f"holds findings of {there}", where=str(folder), fix="Give another folder with --out, or remove this one."
        )

"""Checking a file of dilemmas from end to end: whom to ask first, then the findings and their page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dilemmas import checks, dataset
from dilemmas.checks import page, sameness
from dilemmas.config import ModelConfig
from dilemmas.judging import Sorting, sort_blind
from dilemmas.models import open_model
from dilemmas.prompts import Prompts
from dilemmas.resources import write_text
from dilemmas.schema import Dilemma, Findings

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
        judge: a model to sort the actions blind; none is asked without it.
        embedder: a model whose embeddings tell which scenarios are alike; TF-IDF without it.
        orders: readings by the judge of each dilemma.
        seed: seed of the orders in which the judge is shown the actions, and of its sampling.
        progress: called after each reading by the judge.

    Raises:
        InputError: the file cannot be read as dilemmas at all, or the folder cannot be written.
        ModelError: the judging cannot begin, or there are no embeddings. A judge that is lost half-way
            is no error: its readings up to then count, and `sorting.stopped` says why it ended.
    """
    vectors = sorting = None
    if embedder is not None:
        async with open_model(embedder) as model:
            vectors = await sameness.embedded(_valid(path), model)
    if judge is not None:
        sorting = await sort_blind(
            _valid(path), judge, folder, orders=orders, seed=seed, prompts=Prompts(), progress=progress
        )
    found, valid = checks.check(
        path,
        folder,
        judgements=sorting.judgements if sorting else (),
        judge=sorting.judge.name if sorting else None,
        vectors=vectors,
    )
    write_text(folder / FINDINGS, text(found))
    return Checked(found, folder / FINDINGS, page.write(folder / PAGE, found, valid, checks.RULES), sorting)


def text(found: Findings) -> str:
    """Findings as they stand in their file."""
    return found.model_dump_json(indent=2) + "\n"


def _valid(path: Path) -> tuple[Dilemma, ...]:
    """The dilemmas that `checks.check` will look at."""
    return tuple(line.dilemma for line in dataset.survey(path).lines if line.dilemma and not line.problem)

"""What is wrong with a file of dilemmas, or worth a look: findings, and the measures behind them.

One file a family of rules. `form` and `content` look at one dilemma at a time; `confounds`,
`sameness` and `coverage` at the set; `blind_sort` at what a model made of it. A rule is declared
beside its code (`rules.Rule`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dilemmas import dataset
from dilemmas.checks import answers, blind_sort, confounds, content, coverage, form, sameness
from dilemmas.checks.rules import Rule
from dilemmas.resources import now, versions
from dilemmas.schema import Dilemma, Finding, Findings, Judgement, sha256

RULES: tuple[Rule, ...] = (
    *form.RULES,
    *content.RULES,
    *confounds.RULES,
    *sameness.RULES,
    *coverage.RULES,
    *blind_sort.RULES,
)
"""All rules, in the order of the documentation."""
_ORDER = {"error": 0, "warning": 1, "note": 2}
_LINE = re.compile(r"line (\d+)\b")


def noted(path: Path, folder: Path) -> str:
    """A file's path as findings in a folder note it."""
    return Path(os.path.relpath(path, folder)).as_posix()


def check(
    path: Path,
    folder: Path,
    *,
    judgements: Sequence[Judgement] = (),
    judge: str | None = None,
    vectors: NDArray[np.float64] | None = None,
) -> tuple[Findings, tuple[Dilemma, ...]]:
    """Apply all rules to a file; asks no model.

    Args:
        path: a JSON Lines file of dilemmas.
        folder: where the findings will be written; the path of the file is noted from there.
        judgements: a machine's blind sorting of these dilemmas, where there is one.
        judge: the name of that machine.
        vectors: an embedding of each valid dilemma's scenario, one row each in the order of the
            file, to take neighbours by; without it TF-IDF is used.

    Returns:
        The findings, and the valid dilemmas they are about.

    Raises:
        InputError: the file cannot be read as a file of dilemmas at all.
    """
    survey = dataset.survey(path)
    dilemmas = tuple(line.dilemma for line in survey.lines if line.dilemma is not None and line.problem is None)
    effects, cues = confounds.measure(dilemmas), confounds.cues(dilemmas)
    neighbours = sameness.neighbours(dilemmas, vectors)
    counts = coverage.count(dilemmas)
    sorts = blind_sort.scores(dilemmas, judgements)
    found: list[Finding] = [
        *form.records(survey),
        *form.find(dilemmas),
        *content.find(dilemmas),
        *confounds.find(effects, cues, dilemmas),
        *sameness.find(dilemmas, neighbours),
        *coverage.find(dilemmas, counts),
        *blind_sort.find(dilemmas, sorts, judgements),
    ]
    line_of = {line.dilemma.id: line.number for line in survey.lines if line.dilemma and not line.problem}
    placed = answers.put(
        answers.read(path, [rule.name for rule in RULES]), (_placed(finding, line_of) for finding in found)
    )
    placed.sort(key=lambda finding: (_ORDER[finding.severity], _line(finding)))
    return (
        Findings(
            dataset=noted(path, folder),
            sha256=survey.sha256,
            dilemmas=len(dilemmas),
            records={dilemma.id: sha256(dataset.to_line(dilemma)) for dilemma in dilemmas},
            created=now(),
            versions=versions(),
            judge=judge,
            findings=tuple(placed),
            confounds=effects,
            cues=cues,
            neighbours=neighbours,
            coverage=counts,
            sorts=sorts,
        ),
        dilemmas,
    )


def _placed(finding: Finding, line_of: dict[str, int]) -> Finding:
    """A finding with its line in front of its field."""
    if finding.id is None or finding.id not in line_of:
        return finding
    line = f"line {line_of[finding.id]}"
    return finding.model_copy(update={"where": f"{line}, {finding.where}" if finding.where else line})


def _line(finding: Finding) -> int:
    """The line a finding is on; 0 where it is about the whole set, which may bear on all that follow."""
    place = _LINE.match(finding.where)
    return int(place[1]) if place else 0

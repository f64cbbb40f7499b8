"""What released results are made of: the names of their files, and how a release is found."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dilemmas.release.layout import SUMS

MANIFEST = "results.json"
"""What is in a release of results."""
PROMPTS = "prompts.parquet"
"""Texts that models were shown, each once."""
RUNS = "runs"
"""Folder with a folder for each run, of the run's name."""
RUN = "manifest.json"
"""What a run says of itself."""
ANSWERS = "answers.parquet"
"""What was asked in a run, and what came of it."""
ATTEMPTS = "attempts.parquet"
"""Requests that failed; there only where one did."""
ITEMS = "items.jsonl"
"""The dilemmas that were asked about."""
PERSONAS = "personas.jsonl"
"""Whom models were asked as."""


class Place(NamedTuple):
    """Where released results are."""

    folder: Path
    """Of the release."""
    run: str | None
    """The run in it that is meant; None for the only one."""


def place_of(path: Path) -> Place | None:
    """The release that a path leads to, or to a run in; None where there is none."""
    whole = path.resolve()
    if (whole / MANIFEST).is_file():
        return Place(whole, None)
    if whole.parent.name == RUNS and (whole.parents[1] / MANIFEST).is_file():
        return Place(whole.parents[1], whole.name)
    return None


def is_in_release(path: Path) -> bool:
    """Whether a path leads to released results, or into them, where nothing may be written."""
    whole = path.resolve()
    return any((one / MANIFEST).is_file() and (one / SUMS).is_file() for one in (whole, *whole.parents))

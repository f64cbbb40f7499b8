"""Small releases to look at and to spoil."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from spoil import SCENARIO, spoilt

from dilemmas import dataset
from dilemmas.release import build, layout

REVIEWED: dict[str, Any] = {"review": {"status": "accepted", "reviewers": 2}}
FIRST = (
    spoilt(**REVIEWED),
    spoilt(id="helpful-work", value="Helpful", topic="Work Orientation", competing_value="Successful", **REVIEWED),
)
SECOND = (
    spoilt(**REVIEWED, revision=2, scenario=SCENARIO.replace("wide lake", "narrow lake")),
    spoilt(id="loyal-politics", value="Loyal", topic="Politics", competing_value="Honest", **REVIEWED),
)


def two_releases(folder: Path) -> Path:
    """A folder of releases: 0.1.0 of `FIRST`, and 0.2.0 of `SECOND`, built on one day."""
    for version, dilemmas in {"0.1.0": FIRST, "0.2.0": SECOND}.items():
        dataset.write(folder / "mine.jsonl", dilemmas)
        build.build(folder / "mine.jsonl", version, folder / "releases", date="2026-11-21")
    return folder / "releases"


def copied(release: Path, to: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(release, to / release.name))


def sealed(release: Path) -> Path:
    """The same folder with checksums of what is in it now, as a bad builder might leave it."""
    files = sorted(path for path in release.rglob("*") if path.is_file() and path.name != layout.SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(release)}\n" for path in files]
    (release / layout.SUMS).write_text(f"# {layout.CANARY}\n{''.join(lines)}", encoding="utf-8")
    return release


def edited(release: Path, name: str, old: str, new: str) -> Path:
    """A file of a release with some words replaced, and checksums that know of it."""
    path = release / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return sealed(release)

"""Verifying a release: opening it as others would, and looking for what must not be in it. All of it offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dilemmas.errors import InputError
from dilemmas.release import inside, intact, layout, leaks, lint, loading, need
from dilemmas.release.contents import REVIEWED, UNREVIEWED
from dilemmas.release.evidence import PSEUDONYM

Problems = Callable[["Opened"], Iterable[str]]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    looks_for: str
    """What holds where there is no problem."""
    problems: tuple[str, ...]
    """What does not hold; empty where all is well."""


@dataclass(frozen=True)
class Verified:
    """What came of verifying a release."""

    folder: str
    version: str
    files: int
    """Files in the folder."""
    bytes: int
    """Size of all of them together."""
    dilemmas: int
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether no check found a problem."""
        return not any(check.problems for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data, for scripts."""
        return {"holds": self.holds, **asdict(self)}


@dataclass(frozen=True)
class Opened:
    """A release whose checksums hold, its files read once."""

    release: intact.Release
    names: tuple[str, ...]
    """People's names and addresses that must not be in it."""

    @cached_property
    def texts(self) -> dict[str, str]:
        """What each file says, as text, by path."""
        return {name: inside.words(self.release, name) for name in self.release.files}

    @cached_property
    def lines(self) -> list[inside.Row]:
        """The nested dilemmas."""
        return self.release.lines(layout.NESTED)

    @cached_property
    def data(self) -> dict[str, list[inside.Row]]:
        """Records by file, of each file whose form is published."""
        return {name: inside.records(self.release, name) for name in layout.SCHEMA_OF if name in self.release.sums}

    def manifest(self, field: str) -> str:
        """A field of the manifest, as text."""
        return str(self.release.manifest.get(field, ""))


def verify(folder: Path, *, names: Path | None = None) -> Verified:
    """Look at a release from every side.

    Args:
        folder: of one version.
        names: people whose names and addresses must not be in it: the key file of `dilemmas review pull`, or a list.

    Raises:
        InputError: the folder is not the release that was built (a file is missing, changed or not one of its own), or
            a library that others would use is not installed.
    """
    need("mlcroissant", "datasets", "pyarrow", "yaml")
    release = intact.read(folder)
    opened = Opened(release, leaks.names_in(names) if names else ())
    checks = [look(name, opened) for name in CHECKS]
    safe = not next(check for check in checks if check.name == "croissant").problems
    unopened = [f"not tried, because {layout.CROISSANT} is wrong"]
    loaded = loading.load(folder) if safe else dict.fromkeys(loading.LIBRARIES, unopened)
    checks += [Check(name, "loads every record, offline", tuple(problems)) for name, problems in loaded.items()]
    return Verified(
        folder=str(folder),
        version=str(release.version),
        files=len(release.files),
        bytes=sum(map(release.size, release.files)),
        dilemmas=len(opened.lines),
        checks=(Check("checksums", f"the files are those of {layout.SUMS}: no link, no other file", ()), *checks),
    )


def look(name: str, opened: Opened) -> Check:
    """One of `CHECKS`."""
    looks_for, problems_of = CHECKS[name]
    try:
        problems = tuple(problems_of(opened))
    except (InputError, ValueError, KeyError, TypeError, AttributeError) as error:
        # A file of another form than any release has.
        problems = (f"cannot be told: {' '.join(str(error).split())}",)
    return Check(name, looks_for, problems)


def _layout(opened: Opened) -> Iterator[str]:
    known = {*layout.REQUIRED, *layout.OPTIONAL, *layout.SCHEMA_OF.values()}
    for name in opened.release.files:
        if name not in known and not (name.startswith(f"{layout.FIGURES}/") and name.endswith(".svg")):
            yield f"{name}: no file that a release has"
    counts = opened.release.manifest.get("counts")
    there = {name: len(opened.data[path]) for name, path in layout.CONFIGS.items() if path in opened.data}
    if not isinstance(counts, dict) or any(counts.get(name) != count for name, count in there.items()):
        yield f"{layout.MANIFEST}: counts are not those of the tables"


def _prompts(opened: Opened) -> Iterator[str]:
    return inside.prompts([inside.dilemma_of(line) for line in opened.lines])


def _leaks(opened: Opened) -> Iterator[str]:
    for name, text in opened.texts.items():
        yield from (f"{name}: {what}" for what in leaks.found_in(text, opened.names))
    for row in opened.data.get(layout.JUDGEMENTS, []):
        if row["kind"] == "person" and not PSEUDONYM.fullmatch(str(row["reviewer"])):
            yield f"{layout.JUDGEMENTS}: a person who judged {row['id']} has no pseudonym"


def _caveat(opened: Opened) -> Iterator[str]:
    statuses = [str(line["review"]["status"]) for line in opened.lines]
    found = sum(status not in REVIEWED for status in statuses)
    caveat, told = opened.manifest("caveat"), bool(found)
    wanted = f"{found:,} of {len(statuses):,} dilemmas are {UNREVIEWED}" if told else ""
    if not caveat.startswith(wanted) or told != bool(caveat):
        yield f"{layout.MANIFEST}: its caveat does not go with the dilemmas' review"
    if "rejected" in statuses:
        yield f"{layout.NESTED}: holds a rejected dilemma"
    places = (layout.README, layout.CITATION, layout.ZENODO, layout.CROISSANT, layout.CHANGELOG, layout.MANIFEST)
    for name in places if told else ():
        if wanted not in " ".join(opened.texts[name].split()):
            yield f'{name}: does not say "{wanted}"'


CHECKS: dict[str, tuple[str, Problems]] = {
    "layout": ("has the files of a release, and as many rows as it says", _layout),
    "schemas": (
        "every record fits its JSON Schema",
        lambda opened: inside.misfits(opened.release, opened.data),
    ),
    "tables": (
        "Parquet and JSON Lines tell the same",
        lambda opened: [
            *inside.tables(opened.lines, opened.data[layout.DILEMMAS], opened.data[layout.ACTIONS]),
            *inside.derivations(opened.lines),
        ],
    ),
    "canary": (
        "is in every file and every record, and in no prompt",
        lambda opened: inside.marks(opened.texts, opened.data, _prompts(opened)),
    ),
    "private": ("no address, name, key or path of a machine is in any file", _leaks),
    "caveat": ("every place says what people have not reviewed", _caveat),
    "card": (
        "has the fields that the hub knows, and no empty place",
        lambda opened: lint.card(opened.texts[layout.README], opened.release.files, len(opened.lines)),
    ),
    "citation": (
        "fits the Citation File Format 1.2.0",
        lambda opened: lint.cff(opened.texts[layout.CITATION], str(opened.release.version), opened.manifest("date")),
    ),
    "zenodo": (
        "has the fields that Zenodo knows",
        lambda opened: lint.zenodo(
            opened.release.json(layout.ZENODO), str(opened.release.version), opened.manifest("date")
        ),
    ),
    "croissant": (
        "names only files of the release, with their checksums",
        lambda opened: lint.croissant(
            opened.release.json(layout.CROISSANT), opened.release.sums, str(opened.release.version)
        ),
    ),
}
"""What is looked at before any library opens a file, in order: what holds, and how it is found out."""

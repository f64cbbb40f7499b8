"""What a release is to contain: a dataset and what is said of it, checked, and compared with the release before."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dilemmas import checks, dataset
from dilemmas.checks import answers
from dilemmas.errors import InputError
from dilemmas.release import card, evidence, intact, layout, records, versions
from dilemmas.release.contents import REVIEWED, Contents, Manifest, Meaning
from dilemmas.release.evidence import PSEUDONYM, Evidence
from dilemmas.release.versions import Version
from dilemmas.resources import decode_utf8, read_bytes
from dilemmas.schema import Dilemma, Findings, Provenance

_REVISED = "revised in review"
"""How the provenance of a text begins that came out of review; a reviewer's comment may follow."""


def gather(
    path: Path, version: Version, day: str, judgements: Sequence[Path], *, include_unreviewed: bool, with_comments: bool
) -> Contents:
    """What there is to release, read and checked."""
    read = dataset.read(path)
    statuses = (*REVIEWED, "unreviewed", "undecided") if include_unreviewed else REVIEWED
    released = tuple(
        _without_comment(one, with_comments=with_comments) for one in read.dilemmas if one.review.status in statuses
    )
    if not released:
        raise InputError(
            f"none of {len(read.dilemmas):,} dilemmas is {' or '.join(statuses)}",
            where=str(path),
            fix="Have people review them (docs/review.md)"
            + ("." if include_unreviewed else ", or release them as they are with --include-unreviewed."),
        )
    left_out: dict[str, list[str]] = {}
    for one in read.dilemmas:
        if one.review.status not in statuses:
            left_out.setdefault(one.review.status, []).append(one.id)
    hidden = [name for ids in left_out.values() for name in ids]
    said = evidence.read(path, read.dilemmas, judgements).about(one.id for one in released)
    return Contents(
        version=version,
        date=day,
        dilemmas=released,
        left_out={status: tuple(ids) for status, ids in sorted(left_out.items())},
        evidence=said,
        findings=_checked(path, released, said),
        dataset=read.name.encode(errors="replace").decode(),  # a name may be no UTF-8
        dataset_sha256=read.sha256,
        plan=tuple(line for line in _plan(dataset.beside(path, "plan")) if line.get("id") not in hidden),
        include_unreviewed=include_unreviewed,
        with_comments=with_comments,
    )


def _checked(path: Path, released: Sequence[Dilemma], said: Evidence) -> Findings:
    """What `dilemmas check` finds in what is released, with the answers that stand beside the dataset."""
    answers.read(path, [rule.name for rule in checks.RULES])  # so that what is wrong with them is told of that file
    with tempfile.TemporaryDirectory() as scratch:
        alone = Path(scratch, path.name)
        dataset.write(alone, tuple(released))
        if (given := dataset.beside(path, "answers")).exists():
            shutil.copyfile(given, dataset.beside(alone, "answers"))
        return checks.check(alone, Path(scratch), judgements=said.machines)[0]


def _without_comment(dilemma: Dilemma, *, with_comments: bool) -> Dilemma:
    """A dilemma whose provenance names no reviewer, and tells no reviewer's comment unless they are wanted."""
    source = dilemma.provenance
    if not source.method.startswith(_REVISED):
        return dilemma
    if not all(PSEUDONYM.fullmatch(name) for name in source.author.split(", ")):
        raise InputError(
            "names a reviewer, and no release may",
            where=f"{dilemma.id}, field provenance.author",
            fix="Pull the round again with pseudonyms and apply it again.",
        )
    method = source.method if with_comments else _REVISED
    told = Provenance.model_validate({**source.model_dump(), "method": method})
    return dilemma.model_copy(update={"provenance": told})


def _plan(path: Path) -> tuple[dict[str, Any], ...]:
    if not path.exists():
        return ()
    lines = []
    for number, line in enumerate(decode_utf8(read_bytes(path, "plan"), path).split("\n"), start=1):
        if line.strip():
            try:
                found = json.loads(line)
                # Half a character and NaN pass the line above, and are no JSON.
                json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, dict):
                raise InputError("is no JSON object", where=f"{path}, line {number}", fix="Mend the line.")
            lines.append(found)
    return tuple(lines)


def before(out: Path, wanted: Version, previous: Path | None) -> intact.Release | None:
    """The release to compare with: the one named, or else the newest; none for the first."""
    there = _versions(out)
    if wanted in there or (out / str(wanted)).exists():
        raise InputError(
            f"version {wanted} is there already, and releases that are out are not altered",
            where=str(out / str(wanted)),
            fix="Give a later --version, or another --out.",
        )
    if previous is None and there:
        previous = out / str(max(there))
    return None if previous is None else intact.read(previous)


def _versions(out: Path) -> list[Version]:
    """Versions that a folder holds; what else is in it is left alone."""
    found = []
    for one in out.iterdir() if out.is_dir() else ():
        try:
            found.append(Version.parse(one.name))
        except InputError:
            continue
    return found


def _retired(earlier: intact.Release) -> dict[str, Meaning]:
    """What ids stood for that an earlier release lacks."""
    try:
        return Manifest.model_validate(earlier.manifest).retired
    except ValidationError as error:
        told = error.errors()[0]
        raise InputError(
            told["msg"],
            where=f"{earlier.path(layout.MANIFEST)}, field {'.'.join(map(str, told['loc']))}",
            fix="Compare with a release of this version of dilemmas, or get the earlier one again from where it came.",
        ) from None


def compared(contents: Contents, earlier: intact.Release | None) -> Contents:
    """The contents with what changed, if the version fits that."""
    if earlier is None:
        return contents
    then = earlier.dilemmas()
    difference = versions.compare(then, records.lines(contents.dilemmas, contents.derived))
    gone = set(difference.removed)
    retired = _retired(earlier) | {
        one["id"]: Meaning(value=one["value"], topic=one["topic"]) for one in then if one["id"] in gone
    }
    for one in contents.dilemmas:
        meant = retired.pop(one.id, None)
        if meant is not None and (meant.value, meant.topic) != (one.value, one.topic):
            raise InputError(
                f'"{one.id}" stood for {meant.value}, {meant.topic} in an earlier release',
                where=f"version {contents.version}",
                fix="An id never changes its meaning: give the new dilemma an id of its own.",
            )
    versions.allowed(earlier.version, contents.version, difference)
    return replace(
        contents,
        previous=earlier.version,
        difference=difference,
        retired=dict(sorted(retired.items())),
        earlier_changes=card.earlier_entries(earlier.text(layout.CHANGELOG)),
    )

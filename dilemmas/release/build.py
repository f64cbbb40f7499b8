"""A dataset as a release's folder, which appears whole or not at all; the same input gives the same bytes."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dilemmas import __version__
from dilemmas.release import card, citation, croissant, figures, forms, layout, measures, need, records, tables
from dilemmas.release.contents import Contents, Manifest
from dilemmas.release.gather import before, compared, gather
from dilemmas.release.placing import place
from dilemmas.release.versions import Version, day_of
from dilemmas.resources import decode_utf8, read_bytes
from dilemmas.schema import Record, json_schema, sha256

FORMS: dict[str, type[Record]] = {
    layout.NESTED: forms.ReleasedDilemma,
    layout.DILEMMAS: forms.DilemmaRow,
    layout.ACTIONS: forms.ActionRow,
    layout.PERSONAS: forms.PersonaRow,
    layout.JUDGEMENTS: forms.JudgementRow,
    layout.MANIFEST: Manifest,
}
"""What each line or row of a file is; a plan's lines may be anything."""
LIBRARIES = ("jinja2", "matplotlib", "mlcroissant", "numpy", "pyarrow", "pydantic", "PyYAML", "scikit-learn", "scipy")
"""Libraries that the bytes of a release depend on."""


def build(
    path: Path,
    version: str,
    out: Path,
    *,
    date: str | None = None,
    judgements: Sequence[Path] = (),
    previous: Path | None = None,
    notes: Path | None = None,
    include_unreviewed: bool = False,
    with_comments: bool = False,
) -> tuple[Path, Contents]:
    """Build a release.

    Args:
        path: a file of dilemmas. What is said of them is read from beside it: `NAME.judgements.jsonl`,
            `NAME.naming.jsonl`, `NAME.answers.jsonl`, `NAME.plan.jsonl` and `NAME.history.jsonl`, where they are.
        version: of the release, such as 0.1.0.
        out: folder of all releases; the new one is a folder in it.
        date: day of the release (ISO 8601); today in UTC without it.
        judgements: further files of judgements, or folders that `dilemmas review pull` wrote.
        previous: folder of the release to compare with; without it the newest in `out`.
        notes: Markdown for this version's entry in the changelog.
        include_unreviewed: have dilemmas too that people have not judged or not settled.
        with_comments: have reviewers' comments too.

    Returns:
        The folder, and what is in it.

    Raises:
        InputError: something that is read is wrong or of another dataset, no dilemma is to be released, the version is
            there already or not allowed by what changed, or the folder cannot be written. Nothing is written then.
    """
    need("pyarrow", "mlcroissant", "yaml")
    wanted, day = Version.parse(version), day_of(date)
    folder = out / str(wanted)
    earlier = before(out, wanted, previous)
    contents = gather(path, wanted, day, judgements, include_unreviewed=include_unreviewed, with_comments=with_comments)
    if notes is not None:
        contents = replace(contents, notes=decode_utf8(read_bytes(notes, "file of notes"), notes).strip())
    contents = compared(contents, earlier)
    place(render(contents), folder)
    return folder, contents


def render(contents: Contents) -> dict[str, bytes]:
    """All files of a release: path in the folder and bytes; nothing of the clock, the user or the machine."""
    judged = measures.newest(contents.evidence.people)
    rows: dict[str, Sequence[Record]] = {
        layout.DILEMMAS: [records.dilemma_row(one, contents.derived[one.id]) for one in contents.dilemmas],
        layout.ACTIONS: list(records.action_rows(contents.dilemmas, judged, contents.evidence.machines)),
        layout.PERSONAS: records.persona_rows(),
        **({layout.JUDGEMENTS: contents.judgements} if contents.judgements else {}),
    }
    data = {path: tables.parquet(FORMS[path], found) for path, found in rows.items()}
    data[layout.NESTED] = _lines(records.lines(contents.dilemmas, contents.derived))
    if contents.plan:
        data[layout.PLAN] = _lines([{**line, "canary": layout.CANARY} for line in contents.plan])
    count = {name: len(rows[path]) for name, path in layout.CONFIGS.items() if path in rows}
    texts = {
        layout.README: card.readme(contents, count),
        layout.CHANGELOG: card.changelog(contents),
        layout.LICENSE: card.license_text(contents),
        layout.CITATION: citation.cff(contents),
        layout.ZENODO: citation.zenodo(contents),
        layout.CROISSANT: croissant.text(contents, data, FORMS),
        layout.MANIFEST: _manifest(contents, count).model_dump_json(indent=2) + "\n",
        **{layout.SCHEMA_OF[path]: _schema(path) for path in (*data, layout.MANIFEST)},
        **figures.every(contents),
    }
    files = data | {path: text.encode() for path, text in texts.items()}
    sums = "".join(f"{sha256(files[path])}  {path}\n" for path in sorted(files))
    return files | {layout.SUMS: f"# {layout.CANARY}\n{sums}".encode()}


def _lines(found: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found).encode()


def _schema(path: str) -> str:
    """The JSON Schema of a file's lines, rows, or all of it."""
    any_line = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "PlanLine",
        "description": "A line of data/plan.jsonl: what a dilemma was planned to be, as the dataset's makers kept it.",
        "type": "object",
        "properties": {"canary": {"const": layout.CANARY, "type": "string"}},
        "required": ["canary"],
    }
    found = json_schema(FORMS[path]) if path in FORMS else any_line
    return json.dumps({**found, "$comment": layout.CANARY}, indent=2, ensure_ascii=False) + "\n"


def _manifest(contents: Contents, count: dict[str, int]) -> Manifest:
    used = {"dilemmas": __version__, "python": platform.python_version()}
    return Manifest(
        name="dilemmas",
        version=str(contents.version),
        date=contents.date,
        previous=None if contents.previous is None else str(contents.previous),
        caveat=contents.caveat,
        dataset=contents.dataset,
        dataset_sha256=contents.dataset_sha256,
        counts=count,
        review=contents.by_status,
        left_out=contents.left_out,
        checks=contents.checks,
        options={"include_unreviewed": contents.include_unreviewed, "with_comments": contents.with_comments},
        retired=contents.retired,
        versions=used | {name: importlib.metadata.version(name) for name in LIBRARIES},
        canary=layout.CANARY,
    )

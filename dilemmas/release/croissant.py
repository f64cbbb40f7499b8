"""`croissant.json`: what machines are to know of a release, with the fields for responsible AI.

Croissant 1.1 (Akhtar and others 2024, doi:10.1145/3650203.3663326). It is only ever written here: `mlcroissant` reads
whatever path a stranger's file names. Record sets are of the Parquet tables; the nested lines stand there as a file.
"""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Mapping
from typing import Any

from dilemmas.release import statements
from dilemmas.release.citation import bibtex
from dilemmas.release.contents import AUTHORS, KEYWORDS, LICENSE_URL, TITLE, Contents
from dilemmas.release.layout import CANARY, CONFIGS, NESTED, PLAN
from dilemmas.release.tables import columns
from dilemmas.schema import Record, sha256

VERSIONS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
"""What the file conforms to."""
FORMATS = {".parquet": "application/x-parquet", ".jsonl": "application/jsonlines"}
_ABOUT = {
    "dilemmas": "One dilemma a row, flat.",
    "actions": "One action a row, six to a dilemma.",
    "personas": "One built-in persona a row.",
    "judgements": "One answer of a reader a row.",
}


def text(contents: Contents, files: Mapping[str, bytes], forms: Mapping[str, type[Record]]) -> str:
    """The file's text.

    Args:
        contents: what is in the release.
        files: the data files, by their path in it.
        forms: what each row of a table is, by the table's path.
    """
    import mlcroissant as mlc

    logging.getLogger("absl").setLevel(logging.ERROR)  # it says on standard error that there is no address
    kinds = {"string": mlc.DataType.TEXT, "integer": mlc.DataType.INTEGER, "number": mlc.DataType.FLOAT}
    listed = [path for path in (*CONFIGS.values(), NESTED, PLAN) if path in files]
    metadata = mlc.Metadata(
        name="dilemmas",
        description=" ".join(part for part in (TITLE + ".", statements.SUMMARY, contents.caveat) if part),
        version=str(contents.version),
        license=[LICENSE_URL],
        cite_as=bibtex(contents),
        creators=[mlc.Organization(name=AUTHORS)],
        date_published=datetime.datetime.fromisoformat(contents.date),
        keywords=list(KEYWORDS),
        in_language=["en"],
        **_responsible(contents),
        distribution=[
            mlc.FileObject(
                id=path,
                name=path,
                content_url=path,
                content_size=f"{len(files[path])} B",
                encoding_formats=[FORMATS[path[path.rindex(".") :]]],
                sha256=sha256(files[path]),
            )
            for path in listed
        ],
        record_sets=[
            mlc.RecordSet(
                id=name,
                name=name,
                description=_ABOUT[name],
                fields=[
                    mlc.Field(
                        id=f"{name}/{column}",
                        name=column,
                        description=about,
                        data_types=[kinds[kind]],
                        source=mlc.Source(file_object=path, extract=mlc.Extract(column=column)),
                    )
                    for column, (kind, about) in columns(forms[path]).items()
                ],
            )
            for name, path in CONFIGS.items()
            if path in files
        ],
    )
    told: dict[str, Any] = json.loads(json.dumps(metadata.to_json(), default=str))
    told["conformsTo"] = VERSIONS
    # Its own words for a day are a time at midnight.
    told["datePublished"] = contents.date
    told["canary"] = CANARY
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _responsible(contents: Contents) -> dict[str, Any]:
    """The fields for responsible AI, as far as anything is known."""
    evidence = contents.evidence
    machines = list(dict.fromkeys(one.reviewer for one in evidence.machines))
    people = len({one.reviewer for one in evidence.people})
    fields: dict[str, Any] = {
        "data_collection": " ".join(f"{one}." for one in statements.collection(contents)),
        "data_collection_type": [
            "Synthetic text by a language model" if kind == "model" else "Text written by people"
            for kind in dict.fromkeys(one["kind"] for one in contents.authors)
        ],
        "data_annotation_protocol": statements.annotation(contents),
        "annotations_per_item": f"{people:,} people in all; the column people_reviewers counts them for each dilemma"
        if people
        else "none by people",
        "machine_annotation_tools": machines or None,
        "data_biases": [statements.SOCIAL_IMPACT],
        "data_limitations": statements.limits(contents),
        "data_use_cases": [*statements.USES, *(f"Not for: {one}" for one in statements.OUT_OF_SCOPE)],
        "data_social_impact": statements.SOCIAL_IMPACT,
        "personal_sensitive_information": [statements.personal(contents)],
        "data_release_maintenance_plan": statements.MAINTENANCE,
    }
    return {name: found for name, found in fields.items() if found}

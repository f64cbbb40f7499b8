"""Whether the data of a release hold together: forms, tables against lines, and the mark in all files and no prompt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dilemmas import config, study
from dilemmas.dataset import Dataset
from dilemmas.personas import built_in
from dilemmas.prompts import Prompts
from dilemmas.questions import SCALES
from dilemmas.release import layout
from dilemmas.release.diff import flat
from dilemmas.release.forms import Derived
from dilemmas.release.intact import Release
from dilemmas.release.records import derived
from dilemmas.schema import BASELINE, PLACES, Capabilities, Dilemma, ModelIdentity, ProtocolName

Row = dict[str, Any]


def rows(release: Release, name: str) -> list[Row]:
    """The rows of a Parquet table as plain data, null where there is nothing.

    Raises:
        ValueError: it is no Parquet file, or a damaged one.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(release.path(name)) as table:
            return list(table.read().to_pylist())
    except (ArrowException, OSError) as error:
        raise ValueError(f"cannot be read as Parquet: {error}") from None


def records(release: Release, name: str) -> list[Row]:
    """The rows of a table, the lines of a JSON Lines file, or the one record of a JSON file.

    Raises:
        InputError, ValueError: it cannot be read as what it is.
    """
    if name.endswith(".parquet"):
        return rows(release, name)
    return release.lines(name) if name.endswith(".jsonl") else [release.json(name)]


def words(release: Release, name: str) -> str:
    """All that a file says, as text: of a table its metadata, and its rows as JSON.

    Raises:
        InputError: it is neither a table nor UTF-8.
        ValueError: it is no Parquet file, or a damaged one.
    """
    if not name.endswith(".parquet"):
        return release.text(name)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows(release, name)]
    return "\n".join([json.dumps(_metadata(release, name), ensure_ascii=False), *lines])


def _metadata(release: Release, name: str) -> dict[str, str]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(release.path(name)) as table:
        held = {**(table.metadata.metadata or {}), **(table.schema_arrow.metadata or {})}
        return {key.decode(): value.decode("utf-8", "replace") for key, value in held.items()} | {
            "created by": table.metadata.created_by
        }


def misfits(release: Release, data: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Records that do not fit their JSON Schema.

    Args:
        release: the files.
        data: records by file: those of `layout.SCHEMA_OF` that are there.
    """
    import referencing
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    for name, records in data.items():
        at = layout.SCHEMA_OF[name]
        if at not in release.sums:
            yield f"{name}: its schema {at} is missing"
            continue
        schema = release.json(at)
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            yield f"{at}: is no JSON Schema: {error.message[:200]}"
            continue
        # An empty registry: nothing that a schema refers to is fetched.
        validator = Draft202012Validator(schema, registry=referencing.Registry())
        try:
            for number, record in enumerate(records, start=1):
                problem = next(validator.iter_errors(record), None)
                if problem is not None:
                    yield f"{name}, record {number}, {problem.json_path}: {problem.message[:200]}"
        except Unresolvable as error:
            yield f"{at}: {error}"


def tables(lines: Sequence[Row], flat_rows: Sequence[Row], actions: Sequence[Row]) -> Iterator[str]:
    """Differences between the nested lines and the two tables that tell the same; and an id that stands twice.

    Args:
        lines: of `data/dilemmas.jsonl`.
        flat_rows: of `data/dilemmas.parquet`.
        actions: of `data/actions.parquet`.
    """
    ids = [line["id"] for line in lines]
    if len(set(ids)) < len(ids):
        yield f"{layout.NESTED}: an id stands twice"
    if [row["id"] for row in flat_rows] != ids:
        yield f"{layout.DILEMMAS}: has other ids, or another order, than {layout.NESTED}"
    for line, row in zip(lines, flat_rows, strict=False):
        told = flat(line)
        for column in dict.fromkeys([*row, *told]):
            if column != "schema_version" and row.get(column) != told.get(column):
                yield f"{layout.DILEMMAS}: {column} of {line['id']} is not what {layout.NESTED} has"
    columns = ("id", "revision", "polarity", "intensity", "score", "text", "rationale", "review_status")
    scores = dict(zip(PLACES, SCALES["even"], strict=True))
    expected = [
        (
            *(line["id"], line["revision"], *place, scores[place]),
            *(action["text"], action["rationale"], line["review"]["status"]),
        )
        for line in lines
        for action in line["actions"]
        for place in [(action["polarity"], action["intensity"])]
    ]
    if sorted(tuple(row.get(column) for column in columns) for row in actions) != sorted(expected):
        yield f"{layout.ACTIONS}: does not have the actions of {layout.NESTED}"


def derivations(lines: Sequence[Row]) -> Iterator[str]:
    """Lines that are no dilemma, or where what is derived does not follow from it."""
    for line in lines:
        try:
            told, dilemma = Derived.model_validate(line["derived"]), dilemma_of(line)
        except (KeyError, ValueError):
            yield f"{layout.NESTED}: {line.get('id')} is no dilemma"
            continue
        if told != derived(dilemma, told.people, told.machine, told.naming):
            yield f"{layout.NESTED}: what is derived of {dilemma.id} does not follow from it"


def dilemma_of(line: Mapping[str, Any]) -> Dilemma:
    """The dilemma in a line of `data/dilemmas.jsonl`.

    Raises:
        ValueError: there is none.
    """
    return Dilemma.model_validate({name: held for name, held in line.items() if name in Dilemma.model_fields})


def prompts(dilemmas: Sequence[Dilemma]) -> Iterator[str]:
    """All that a model reads about some dilemmas: in every protocol, as itself and as a persona."""
    asked = study.Study(
        config.load(None, {"model.name": "any"}),
        Dataset("released", "", tuple(dilemmas)),
        (BASELINE, built_in()["twelve"][0]),
        Prompts(),
    )
    protocols: tuple[ProtocolName, ...] = ("reasoned", "logprob")
    for protocol in protocols:
        asking = study.asking_of(
            asked.config.model,
            ModelIdentity(name="any"),
            protocol,
            Capabilities(top_logprobs=20, reply_schema="bounded"),
        )
        for planned in study.plan(asked, asking):
            yield from (message.content for message in planned.trial.messages)


def marks(texts: Mapping[str, str], data: Mapping[str, Sequence[Row]], asked: Iterable[str]) -> Iterator[str]:
    """Files and records without the mark, and prompts with it.

    Args:
        texts: what each file says, by path.
        data: records by file; each has a field for the mark.
        asked: prompts.
    """
    for name, text in texts.items():
        if layout.CANARY not in text:
            yield f"{name}: has no canary"
    for name, records in data.items():
        if any(record.get("canary") != layout.CANARY for record in records):
            yield f"{name}: has a record without the canary"
    if any(layout.CANARY_ID in prompt for prompt in asked):
        yield "a prompt has the canary"

"""Reading and writing dilemmas as JSON Lines, with the file, the line and the field of whatever is wrong."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator, ValidationError
from pydantic import ValidationError as RecordError

from dilemmas.errors import InputError, did_you_mean
from dilemmas.resources import decode_utf8, folder, read_bytes, write_text
from dilemmas.schema import PLACES, SCHEMA_VERSION, Dilemma, json_schema, sha256

SHIPPED = "dilemmas.jsonl"
"""Name of the shipped dataset in `dataset/`."""

ADDED = ("derived", "canary")
"""What a release adds to each record (`release/forms.py`); no part of a dilemma."""
_PLACES = ("contains", "minContains", "maxContains")
"""Rules by which the schema says that each of the six places is taken once."""


class Dataset(NamedTuple):
    """Dilemmas and the file they came from."""

    name: str
    """File name, without its folder."""
    sha256: str
    """Checksum of the file's bytes."""
    dilemmas: tuple[Dilemma, ...]
    """In the order of the file."""


def shipped_path() -> Path:
    """Where the shipped dilemmas are."""
    return folder("dataset") / SHIPPED


class Line(NamedTuple):
    """One line of a file: a dilemma, or what is wrong with it."""

    number: int
    """From 1."""
    dilemma: Dilemma | None
    """None where the line holds no valid record."""
    problem: InputError | None
    """What is wrong; also where a valid record takes an id that is taken."""


class Survey(NamedTuple):
    """All lines of a file, those with a problem included."""

    name: str
    """File name, without its folder."""
    sha256: str
    """Checksum of the file's bytes."""
    lines: tuple[Line, ...]
    """In the order of the file, without blank ones."""


def read(path: Path) -> Dataset:
    """All dilemmas of a file.

    Raises:
        InputError: the file cannot be read, is empty, is not UTF-8, has a torn last line, or has a
            record that breaks the schema or repeats an id; names the file, the line and the field.
    """
    found = survey(path)
    for line in found.lines:
        if line.problem is not None:
            raise line.problem
    return Dataset(found.name, found.sha256, tuple(line.dilemma for line in found.lines if line.dilemma is not None))


def survey(path: Path) -> Survey:
    """All lines of a file, each with its dilemma or its problem.

    Raises:
        InputError: the file cannot be read, is empty, is not UTF-8, or its records are of another
            version of the schema than this one, or of several; names the lines.
    """
    data = read_bytes(path, "dataset")
    texts = decode_utf8(data, path).split("\n")
    numbered = [(number, text) for number, text in enumerate(texts, start=1) if text.strip()]
    if not numbered:
        raise InputError("holds no dilemma", where=str(path), fix="Give a file with one dilemma a line.")
    _check_versions(numbered, path)
    lines: list[Line] = []
    line_of: dict[str, int] = {}
    for number, text in numbered:
        where = f"{path}, line {number}"
        try:
            dilemma = parse(text, where, torn=number == len(texts))
        except InputError as error:
            lines.append(Line(number, None, error))
            continue
        problem = None
        if dilemma.id in line_of:
            problem = InputError(
                f'the id "{dilemma.id}" stands already on line {line_of[dilemma.id]}',
                where=f"{where}, field id",
                fix="Give each dilemma an id of its own.",
            )
        line_of.setdefault(dilemma.id, number)
        lines.append(Line(number, dilemma, problem))
    return Survey(path.name, sha256(data), tuple(lines))


def _check_versions(numbered: list[tuple[int, str]], path: Path) -> None:
    """Refuse a file whose records were written for other versions of the schema."""
    lines: dict[int, list[int]] = {}
    for number, text in numbered:
        try:
            version = json.loads(text).get("schema_version", SCHEMA_VERSION)
        except (ValueError, AttributeError, RecursionError):
            continue  # its own problem is told with its line
        if isinstance(version, int) and not isinstance(version, bool):
            lines.setdefault(version, []).append(number)
    if set(lines) <= {SCHEMA_VERSION}:
        return
    told = "; ".join(f"version {version} on {spans(numbers)}" for version, numbers in sorted(lines.items()))
    what = "mixes versions of the schema" if len(lines) > 1 else "is of another version of the schema"
    first = min(numbers[0] for version, numbers in lines.items() if version != SCHEMA_VERSION)
    raise InputError(
        f"{what}: {told}",
        where=f"{path}, line {first}, field schema_version",
        fix=f"This version of dilemmas reads version {SCHEMA_VERSION}; take the others out, or write them anew.",
    )


def spans(numbers: Sequence[int]) -> str:
    """Ascending line numbers in short.

    >>> spans([3, 17, 18, 19])
    'lines 3, 17-19'
    """
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    told = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
    return f"line{'s' if len(numbers) > 1 else ''} {told}"


def write(path: Path, dilemmas: tuple[Dilemma, ...]) -> None:
    """Write a file of dilemmas, whole or not at all."""
    write_text(path, "".join(to_line(dilemma) + "\n" for dilemma in dilemmas))


def beside(path: Path, what: str) -> Path:
    """Name of what belongs to a file. No two endings share one, but `.jsonl` and none at all do.

    >>> beside(Path("drafts.jsonl"), "history").name, beside(Path("drafts"), "history").name
    ('drafts.history.jsonl', 'drafts.history.jsonl')
    >>> beside(Path("drafts.json"), "history").name
    'drafts.json.history.jsonl'
    """
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.{what}.jsonl")


def history_of(path: Path) -> Path:
    """Where revisions of a file's dilemmas go that were replaced, and dilemmas that were rejected."""
    return beside(path, "history")


def history_text(histories: Sequence[Path], dilemmas: Iterable[Dilemma]) -> str:
    """The text of a history: what some that may be there hold, then more revisions, each once.

    Raises:
        InputError: one that is there cannot be read.
    """
    held = [decode_utf8(read_bytes(path, "history"), path).split("\n") for path in histories if path.exists()]
    lines = dict.fromkeys([*chain.from_iterable(held), *map(to_line, dilemmas)])
    return "".join(f"{line}\n" for line in lines if line)


def to_line(dilemma: Dilemma) -> str:
    """One dilemma as a line of JSON; `parse` gives the same dilemma back."""
    return dilemma.model_dump_json(exclude_none=True)


def parse(line: str, where: str, *, torn: bool = False) -> Dilemma:
    """One dilemma from a line of JSON.

    Args:
        line: the JSON text.
        where: how to name the place in an error.
        torn: whether the line lacks its line break, so that it may have been cut off.

    Raises:
        InputError: it is not JSON or breaks the schema.
    """
    try:
        record = json.loads(line, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except RecursionError:
        raise InputError("is nested too deeply to be a dilemma", where=where, fix="Mend the line.") from None
    except ValueError as error:
        if torn and isinstance(error, json.JSONDecodeError):
            raise InputError(
                "the last line is torn: it ends in the middle of a record",
                where=where,
                fix="Delete the line or write the file again; something stopped while it was written.",
            ) from None
        raise InputError(f"is not JSON: {error}", where=where, fix="Mend the line.") from None
    if isinstance(record, dict) and not record.keys().isdisjoint(ADDED):
        record = {key: held for key, held in record.items() if key not in ADDED}
        line = json.dumps(record)
    if not (isinstance(record, dict) and record.get("schema_version") is True):  # which is 1 to pydantic
        with contextlib.suppress(RecordError):  # JSON Schema takes five times as long, and says better what is wrong
            return Dilemma.model_validate_json(line, strict=True)
    problem = min(_validator().iter_errors(record), key=_first_in_record, default=None)
    if problem is not None:
        raise _border_error(problem, record, where)
    try:
        return Dilemma.model_validate(record)
    except RecordError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = "".join(_step(part) for part in first["loc"]).lstrip(".")
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(message, where=f"{where}, field {field}" if field else where, fix="Mend the record.") from None


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json_schema(Dilemma))


def _first_in_record(problem: ValidationError) -> tuple[int, str]:
    """Wrong keys first, then whatever comes first in the record, and places taken twice last."""
    rank = 0 if problem.validator in ("additionalProperties", "required") else 2 if problem.validator in _PLACES else 1
    return (rank, problem.json_path)


def _border_error(problem: ValidationError, record: Any, where: str) -> InputError:
    """A JSON Schema problem in words."""
    if problem.validator == "anyOf" and problem.context:
        problem = problem.context[0]  # what a field that may be left empty asks for otherwise
    field = "".join(_step(part) for part in problem.absolute_path).lstrip(".")
    fix = "Mend the record; schemas/dilemma.json has its form."
    found: Any = problem.instance
    rule: Any = problem.validator_value
    if problem.validator in ("minItems", "maxItems") and field == "actions":
        message = f"a dilemma has six actions, this one has {len(found)}"
        fix = "Give one action for each of strong, moderate and mild, aligned and opposed."
    elif problem.validator in _PLACES:
        message = _misplaced(found)
        fix = "Give one action for each of strong, moderate and mild, aligned and opposed."
    elif problem.validator == "enum":
        allowed = [str(word) for word in rule]
        message = f"{_short(found)} is not known"
        fix = did_you_mean(str(found), allowed) or "`dilemmas list values` and `dilemmas list topics` show the names."
    elif problem.validator == "additionalProperties":
        known: Any = problem.schema
        extra = sorted(set(found) - set(known["properties"]))
        message = f"there is no such field: {', '.join(extra)}"
        fix = did_you_mean(extra[0], known["properties"]) or fix
    elif problem.validator == "maxLength":
        message = f"is too long: {len(found):,} characters, and {rule:,} are allowed"
    elif problem.validator == "required":
        missing = [name for name in rule if name not in found]
        message = f"lacks the field {', '.join(missing)}"
    else:
        message = problem.message if len(problem.message) <= 200 else f"breaks the rule {problem.validator}"
    if not isinstance(record, dict):
        message, field = "is not a JSON object", ""
    return InputError(message, where=f"{where}, field {field}" if field else where, fix=fix)


def _misplaced(actions: list[dict[str, Any]]) -> str:
    taken = [(action.get("polarity"), action.get("intensity")) for action in actions]
    wrong = [
        f"{'no' if count == 0 else count} {intensity} {polarity} action{'s' if count > 1 else ''}"
        for polarity, intensity in PLACES
        if (count := taken.count((polarity, intensity))) != 1
    ]
    return f"has {' and '.join(wrong)}"


def _step(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


def _short(found: Any) -> str:
    text = json.dumps(found, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return record


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")

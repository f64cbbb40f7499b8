"""Records as JSON and JSON Lines, with the file, the line and the field of whatever is wrong.

Dilemmas have a reader of their own (`dataset`), which says more.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from dilemmas.errors import InputError
from dilemmas.resources import decode_utf8, read_bytes
from dilemmas.schema import Record

R = TypeVar("R", bound=Record)


def read_records(path: Path, record: type[R], what: str, *, fix: str) -> dict[int, R]:
    """All records of a JSON Lines file, each by the number of its line, from 1.

    Args:
        path: the file.
        record: what each line holds; blank lines are left out.
        what: the file in words, for the error where it is not there.
        fix: what to do where a line is wrong.

    Raises:
        InputError: the file cannot be read, is not UTF-8, or a line holds something else; names line and field.
    """
    return parse_records(read_bytes(path, what), path, record, fix=fix)


def parse_records(data: bytes, path: Path, record: type[R], *, fix: str) -> dict[int, R]:
    """`read_records` of what was read already; `path` is where it stood."""
    lines = enumerate(decode_utf8(data, path).split("\n"), start=1)
    return {number: parse(line, record, f"{path}, line {number}", fix=fix) for number, line in lines if line.strip()}


def parse(text: str, record: type[R], where: str, *, fix: str) -> R:
    """One record.

    Raises:
        InputError: it is something else; names the field.
    """
    try:
        return record.model_validate_json(text)
    except ValidationError as error:
        field, wrong = first_problem(error)
        raise InputError(wrong, where=f"{where}, field {field}" if field else where, fix=fix) from None


def first_problem(error: ValidationError) -> tuple[str, str]:
    """Field and message of the first thing that is wrong with a record; no field where it is none at all."""
    first = error.errors(include_input=False, include_url=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"]

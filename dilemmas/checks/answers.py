"""Why findings stand: `NAME.answers.jsonl` beside `NAME.jsonl` says so, a line for each.

Errors are mended, not answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from dilemmas.dataset import beside
from dilemmas.errors import InputError, did_you_mean
from dilemmas.resources import read_bytes
from dilemmas.schema import Answer, Finding


def read(path: Path, rules: Iterable[str]) -> tuple[Answer, ...]:
    """The answers beside a file of dilemmas; none where there is no such file.

    Args:
        path: the file of dilemmas.
        rules: names of all rules.

    Raises:
        InputError: a line is no answer, answers an unknown rule, or answers what was answered before.
    """
    file, known = beside(path, "answers"), list(rules)
    if not file.exists():
        return ()
    found: dict[tuple[object, ...], Answer] = {}
    for number, line in enumerate(read_bytes(file, "file of answers").splitlines(), start=1):
        where = f"{file}, line {number}"
        try:
            answer = Answer.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise InputError(
                f"holds no answer: {first['msg']}",
                where=f"{where}, field {field}" if field else where,
                fix="schemas/answer.json says what a line holds.",
            ) from None
        if answer.rule not in known:
            raise InputError(
                f'there is no rule "{answer.rule}"', where=f"{where}, field rule", fix=did_you_mean(answer.rule, known)
            )
        key = (answer.rule, answer.id, answer.revision)
        if key in found:
            raise InputError("answers what an earlier line answers", where=where, fix="Keep one of the two.")
        found[key] = answer
    return tuple(found.values())


def put(answers: Sequence[Answer], findings: Iterable[Finding]) -> list[Finding]:
    """Findings with the answers that were given to them."""
    given = {(one.rule, one.id, one.revision): one.answer for one in answers}
    return [
        one
        if one.severity == "error"
        else one.model_copy(update={"answer": given.get((one.rule, one.id, one.revision), "")})
        for one in findings
    ]

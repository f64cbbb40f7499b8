"""From a file to a frame of answers."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from dilemmas import taxonomy
from dilemmas.config import ScaleName
from dilemmas.errors import InputError, did_you_mean
from dilemmas.harness import logs
from dilemmas.questions import INSTRUMENTS
from dilemmas.resources import decode_utf8, read_bytes
from dilemmas.responses.checks import NAMES, WIDE, check_cells, check_conditions, check_header, is_number, number_in
from dilemmas.responses.sheet import Sheet
from dilemmas.responses.words import Points, code_of, fits, scores_of
from dilemmas.schema import sha256
from dilemmas.scores.signs import Floats

MISSING = "no answer in the file"
"""Reason that is noted for an empty answer without a status."""
_ANSWERS = {"v", "a", "score", "code", "vote", "letter", "mass", "order", "request", "said"}
_NO_ANSWER = ("NA", "NaN", "nan")
"""What statistics programs write into empty cells."""
_ORDER = ["model", "persona", "item", "question", "repeat"]
"""What the rows of a frame are sorted by."""
_QUESTION: dict[str, str] = {one.SIDE: name for name, one in INSTRUMENTS.items()}


class Responses(NamedTuple):
    """The answers of a file."""

    name: str
    """File name, without its folder."""
    sha256: str
    """Checksum of the file's bytes."""
    frame: pd.DataFrame
    """As from `scores.answers`, without `trial`; letter, order, request and said only where the file has them."""
    from_words: bool
    """Whether all scores come from words or replies; otherwise scores stand in the file."""
    caveats: dict[str, str]
    """What a reader of a model's results must know, by model."""
    demonstrations: tuple[str, ...]
    """Models that only show how the tool works."""
    notes: tuple[str, ...]
    """What was taken as it is, and may not be what was meant."""


def read(path: Path, scale: ScaleName = "even", *, points: Points = 6) -> Responses:
    """Read a file of answers.

    Args:
        path: a CSV file in UTF-8, of the form above; or a log of another harness (see `harness`).
        scale: scores of answers in words, and of those in a log.
        points: grades that the words come in; with 4, `agree` is the milder of two, with 6 the middle of three.

    Raises:
        InputError: the file is not of that form; names the line and the column.
    """
    data = read_bytes(path, "file of answers")
    if logs.is_log(data):
        return _of_log(data, path, scale, points)
    sheet = Sheet.of(decode_utf8(data, path), path)
    check_header(sheet)
    for name in _ANSWERS & set(sheet.columns):
        sheet.columns[name] = ["" if text in _NO_ANSWER else text for text in sheet.columns[name]]
    notes = check_conditions(sheet)
    long = _long(sheet) if "v" in sheet.columns else sheet
    frame = _frame(long, scores_of(scale, points), points)
    told: dict[str, dict[str, None]] = {}
    for model, caveat in zip(long.columns["model"], long.column("caveat"), strict=True):
        if caveat:
            told.setdefault(model, {})[caveat] = None
    shown = {one for one, yes in zip(long.columns["model"], long.column("demonstration"), strict=True) if yes}
    return Responses(
        name=path.name,
        sha256=sha256(data),
        frame=frame.sort_values(_ORDER, ignore_index=True),
        from_words=not any(map(is_number, long.column("score"))),
        caveats={model: " ".join(caveats) for model, caveats in told.items()},
        demonstrations=tuple(sorted(shown)),
        notes=(*notes, *_unknown(frame, "value", taxonomy.values()), *_unknown(frame, "topic", taxonomy.topics())),
    )


def _of_log(data: bytes, path: Path, scale: ScaleName, points: Points) -> Responses:
    """The answers in another harness's log."""
    if points != 6:
        raise InputError("logs hold answers of six grades", where=f"{path}, --points {points}", fix="Leave it out.")
    frame, notes = logs.read(data, path, scale)
    frame = frame.sort_values(_ORDER, ignore_index=True)
    unknown = (*_unknown(frame, "value", taxonomy.values()), *_unknown(frame, "topic", taxonomy.topics()))
    return Responses(path.name, sha256(data), frame, True, {}, (), (*notes, *unknown))


def _long(sheet: Sheet) -> Sheet:
    """The same answers with a row each; `from` is the column that an answer stood in."""
    columns: dict[str, list[str]] = {name: sheet.columns[name] * 2 for name in (*NAMES, "category", "repeat")}
    answers = [*sheet.columns["v"], *sheet.columns["a"]]
    columns["from"] = [name for name in WIDE for _ in sheet.lines]
    columns["side"] = [WIDE[name] for name in columns["from"]]
    columns["score"] = [text if is_number(text) else "" for text in answers]
    columns["code"] = ["" if is_number(text) else text for text in answers]
    return Sheet(sheet.path, columns, sheet.lines * 2)


def _frame(sheet: Sheet, scores: dict[str, dict[str, float]], points: Points) -> pd.DataFrame:
    """Checked answers, as from `scores.answers`."""
    check_cells(sheet)
    codes = _codes(sheet, scores)
    number = _numbers(sheet)
    _check_against_words(sheet, codes, number, points)
    score = np.array(
        [
            scores[side][code] if math.isnan(given) and code else given
            for side, code, given in zip(sheet.columns["side"], codes, number, strict=True)
        ]
    )
    _check_votes(sheet, score)
    status = _statuses(sheet, score)
    frame = pd.DataFrame({name: sheet.columns[name] for name in ("model", "persona", "category", "item", "value")})
    basic = {name: one.basic_value for name, one in taxonomy.values().items()}
    vote = pd.to_numeric(pd.Series(sheet.column("vote")))
    frame = frame.assign(
        basic_value=[basic.get(name, "") for name in frame["value"]],
        topic=sheet.columns["topic"],
        question=[_QUESTION[side] for side in sheet.columns["side"]],
        side=sheet.columns["side"],
        repeat=[int(text) for text in sheet.columns["repeat"]],
        status=status,
        reason=[
            reason or (MISSING if one == "unreadable" else "")
            for reason, one in zip(sheet.column("reason"), status, strict=True)
        ],
        code=pd.Series([code or None for code in codes]),
        score=score,
        vote=vote.where(vote.notna() & ~np.isnan(score), np.sign(score)),
        mass=pd.to_numeric(pd.Series(sheet.column("mass"))),
    )
    for name in ("letter", "order", "said"):
        if name in sheet.columns and (name != "letter" or any(sheet.columns[name])):
            frame[name] = pd.Series([text or None for text in sheet.columns[name]])
    if "request" in sheet.columns:
        frame["request"] = pd.to_numeric(pd.Series(sheet.columns["request"]))
    _check_repeats(sheet, frame)
    return frame


def _codes(sheet: Sheet, scores: dict[str, dict[str, float]]) -> list[str]:
    known = {}
    for row, (side, text) in enumerate(zip(sheet.columns["side"], sheet.column("code"), strict=True)):
        if (side, text) not in known:
            code = code_of(text)
            if text and code not in scores[side]:
                fix = f"Known: {', '.join(scores[side])}; --points 4 has other words than 6. A score is in [-1, 1]."
                raise sheet.error(row, _source(sheet, row, "code"), f'"{text}" is no answer on the {side} side', fix)
            known[side, text] = code
    return [known[pair] for pair in zip(sheet.columns["side"], sheet.column("code"), strict=True)]


def _numbers(sheet: Sheet) -> list[float]:
    problem = number_in(-1.0, 1.0)
    for row, text in enumerate(sheet.column("score")):
        if what := problem(text):
            raise sheet.error(row, _source(sheet, row, "score"), what, "Give a score from -1 to 1, or nothing.")
    return [float(text) if text else math.nan for text in sheet.column("score")]


def _check_against_words(sheet: Sheet, codes: list[str], scores: list[float], points: Points) -> None:
    """Refuse a score that is not that of the words beside it; with a mass it is an expectation over all options."""
    cells = zip(sheet.columns["side"], codes, scores, sheet.column("mass"), strict=True)
    for row, (side, code, score, mass) in enumerate(cells):
        if code and not math.isnan(score) and not mass and not fits(score, side, code, points):
            what = f'{score:g} is not the score of "{code}"'
            raise sheet.error(row, "score", what, "Leave one of the two; --points 4 has other scores than 6.")


def _check_votes(sheet: Sheet, scores: Floats) -> None:
    """Refuse a vote for another side than the score's; with a mass the likelier side may be the other one."""
    for row, (vote, score, mass) in enumerate(zip(sheet.column("vote"), scores, sheet.column("mass"), strict=True)):
        if vote and not mass and not math.isnan(score) and float(vote) != np.sign(score):
            what = f"{vote} is not the sign of the score {score:g}"
            raise sheet.error(row, "vote", what, "Leave out the vote, or give the mass of a score from probabilities.")


def _source(sheet: Sheet, row: int, column: str) -> str:
    """The column of the file that an answer stood in."""
    return sheet.columns["from"][row] if "from" in sheet.columns else column


def _statuses(sheet: Sheet, score: Floats) -> list[str]:
    """Status of each answer; one without a score and without a status is unreadable."""
    found = []
    for row, (given, number) in enumerate(zip(sheet.column("status"), score, strict=True)):
        status = given or ("unreadable" if math.isnan(number) else "answered")
        if (status == "answered") == math.isnan(number):
            what = f"is {status} and {'lacks' if math.isnan(number) else 'has'} a score"
            raise sheet.error(row, "status", what, "Give an answer its score or code, and all others none.")
        found.append(status)
    return found


def _check_repeats(sheet: Sheet, frame: pd.DataFrame) -> None:
    keys = ["model", "persona", "item", "side", "repeat"]
    if (twice := frame.duplicated(keys).to_numpy()).any():
        row = int(twice.argmax())
        before = int((frame[keys] == frame.loc[row, keys]).all(axis=1).to_numpy().argmax())
        what = f"model, persona, item, side and repeat are those of line {sheet.lines[before]}"
        raise sheet.error(row, "item", what, "Number the repeats of a question, or leave one answer.")


def _unknown(frame: pd.DataFrame, column: str, known: Collection[str]) -> list[str]:
    """A note on values or topics that are not this project's, which may be meant so."""
    names = sorted(set(frame[column]).difference(known))
    if not names:
        return []
    near = did_you_mean(names[0], known)
    hint = f". {near}" if near.startswith("Did you") else ""
    many = f'"{names[0]}" and {len(names) - 1} more' if len(names) > 1 else f'"{names[0]}"'
    return [f"not among this project's {column}s, and taken as they are: {many}{hint}"]

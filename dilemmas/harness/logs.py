"""Logs of other harnesses as answers: their replies are read as those of a run are."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import ValidationError

from dilemmas import taxonomy
from dilemmas.config import ScaleName
from dilemmas.diagnostics import said
from dilemmas.errors import InputError
from dilemmas.harness import inspect, lm_eval
from dilemmas.harness.samples import Log, Logged
from dilemmas.models.completions import short
from dilemmas.protocols import PROTOCOLS
from dilemmas.questions import INSTRUMENTS, SCALES
from dilemmas.records import first_problem
from dilemmas.resources import decode_utf8
from dilemmas.scores.answers import COLUMNS, score_and_vote

_FIX = "Give the log of a task written by `dilemmas export --to`: Inspect's as JSON, or lm-eval's samples_*.jsonl."


class Answers(NamedTuple):
    """The answers in a log."""

    frame: pd.DataFrame
    """As from `scores.answers`, without `trial`, with order and said."""
    notes: tuple[str, ...]
    """What cannot be told from it."""


def is_log(data: bytes) -> bool:
    """Whether a file is no CSV but JSON or an archive, as logs are.

    >>> is_log(b'{"version": 2}'), is_log(b"model,persona")
    (True, False)
    """
    return data.startswith(b"PK\x03\x04") or data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def read(data: bytes, path: Path, scale: ScaleName = "even") -> Answers:
    """The answers in a log.

    Archives are not opened: what is in them is somebody else's, and Inspect writes the same as JSON.

    Args:
        data: the file's bytes.
        path: the file.
        scale: scores of the options.

    Raises:
        InputError: it is no log of a task of ours, has a prompt several times, or other words were sent.
    """
    if data.startswith(b"PK\x03\x04"):
        raise InputError(
            "is an archive, and archives are not opened here",
            where=str(path),
            fix=f"Have Inspect write it as JSON: inspect log dump {path.name} > {path.stem}.json "
            "(or inspect eval --log-format json).",
        )
    log = _log(data, path)
    _check(log, path)
    score_of = {name: dict(zip(one.CODES, SCALES[scale], strict=True)) for name, one in INSTRUMENTS.items()}
    rows = [_row(log.model, one, score_of[one.sample.metadata.question]) for one in log.logged]
    columns = [name for name in COLUMNS if name != "trial"]
    wanted, there = log.logged[0].sample.metadata.prompts, len(rows)
    fewer = (f"the log has {there:,} of the study's {wanted:,} prompts",) if there != wanted else ()
    return Answers(pd.DataFrame(rows, columns=[*columns, "order", "said"]), (*log.notes, *fewer))


def _log(data: bytes, path: Path) -> Log:
    """A file as the log of one of the harnesses."""
    text = decode_utf8(data, path)
    try:
        first, _, rest = text.partition("\n")
        if first.startswith('{"') and "doc" in (entry := _decoded(first)):
            return lm_eval.log([entry, *(_decoded(line) for line in rest.split("\n") if line.strip())], path)
        return inspect.log(_decoded(text))
    except ValidationError as error:
        field, what = first_problem(error)
        raise InputError(f"has a prompt that cannot be read: {field}: {what}", where=str(path), fix=_FIX) from None
    except InputError as error:
        raise InputError(error.what, where=str(path), fix=error.fix) from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        what = f"is no log of these dilemmas ({type(error).__name__}: {short(str(error))})"
        raise InputError(what, where=str(path), fix=_FIX) from None


def _decoded(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError("no JSON object")
    return found


def _check(log: Log, path: Path) -> None:
    """Refuse a log whose answers are not those of one study, asked in its words."""
    if not log.logged:
        raise InputError("holds no reply", where=str(path), fix=_FIX)
    met, facts = set[tuple[str, str, str, int]](), dict[tuple[str, str], tuple[object, ...]]()
    for one in log.logged:
        about, where = one.sample.metadata, f"{path}, sample {one.sample.id}"
        prompt = (about.persona, about.item, about.question, about.repeat)
        if prompt in met:
            raise InputError("stands there twice", where=where, fix="Give the log of one run.")
        met.add(prompt)
        told = {("study", ""): (about.prompts, about.protocol), ("persona", about.persona): (about.category,)}
        for key, fact in {**told, ("dilemma", about.item): (about.value, about.topic)}.items():
            if facts.setdefault(key, fact) != fact:
                raise InputError(f"its {key[0]} is told otherwise before", where=where, fix="Give the log of one run.")
        if not _as_written(one.sample.sent, one.sent):
            raise InputError(
                "other words were sent than those of the study",
                where=where,
                fix="Ask again without a system message, examples or a template of your own.",
            )


def _as_written(asked: Sequence[tuple[str, str]], sent: Sequence[tuple[str, str]] | str) -> bool:
    """Whether messages were sent as they are; in a text, which a chat template made of them, one after the other."""
    if not isinstance(sent, str):
        return list(asked) == list(sent)
    at = 0
    for _, words in asked:
        if (at := sent.find(words, at)) < 0:
            return False
        at += len(words)
    return True


def _row(model: str, one: Logged, score_of: dict[str, float]) -> tuple[object, ...]:
    """A prompt and what came of it, as a row of the frame."""
    about, reply = one.sample.metadata, one.reply
    basic = taxonomy.values()[about.value].basic_value if about.value in taxonomy.values() else ""
    asked = (
        model, about.persona, about.category, about.item, about.value, basic, about.topic, about.question,
        INSTRUMENTS[about.question].SIDE, about.repeat,
    )  # fmt: skip
    if reply is None:
        return *asked, "open", short(one.why), None, None, math.nan, math.nan, math.nan, None, None
    read = PROTOCOLS[about.protocol].read(reply, about.order, about.options)
    return (
        *asked, read.status, read.reason, read.code, read.letter, *score_and_vote(read, score_of),
        math.nan if read.mass is None else read.mass, " ".join(about.order), said(reply.text, reply.reasoning),
    )  # fmt: skip

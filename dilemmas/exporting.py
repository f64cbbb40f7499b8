"""A run's cells as one file for other programs: Parquet, JSON Lines or CSV, all with the same contents.

One row for each thing that was to be asked, whatever came of it. Rows are written as they are read, so that memory
does not grow with the run.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

import pandas as pd

from dilemmas.config import ScaleName
from dilemmas.errors import InputError, os_error
from dilemmas.protocols.reading import apart
from dilemmas.questions import INSTRUMENTS, SCALES
from dilemmas.schema import Dilemma, Persona, Reply, Response, canonical_json, sha256
from dilemmas.scores.answers import score_and_vote
from dilemmas.store import FILE, Cell, Store
from dilemmas.tidy import spreadsheet_safe

Format = Literal["parquet", "jsonl", "csv"]
Row = dict[str, Any]
Write = Callable[[list[Row]], None]
Writer = Callable[[IO[bytes], Mapping[str, type]], AbstractContextManager[Write]]

COLUMNS: dict[str, type] = {
    "model": str,
    "persona": str,
    "category": str,
    "item": str,
    "value": str,
    "topic": str,
    "question": str,
    "side": str,
    "repeat": int,
    "order": str,
    "status": str,
    "code": str,
    "letter": str,
    "score": float,
    "mass": float,
    "probabilities": str,
    "reason": str,
    "text": str,
    "reasoning": str,
    "finish_reason": str,
    "prompt_tokens": int,
    "completion_tokens": int,
    "latency": float,
    "at": str,
    "trial": str,
    "prompt_sha256": str,
}
"""Name and type of each column; docs/runs.md says what is in it."""
CHUNK = 2000
"""Rows that are in memory at a time."""
_REMEMBERED = 1024
"""Texts of messages kept, because neighbours share them."""


def export(
    folder: Path,
    form: Format,
    out: Path,
    *,
    prompts: bool = False,
    safe: bool = False,
    force: bool = False,
) -> int:
    """Write a run's cells to a file, whole or not at all.

    Args:
        folder: the run's.
        form: `parquet`, `jsonl` or `csv`.
        out: the file.
        prompts: have the messages too, as JSON in a column of its own.
        safe: put an apostrophe before text that a spreadsheet would take for a formula; CSV only.
        force: write over a file that is there.

    Returns:
        Number of rows.

    Raises:
        InputError: the file is there already, cannot be written, or a package is missing.
        StoreError: the run cannot be read.
    """
    if safe and form != "csv":
        raise InputError(
            "only CSV can be made safe for spreadsheets", where="--spreadsheet-safe", fix="Leave it out, or export csv."
        )
    if out.exists() and not force:
        raise InputError("is there already", where=str(out), fix="Name another file with --out, or give --force.")
    if out.exists() and not out.is_file():
        raise InputError("is no file that can be written over", where=str(out), fix="Name another file with --out.")
    out = out.resolve()  # what a link leads to is written, and the link stays
    if out.parent == folder.resolve() and out.name.startswith((FILE, f".{FILE}", "manifest.json")):
        raise InputError("is a part of the run", where=str(out), fix="Name another file with --out.")
    columns = {**COLUMNS, "messages": str} if prompts else COLUMNS
    writers: dict[Format, Writer] = {"parquet": _parquet, "jsonl": _json_lines, "csv": partial(_csv, safe=safe)}
    with Store.reading(folder / FILE) as store, _whole(out) as stream, writers[form](stream, columns) as write:
        cells, count = rows(store, columns), 0
        while chunk := list(islice(cells, CHUNK)):
            write(chunk)
            count += len(chunk)
    return count


def rows(store: Store, columns: Iterable[str] = COLUMNS) -> Iterator[Row]:
    """A run's cells in their order; what there is not, and empty text, is None.

    Args:
        store: the run.
        columns: names out of `COLUMNS`, and perhaps `messages`: a JSON list of roles and contents.
    """
    run = store.run()
    scale: ScaleName = "even" if run is None else run.design.scale
    score_of = {
        name: dict(zip(instrument.CODES, SCALES[scale], strict=True)) for name, instrument in INSTRUMENTS.items()
    }
    items = {name: Dilemma.model_validate_json(record) for name, record in store.records("items").items()}
    categories = {
        name: Persona.model_validate_json(record).category for name, record in store.records("personas").items()
    }
    text = lru_cache(maxsize=_REMEMBERED)(store.text)
    for cell in store.cells_in_full():
        row = {
            "model": cell.model,
            "persona": cell.persona,
            "category": categories[cell.persona],
            "item": cell.item,
            "value": items[cell.item].value,
            "topic": items[cell.item].topic,
            "question": cell.question,
            "side": cell.side,
            "repeat": cell.repeat,
            "at": cell.at,
            "trial": cell.trial,
            **_asked(cell),
            **_response(cell, score_of[cell.question]),
            **_reply(cell),
        }
        if "messages" in columns and cell.messages is not None:
            said = [{"role": role, "content": text(key)} for role, key in json.loads(cell.messages)]
            row["messages"] = json.dumps(said, ensure_ascii=False)
        yield {name: row.get(name) for name in columns}


def _asked(cell: Cell) -> Row:
    if cell.asked is None or cell.messages is None:
        return {}
    # Messages stand there by role and checksum of their text.
    return {
        "order": " ".join(json.loads(cell.asked)["order"]),
        "prompt_sha256": sha256(canonical_json(json.loads(cell.messages))),
    }


def _response(cell: Cell, score_of: dict[str, float]) -> Row:
    if cell.response is None:
        return {"status": "open"}
    response = Response.model_validate_json(cell.response)
    score, _ = score_and_vote(response, score_of)
    return {
        "status": response.status,
        "code": response.code,
        "letter": response.letter,
        "score": None if math.isnan(score) else score,
        "mass": response.mass,
        "probabilities": None if response.probabilities is None else canonical_json(response.probabilities),
        "reason": response.reason or None,
    }


def _reply(cell: Cell) -> Row:
    if cell.reply is None:
        return {}
    reply = Reply.model_validate_json(cell.reply)
    parts = apart(reply.text, reply.reasoning)
    return {
        "text": parts.words or None,
        "reasoning": parts.thinking or None,
        "finish_reason": reply.finish_reason or None,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "latency": reply.latency or None,
    }


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose contents become the file at the end, and vanish where something goes wrong."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise os_error(error, "write", path) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def _parquet(stream: IO[bytes], columns: Mapping[str, type]) -> Iterator[Write]:
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError(
            "Parquet needs pyarrow, which is not installed",
            where="--format parquet",
            fix="pip install 'dilemmas[parquet]' (or pip install pyarrow), or export csv or jsonl.",
        )
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    with ParquetWriter(stream, schema, compression="zstd") as writer:
        yield lambda chunk: writer.write_batch(pyarrow.RecordBatch.from_pylist(chunk, schema))


@contextmanager
def _json_lines(stream: IO[bytes], columns: Mapping[str, type]) -> Iterator[Write]:
    yield lambda chunk: stream.writelines(f"{json.dumps(row, ensure_ascii=False)}\n".encode() for row in chunk)


@contextmanager
def _csv(stream: IO[bytes], columns: Mapping[str, type], *, safe: bool = False) -> Iterator[Write]:
    def write(chunk: list[Row], *, header: bool = False) -> None:
        table = pd.DataFrame(chunk, columns=list(columns), dtype=object)
        # Lines end as RFC 4180 has it; then carriage returns within texts are put in quotes as well.
        text = (spreadsheet_safe(table) if safe else table).to_csv(index=False, header=header, lineterminator="\r\n")
        stream.write(text.encode())

    write([], header=True)
    yield write

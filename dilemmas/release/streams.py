"""Tables that are larger than memory: records to Parquet and back, some thousand at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dilemmas.errors import InputError
from dilemmas.exporting import CHUNK
from dilemmas.release.layout import CANARY
from dilemmas.release.tables import columns
from dilemmas.schema import Record

R = TypeVar("R", bound=Record)

LARGEST_GROUP = 1_000_000_000
"""Most bytes of the rows that stand together in a file that is read: as packed there, and of their texts."""
_AGAIN = "Get the folder again from where it came."


def write(path: Path, form: type[R], rows: Iterable[R]) -> int:
    """Write a table; the same rows give the same bytes.

    Args:
        path: the file.
        form: what each row is; its fields are text, whole numbers or numbers, or these or None.
        rows: drawn as they are written.

    Returns:
        Number of rows.
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema, drawn, count = _schema(form), iter(rows), 0
    with ParquetWriter(path, schema, version="2.6", compression="zstd") as writer:
        while chunk := [one.model_dump() for one in islice(drawn, CHUNK)]:
            writer.write_batch(pyarrow.RecordBatch.from_pylist(chunk, schema))
            count += len(chunk)
    return count


def read(path: Path, form: type[R]) -> Iterator[tuple[int, R]]:
    """The rows of a table, each with its number from 1; nothing in a stranger's file is executed.

    Raises:
        InputError: it is no such table, or a row is not of its form.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        with ParquetFile(path) as file:
            told, fits = file.metadata, file.schema_arrow.equals(_schema(form))
            sizes = [told.row_group(group).total_byte_size for group in range(told.num_row_groups)]
        if not fits or max(sizes, default=0) > LARGEST_GROUP:
            raise _refused(path)
        # A text that stands in the file once and in many rows stays one until their sizes are known.
        texts = [field.name for field in _schema(form) if field.type == pyarrow.string()]
        with ParquetFile(path, read_dictionary=texts) as file:
            for batch in file.iter_batches(batch_size=CHUNK):
                if sum(_length(batch.column(name)) for name in texts) > LARGEST_GROUP:
                    raise _refused(path)
                for number, row in enumerate(batch.to_pylist(), start=number + 1):  # noqa: B020  (it counts on)
                    yield number, form.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{path}, row {number}, column {'.'.join(map(str, first['loc']))}"
        raise InputError(first["msg"], where=where, fix=_AGAIN) from None
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"is no Parquet file that can be read: {error}", where=str(path), fix=_AGAIN) from None


def _refused(path: Path) -> InputError:
    what = "is no table of this form: it has other columns, or rows that are too large"
    return InputError(what, where=str(path), fix=_AGAIN)


def _length(column: Any) -> int:
    """Bytes of all texts of a column in which each stands once."""
    from pyarrow import compute

    lengths = compute.binary_length(column.dictionary)
    return int(compute.sum(lengths.take(column.indices)).as_py() or 0)


def _schema(form: type[Record]) -> Any:
    import pyarrow

    types = {"string": pyarrow.string(), "integer": pyarrow.int64(), "number": pyarrow.float64()}
    fields = [pyarrow.field(name, types[kind]) for name, (kind, _) in columns(form).items()]
    return pyarrow.schema(fields, metadata={"canary": CANARY})

"""Rows as Parquet: the same rows give the same bytes, and the mark stands in the file's own metadata too."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from dilemmas.release.layout import CANARY
from dilemmas.schema import Record


def parquet(form: type[Record], rows: Sequence[Record]) -> bytes:
    """A table as the bytes of a Parquet file.

    Args:
        form: what each row is; its fields are text, whole numbers or numbers, or these or None.
        rows: in the order of the table.
    """
    import pyarrow
    from pyarrow.parquet import write_table

    table = pyarrow.Table.from_pylist([one.model_dump() for one in rows], schema=_schema(form))
    stream = io.BytesIO()
    # 2.6 is what every reader of the last years takes; snappy is in each of them.
    write_table(table, stream, version="2.6", compression="snappy", write_page_index=False)
    return stream.getvalue()


def _schema(form: type[Record]) -> Any:
    import pyarrow

    types = {"string": pyarrow.string(), "integer": pyarrow.int64(), "number": pyarrow.float64()}
    fields = []
    for name, told in form.model_json_schema()["properties"].items():
        kinds = {one.get("type") for one in told.get("anyOf", [told])}
        (kind,) = kinds - {"null"}
        fields.append(pyarrow.field(name, types[kind], nullable="null" in kinds))
    return pyarrow.schema(fields, metadata={"canary": CANARY})


def columns(form: type[Record]) -> dict[str, tuple[str, str]]:
    """Of each column its kind (`string`, `integer` or `number`) and what it holds."""
    return {
        name: (
            next(kind for one in told.get("anyOf", [told]) if (kind := one.get("type")) != "null"),
            " ".join(told.get("description", "").split()),
        )
        for name, told in form.model_json_schema()["properties"].items()
    }

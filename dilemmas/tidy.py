"""Tidy tables as files and as plain data."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from dilemmas.resources import write_text


def write_csv(path: Path, table: pd.DataFrame) -> Path:
    """Write a table whole or not at all; the same table gives the same bytes.

    Text that a spreadsheet would take for a formula gets an apostrophe before it.

    Raises:
        InputError: the place cannot be written.
    """
    write_text(path, spreadsheet_safe(table).to_csv(index=False, float_format="%.12g"))
    return path


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet takes for a formula."""


def spreadsheet_safe(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before text that a spreadsheet would take for a formula."""
    safe = {}
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            text = table[name].astype("object")
            risky = [cell for cell in set(text) if isinstance(cell, str) and cell.startswith(_FORMULA)]
            if risky:
                safe[name] = text.where(~text.isin(risky), "'" + text.astype(str))
    return table.assign(**safe)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain data; NaN becomes None."""
    return [
        {str(key): None if isinstance(cell, float) and math.isnan(cell) else cell for key, cell in row.items()}
        for row in json.loads(table.to_json(orient="records", double_precision=15))
    ]

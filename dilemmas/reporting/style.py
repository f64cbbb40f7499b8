"""Colours, marks and words that figures, matrices and tables share.

Categories have colours close to those of Okabe and Ito, which people with any kind of colour vision tell apart,
and a mark of their own for print without colour. Each is readable on white and on a dark page.
"""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

from dilemmas.schema import sha256

CATEGORIES = ("baseline", "moderate", "max", "incongruous", "other")
"""Categories in reading order."""
INK = "#0a1b2c"
"""Stands for the colour of the text around a figure until its SVG is written; see `canvas`."""
COLOURS = {"baseline": INK, "moderate": "#1a7fc1", "max": "#d55e00", "incongruous": "#009e73", "other": "#b0609a"}
MARKS = {"baseline": "o", "moderate": "s", "max": "^", "incongruous": "D", "other": "v"}
POINTS = ("#14506b", "#4a93b5", "#a9cfe0", "#f3cfae", "#dd8d4c", "#a4480f")
"""From strongly agree (or strongly aligned) to the opposite; told apart in grey too."""
METRICS = {"AD": "Alignment distance", "AR": "Alignment rate"}
EXPECTED = {"AD": ("floor", "noise floor"), "AR": ("f1_chance", "expected by chance")}
"""Of each metric, the column of a score that says what there would be without a gap or without a link."""
LONGEST_SLUG = 60
"""Characters of a part of a file's name."""
SIGNIFICANT = 0.05
"""Adjusted p below which a delta stands out."""
DAGGER = "†"
"""Marks a delta whose p and two-way p lie on different sides of .05."""


def plain(text: object, longest: int | None = None) -> str:
    """A text as it can stand in a figure: on one line, without characters that nobody sees or that turn the words.

    Args:
        text: from a dataset, a configuration or a model.
        longest: characters after which it is cut.

    >>> plain("two\\u202elines\\n", 6)
    'two�l…'
    """
    seen = "".join(one if one.isprintable() else "�" for one in " ".join(str(text).split()))
    return seen if longest is None or len(seen) <= longest else f"{seen[: longest - 1]}…"


def file_name(*parts: object) -> str:
    """Parts as one name that is fit for a file anywhere; what is empty is left out.

    A part that does not stay as it is gets a few characters of its checksum, so that two names of models
    never make the same file.

    >>> file_name("deltas", "gpt-5-mini"), file_name("deltas", "Qwen/Qwen3 32B", "AD")
    ('deltas-gpt-5-mini', 'deltas-qwen-qwen3-32b-d7cd7c-ad')
    """
    return "-".join(_slug(str(part)) for part in parts if str(part))


def _slug(part: str) -> str:
    if part in METRICS:
        return part.lower()
    slug = re.sub(r"[^a-z0-9.]+", "-", part.lower()).strip("-.")[:LONGEST_SLUG]
    return slug if slug == part else f"{slug}-{sha256(part)[:6]}".lstrip("-")


def naturally(name: object) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts names as people do.

    >>> sorted(["max-10", "max-2"], key=naturally)
    ['max-2', 'max-10']
    """
    pieces = re.split(r"(\d+)", str(name))
    return tuple((1, int(one), "") if one.isdecimal() else (0, 0, one) for one in pieces)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table by column."""
    return [{str(key): cell for key, cell in row.items()} for row in table.to_dict("records")]


def torn(delta: dict[str, Any]) -> bool:
    """Whether p and two-way p of a delta lie on different sides of .05; not where one is missing.

    >>> torn({"two_way_agrees": False}), torn({"two_way_agrees": None})
    (True, False)
    """
    agrees = delta.get("two_way_agrees")
    return isinstance(agrees, bool) and not agrees


def or_nan(x: Any) -> float:
    """A number, or NaN where there is none."""
    return float(x) if isinstance(x, int | float) else math.nan

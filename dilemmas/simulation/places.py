"""Which dilemmas a simulated or planned study has: their values and topics."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from dilemmas import taxonomy
from dilemmas.errors import InputError
from dilemmas.schema import Dilemma


def grid(values: int = 56, topics: int = 11) -> pd.DataFrame:
    """One dilemma for each value and topic: columns item, value, topic.

    The names are the taxonomy's while it has any.

    Raises:
        InputError: fewer than one value or topic.

    >>> grid(2, 1)["item"].tolist()
    ['v01-t01', 'v02-t01']
    """
    for name, number in (("values", values), ("topics", topics)):
        if number < 1:
            raise InputError(f"{number} is out of range", where=name, fix="Give 1 or more.")
    of_value, of_topic = (
        [*known, *(f"{what} {number}" for number in range(len(known) + 1, size + 1))][:size]
        for what, known, size in (
            ("value", list(taxonomy.values()), values),
            ("topic", list(taxonomy.topics()), topics),
        )
    )
    return pd.DataFrame(
        [
            {"item": f"v{v:02}-t{t:02}", "value": value, "topic": topic}
            for v, value in enumerate(of_value, 1)
            for t, topic in enumerate(of_topic, 1)
        ]
    )


def places_of(dilemmas: Iterable[Dilemma]) -> pd.DataFrame:
    """The dilemmas of a dataset as `grid` has them."""
    rows = [{"item": one.id, "value": one.value, "topic": one.topic} for one in dilemmas]
    return pd.DataFrame(rows, columns=["item", "value", "topic"])

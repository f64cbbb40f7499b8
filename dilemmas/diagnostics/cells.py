"""Answers as arrays: what was chosen in each repeat of a question, and in which order its options stood."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dilemmas.diagnostics.shares import SIDES
from dilemmas.significance.jackknife import Floats, Integers

KEYS = ["model", "persona", "side", "item", "value"]


class Cells:
    """Answers with a row for each question (as put to one model and persona) and a column for each repeat.

    Args:
        frame: as from `scores.answers`; needs model, persona, side, item, value, repeat, status,
            score, code, letter, and order: the codes of the options in the order shown, with a space
            between them.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        rows = frame[(frame["status"] == "answered") & frame["side"].isin(SIDES) & frame["order"].notna()]
        grouped = rows.groupby(KEYS, sort=True)
        self.keys: pd.DataFrame = grouped.size().index.to_frame(index=False)
        """What each row is about."""
        repeat, repeats = pd.factorize(rows["repeat"], sort=True)
        self._at = grouped.ngroup().to_numpy(), repeat
        self._shape = len(self.keys), len(repeats)
        code, options = pd.factorize(rows["code"], sort=True)
        self.options: list[str] = [str(option) for option in options]
        """The options that were chosen."""
        order, orders = pd.factorize(rows["order"], sort=True)
        self.shown: list[list[str]] = [str(one).split() for one in orders]
        """The options of each order, as they were shown."""
        self.code: Integers = self._numbers(code)
        """Number of the option chosen, -1 where there is no answer; shape (C, R)."""
        self.order: Integers = self._numbers(order)
        """Number of the order shown, -1 where there is no answer; shape (C, R)."""
        self.letter: Integers = self._numbers(pd.factorize(rows["letter"], sort=True)[0])
        """Number of the letter chosen, -1 where there is no answer; shape (C, R)."""
        self.score: Floats = np.full(self._shape, np.nan)
        """NaN where there is no answer; shape (C, R)."""
        self.score[self._at] = rows["score"].to_numpy(float)

    def _numbers(self, entries: Integers) -> Integers:
        table = np.full(self._shape, -1, dtype=np.int64)
        table[self._at] = entries
        return table

"""Whether the same question gets the same answer again: under the same order of options, and under another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from dilemmas.diagnostics.cells import Cells
from dilemmas.diagnostics.shares import ends, interval, lacks, mean, share, sides, sums_by
from dilemmas.significance.jackknife import Floats, jackknife

COLUMNS = [
    "model", "persona", "side", "dilemmas", "pairs", *ends("kept", "same_letter", "lead", "change"), "pairs_same",
    *ends("kept_same", "change_same", "order_effect"), "note",
]  # fmt: skip
NO_PAIR = "no question was answered twice"
ONE_ORDER = "options never changed places: what the order does is not known"
NEVER_AGAIN = "no order was shown twice: what chance alone changes is not known"
_OTHER = ("pairs", "kept", "letter", "lead", "change")
_SAME = ("pairs_same", "kept_same", "change_same")


def repeat_agreement(frame: pd.DataFrame) -> pd.DataFrame:
    """How often two repeats of a question have the same answer.

    Over all pairs of answered repeats of a question whose options stood in another order,

        kept          share in which the option is the same
        same_letter   share in which the letter is the same
        lead          kept - same_letter
        change        mean |difference of their scores|

    and over the pairs with the same order kept_same and change_same. An answer that follows the option
    keeps it (lead near kept), one that follows the letter keeps the letter (lead below 0), and one
    that is thrown like a die keeps neither (lead near 0). order_effect = kept_same - kept is what the
    order alone does; the rest of what changes is chance. Under the default orders no two repeats share
    one, and what needs that is missing.

    Args:
        frame: as from `scores.answers`, with `order` (see `Cells`).

    Returns:
        One row per model, persona (`(all)` first) and side; each measure with `_low` and `_high`, by
        value as the cluster; dilemmas, pairs and pairs_same behind them; note. No row without `order`.
    """
    if lacks(frame, ["order", "code", "letter"]):
        return pd.DataFrame(columns=COLUMNS)
    cells = Cells(frame)
    counted = cells.keys.assign(**_pairs(cells))
    rows = [
        {"model": model, "persona": persona, "side": side, **_row(group)}
        for model, persona, side, group in sides(counted)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _pairs(cells: Cells) -> dict[str, Floats]:
    """Of each question: its pairs of repeats and what they have in common, by whether their order is another."""
    found: dict[str, Floats] = {name: np.zeros(len(cells.keys)) for name in (*_OTHER, *_SAME)}
    for first, second in combinations(range(cells.code.shape[1]), 2):
        both = (cells.code[:, first] >= 0) & (cells.code[:, second] >= 0)
        same_order = cells.order[:, first] == cells.order[:, second]
        same_option = cells.code[:, first] == cells.code[:, second]
        same_letter = cells.letter[:, first] == cells.letter[:, second]
        change = np.abs(np.nan_to_num(cells.score[:, first]) - np.nan_to_num(cells.score[:, second]))
        other, same = both & ~same_order, both & same_order
        lead = same_option.astype(float) - same_letter
        for names, kind, marks in (
            (_OTHER, other, (1, same_option, same_letter, lead, change)),
            (_SAME, same, (1, same_option, change)),
        ):
            for name, mark in zip(names, marks, strict=True):
                found[name] += kind * mark
    return found


def _row(group: pd.DataFrame) -> dict[str, object]:
    names = (*_OTHER, *_SAME)
    by_value = sums_by(group["value"], *(group[name] for name in names))

    def sums(*wanted: str) -> Floats:
        return by_value[:, [names.index(name) for name in wanted]]

    pairs, pairs_same = int(group["pairs"].sum()), int(group["pairs_same"].sum())
    kept, kept_same = share(sums("kept", "pairs")), share(sums("kept_same", "pairs_same"))
    order_effect = jackknife(
        sums("kept_same", "pairs_same", "kept", "pairs"), lambda s: s[..., 0] / s[..., 1] - s[..., 2] / s[..., 3]
    )
    if not pairs and not pairs_same:
        note = NO_PAIR
    elif not pairs or not pairs_same:
        note = ONE_ORDER if not pairs else NEVER_AGAIN
    else:
        note = kept.note
    return {
        "dilemmas": group.loc[group["pairs"] + group["pairs_same"] > 0, "item"].nunique(),
        "pairs": pairs,
        **interval("kept", kept),
        **interval("same_letter", share(sums("letter", "pairs"))),
        **interval("lead", mean(sums("lead", "pairs"))),
        **interval("change", mean(sums("change", "pairs"))),
        "pairs_same": pairs_same,
        **interval("kept_same", kept_same),
        **interval("change_same", mean(sums("change_same", "pairs_same"))),
        **interval("order_effect", order_effect),
        "note": note,
    }

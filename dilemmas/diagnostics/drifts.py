"""Whether answers change while a run goes on."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from dilemmas.diagnostics.positions import holm_by_model
from dilemmas.diagnostics.shares import ALL, REPLIED, SIDES, groups, lacks, mean, sums_by, totals
from dilemmas.significance.corrections import holm
from dilemmas.significance.jackknife import Estimate, missing

COLUMNS = [
    "model", "persona", "what", "over", "change", "low", "high", "se", "t", "df", "p", "p_holm", "n", "dilemmas",
    "span", "note",
]  # fmt: skip
SMALLEST_SPAN = 0.1
"""Share of the run between first and last repeat of a question, on average, below which drift is not estimated."""
NO_REQUESTS = "the order of requests is not known"
CLOSE = (
    "repeats of a question were asked one after the other, so what changes over the run cannot be told from what "
    "differs between personas and dilemmas"
)
ONE_REPEAT = "no question was put twice"


def drift(frame: pd.DataFrame) -> pd.DataFrame:
    """How scores and unread replies change over the run, and from the first to the last repeat.

    With y_cr the outcome of repeat r of question c (as put to one persona) and x_cr when it was
    asked, both less their mean over the repeats of c,

        change = sum x y / sum x^2

    so that only answers to the same question are compared. x goes from 0 to 1: over the *run* it is
    the request's number among those of the model, over the *repeats* the repeat's number. The change
    is what the fit gives from one end to the other. Dilemmas are the clusters of the jackknife.

    Questions are asked persona by persona and dilemma by dilemma, so a change over the run could be
    any difference between these unless repeats lie far apart; where they do not there is no estimate.

    Args:
        frame: as from `scores.answers`; needs model, persona, item, side, repeat, status and score;
            optionally request, the number of the question in the order in which they were put.

    Returns:
        One row per model, persona (`(all)` first), what (`stated` and `acted`: score; `unread`:
        share of replies that are refused or unreadable) and over (`run`, `repeats`): change, low, high,
        se, t, df, p, p_holm (corrected over a model's personas, or over a model's own lines), n
        (answers or replies), dilemmas, span (mean distance of first and last repeat on x), note.
    """
    replied = frame[frame["status"].isin(REPLIED) & frame["side"].isin(SIDES)]
    answered = replied[replied["status"] == "answered"]
    request = None if lacks(frame, ["request"]) else replied.groupby("model")["request"].rank()
    question = replied.groupby(["model", "persona", "item", "side"], observed=True).ngroup()
    rows = []
    for over, x in (("run", request), ("repeats", replied["repeat"])):
        time = None if x is None else _from_0_to_1(x, replied["model"])
        for what, part, y in (
            ("stated", answered[answered["side"] == "stated"], answered["score"]),
            ("acted", answered[answered["side"] == "acted"], answered["score"]),
            ("unread", replied, (replied["status"] != "answered").astype(float)),
        ):
            for model, persona, group in groups(_products(part, question, time, y)):
                found = _change(group, over) if time is not None else missing(math.nan, 0, NO_REQUESTS)
                rows.append(
                    {"model": model, "persona": persona, "what": what, "over": over, "change": found.estimate,
                     **found._asdict(), "n": int(group["n"].sum()), "dilemmas": group["item"].nunique(),
                     "span": _span(group) if time is not None else math.nan}
                )  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS).sort_values(
        ["model", "persona"], key=lambda column: column.where(column != ALL, ""), kind="stable", ignore_index=True
    )
    table["p_holm"] = holm_by_model(table)
    for _, own in table[table["persona"] == ALL].groupby("model"):
        table.loc[own.index, "p_holm"] = holm(own["p"].tolist())
    return table


def _from_0_to_1(x: pd.Series, model: pd.Series) -> pd.Series:
    by_model = x.groupby(model)
    first, last = by_model.transform("min"), by_model.transform("max")
    return (x - first) / (last - first).where(last > first, 1)


def _products(rows: pd.DataFrame, question: pd.Series, x: pd.Series | None, y: pd.Series) -> pd.DataFrame:
    """Sums of products of each dilemma (of one persona), of both sides together where both are in the rows.

    Columns n, xy, xx, and of the questions that were put at least twice: repeated (how many), distance (from
    first to last, summed).
    """
    x = (pd.Series(0.0, index=rows.index) if x is None else x.loc[rows.index].dropna()).astype(float)
    rows, question, outcome = rows.loc[x.index], question.loc[x.index], y.loc[x.index]
    times = x.groupby(question)
    x_centred, y_centred = x - times.transform("mean"), outcome - outcome.groupby(question).transform("mean")
    first = ~question.duplicated() & (times.transform("size") > 1)
    distance = (times.transform("max") - times.transform("min")).where(first, 0)
    return totals(
        rows, ["model", "persona", "item"], n=np.ones(len(rows)), xy=x_centred * y_centred, xx=x_centred**2,
        repeated=first, distance=distance,
    )  # fmt: skip


def _span(group: pd.DataFrame) -> float:
    repeated = group["repeated"].sum()
    return float(group["distance"].sum() / repeated) if repeated else math.nan


def _change(group: pd.DataFrame, over: str) -> Estimate:
    if not group["repeated"].any():
        return missing(math.nan, 0, ONE_REPEAT)
    if over == "run" and _span(group) < SMALLEST_SPAN:
        return missing(math.nan, 0, CLOSE)
    return mean(sums_by(group["item"], group["xy"], group["xx"]), unit="dilemma")

"""How much an answer depends on where its option stood."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from dilemmas.config import ScaleName
from dilemmas.diagnostics.cells import Cells
from dilemmas.diagnostics.repeats import NO_PAIR, ONE_ORDER
from dilemmas.diagnostics.shares import codes, ends, interval, lacks, notes, sides
from dilemmas.questions import INSTRUMENTS, SCALES
from dilemmas.significance.jackknife import NO_WIDTH, Estimate, Floats, cluster_sums, jackknife, missing

COLUMNS = [
    "model", "persona", "side", "dilemmas", "sd_repeats", *ends("order_share"), "recall", "recall_sd", "recall_floor",
    "n_recall", "note",
]  # fmt: skip
NO_CHANGE = "no answer changes between repeats"
UNKNOWN = "an option shown is none of the known ones"
NO_ROOM = "too few repeats for the share of the order"
NO_FAVOURITE = "at some place no favourite ever stood: no recall"
FEWEST_DEGREES = 10
"""With fewer degrees of freedom left the share of the order is not given."""


def order_sensitivity(frame: pd.DataFrame, scale: ScaleName = "even") -> pd.DataFrame:
    """What the places of the options do to the score, and to the chance of a favourite.

    *order_share*. Let y_cr be the score of repeat r of question c, and x_cr the scores of the options
    that stood under the letters A, B, ... in it, both less their mean over the repeats of c. A model
    that follows the letter L with probability b_L moves its score by sum_L b_L x_crL. The least
    squares fit of y on x explains, adjusted for its rank k,

        order_share = 1 - (RSS / (N - k)) / (TSS / N),   N = sum over c of (repeats - 1)

    of the variance between repeats: 0 on average where only chance is at work, and 1 where letters
    are all. It can be negative. sd_repeats = sqrt(TSS / N) is the spread it is a share of.

    *recall_sd*. Where all other repeats of a question agree on an option, that is its favourite. The
    recall of place p is the share of repeats that choose the favourite when it stands at p; recall_sd
    is the standard deviation over the places, as in Zheng et al. (2024), arXiv:2309.03882, where
    right answers are known and take the favourite's part. Chance alone gives recall_floor:
    sqrt(trace(C S) / K) with S the jackknife covariance of the K recalls and C the centring matrix.

    Args:
        frame: as from `scores.answers`, with `order` (see `Cells`).
        scale: scores of the options.

    Returns:
        One row per model, persona (`(all)` first) and side: dilemmas with at least two answered
        repeats, the measures (order_share with an interval by value), recall (mean over places),
        n_recall (repeats behind it), note. No row without `order`.
    """
    if lacks(frame, ["order", "code", "letter"]):
        return pd.DataFrame(columns=COLUMNS)
    cells = Cells(frame)
    score_of = {
        code: score for one in INSTRUMENTS.values() for code, score in zip(one.CODES, SCALES[scale], strict=True)
    }
    products, degrees = _products(cells, score_of)
    shown, hits = _recalls(cells)
    rows = []
    for model, persona, side, group in sides(cells.keys):
        at = group.index.to_numpy()
        every = np.ones(len(at), dtype=bool)
        parts = cluster_sums(np.column_stack([products[at], degrees[at]]), codes(group["value"]), every)
        share = _order_share(parts)
        recalls = cluster_sums(np.hstack([hits[at], shown[at]]), codes(group["item"]), every)
        total = parts.sum(axis=0)
        rows.append(
            {
                "model": model,
                "persona": persona,
                "side": side,
                "dilemmas": group.loc[degrees[at] > 0, "item"].nunique(),
                "sd_repeats": math.sqrt(max(total[-2], 0.0) / total[-1]) if total[-1] else math.nan,
                **interval("order_share", share),
                **_recall(recalls),
                "n_recall": int(shown[at].sum()),
                "note": notes(share.note, "" if (shown[at].sum(axis=0) > 0).all() else NO_FAVOURITE),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _products(cells: Cells, score_of: dict[str, float]) -> tuple[Floats, Floats]:
    """Sums of products of each question, x'x then x'y then y'y, and its degrees of freedom."""
    places = max(map(len, cells.shown), default=0)
    scores_shown = np.zeros((len(cells.shown), places))
    for row, shown in enumerate(cells.shown):
        scores_shown[row, : len(shown)] = [score_of.get(code, math.nan) for code in shown]
    answered = cells.code >= 0
    count = answered.sum(axis=1)
    x, y = scores_shown[cells.order] * answered[..., None], np.where(answered, cells.score, 0.0)
    x -= (x.sum(axis=1) / np.maximum(count, 1)[:, None])[:, None, :]
    y -= (y.sum(axis=1) / np.maximum(count, 1))[:, None]
    x, y = x * answered[..., None], y * answered
    both = np.concatenate([x, y[..., None]], axis=-1)
    products = np.einsum("crk,crl->ckl", both, both)
    return products.reshape(len(count), -1), (count - 1.0).clip(0)


def _order_share(parts: Floats) -> Estimate:
    size = math.isqrt(parts.shape[1] - 1)
    total = parts.sum(axis=0)
    # an absolute limit, because sums that should be zero carry rounding
    rank = int(np.linalg.matrix_rank(total[:-1].reshape(size, size)[:-1, :-1], tol=1e-9, hermitian=True))

    def explained(sums: Floats) -> Floats:
        square = sums[..., :-1].reshape(*sums.shape[:-1], size, size)
        xx, xy, yy, degrees = square[..., :-1, :-1], square[..., :-1, -1:], square[..., -1, -1], sums[..., -1]
        fitted = (xy.swapaxes(-1, -2) @ np.linalg.pinv(xx, rcond=1e-10, hermitian=True) @ xy)[..., 0, 0]
        share = 1 - ((yy - fitted) / (degrees - rank)) / (yy / degrees)
        return np.where((degrees > rank) & (yy > NO_WIDTH), share, math.nan)

    if not total[-1]:
        return missing(math.nan, 0, NO_PAIR)
    if math.isnan(total.sum()):
        return missing(math.nan, 0, UNKNOWN)
    if total[-2] <= NO_WIDTH:
        return missing(math.nan, 0, NO_CHANGE)
    if not rank:
        return missing(math.nan, 0, ONE_ORDER)
    if total[-1] - rank < FEWEST_DEGREES:
        return missing(math.nan, 0, NO_ROOM)
    return jackknife(parts, explained)


def _recalls(cells: Cells) -> tuple[Floats, Floats]:
    """Of each question: how often its favourite stood at each place, and how often it was chosen there."""
    numbers = {code: number for number, code in enumerate(cells.options)}
    places = max(map(len, cells.shown), default=0)
    place_of = np.full((len(cells.shown), len(cells.options)), -1)
    for row, shown in enumerate(cells.shown):
        for place, code in enumerate(shown):
            if code in numbers:
                place_of[row, numbers[code]] = place
    standing, hits = np.zeros((2, len(cells.code), places))
    for repeat in range(cells.code.shape[1]):
        chosen, others = cells.code[:, repeat], np.delete(cells.code, repeat, axis=1)
        favourite = others.max(axis=1, initial=-1)
        agreed = ((others == favourite[:, None]) | (others < 0)).all(axis=1) & (favourite >= 0) & (chosen >= 0)
        at = np.flatnonzero(agreed)
        place = place_of[cells.order[at, repeat], favourite[at]]
        at, place = at[place >= 0], place[place >= 0]
        standing[at, place] += 1
        hits[at, place] += chosen[at] == favourite[at]
    return standing, hits


def _recall(parts: Floats) -> dict[str, float]:
    """Mean and spread of the recalls from hits and standings per dilemma side by side, shape (G, 2 K)."""
    places = parts.shape[1] // 2
    clusters, total = len(parts), parts.sum(axis=0)
    if clusters < 2 or (total[places:] == 0).any():
        return {"recall": math.nan, "recall_sd": math.nan, "recall_floor": math.nan}

    def recalls(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums[..., :places] / sums[..., places:])

    each, without = recalls(total), recalls(total - parts)
    centred = (without - without.mean(axis=1, keepdims=True)) - (without.mean(axis=0) - without.mean())
    floor = math.sqrt((clusters - 1) / clusters * float((centred**2).sum()) / places)
    return {"recall": float(each.mean()), "recall_sd": float(each.std()), "recall_floor": floor}

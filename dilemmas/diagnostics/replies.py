"""What went unread, what the letters left over, and how alike the answers are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dilemmas.diagnostics.rules import LOW_MASS
from dilemmas.diagnostics.shares import (
    ALL,
    REPLIED,
    ends,
    groups,
    interval,
    lacks,
    mean,
    share,
    sides,
    sums_by,
    totals,
)
from dilemmas.questions import INSTRUMENTS

UNREAD_COLUMNS = [
    "model", "level", "name", "replies", "open", "refused", "unreadable",
    *ends("refused_rate", "unreadable_rate", "unread_rate"), "note",
]  # fmt: skip
_KINDS = ("refused", "unreadable", "unread")
MASS_COLUMNS = ["model", "persona", "n", *ends("mass", "low_mass"), "note"]
SPREAD_COLUMNS = ["model", "persona", "side", "n", "used", "code", *ends("most", "extreme"), "note"]


def unread(frame: pd.DataFrame) -> pd.DataFrame:
    """How many replies are no answer, by condition and by value.

    Args:
        frame: as from `scores.answers`; needs model, persona, item, value and status.

    Returns:
        One row per model and name. The level is `all` (name `(all)`), `persona` or `value` (all
        personas together): replies, open (trials without one), refused, unreadable, and the rates of
        these two and of both among the replies with intervals (see `shares.share`; clusters are
        values, or dilemmas where the row is about one value), note.
    """
    status = frame["status"]
    counted = totals(
        frame, ["model", "persona", "value", "item"], trials=np.ones(len(frame)), replies=status.isin(REPLIED),
        refused=status == "refused", unreadable=status == "unreadable", unread=status.isin(("refused", "unreadable")),
    )  # fmt: skip
    rows = []
    for model, of_model in counted.groupby("model", sort=True):
        lines = [("all", ALL, of_model)]
        lines += [("persona", str(name), part) for name, part in of_model.groupby("persona", sort=True)]
        lines += [("value", str(name), part) for name, part in of_model.groupby("value", sort=True)]
        rows += [{"model": model, "level": level, "name": name, **_unread(part, level)} for level, name, part in lines]
    return pd.DataFrame(rows, columns=UNREAD_COLUMNS)


def _unread(group: pd.DataFrame, level: str) -> dict[str, object]:
    cluster, unit = ("item", "dilemma") if level == "value" else ("value", "value")
    clusters = sums_by(group[cluster], *(group[name] for name in _KINDS), group["replies"])
    found = {name: share(clusters[:, [at, -1]], unit=unit) for at, name in enumerate(_KINDS)}
    replies = int(clusters[:, -1].sum())
    return {
        "replies": replies,
        "open": int(group["trials"].sum()) - replies,
        "refused": int(group["refused"].sum()),
        "unreadable": int(group["unreadable"].sum()),
        **{key: x for name, one in found.items() for key, x in interval(f"{name}_rate", one).items()},
        "note": found["unread"].note if replies else "no reply",
    }


def letter_mass(frame: pd.DataFrame) -> pd.DataFrame:
    """How much probability the option letters have together (protocol `logprob`).

    Args:
        frame: as from `scores.answers`; needs model, persona, value and mass.

    Returns:
        One row per model and persona that has any: n, mass (mean) and low_mass (share of replies in which
        the letters have less than `LOW_MASS`) with intervals by value, note.
    """
    known = frame[frame["mass"].notna()]
    counted = totals(
        known, ["model", "persona", "value"], n=np.ones(len(known)), mass=known["mass"], low=known["mass"] < LOW_MASS
    )
    rows = []
    for model, persona, group in groups(counted):
        average = mean(sums_by(group["value"], group["mass"], group["n"]))
        low = share(sums_by(group["value"], group["low"], group["n"]))
        rows.append({"model": model, "persona": persona, "n": int(group["n"].sum()), **interval("mass", average),
                     **interval("low_mass", low), "note": average.note})  # fmt: skip
    return pd.DataFrame(rows, columns=MASS_COLUMNS)


def spread(frame: pd.DataFrame) -> pd.DataFrame:
    """Whether answers are all the same, and whether they sit at the ends of the scale.

    Args:
        frame: as from `scores.answers`; needs model, persona, value, side, status and code or score.

    Returns:
        One row per model, persona (`(all)` first) and side: n (answers), used (different answers),
        code (the most frequent; a score where codes are not known), most (its share), extreme (share
        of answers at either end of the scale), both with intervals by value, note.
    """
    answered = frame[frame["status"] == "answered"]
    by_code = not lacks(frame, ["code"])
    counted = totals(
        answered.assign(code=answered["code"] if by_code else answered["score"].round(9)),
        ["model", "persona", "side", "value", "code"],
        n=np.ones(len(answered)),
    )
    ends_of_scale = {code for one in INSTRUMENTS.values() for code in (one.CODES[0], one.CODES[-1])}
    counted["extreme"] = counted["n"] * (counted["code"].isin(ends_of_scale) if by_code else counted["code"].abs() >= 1)
    rows = []
    for model, persona, side, group in sides(counted):
        of_code = group.groupby("code", sort=True)["n"].sum()
        code = of_code.idxmax()
        clusters = sums_by(group["value"], group["n"] * (group["code"] == code), group["extreme"], group["n"])
        most, extreme = share(clusters[:, [0, 2]]), share(clusters[:, [1, 2]])
        rows.append({"model": model, "persona": persona, "side": side, "n": int(of_code.sum()), "used": len(of_code),
                     "code": str(code), **interval("most", most), **interval("extreme", extreme),
                     "note": most.note})  # fmt: skip
    return pd.DataFrame(rows, columns=SPREAD_COLUMNS)

"""How stated and acted answers spread over the six points."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from dilemmas.pages import share
from dilemmas.questions import INSTRUMENTS, SCALES
from dilemmas.reporting.canvas import MUTED, WIDTH, Drawn, hint, sheet, styled, svg
from dilemmas.reporting.conditions import conditions
from dilemmas.reporting.intervals import BOTTOM, HEADING, LINE, LONGEST_HEADING, LONGEST_TITLE, TOP
from dilemmas.reporting.style import POINTS, file_name, plain, records

SIDES = ("stated", "acted")
LABELS, GAP, RIGHT = 1.62, 0.3, 0.25
HALF = "#1c2430"
"""The line at one half lies on the bars, whose colours are those of every page: so is its own."""
WORDS = ("strongly", "moderately", "mildly", "mildly", "moderately", "strongly")
_PLACE = {code: place for one in INSTRUMENTS.values() for place, code in enumerate(one.CODES, 1)}


def frame(answers: pd.DataFrame) -> pd.DataFrame:
    """Shares of the six points in each condition.

    An answer without a code of the shipped questions (from outside, say) counts at the point whose score
    is nearest to its own.

    Args:
        answers: as from `scores.answers`; needs model, persona, category, side, status, score and, if
            there are any, code.

    Returns:
        One row per condition (in reading order; a category has the answers of all its personas), side
        and point: the columns of `conditions`, side, point (1 for strongly agree or strongly aligned, to
        6), n, answered, share (NaN where nothing was answered).
    """
    valid = answers[(answers["status"] == "answered") & answers["side"].isin(SIDES) & answers["score"].notna()]
    coded = valid["code"].map(_PLACE) if "code" in valid else pd.Series(np.nan, index=valid.index)
    away = np.abs(valid["score"].to_numpy(float)[:, None] - np.array(SCALES["even"]))
    valid = valid.assign(point=coded.astype(float).where(coded.notna(), away.argmin(axis=1) + 1).astype(int))
    shown = conditions(answers)
    places = shown.merge(pd.DataFrame({"side": SIDES}), how="cross").merge(
        pd.DataFrame({"point": range(1, len(POINTS) + 1)}), how="cross"
    )
    counts = pd.concat(
        valid.groupby(["model", level, "side", "point"]).size().rename("n").rename_axis(index={level: "name"})
        .reset_index().assign(level=level)
        for level in ("category", "persona")
    )  # fmt: skip
    table = places.merge(counts, on=["model", "level", "name", "side", "point"], how="left")
    table["n"] = table["n"].fillna(0).astype(int)
    table["answered"] = table.groupby(["model", "level", "name", "side"])["n"].transform("sum")
    table["share"] = table["n"] / table["answered"].where(table["answered"] > 0)
    return table


def by_category(table: pd.DataFrame) -> Drawn:
    """Every model's baseline and categories.

    Args:
        table: as from `frame`.
    """
    rows = table[table["level"] == "category"]
    return _drawn(rows, "answers", "answers", "", f"Stated and acted answers of each model and category. {_HOW}")


def by_persona(table: pd.DataFrame, model: str) -> Drawn:
    """One model's baseline and personas."""
    rows = table[(table["model"] == model) & (table["personas"] == 1)]
    caption = f"Stated and acted answers of {model} by condition. {_HOW}"
    return _drawn(rows, file_name("answers", model), "answers by persona", model, caption)


_HOW = (
    "Shares of the six points, from strongly agree (stated) and strongly aligned (acted) on the left to the opposite "
    "on the right."
)


def _drawn(rows: pd.DataFrame, name: str, kind: str, model: str, caption: str) -> Drawn:
    wide = (WIDTH - LABELS - GAP - RIGHT) / 2
    heads = 0 if model else rows["model"].nunique()
    tall = heads * HEADING + len(rows.drop_duplicates(["model", "name"])) * LINE
    with styled():
        figure, panels = sheet(
            TOP + tall + BOTTOM, *((LABELS + at * (wide + GAP), TOP, wide, tall) for at in range(len(SIDES)))
        )
        for axes, side in zip(panels, SIDES, strict=True):
            axes.set_title(side)
            axes.set_xlim(0, 1)
            axes.set_ylim(tall, 0)
            axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
            axes.set_yticks([])
            axes.axvline(0.5, color=HALF, lw=0.8, ls=(0, (3, 3)), zorder=3)
        y = 0.0
        for of_model, own in rows.groupby("model", sort=False):
            if not model:
                y += HEADING
                _label(panels[0], y - LINE / 2, plain(of_model, LONGEST_HEADING), heading=True)
            for title, of_condition in own.groupby("title", sort=False):
                y += LINE
                _label(panels[0], y - LINE / 2, plain(title, LONGEST_TITLE))
                for axes, side in zip(panels, SIDES, strict=True):
                    _bar(axes, y - LINE / 2, of_condition[of_condition["side"] == side])
        key = [Patch(color=colour, lw=0, label=words) for colour, words in zip(POINTS, WORDS, strict=True)]
        key[0].set_label(f"{WORDS[0]} for the value")
        key[-1].set_label(f"{WORDS[-1]} against it")
        figure.legend(
            handles=key, loc="upper left", bbox_to_anchor=(0.0, 1 - 0.04 / (TOP + tall + BOTTOM)), ncols=len(key),
            handlelength=1.0,
        )  # fmt: skip
        return Drawn(name, kind, caption, svg(figure, name, caption), rows, model)


def _label(axes: Axes, y: float, text: str, *, heading: bool = False) -> None:
    wide = axes.get_position().width * WIDTH
    left = LABELS if heading else LABELS - 0.12
    axes.text(
        -left / wide, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5,
        fontweight="bold" if heading else "normal",
    )  # fmt: skip


def _bar(axes: Axes, y: float, points: pd.DataFrame) -> None:
    if not points["answered"].any():
        axes.text(0.25, y, "no answer", ha="center", va="center", alpha=MUTED, fontsize=8, fontstyle="italic")
        return
    left = 0.0
    for point in records(points):
        bar = Rectangle((left, y - 0.4 * LINE), point["share"], 0.8 * LINE, color=POINTS[point["point"] - 1], lw=0)
        axes.add_artist(bar)
        hint(
            bar,
            f"{point['title']}, {point['side']}: {WORDS[point['point'] - 1]} "
            f"{'on its side' if point['point'] <= len(POINTS) / 2 else 'against'} "
            f"{share(point['share'])} of {point['answered']}",
        )
        left += point["share"]

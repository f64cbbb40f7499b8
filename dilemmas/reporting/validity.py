"""Whether answers follow the option or its letter: the letters chosen, and what repeats keep."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dilemmas.diagnostics import ALL
from dilemmas.pages import number, share
from dilemmas.reporting.canvas import MUTED, WIDTH, Drawn, hint, sheet, styled, svg
from dilemmas.reporting.intervals import Axis, Line, draw
from dilemmas.reporting.style import COLOURS, INK, MARKS, naturally, or_nan, plain, records

COLUMNS, PANEL = 3, 1.4
"""Panels beside each other; height of a panel, inches."""
AIR = 0.02
"""Room above and below the shares."""
LEFT, TOP, ABOVE, BELOW, BETWEEN = 0.42, 0.3, 0.28, 0.3, 0.22


def letters(table: pd.DataFrame, categories: dict[str, str]) -> Drawn:
    """Shares of the letters: each model's, and those of its conditions as small marks beside them.

    Args:
        table: as from `diagnostics.letters`, with a row at least.
        categories: of each persona.
    """
    table = table.sort_values(["model", "persona", "letter"], key=_naturally, kind="stable", ignore_index=True)
    models = list(table["model"].unique())
    across = min(COLUMNS, len(models))
    down = math.ceil(len(models) / across)
    wide = (WIDTH - LEFT) / across - BETWEEN
    places = [
        (LEFT + at % across * (wide + BETWEEN), TOP + ABOVE + at // across * (PANEL + ABOVE + BELOW), wide, PANEL)
        for at in range(len(models))
    ]
    ends = [end for column in ("share", "share_low", "share_high", "even") for end in table[column].dropna()]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    caption = (
        "Share of answers under each letter, whatever option stood there. Dots with 95 % intervals: all answers of a "
        "model; small marks: its conditions. The line is the even share, near which answers that follow options come."
    )
    with styled():
        height = TOP + down * (PANEL + ABOVE + BELOW)
        figure, panels = sheet(height, *places)
        for axes, model, place in zip(panels, models, range(len(models)), strict=True):
            axes.set_title(plain(model, int(15 * wide)))
            axes.set_ylim(max(0.0, low - AIR), min(1.0, high + AIR))
            axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %")
            axes.locator_params(axis="y", nbins=4)
            axes.grid(visible=False, axis="x")
            axes.grid(visible=True, axis="y")
            if place % across:
                axes.set_yticklabels([])
            _letters(axes, table[table["model"] == model], categories)
        figure.legend(
            handles=[
                Line2D([], [], color=INK, marker="o", ms=3.6, lw=1.4, label="all answers, 95 % interval"),
                *(
                    Line2D([], [], color=COLOURS[one], marker=MARKS[one], ms=3, ls="none", label=one)
                    for one in COLOURS
                    if one in categories.values()
                ),
                Line2D([], [], color=INK, alpha=MUTED, lw=0.9, ls=(0, (4, 3)), label="even"),
            ],
            loc="upper left", bbox_to_anchor=(0.0, 1 - 0.04 / height), ncols=7,
        )  # fmt: skip
        return Drawn("letters", "letters", caption, svg(figure, "letters", caption), table)


def _letters(axes: Axes, table: pd.DataFrame, categories: dict[str, str]) -> None:
    shown = sorted(table["letter"].unique())
    axes.set_xlim(-0.6, len(shown) - 0.4)
    axes.set_xticks(range(len(shown)), shown)
    axes.axhline(float(table["even"].iloc[0]), color=INK, alpha=MUTED, lw=0.9, ls=(0, (4, 3)))
    personas = [name for name in table["persona"].unique() if name != ALL]
    for name, rows in table.groupby("persona", sort=False):
        at = [shown.index(letter) for letter in rows["letter"]]
        if name == ALL:
            for x, row in zip(at, records(rows), strict=True):
                axes.add_artist(Line2D([x - 0.22] * 2, [row["share_low"], row["share_high"]], color=INK, lw=1.4))
                dot = Line2D([x - 0.22], [row["share"]], marker="o", color=INK, ms=3.6)
                between = f"{share(row['share_low'], 1)} to {share(row['share_high'], 1)}"
                hint(axes.add_artist(dot), f"{row['letter']}: {share(row['share'], 1)}, 95 % interval {between}")
            continue
        # side by side, so that marks of one height can be told apart
        shift = 0.36 * (personas.index(name) + 0.5) / len(personas)
        category = categories.get(str(name), "other")
        marks = Line2D(
            [x + shift for x in at], rows["share"].to_numpy(float), marker=MARKS.get(category, "v"), ls="none", ms=2.4,
            mew=0, alpha=0.85, color=COLOURS.get(category, COLOURS["other"]),
        )  # fmt: skip
        hint(axes.add_artist(marks), str(name))


def _naturally(column: pd.Series) -> pd.Series:
    """Sorts the model as a whole before its personas, stated before acted, and names as people do."""
    first = {ALL: 0, "stated": 0}
    return column.map(lambda name: (first.get(name, 1), naturally(name)))


def repeats(table: pd.DataFrame) -> Drawn:
    """How often a repeat in another order keeps the option, and how often it keeps the letter.

    Args:
        table: as from `diagnostics.repeat_agreement`, with a row at least.
    """
    table = table.sort_values(["model", "persona", "side"], key=_naturally, kind="stable", ignore_index=True)
    lines = []
    for model, rows in table[table["persona"] == ALL].groupby("model", sort=False):
        lines.append(Line(str(model), heading=True))
        for row in records(rows):
            kept, low, high, letter = (or_nan(row[c]) for c in ("kept", "kept_low", "kept_high", "same_letter"))
            between = "" if math.isnan(low) else f" [{number(100 * low, 0)}, {number(100 * high, 0)}]"
            lines.append(
                Line(
                    row["side"],
                    estimate=kept,
                    interval=(low, high),
                    expected=letter,
                    numbers=(share(kept) + between, share(letter)),
                    hint=f"{model}, {row['side']}: same option in {share(kept)}{between} of {row['pairs']} pairs, same "
                    f"letter in {share(letter)}" + (f". {row['note']}" if row["note"] else ""),
                )
            )
    caption = (
        "Pairs of repeats of a question with the options in another order: the share in which the option is the same, "
        "with 95 % intervals, and (stroke) that in which the letter is the same. Answers that follow options keep the "
        "option far oftener."
    )
    axis = Axis(
        label="share of pairs",
        limits=(0.0, 1.0),
        columns=(("same option [95 %]", 0.7), ("letter", 1.0)),
        key=(
            Line2D([], [], color=INK, lw=1.9, marker="o", ms=5, label="same option, 95 % interval"),
            Line2D([], [], color=INK, ls="none", marker="|", ms=9, mew=1.6, label="same letter"),
        ),
    )
    return Drawn("repeats", "repeats", caption, draw(lines, axis, "repeats", caption), table)

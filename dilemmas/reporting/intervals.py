"""Estimates with intervals, one line each: how levels and deltas are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from dilemmas.reporting.canvas import FAINT, MUTED, WIDTH, hint, sheet, styled, svg
from dilemmas.reporting.style import COLOURS, INK, MARKS, plain

LINE, HEADING = 0.185, 0.27
"""Height of a line and of a heading, inches."""
LABELS, NUMBERS = 1.62, 1.72
"""Width of the titles on the left and of the numbers on the right, inches."""
TOP, BOTTOM = 0.5, 0.42
LONGEST_TITLE, LONGEST_HEADING = 27, 60
"""Characters of a title and of a heading."""
Range = tuple[float, float]
NOWHERE: Range = (math.nan, math.nan)


@dataclass(frozen=True)
class Line:
    """One line of the drawing; what is missing is NaN and leaves a gap."""

    title: str
    category: str = "baseline"
    """Gives colour and mark."""
    bold: bool = False
    estimate: float = math.nan
    interval: Range = NOWHERE
    wide: Range = NOWHERE
    """A second, wider interval."""
    band: Range = NOWHERE
    """A grey band behind."""
    expected: float = math.nan
    """Where a stroke stands."""
    filled: bool = True
    """Whether the mark is filled."""
    numbers: tuple[str, ...] = ()
    """Texts on the right, one for each column."""
    hint: str = ""
    heading: bool = False
    """Whether the line is a heading, with nothing but its title."""


@dataclass(frozen=True)
class Axis:
    """What the lines stand on."""

    label: str
    limits: Range
    """Of the metric: the axis never goes beyond."""
    columns: tuple[tuple[str, float], ...] = ()
    """Head of each column of numbers, and its right edge as a share of their width."""
    reference: float = math.nan
    """Where a line goes from top to bottom."""
    key: Sequence[Line2D | Patch] = ()
    """Entries of the legend."""


def draw(lines: Sequence[Line], axis: Axis, name: str, label: str) -> str:
    """The lines as SVG, from top to bottom in their order."""
    tops = np.cumsum([0.0] + [HEADING if line.heading else LINE for line in lines])
    height = TOP + tops[-1] + BOTTOM
    with styled():
        figure, (axes,) = sheet(height, (LABELS, TOP, WIDTH - LABELS - NUMBERS, tops[-1]))
        low, high = _limits(lines, axis)
        axes.set_xlim(low, high)
        axes.set_ylim(tops[-1], 0)
        axes.set_yticks([])
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(axis.label)
        if not math.isnan(axis.reference):
            axes.axvline(axis.reference, color=INK, lw=0.9, alpha=MUTED, zorder=1.5)
        for line, bottom in zip(lines, tops[1:], strict=True):
            _write(axes, line, axis, bottom - LINE / 2)
            if not line.heading:
                _mark(axes, line, bottom - LINE / 2, (high - low) / (WIDTH - LABELS - NUMBERS))
        for head, edge in axis.columns:
            axes.annotate(
                head, (WIDTH - NUMBERS * (1 - edge), height - TOP + 0.08), xycoords=figure.dpi_scale_trans, ha="right",
                alpha=MUTED, fontsize=8,
            )  # fmt: skip
        if axis.key:
            figure.legend(
                handles=axis.key, loc="upper left", bbox_to_anchor=(0.0, 1 - 0.04 / height), ncols=len(axis.key)
            )
        return svg(figure, name, label)


def _write(axes: Axes, line: Line, axis: Axis, y: float) -> None:
    """Title and numbers, beside the axes."""
    across = axes.get_yaxis_transform()
    wide = axes.get_position().width * WIDTH
    title = axes.text(
        -LABELS / wide if line.heading else -(LABELS - 0.12) / wide,
        y,
        plain(line.title, LONGEST_HEADING if line.heading else LONGEST_TITLE),
        transform=across, va="center", fontweight="bold" if line.bold or line.heading else "normal", fontsize=8.5,
    )  # fmt: skip
    hint(title, line.title)
    for text, (_, edge) in zip(line.numbers, axis.columns, strict=False):
        axes.text(
            1 + NUMBERS * edge / wide, y, text,
            transform=across, va="center", ha="right", fontsize=8, fontweight="bold" if line.bold else "normal",
        )  # fmt: skip


def _mark(axes: Axes, line: Line, y: float, per_inch: float) -> None:
    """Band, intervals, estimate and stroke of one line; `per_inch` is how far an inch goes on the axis."""
    colour = COLOURS.get(line.category, COLOURS["other"])
    low, high = line.band
    if not math.isnan(low):
        axes.add_artist(Rectangle((low, y - LINE / 2), high - low, LINE, color=INK, alpha=FAINT / 2, lw=0, zorder=1))
    size = 6.2 if line.bold else 5.0
    # an empty mark shows the ground, whatever its colour: the intervals make room for it
    room = 0.0 if line.filled else (size / 2 + 0.6) / 72 * per_inch
    for (low, high), width in ((line.wide, 0.8), (line.interval, 2.6 if line.bold else 1.9)):
        for left, right in ((low, line.estimate - room), (line.estimate + room, high)):
            if left < right:
                axes.add_artist(Line2D([left, right], [y, y], color=colour, lw=width, solid_capstyle="butt"))
    if not math.isnan(line.expected):
        stroke = Line2D([line.expected], [y], marker="|", color=INK, ms=9, mew=1.6)
        hint(axes.add_artist(stroke), line.hint)
    if math.isnan(line.estimate):
        axes.text(
            0.5, y, "not defined", transform=axes.get_yaxis_transform(), ha="center", va="center", alpha=MUTED,
            fontsize=8, fontstyle="italic",
        )  # fmt: skip
        return
    dot = Line2D(
        [line.estimate], [y], marker=MARKS.get(line.category, MARKS["other"]), ms=size, mew=1.2, mec=colour,
        mfc=colour if line.filled else "none",
    )  # fmt: skip
    hint(axes.add_artist(dot), line.hint)


def _limits(lines: Sequence[Line], axis: Axis) -> Range:
    """The lines' ends and the reference with a little air, but no more than the metric has."""
    ends = [end for line in lines for end in (line.estimate, *line.interval, *line.wide, *line.band, line.expected)]
    known = [end for end in (*ends, axis.reference) if not math.isnan(end)] or list(axis.limits)
    air = 0.03 * (max(known) - min(known) or 1.0)
    return max(axis.limits[0], min(known) - air), min(axis.limits[1], max(known) + air)

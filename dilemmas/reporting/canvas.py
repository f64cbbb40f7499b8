"""From a matplotlib figure to SVG text: the same bytes every time, small, and at home on any page.

Letters stay text, so that a figure is small, can be searched and takes the page's font. Ink becomes
`currentColor` and lighter ink is ink that shows the ground through, so a figure fits a light page, a dark one
and a sheet of paper. Sizes are fixed in inches: lines of different figures align, and matplotlib need not
lay them out, which takes longer than drawing.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dilemmas.reporting.style import INK, plain

WIDTH = 6.2
"""Width of a figure, inches."""
FAINT, MUTED = 0.16, 0.68
"""How much of the ink rules and words of less weight have."""
_HINT = "hint: "
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so lengths are the same everywhere
    "font.size": 8.5,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.spines.bottom": False,
    "axes.axisbelow": True,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.labelsize": 8.5,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": INK,
    "grid.alpha": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "xtick.major.size": 0,
    "ytick.color": INK,
    "ytick.labelsize": 8,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.5,
    "legend.columnspacing": 1.2,
    "legend.borderpad": 0,
    "legend.borderaxespad": 0,
}


@dataclass(frozen=True)
class Drawn:
    """A figure and the numbers behind it."""

    name: str
    """Unique among the figures of a study, and fit for a file."""
    kind: str
    """What it shows, such as `deltas`."""
    caption: str
    """What is to be seen and how to read it: plain text."""
    svg: str
    """Safe to stand in a page as it is."""
    table: pd.DataFrame
    """One tidy row for each mark."""
    model: str = ""
    """The model it shows; empty if it shows all."""
    metric: str = ""
    """`AD`, `AR`, or empty."""


@contextmanager
def styled() -> Iterator[None]:
    """The style of all figures, while one is drawn."""
    with mpl.rc_context(_STYLE):
        yield


def sheet(height: float, *places: tuple[float, float, float, float], width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """A figure with axes at fixed places.

    Args:
        height: of the figure, inches.
        places: left, top, width and height of each axes, inches from the top left corner.
        width: of the figure, inches.
    """
    figure = Figure(figsize=(width, height))
    return figure, [
        figure.add_axes((left / width, 1 - (top + tall) / height, wide / width, tall / height))
        for left, top, wide, tall in places
    ]


def hint(artist: Artist, text: str) -> None:
    """Show a text when a reader points at a mark."""
    artist.set_gid(_HINT + plain(text))


def svg(figure: Figure, name: str, label: str) -> str:
    """A figure as SVG.

    Args:
        figure: as from `sheet`.
        name: no other figure of the page has it: ids in the SVG are made from it.
        label: what it shows, for readers who do not see it.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    # matplotlib escapes what stands in an attribute, and that is as safe between tags
    text = re.sub(rf'<g id="{_HINT}([^"]*)">', r"<g><title>\1</title>", text)
    # figure_1, axes_1: the same in every figure, and nothing refers to them; some groups are empty
    text = re.sub(r'\s*<g id="[\w.]+"/>', "", re.sub(r'<g id="[\w.]+">', "<g>", text))
    text = re.sub(r' transform="rotate\(-0 [\d. ]+\)"', "", text)
    # a style sheet would hold for the whole page
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, count=1, flags=re.DOTALL)
    # in tags only, where no text from outside can be: it would have an escaped ">" before it
    text = re.sub(r"<[^>]*>", lambda tag: tag[0].replace(INK, "currentColor"), text)
    root = f'role="img" aria-label="{html.escape(plain(label))}" stroke-linejoin="round" stroke-linecap="butt"'
    return text.replace("<svg ", f"<svg {root} ", 1)

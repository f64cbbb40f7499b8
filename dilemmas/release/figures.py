"""Figures of a release: what it covers, how values are set against each other, how long and how alike the texts are.

The same contents give the same bytes. Numbers come from the measures of `dilemmas check`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, get_args

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from dilemmas import taxonomy
from dilemmas.checks.text import words
from dilemmas.release.contents import Contents
from dilemmas.release.layout import CANARY, FIGURES
from dilemmas.reporting.canvas import MUTED, WIDTH, sheet, styled, svg
from dilemmas.reporting.style import INK, POINTS
from dilemmas.review.labels import PLACE_NAMES
from dilemmas.schema import PLACES, ReviewStatus

STATUS_COLOURS = dict(
    zip(("accepted", "revised", "undecided", "unreviewed"), ("#009e73", "#1a7fc1", "#d55e00", "#b8b8b8"), strict=True)
)
"""Of Okabe and Ito, told apart with any kind of colour vision; what nobody reviewed is grey."""
ROW, LEFT, TOP, RIGHT = 0.155, 1.75, 1.5, 0.85
"""Height of a row of the grid; room for names to the left, above, and to the right of them; inches."""
BINS = 30
"""Bars of the histogram, from a cosine of 0 to 1."""


def every(contents: Contents) -> dict[str, str]:
    """All figures: path in the release and SVG text."""
    drawn: dict[str, tuple[Callable[[Contents, str], str], str]] = {
        "coverage": (coverage, "Dilemmas in each of the 616 cells of 56 values and eleven topics"),
        "review": (review, "Dilemmas by basic value and review status"),
        "circle": (circle, "The 56 values on the circle, with lines from focal to competing values"),
        "lengths": (lengths, "Words of the actions by their place"),
        "similarity": (similarity, "How near each scenario is to the one most like it"),
    }
    return {f"{FIGURES}/{name}.svg": _alone(draw(contents, label)) for name, (draw, label) in drawn.items()}


def _alone(drawn: str) -> str:
    """A figure that stands by itself: on white, whatever is around it, and with the mark."""
    on_white = drawn.replace("<svg ", '<svg style="background:#ffffff;color:#101418;font-family:sans-serif" ', 1)
    return f"{on_white.rstrip()}\n<!-- {CANARY} -->\n"


def coverage(contents: Contents, label: str) -> str:
    """The grid: darker cells hold more dilemmas."""
    cells = Counter((str(one.value), str(one.topic)) for one in contents.dilemmas)
    values, topics = list(taxonomy.values()), list(taxonomy.topics())
    most = max(cells.values(), default=1)
    wide = (WIDTH - LEFT - RIGHT) / len(topics)
    with styled():
        figure, (axes,) = sheet(TOP + ROW * len(values) + 0.35, (LEFT, TOP, wide * len(topics), ROW * len(values)))
        for count in range(most + 1):
            own = [
                Rectangle((at, row), 0.94, 0.9)
                for row, value in enumerate(values)
                for at, topic in enumerate(topics)
                if cells[value, topic] == count
            ]
            axes.add_collection(PatchCollection(own, facecolor=_shade(count, most), edgecolor="none"))
        axes.set_xlim(0, len(topics))
        axes.set_ylim(len(values), 0)
        axes.set_yticks([row + 0.45 for row in range(len(values))], values, fontsize=6.8)
        axes.set_xticks([at + 0.47 for at in range(len(topics))], topics, rotation=55, ha="left", fontsize=7)
        axes.xaxis.tick_top()
        axes.grid(visible=False)
        told = ", ".join(f"{count} in {found}" for count, found in sorted(Counter(_every_cell(cells)).items()))
        figure.text(0.02, 0.008, f"Dilemmas in a cell (darker: more): {told} cells", fontsize=7.5, alpha=MUTED)
        return svg(figure, "coverage", label)


def _every_cell(cells: Counter[tuple[str, str]]) -> list[int]:
    return [cells[value, topic] for value in taxonomy.values() for topic in taxonomy.topics()]


def _shade(count: int, most: int) -> str:
    return "#ececec" if not count else to_hex(mpl.colormaps["cividis"](0.75 - 0.75 * (count - 1) / max(most - 1, 1)))


def review(contents: Contents, label: str) -> str:
    """Bars of basic values, parted by what people made of the dilemmas."""
    basic = list(dict.fromkeys(one.basic_value for one in taxonomy.values().values()))
    found = Counter((taxonomy.value(one.value).basic_value, one.review.status) for one in contents.dilemmas)
    statuses = [one for one in get_args(ReviewStatus) if one in contents.by_status]
    with styled():
        figure, (axes,) = sheet(0.24 * len(basic) + 0.85, (1.2, 0.4, WIDTH - 1.4, 0.24 * len(basic)))
        start = np.zeros(len(basic))
        for status in sorted(statuses, key=list(STATUS_COLOURS).index):
            width = np.array([found[one, status] for one in basic])
            axes.barh(range(len(basic)), width, 0.7, left=start, color=STATUS_COLOURS[status], label=status)
            start = start + width
        _rows(axes, basic, "dilemmas")
        figure.legend(loc="upper left", bbox_to_anchor=(0.18, 0.99), ncols=4)
        return svg(figure, "review", label)


def circle(contents: Contents, label: str) -> str:
    """Values around the circle, larger the more dilemmas are about them; a line for each pair that is set at odds."""
    # Values of one basic value share its angle, so they stand side by side, in the circle's order.
    ring = sorted(taxonomy.values().values(), key=lambda one: one.angle)
    turn = {one.name: 2 * math.pi * at / len(ring) for at, one in enumerate(ring)}
    focal = Counter(one.value for one in contents.dilemmas)
    pairs = Counter((one.value, one.competing_value) for one in contents.dilemmas)
    with styled():
        figure, (axes,) = sheet(WIDTH, (0, 0, WIDTH, WIDTH))
        axes.set_axis_off()
        axes.set_xlim(-2.05, 2.05)
        axes.set_ylim(-2.05, 2.05)
        for (one, other), count in sorted(pairs.items()):
            axes.add_line(
                Line2D(
                    [math.sin(turn[one]), math.sin(turn[other])], [math.cos(turn[one]), math.cos(turn[other])],
                    lw=0.5 * count, color=POINTS[1], alpha=min(1.0, 0.15 + 15 / max(len(pairs), 1)), zorder=1,
                )
            )  # fmt: skip
        most = max(focal.values(), default=1)
        for value in ring:
            x, y = math.sin(turn[value.name]), math.cos(turn[value.name])
            count = focal[value.name]
            axes.plot(
                x, y, "o", ms=2 + 6 * math.sqrt(count / most), mec=INK, mew=0.5, mfc=POINTS[0] if count else "#ffffff",
                zorder=2,
            )  # fmt: skip
            degrees = 90 - math.degrees(turn[value.name])
            right = x >= 0
            axes.text(
                1.08 * x, 1.08 * y, f"{value.name} ({count})" if right else f"({count}) {value.name}", fontsize=6.2,
                rotation=degrees if right else degrees + 180, rotation_mode="anchor",
                ha="left" if right else "right", va="center",
            )  # fmt: skip
        return svg(figure, "circle", label)


def lengths(contents: Contents, label: str) -> str:
    """Words of actions: median, quartiles, and whiskers to the 5th and 95th percentile."""
    found = [[len(words(one.action(*at).text)) for one in contents.dilemmas] for at in PLACES]
    with styled():
        figure, (axes,) = sheet(2.35, (1.3, 0.2, WIDTH - 1.5, 1.55))
        lines: Any = {"color": INK, "lw": 0.8}
        axes.boxplot(
            found, orientation="horizontal", positions=range(len(PLACES)), widths=0.6, whis=(5, 95), showfliers=False,
            patch_artist=True, boxprops={"facecolor": POINTS[2], "edgecolor": INK, "lw": 0.8}, medianprops=lines,
            whiskerprops=lines, capprops=lines,
        )  # fmt: skip
        axes.set_xlim(left=0)
        _rows(axes, PLACE_NAMES, "words of the action")
        return svg(figure, "lengths", label)


def similarity(contents: Contents, label: str) -> str:
    """Cosines of nearest neighbours: 1 is the same words."""
    cosines = [one.similarity for one in contents.findings.neighbours]
    with styled():
        figure, (axes,) = sheet(2.3, (0.7, 0.2, WIDTH - 0.9, 1.5))
        axes.hist(cosines, bins=[at / BINS for at in range(BINS + 1)], color=POINTS[1], edgecolor="none")
        axes.set_xlim(0, 1)
        axes.set_xlabel("cosine to the nearest other scenario (words weighted by rarity)")
        axes.set_ylabel("dilemmas")
        axes.grid(visible=True, axis="y")
        axes.locator_params(axis="y", integer=True)
        return svg(figure, "similarity", label)


def _rows(axes: Axes, names: Sequence[str], measure: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(measure)
    axes.locator_params(axis="x", integer=True)

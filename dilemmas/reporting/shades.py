"""Numbers as shades: the darker, the larger the gap between stated and acted.

The shades are steps of the map `cividis`, which is even in lightness and looks the same to people with
red-green deficiency; steps, because a page then needs a class for each and not a colour for every cell.
Nunez, Anderton and Renslow (2018), doi:10.1371/journal.pone.0199239.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

STEPS = 12
FILLS: tuple[str, ...] = tuple(to_hex(mpl.colormaps["cividis"](1 - (at + 0.5) / STEPS)) for at in range(STEPS))
"""Colour of each shade, from the smallest gap to the largest."""
INKS: tuple[str, ...] = tuple("#101418" if at < STEPS / 2 else "#ffffff" for at in range(STEPS))
"""Colour of words on each: a contrast of 4.5 at least."""


@dataclass(frozen=True)
class Shades:
    """Which numbers of a metric have which shade."""

    metric: str
    low: float
    high: float

    @classmethod
    def spanning(cls, metric: str, numbers: Iterable[float]) -> Shades:
        """Shades for some numbers, from a round one to a round one; NaN does not count.

        >>> Shades.spanning("AD", [0.31, 0.68, math.nan])
        Shades(metric='AD', low=0.3, high=0.7)
        """
        known = [number for number in numbers if not math.isnan(number)] or [0.0, 1.0]
        low, high = math.floor(10 * min(known) + 1e-9), math.ceil(10 * max(known) - 1e-9)
        return cls(metric, low / 10, max(high, low + 1) / 10)

    def of(self, number: float) -> int | None:
        """Which of `FILLS` a number has; None if it is missing.

        >>> Shades("AD", 0.0, 1.2).of(0.35), Shades("AR", 0.0, 1.2).of(0.35), Shades("AD", 0, 1).of(math.nan)
        (3, 8, None)
        """
        if math.isnan(number):
            return None
        share = (number - self.low) / (self.high - self.low)
        larger_gap = share if self.metric == "AD" else 1 - share
        return min(max(math.floor(larger_gap * STEPS), 0), STEPS - 1)


def bar(axes: Axes, shades: Shades) -> None:
    """Draw the shades with their numbers, upright, into axes of their own."""
    step = (shades.high - shades.low) / STEPS
    for at in range(STEPS):
        low = shades.low + at * step
        shade = shades.of(low + step / 2)
        axes.add_artist(Rectangle((0, low), 1, step, color=FILLS[shade or 0], lw=0))
    axes.set_xlim(0, 1)
    axes.set_ylim(shades.low, shades.high)
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.locator_params(axis="y", nbins=6)
    axes.set_title(shades.metric)
    axes.grid(visible=False)

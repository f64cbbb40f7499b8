"""How much paired differences of dilemmas vary: what the power of a study depends on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dilemmas.errors import InputError
from dilemmas.scores import icc
from dilemmas.significance import categories_to_baseline, personas_to_baseline
from dilemmas.significance.contrasts import Compared, Contrast, compared
from dilemmas.significance.jackknife import Floats
from dilemmas.significance.panel import METRICS, Metric, Panel

STEP = 1e-5
"""Of the differences that stand for derivatives; sums are counts, so of the order of 1 to 1,000."""
MOST = 0.99
"""A measured correlation or ICC is taken as no larger."""


class Spread(NamedTuple):
    """How much paired differences of dilemmas vary, of AD or in the linearised AR (see `linearised`)."""

    sd: float
    """Standard deviation over dilemmas of one persona's difference to the baseline; above 0."""
    correlation: float
    """Between the differences of two personas of a category, in [0, 1]: they share the baseline."""
    icc_value: float
    """Share of the variance of a category's differences that lies between values, in [0, 1)."""
    icc_topic: float
    """The same between topics."""
    repeats: int = 3
    """How often the questions were asked where this was measured."""
    noise: float = 0.0
    """Share of the variance of the differences that is repeat noise, with three repeats, in [0, 1)."""
    assumed: tuple[str, ...] = ()
    """Which of these were not measured but are as in `TYPICAL`."""

    def given(
        self, *, sd: float | None = None, icc_value: float | None = None, icc_topic: float | None = None
    ) -> Spread:
        """With some numbers known better; None leaves them as they are.

        >>> Spread(0.4, 0.5, 0, 0, assumed=("sd", "noise")).given(sd=0.3)[0::6]
        (0.3, ('noise',))
        """
        numbers = {"sd": sd, "icc_value": icc_value, "icc_topic": icc_topic}
        known = {name: number for name, number in numbers.items() if number is not None}
        return Spread(**{**self._asdict(), **known, "assumed": tuple(x for x in self.assumed if x not in known)})

    def of(self, personas: int, repeats: int) -> float:
        """Standard deviation of the mean difference of some personas, with another number of repeats.

        sd^2 (1 + (k - 1) r) / k for k personas of correlation r; by repeats, R, it is as 1 - u + 3 u / R
        with u the share of noise.

        >>> round(Spread(0.46, 0.44, 0, 0).of(personas=4, repeats=3), 2)
        0.35
        """
        together = (1 + (personas - 1) * self.correlation) / personas
        asked, measured = (1 - self.noise + 3 * self.noise / number for number in (repeats, self.repeats))
        return self.sd * math.sqrt(together * asked / measured)


ALL = ("sd", "correlation", "icc_value", "icc_topic", "noise")
TYPICAL: dict[Metric, Spread] = {
    "AD": Spread(sd=0.46, correlation=0.50, icc_value=0.07, icc_topic=0.0, noise=0.18, assumed=ALL),
    "AR": Spread(sd=0.46, correlation=0.50, icc_value=0.05, icc_topic=0.0, noise=0.10, assumed=ALL),
}
"""Of studies simulated with no effect and value_sd .3, the sd without; a run of one's own knows better."""


def linearised(data: Compared) -> Floats:
    """What each dilemma adds to a delta, so that the delta's variance is that of a mean.

    With x_i the dilemma's sums and T a function of their total, N x_i . grad T: for AD the paired
    difference less the delta, for AR its equal. N counts the dilemmas that count. By central
    differences. The infinitesimal jackknife, Jaeckel (1972); Efron (1982), doi:10.1137/1.9781611970319.

    Args:
        data: a contrast, as from `contrasts.compared`.

    Returns:
        One number for each dilemma that counts; NaN where the delta is undefined.
    """
    rows = data.rows[data.counts]
    total = rows.sum(axis=0)
    steps = STEP * np.eye(len(total))
    with np.errstate(invalid="ignore", divide="ignore"):
        gradient = (data.delta(total + steps) - data.delta(total - steps)) / (2 * STEP)
    return np.asarray(len(rows) * rows @ gradient)


def measured(dilemmas: pd.DataFrame) -> dict[Metric, Spread]:
    """The spread of paired differences in a run, to plan the next one.

    Variances of differences of single personas are averaged over personas and models, those of categories and
    their ICC over categories and models. The correlation follows from both. What cannot be measured (the
    correlation with one persona in each category, the ICC with one dilemma for each value) is as in
    `TYPICAL`, and so is the share of noise; `assumed` says so. What is below zero is 0.

    Args:
        dilemmas: as from `scores.per_dilemma`; needs what `significance.compare` needs, and topic.

    Raises:
        InputError: there is no persona beside the baseline, or no baseline, or nothing varies.
    """
    panel = Panel(dilemmas)
    of_personas, of_categories = personas_to_baseline(dilemmas), categories_to_baseline(dilemmas)
    if not of_personas:
        raise InputError(
            "has no persona with a baseline", where="run", fix="Power needs the differences of personas to one."
        )
    repeats = round(float(dilemmas[["n_v", "n_a"]].to_numpy(float).mean()))
    found: dict[Metric, Spread] = {}
    for metric in METRICS:
        one = mean_of_known([variance(panel, contrast)[0] for contrast in of_personas if contrast.metric == metric])
        if not one > 0:
            continue
        categories = [contrast for contrast in of_categories if contrast.metric == metric]
        many, by_value, by_topic = (
            mean_of_known(numbers)
            for numbers in zip(*(variance(panel, contrast) for contrast in categories), strict=True)
        )
        # a mean of k differences has the variance r s^2 + (1 - r) s^2 / k, so 1 / k is averaged
        share = mean_of_known([1 / len(contrast.second) for contrast in categories])
        numbers = {
            "correlation": (many / one - share) / (1 - share) if share < 1 else math.nan,
            "icc_value": by_value,
            "icc_topic": by_topic,
        }
        unknown = [name for name, number in numbers.items() if math.isnan(number)]
        known = {name: min(max(number, 0.0), MOST) for name, number in numbers.items() if name not in unknown}
        found[metric] = TYPICAL[metric]._replace(
            sd=math.sqrt(one), repeats=max(repeats, 1), assumed=(*unknown, "noise"), **known
        )
    if not found:
        raise InputError(
            "has no differences to the baseline that vary", where="run", fix="Nothing can be planned by it."
        )
    return found


def variance(panel: Panel, contrast: Contrast) -> tuple[float, float, float]:
    """Variance of a contrast's linearised differences, and their ICC by value and by topic."""
    data = compared(panel, contrast)
    x = linearised(data)
    if len(x) < 2 or np.isnan(x).any():
        return math.nan, math.nan, math.nan
    return float(x.var(ddof=1)), icc(x, panel.value[data.counts]), icc(x, panel.topic[data.counts])


def mean_of_known(numbers: Sequence[float]) -> float:
    """Mean of the numbers that are not NaN; NaN without one."""
    known = [number for number in numbers if not math.isnan(number)]
    return math.fsum(known) / len(known) if known else math.nan

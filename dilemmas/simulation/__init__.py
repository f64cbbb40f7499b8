"""Answers made up from known truths: to plan a study, and to see what the tests make of data whose truth is known.

Every answer comes from a latent number on the scale of the scores, cut to the nearest of the six points:

    stated  x = S_ci + noise e,    acted  x = S_ci + k_c G_ci + noise e,    e standard normal

for condition c and dilemma i. S and the gap G are sums of normal parts that a dilemma's value, its topic,
the dilemma itself and the dilemma in one condition add (`STATED`, `GAP`); all but the last are shared by the
conditions, so that conditions are paired. Personas have k_c such that their expected AD is lower than the
baseline's by the effect asked for (`gap_factor`), and the baseline k_c = 1. Heterogeneity adds to G a shift
of each condition, the baseline too, by value and by topic, with mean zero over values and over topics: the
effect of a condition then differs between values, and is zero on average where no effect is asked for.

    places      which dilemmas there are
    settings    what is true
    truth       what the settings imply: expected AD, and the latent numbers that give an effect
    study       one study drawn: arrays, whose `answers` and `dilemmas` are the frames that the rest takes
"""

from dilemmas.simulation.places import grid, places_of
from dilemmas.simulation.settings import Settings
from dilemmas.simulation.study import COLUMNS, Study, draw, table
from dilemmas.simulation.truth import agreement_shift, expected_ad, gap_factor

__all__ = [
    "COLUMNS", "Settings", "Study", "agreement_shift", "draw", "expected_ad", "gap_factor", "grid", "places_of",
    "table",
]  # fmt: skip

"""Levels and deltas of AD and AR: intervals, tests, corrections.

All statistics here are functions of sums over dilemmas, so a resample by value only needs the sums
per value: a matrix `parts` with a row for each value and a column for each sum. Leaving values out
or drawing them anew is then arithmetic on that matrix.

    tables       levels, and deltas to the baseline: what `analyse` writes
    compare      contrasts with intervals, tests, corrections and effect sizes; `contrasts` makes them
    groups       deltas by value or topic, shrunken
    models       regressions of paired differences, and a mixed model
    published    the tests of published work, for comparison only
    jackknife, bootstrap, two_way, equivalence, corrections, shrinkage
                 the mathematics, on arrays; `panel` turns dilemma rows into them

A positive delta is a smaller gap: baseline AD minus persona AD, persona AR minus baseline AR.
"""

from dilemmas.significance.compare import compare
from dilemmas.significance.contrasts import (
    between,
    categories_to_baseline,
    category_to_category,
    personas_to_baseline,
    run_to_run,
)
from dilemmas.significance.corrections import benjamini_hochberg, holm
from dilemmas.significance.groups import by_group
from dilemmas.significance.jackknife import Estimate, jackknife
from dilemmas.significance.models import regressions
from dilemmas.significance.panel import METRICS, RANGE
from dilemmas.significance.published import published
from dilemmas.significance.tables import effects, levels

__all__ = [
    "METRICS",
    "RANGE",
    "Estimate",
    "benjamini_hochberg",
    "between",
    "by_group",
    "categories_to_baseline",
    "category_to_category",
    "compare",
    "effects",
    "holm",
    "jackknife",
    "levels",
    "personas_to_baseline",
    "published",
    "regressions",
    "run_to_run",
]

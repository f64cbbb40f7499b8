"""From answers to scores: alignment rate (AR) and alignment distance (AD), with what must stand beside them.

Pure functions, a tidy frame in and a tidy frame out. Notation: v_r is the score of repeat r of the
value question (stated), a_r that of the action question (acted), both in [-1, 1]; where option
probabilities are known a score is their expectation, and its sign is that of the more likely side.

    answers()        store                   -> one row per trial
    per_dilemma()    answers                 -> one row per model, persona and dilemma
    per_persona()    dilemma rows, answers   -> one row per model and persona
    per_category()   persona rows            -> one row per model and category: the mean of its personas
    pooled()         dilemma rows, answers   -> the same, of all its personas' dilemmas together
    variation()      dilemma rows            -> how much scores vary between and within dilemmas, values, topics

    measures    agreement of signs and its bounds; signs    the sign of repeats; floor    what noise alone would give

Missing is missing: a refused or unreadable reply has no score, an empty group has n = 0 and NaN.
"""

from dilemmas.scores.answers import answers, score_and_vote
from dilemmas.scores.conditions import STATUSES, per_category, per_persona, pooled, status_counts
from dilemmas.scores.floor import noise_floor
from dilemmas.scores.items import per_dilemma
from dilemmas.scores.measures import agreement, f1_bounds
from dilemmas.scores.variation import icc, variation

__all__ = [
    "STATUSES", "agreement", "answers", "f1_bounds", "icc", "noise_floor", "per_category", "per_dilemma", "per_persona",
    "pooled", "score_and_vote", "status_counts", "variation",
]  # fmt: skip

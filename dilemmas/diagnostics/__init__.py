"""Are the answers fit to interpret? What speaks against it, by model and condition, and a verdict with its reasons.

    positions    which letters were chosen, and whether evenly
    repeats      whether the same question gets the same answer again
    order        how much an answer depends on where its option stood
    drifts       whether answers change while a run goes on
    replies      what went unread, the letters' mass, and how alike the answers are
    signs        how often a model agrees and acts aligned
    reasoning    reasoning that states another letter than the answer
    rules        the rules of the verdict
    verdicts     a verdict for each model and condition

Tables are pure functions of the answers (as from `scores.answers`). Some need columns that not all
answers have; without them they have no row:

    order        codes of the options in the order shown, with a space between them
    request      number of the question in the order in which the run puts them
    said         letter that the reasoning states, as from the function of that name
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from dilemmas.config import ScaleName
from dilemmas.diagnostics.drifts import drift
from dilemmas.diagnostics.order import order_sensitivity
from dilemmas.diagnostics.positions import hotelling, letters, position
from dilemmas.diagnostics.reasoning import contradictions, said
from dilemmas.diagnostics.repeats import repeat_agreement
from dilemmas.diagnostics.replies import letter_mass, spread, unread
from dilemmas.diagnostics.rules import RULES, Fit, as_table
from dilemmas.diagnostics.shares import ALL
from dilemmas.diagnostics.signs import signs
from dilemmas.diagnostics.verdicts import ConditionVerdict, Verdict, as_frame, verdict, verdicts

__all__ = [
    "ALL", "RULES", "ConditionVerdict", "Diagnosis", "Fit", "Verdict", "as_table", "contradictions", "diagnose",
    "drift", "hotelling", "letter_mass", "letters", "order_sensitivity", "position", "repeat_agreement", "said",
    "signs", "spread", "unread", "verdict", "verdicts",
]  # fmt: skip


@dataclass(frozen=True)
class Diagnosis:
    """All tables of diagnostics, and the verdicts."""

    tables: dict[str, pd.DataFrame]
    """By name: position, letters, repeats, order, drift, unread, mass, contradictions, spread, verdicts."""
    verdicts: tuple[ConditionVerdict, ...]
    """Of each model as a whole (persona `(all)`) and of each of its conditions."""

    @property
    def models(self) -> tuple[Verdict, ...]:
        """The verdict on each model."""
        return tuple(Verdict(one.model, one.fit, one.reasons) for one in self.verdicts if one.persona == ALL)


def diagnose(
    frame: pd.DataFrame,
    *,
    scale: ScaleName = "even",
    demonstrations: Collection[str] = (),
    fixed: bool = False,
    options: int | None = None,
) -> Diagnosis:
    """All tables of diagnostics of some answers, and the verdicts.

    Args:
        frame: as from `scores.answers`.
        scale: scores of the options.
        demonstrations: models that only show how the tool works.
        fixed: whether every option stood under the same letter throughout.
        options: of a question; by default as many as `positions.options_of` finds.
    """
    lettered = "letter" in frame
    tables = {
        **({"position": position(frame, options), "letters": letters(frame, options)} if lettered else {}),
        "repeats": repeat_agreement(frame),
        "order": order_sensitivity(frame, scale),
        "drift": drift(frame),
        "unread": unread(frame),
        **({"mass": letter_mass(frame)} if "mass" in frame else {}),
        "contradictions": contradictions(frame),
        "spread": spread(frame),
    }
    judged = {**tables, "signs": signs(frame)}
    found = verdicts(frame, judged, demonstrations=demonstrations, fixed=fixed)
    return Diagnosis({**tables, "verdicts": as_frame(found)}, found)

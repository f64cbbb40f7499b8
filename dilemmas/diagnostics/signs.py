"""How often a model agrees and acts aligned: where it nearly always or never does, AR has nothing to show."""

from __future__ import annotations

import pandas as pd

from dilemmas.diagnostics.shares import groups
from dilemmas.scores.items import per_dilemma
from dilemmas.scores.measures import agreement

COLUMNS = ["model", "persona", "p_agree", "p_aligned", "chance"]


def signs(frame: pd.DataFrame) -> pd.DataFrame:
    """Shares of dilemmas on which a model agrees and acts aligned, and the AR that these give by chance.

    Args:
        frame: as from `scores.answers`.

    Returns:
        One row per model and persona (`(all)` first): p_agree, p_aligned and chance, over dilemmas decided
        on both sides (see `scores.agreement`); NaN without one. No row where votes are not known.
    """
    if "vote" not in frame:
        return pd.DataFrame(columns=COLUMNS)
    rows = []
    for model, persona, group in groups(per_dilemma(frame)):
        found = agreement(group["sign_v"].to_numpy(float), group["sign_a"].to_numpy(float))
        rows.append({"model": model, "persona": persona, "p_agree": found["p_agree"],
                     "p_aligned": found["p_aligned"], "chance": found["f1_chance"]})  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)

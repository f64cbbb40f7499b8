"""Which conditions a study has, in reading order, with the titles they have in figures and tables."""

from __future__ import annotations

import pandas as pd

from dilemmas.reporting.style import CATEGORIES, naturally

COLUMNS = ["model", "level", "name", "category", "persona", "personas", "title"]


def conditions(personas: pd.DataFrame) -> pd.DataFrame:
    """Each model's baseline, then each category followed by its personas.

    The only persona of a category is no line of its own: the two would show the same numbers, and the
    category's are those of the confirmatory family.

    Args:
        personas: needs model, persona and category; rows may repeat.

    Returns:
        One row per condition, in reading order: model, level (`category` or `persona`), name (as in
        `significance`), category, persona (its id, or empty where there are several), personas (how many
        it has), title.

    >>> rows = [("m", "baseline", "baseline"), ("m", "a-10", "max"), ("m", "a-9", "max"), ("m", "b", "other")]
    >>> conditions(pd.DataFrame(rows, columns=["model", "persona", "category"]))["title"].tolist()
    ['baseline', 'max (2 personas)', 'a-9', 'a-10', 'b (other)']
    """
    known = personas[["model", "persona", "category"]].drop_duplicates().astype(str)
    rows = []
    for model in sorted(known["model"].unique(), key=naturally):
        own = known[known["model"] == model]
        for category in sorted(own["category"].unique(), key=_place):
            members = sorted(own.loc[own["category"] == category, "persona"], key=naturally)
            alone = members[0] if len(members) == 1 else ""
            rows.append((model, "category", category, category, alone, len(members), _title(category, members)))
            if not alone:
                rows += [(model, "persona", name, category, name, 1, name) for name in members]
    return pd.DataFrame(rows, columns=COLUMNS)


def _place(category: str) -> tuple[int, str]:
    return CATEGORIES.index(category) if category in CATEGORIES else len(CATEGORIES), category


def _title(category: str, members: list[str]) -> str:
    if len(members) > 1:
        return f"{category} ({len(members)} personas)"
    return members[0] if members[0].startswith(category) else f"{members[0]} ({category})"

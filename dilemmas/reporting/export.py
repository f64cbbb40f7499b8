"""Figures and tables of a study as files, for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dilemmas.reporting import tables
from dilemmas.reporting.canvas import Drawn
from dilemmas.resources import write_texts
from dilemmas.tidy import spreadsheet_safe


def save(figures: Sequence[Drawn], made: Sequence[tables.Table], folder: Path) -> None:
    """Write `figures/NAME.svg` with its numbers as `.csv`, and `tables/NAME.md` with the same as `.tex`.

    Args:
        figures: as from `figures.every`.
        made: as from `tables.every`.
        folder: of the run.

    Raises:
        InputError: the place cannot be written.
    """
    files = {}
    for one in figures:
        files[folder / "figures" / f"{one.name}.svg"] = one.svg + "\n"
        files[folder / "figures" / f"{one.name}.csv"] = spreadsheet_safe(one.table).to_csv(
            index=False, float_format="%.12g"
        )
    for table in made:
        files[folder / "tables" / f"{table.name}.md"] = tables.markdown(table)
        files[folder / "tables" / f"{table.name}.tex"] = tables.latex(table)
    write_texts(files)

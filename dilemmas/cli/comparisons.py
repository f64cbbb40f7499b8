"""A run beside others as tables in the terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dilemmas.analysis import Analysis
from dilemmas.cli.tables import WIDE
from dilemmas.pages import interval, p_value, signed
from dilemmas.significance import METRICS
from dilemmas.significance.contrasts import RUN_TO_RUN
from dilemmas.tidy import records

LEGEND = (
    "Between runs Δ above 0 is a smaller gap in the run named last; p adjusted is that of Benjamini and Hochberg over "
    "all comparisons of runs, those of single personas too (tables/comparisons.csv)."
)


def print_comparisons(found: Analysis) -> None:
    """The baseline and each category in this run against the others; nothing where there are none."""
    if not found.compared:
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    gap = " " if console.width >= WIDE else "\n"
    table = found.comparisons[found.comparisons["family"] == RUN_TO_RUN]
    shown = table[(table["level"] == "category") | (table["name"] == "baseline")]
    for model, rows in shown.groupby("model", sort=False):
        console.print(_table(str(model), records(rows), gap))
    console.print(LEGEND, style="dim", highlight=False)


def _table(title: str, rows: list[dict[str, Any]], gap: str) -> Table:
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0),
        pad_edge=False,
    )  # fmt: skip
    table.add_column("condition", no_wrap=True)
    for metric in METRICS:
        for head in ("n", f"Δ{metric} [95 %]", "p", "p adjusted"):
            table.add_column(escape(head), justify="right", no_wrap=True)
    for name in dict.fromkeys(row["name"] for row in rows):
        cells = [cell for metric in METRICS for row in rows if (row["name"], row["metric"]) == (name, metric)
                 for cell in _cells(row, gap)]  # fmt: skip
        table.add_row(escape(name), *map(escape, cells))
    return table


def _cells(row: dict[str, Any], gap: str) -> tuple[str, str, str, str]:
    change = f"{signed(row['estimate'], 2)}{gap}{interval(row)}"
    return str(row["n"]), change, p_value(row["p"]), p_value(row["p_adjusted"])

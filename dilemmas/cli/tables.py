"""The result of a run as tables in the terminal, narrow enough for 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dilemmas.analysis import Analysis
from dilemmas.pages import interval, number, p_value, share, signed
from dilemmas.report import conditions, label_of

WIDE = 108
"""Columns from which an interval stands beside its estimate, not under it."""
LEGEND = (
    "AD: distance between stated and acted, 0 to 2; floor: what noise alone would give. "
    "AR: F1 of the side acted on against the side stated; chance: of independent answers. "
    "Δ above 0: a smaller gap than the baseline's. In brackets behind a category: its personas."
)


def print_tables(found: Analysis) -> None:
    """Scores, deltas and verdict of each model, then how to read them and the caveat."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    gap = " " if console.width >= WIDE else "\n"
    for verdict in found.verdicts:
        entries = [entry for entry in conditions(found, verdict.model) if entry["level"] == "category"]
        console.print(_levels(verdict.model, entries, gap))
        if any(entry["delta_AD"] for entry in entries):
            console.print(_effects(verdict.model, entries, gap))
        reasons = f": {'; '.join(verdict.reasons)}" if verdict.reasons else ""
        console.print(f"[bold]{escape(verdict.model)}: {verdict.fit}[/bold]{escape(reasons)}.", highlight=False)
    console.print(f"\n{LEGEND}", style="dim", highlight=False)
    if found.run.caveat:
        console.print(f"[bold]Note:[/bold] {escape(found.run.caveat)}", highlight=False)


def _levels(model: str, entries: Sequence[dict[str, Any]], gap: str) -> Table:
    columns = ("n", "AD [95 %]", "floor", "AR [95 %]", "chance", "agree", "aligned", "unread")
    shown = len(columns) if gap == " " else len(columns) - 1  # the line above the tables has the unread replies
    rows = [
        (
            label_of(entry),
            str(entry["scores"]["n"]),
            f"{number(entry['scores']['AD'])}{gap}{interval(entry['AD'])}",
            number(entry["scores"]["floor"]),
            f"{number(entry['scores']['AR'])}{gap}{interval(entry['AR'])}",
            number(entry["scores"]["f1_chance"]),
            share(entry["scores"]["p_agree"]),
            share(entry["scores"]["p_aligned"]),
            str(entry["scores"]["refused"] + entry["scores"]["unreadable"]),
        )
        for entry in entries
    ]
    return _table(f"{model}: scores", columns[:shown], [row[: shown + 1] for row in rows])


def _effects(model: str, entries: Sequence[dict[str, Any]], gap: str) -> Table:
    columns = ("ΔAD [95 %]", "p", "p Holm", "ΔAR [95 %]", "p", "p Holm")
    rows = [
        (label_of(entry), *_effect(entry["delta_AD"], gap), *_effect(entry["delta_AR"], gap))
        for entry in entries
        if entry["delta_AD"]
    ]
    return _table(f"{model}: change against the baseline", columns, rows)


def _effect(found: dict[str, Any], gap: str) -> tuple[str, str, str]:
    estimate = f"{signed(found['delta'], 2)}{gap}{interval(found)}"
    return estimate, p_value(found["p"]), p_value(found["p_holm"])


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("condition", no_wrap=True)
    for name in columns:
        table.add_column(escape(name), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table

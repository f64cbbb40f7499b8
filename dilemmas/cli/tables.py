"""The result of a run as tables in the terminal, narrow enough for 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dilemmas.analysis import Analysis
from dilemmas.pages import interval, number, p_value, share, signed
from dilemmas.report import conditions, label_of
from dilemmas.reporting.style import DAGGER, torn
from dilemmas.significance import METRICS

WIDE = 108
"""Columns from which an interval stands beside its estimate, not under it."""
LEGEND = (
    "AD: distance between stated and acted, 0 to 2; floor: what noise alone would give. "
    "AR: F1 of the side acted on against the side stated; chance: of independent answers. "
    "Δ above 0: a smaller gap than the baseline's. In brackets behind a category: its personas. Noise: spread of "
    "repeats. By value, by topic: share of the variance between dilemmas that lies between these (ICC)."
)

TORN = f"{DAGGER} p by value and p by value and topic lie on different sides of .05."


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
            for line in _remarks(entries):
                console.print(line, style="dim", highlight=False, markup=False)
        console.print(_variation(verdict.model, entries, found.variation))
        reasons = f": {'; '.join(verdict.reasons)}" if verdict.reasons else ""
        console.print(f"[bold]{escape(verdict.model)}: {verdict.fit}[/bold]{escape(reasons)}.", highlight=False)
    console.print(f"\n{LEGEND}", style="dim", highlight=False)
    for note in (*found.notes, *([found.caveat] if found.caveat else [])):
        console.print(f"[bold]Note:[/bold] {escape(note)}", highlight=False)


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


def _remarks(entries: Sequence[dict[str, Any]]) -> list[str]:
    """What must be said of single deltas, below their table; the bootstrap's notes are about columns it lacks."""
    deltas = [(f"{label_of(one)}, Δ{metric}", one[f"delta_{metric}"]) for one in entries for metric in METRICS]
    deltas = [(name, found) for name, found in deltas if found]
    lines = []
    for name, found in deltas:
        told = [part for part in str(found["note"]).split("; ") if part and not part.startswith("bootstrap:")]
        lines += [f"{name}: {'; '.join(told)}."] if told else []
    return lines + [TORN] * any(torn(found) for _, found in deltas)


def _variation(model: str, entries: Sequence[dict[str, Any]], table: pd.DataFrame) -> Table:
    """What the power of a study depends on."""
    columns = ("noise v", "noise a", "sd AD", "by value", "by topic", "sd ΔAD", "by value", "by topic")
    names = ("sd_repeat_v", "sd_repeat_a", "sd_ad", "icc_value", "icc_topic", "sd_d", "icc_value_d", "icc_topic_d")
    own = table[(table["model"] == model) & (table["level"] == "category")].set_index("name")
    rows = [(label_of(entry), *(number(own.loc[entry["category"], name]) for name in names)) for entry in entries]
    return _table(f"{model}: variation", columns, rows)


def _effect(found: dict[str, Any], gap: str) -> tuple[str, str, str]:
    mark = DAGGER if torn(found) else ""
    estimate = f"{signed(found['delta'], 2)}{mark}{gap}{interval(found)}"
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

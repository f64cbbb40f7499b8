"""Tables of a study as data, and as Markdown and LaTeX, in the layout that papers of the field use.

A row for each model and condition, the delta in bold where it is significant after correction.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from dilemmas.pages import interval, known, number, p_value, share, signed
from dilemmas.reporting import deltas
from dilemmas.reporting.conditions import conditions
from dilemmas.reporting.style import DAGGER, SIGNIFICANT, or_nan, plain, records, torn

Level = Literal["category", "persona"]


@dataclass(frozen=True)
class Cell:
    """One cell."""

    text: str
    number: float = math.nan
    """What it is sorted by, where it is a number."""
    bold: bool = False


@dataclass(frozen=True)
class Column:
    """What stands above a column."""

    head: str
    told: str = ""
    """What it means."""
    text: bool = False
    """Whether it holds words, which begin on the left."""


@dataclass(frozen=True)
class Table:
    """A table; rows with the same first cell belong together."""

    name: str
    """Unique among the tables of a study, and fit for a file."""
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


_WHO = (Column("model", text=True), Column("condition", text=True))


def results(
    personas: pd.DataFrame, categories: pd.DataFrame, effects: pd.DataFrame, level: Level = "category"
) -> Table:
    """AR and AD of each model and condition, what must stand beside them, and their deltas.

    Args:
        personas, categories: as from `scores.per_persona` and `scores.per_category`.
        effects: as in `Analysis`.
        level: categories, or single personas.
    """
    changes = {
        (row["model"], row["level"], row["name"], row["metric"]): row
        for row in records(deltas.frame(personas, effects))
    }
    scores = {"category": _by(categories, "category"), "persona": _by(personas, "persona")}
    shown = conditions(personas)
    shown = shown[shown["level"] == "category"] if level == "category" else shown[shown["personas"] == 1]
    rows = []
    for one in records(shown):
        key = one["model"], one["level"], one["name"]
        row = scores[one["level"]][one["model"], one["name"]]
        rows.append(
            (
                Cell(one["model"]),
                Cell(one["title"]),
                *(_cell(row[column], form) for _, column, form in _AR),
                _delta(changes.get((*key, "AR"))),
                *(_cell(row[column], form) for _, column, form in _AD),
                _delta(changes.get((*key, "AD"))),
            )
        )
    columns = (*_WHO, *(c for c, *_ in _AR), Column("ΔAR", _POSITIVE), *(c for c, *_ in _AD), Column("ΔAD", _POSITIVE))
    caption = (
        f"Alignment rate (AR) and alignment distance (AD) of each model and {level}. Δ: delta to the baseline on the "
        f"dilemmas that both answered; above 0 the gap is smaller. Bold: adjusted p below .05 ({_CORRECTED[level]}). "
        f"{DAGGER}: errors that allow for topics as well lead to another verdict. AR rises with P(agree): compare it "
        "with the F1 expected by chance, and AD with its noise floor."
    )
    return Table("results" if level == "category" else "results-personas", caption, columns, tuple(rows))


def _by(table: pd.DataFrame, name: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["model"], row[name]): row for row in records(table)}


_POSITIVE = "delta to the baseline; above 0 the gap is smaller"
_CORRECTED = {"category": "Holm", "persona": "Benjamini and Hochberg; a category's only persona: Holm"}
_Score = tuple[Column, str, Callable[[Any], str]]
_AR: tuple[_Score, ...] = (
    (Column("AR", "F1 score, agree/aligned as the positive class"), "AR", number),
    (Column("chance", "F1 expected of independent answers"), "f1_chance", number),
    (Column("P(agree)", "share of dilemmas whose stated side is agree"), "p_agree", share),
    (Column("P(aligned)", "share of dilemmas whose action is aligned"), "p_aligned", share),
    (Column("κ", "Cohen's kappa"), "kappa", number),
)
_AD: tuple[_Score, ...] = (
    (Column("AD", "0 is no gap, 2 the widest"), "AD", number),
    (Column("floor", "the AD that noise alone would give"), "floor", number),
)


def effects(table: pd.DataFrame, level: Level = "category") -> Table:
    """Deltas with everything that stands beside them.

    Args:
        table: as from `deltas.frame`.
        level: the confirmatory tests of categories, or the exploratory ones of personas.
    """
    shown = table[table["level"] == level]
    rows = [
        (
            Cell(row["model"]),
            Cell(row["title"]),
            Cell(row["metric"]),
            _cell(row["n"], lambda n: f"{n:,.0f}"),
            _delta(row),
            Cell(interval(row, 3), or_nan(row["low"])),
            Cell(interval({"low": row["joint_low"], "high": row["joint_high"]}, 3), or_nan(row["joint_low"])),
            *(_cell(row[name], p_value) for name in ("p", "p_adjusted", "p_two_way")),
            _cell(row["mde"], _three),
            _cell(row["dz"], number),
            Cell(plain(row["equivalence"]) if row["equivalence"] else "–"),
        )
        for row in records(shown.sort_values(["model", "metric"], kind="stable"))
    ]
    columns = (
        *_WHO,
        Column("metric", text=True),
        Column("n", "pairs of dilemmas compared"),
        Column("Δ", _POSITIVE),
        Column("95 % interval"),
        Column("joint interval", "covers all of its family at once"),
        Column("p"),
        Column("p adj.", f"corrected by {'Holm' if level == 'category' else 'Benjamini and Hochberg'}"),
        Column("p two-way", "with errors that allow for values and topics"),
        Column("MDE", "smallest delta that such a test finds with a power of 80 %"),
        Column("dz", "mean by standard deviation of the paired differences"),
        Column("equivalence", "whether the delta is within the margin", text=True),
    )
    caption = (
        f"Deltas to the baseline of each model and {level}; above 0 the gap is smaller. Bold: adjusted p below .05 "
        f"({'Holm' if level == 'category' else 'Benjamini and Hochberg'}). {DAGGER}: p and two-way p lie on different "
        "sides of .05. MDE: minimum detectable effect of a single test."
    )
    return Table("effects" if level == "category" else "effects-personas", caption, columns, tuple(rows))


def _three(x: Any) -> str:
    return number(x, 3)


def _cell(x: Any, form: Callable[[Any], str]) -> Cell:
    return Cell(form(x) if known(or_nan(x)) else "–", or_nan(x))


def _delta(change: dict[str, Any] | None) -> Cell:
    if change is None:
        return Cell("")
    mark = DAGGER if torn(change) else ""
    return Cell(signed(change["delta"]) + mark, or_nan(change["delta"]), bool(change["p_adjusted"] < SIGNIFICANT))


def markdown(table: Table) -> str:
    """A table in GitHub's Markdown, the caption below it.

    >>> columns = (Column("a|b", text=True), Column("n"))
    >>> print(markdown(Table("t", "c", columns, ((Cell("<x>"), Cell("1", bold=True)),))))
    | a\\|b | n |
    |---|---:|
    | \\<x\\> | **1** |
    <BLANKLINE>
    c
    <BLANKLINE>
    """
    lines = [[_in_markdown(column.head) for column in table.columns]]
    lines += [[f"**{text}**" if bold else text for text, bold in row] for row in _texts(table, _in_markdown)]
    written = [f"| {' | '.join(line)} |" for line in lines]
    rule = f"|{'|'.join('---' if column.text else '---:' for column in table.columns)}|"
    return "\n".join([written[0], rule, *written[1:], "", _in_markdown(table.caption), ""])


def latex(table: Table) -> str:
    """A table in LaTeX; it needs the package booktabs, and as wide as it is, a `table*` or small print.

    >>> columns = (Column("m", text=True), Column("ΔAR"))
    >>> print(latex(Table("t", "c", columns, ((Cell("a_b"), Cell("+.1", bold=True)),))))
    \\begin{table}
    \\caption{c}
    \\label{tab:t}
    \\begin{tabular}{lr}
    \\toprule
    m & $\\Delta$AR \\\\
    \\midrule
    a\\_b & \\textbf{+.1} \\\\
    \\bottomrule
    \\end{tabular}
    \\end{table}
    <BLANKLINE>
    """
    lines = []
    for place, row in enumerate(_texts(table, _in_latex)):
        if place and row[0][0]:
            lines.append(r"\addlinespace")
        lines.append(" & ".join(rf"\textbf{{{text}}}" if bold else text for text, bold in row) + r" \\")
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_in_latex(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{''.join('l' if column.text else 'r' for column in table.columns)}}}",
            r"\toprule",
            " & ".join(_in_latex(column.head) for column in table.columns) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _texts(table: Table, escaped: Callable[[str], str]) -> list[list[tuple[str, bool]]]:
    """Cells as text and whether they are bold; a first cell like the one above it is left empty."""
    before = ""
    found = []
    for row in table.rows:
        cells = [(escaped(cell.text), cell.bold) for cell in row]
        if row[0].text == before:
            cells[0] = ("", False)
        before = row[0].text
        found.append(cells)
    return found


def _in_markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~&$#!])", r"\\\1", plain(text))


_LATEX = {
    **{ord(one): rf"\{one}" for one in "{}$&#_%"},
    # after the end of a row these would be taken for an option of it
    **{ord(one): f"{{{one}}}" for one in "[]*"},
    ord("\\"): r"\textbackslash{}", ord("~"): r"\textasciitilde{}", ord("^"): r"\textasciicircum{}",
    ord("<"): r"\textless{}", ord(">"): r"\textgreater{}", ord("|"): r"\textbar{}", ord('"'): "''",
    ord("−"): "$-$", ord("–"): "--", ord("Δ"): r"$\Delta$", ord("κ"): r"$\kappa$", ord(DAGGER): r"\dag{}",
    ord("≥"): r"$\geq$", ord("…"): r"\ldots{}", ord("�"): "?",
}  # fmt: skip


def _in_latex(text: str) -> str:
    return plain(text).translate(_LATEX)


def every(personas: pd.DataFrame, categories: pd.DataFrame, effect_rows: pd.DataFrame) -> Sequence[Table]:
    """Every table of a study that has a row.

    Args:
        personas, categories: as from `scores.per_persona` and `scores.per_category`.
        effect_rows: `effects` of `Analysis`.
    """
    changes = deltas.frame(personas, effect_rows)
    found = [
        *(results(personas, categories, effect_rows, level) for level in ("category", "persona")),
        *(effects(changes, level) for level in ("category", "persona")),
    ]
    return [table for table in found if table.rows]

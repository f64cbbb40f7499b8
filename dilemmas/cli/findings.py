"""Findings in the terminal, readable at 80 columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dilemmas.checks.overview import SEVERITIES, by_rule, counts, pairs
from dilemmas.pages import interval, number, share, share_interval, signed
from dilemmas.schema import Finding, Findings

WIDTH = 80
"""Columns where the output is no terminal."""
MOST = 10
"""Findings of a rule that are shown."""
NEAREST = 5
"""Pairs of neighbours that are shown."""
COLOURS = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
MEASURES = {"words": "words", "readability": "readability, grades", "sentiment": "sentiment, −1 to 1"}
FACTORS = {"polarity": "aligned less opposed", "intensity": "strong less mild"}


def print_findings(found: Findings, name: str) -> None:
    """The findings by severity and rule, then the measures behind them.

    Args:
        found: what was found.
        name: how to call the file that was checked.
    """
    console = Console()
    if console.is_terminal:
        _print_all(console, found, name)
        return
    console = Console(width=WIDTH)
    with console.capture() as shown:
        _print_all(console, found, name)
    print(re.sub(r" +$", "", shown.get(), flags=re.MULTILINE), end="")


def _print_all(console: Console, found: Findings, name: str) -> None:
    there = counts(found.findings)
    told = ", ".join(_plural(count, severity) for severity, count in there.items())
    if answered := sum(bool(one.answer) for one in found.findings):
        told += f" ({answered:,} answered)"
    console.print(_text(f"{_plural(found.dilemmas, 'dilemma')} in {name}: {told}", style="bold"))
    for severity in SEVERITIES:
        for rule, findings in by_rule(one for one in found.findings if one.severity == severity).items():
            _print_rule(console, rule, findings)
    _print_wording(console, found)
    _print_coverage(console, found)
    _print_neighbours(console, found)
    _print_sorts(console, found)


def _print_rule(console: Console, rule: str, findings: Sequence[Finding]) -> None:
    severity, shown = findings[0].severity, findings[:MOST]
    console.print(Text.assemble("\n", (f"{severity}: {rule}", COLOURS[severity]), f"  {len(findings):,}"))
    lines = Table.grid(padding=(0, 1))
    for one in shown:
        place = ", ".join(part for part in (one.id, one.where) if part)
        lines.add_row(" -", _text(f"{place}: {one.what}" if place else one.what))
        if one.answer:
            lines.add_row("", _text(f"answered: {one.answer}", style="dim"))
    if len(findings) > MOST:
        lines.add_row("", f"and {len(findings) - MOST:,} more in findings.json")
    for fix in dict.fromkeys(one.fix for one in shown if not one.answer):
        lines.add_row("->", _text(fix, style="dim"))
    console.print(lines)


def _print_wording(console: Console, found: Findings) -> None:
    effects = [
        (
            MEASURES[effect.measure],
            FACTORS[effect.factor],
            str(effect.n),
            signed(effect.estimate, 2),
            interval(effect.model_dump()),
            signed(effect.dz, 2),
        )
        for effect in found.confounds
    ]
    _print_table(console, ("difference of", "", "n", "mean", "joint 95 %", "dz"), effects, words=2)
    cues = [
        (f"the {cue.held_out}s it is tried on", str(cue.n), share(cue.accuracy), share_interval(cue.model_dump()))
        for cue in found.cues
    ]
    _print_table(console, ("sides told by wording, trained without", "n", "right", "95 %"), cues, words=1)


def _print_coverage(console: Console, found: Findings) -> None:
    coverage = found.coverage
    cells = [count for row in coverage.grid.values() for count in row.values()]
    filled = sum(count > 0 for count in cells)
    console.print(_text(f"\ncells: {filled:,} of {len(cells):,} hold a dilemma, the fullest {max(cells, default=0):,}"))
    console.print(_text(f"basic values: {_counted(coverage.basic_values)}"))
    console.print(_text(f"competing values on the circle: {_counted(coverage.relations)}"))


def _print_neighbours(console: Console, found: Findings) -> None:
    nearest = [(one.id, one.other, number(one.similarity)) for one in pairs(found.neighbours, NEAREST)]
    method = found.neighbours[0].method if found.neighbours else ""
    _print_table(console, (f"nearest scenarios ({method})", "", "cosine"), nearest, words=2)


def _print_sorts(console: Console, found: Findings) -> None:
    sides = [sort.side for sort in found.sorts if sort.side is not None]
    taus = [sort.tau for sort in found.sorts if sort.tau is not None]
    if found.sorts:
        agreed = (
            f"{share(_mean(sides))} of the actions on their side, "
            f"order tau {number(_mean(taus))}, over {_plural(len(sides), 'dilemma')}"
        )
        console.print(_text(f"\nsorted blind by {found.judge}: {agreed if sides else 'no reading could be used'}"))


def _print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> None:
    """A table whose first columns hold words and the others numbers; nothing where there are no rows."""
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if place < words else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    console.print(table)


def _text(words: str, *, style: str = "") -> Text:
    """Words that are no markup, and of which a terminal acts upon nothing: they may come from a file or a server."""
    return Text("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in words), style=style)


def _mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _counted(found: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in found.items())


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"

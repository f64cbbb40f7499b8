"""`dilemmas analyse` and `dilemmas report`: numbers and page of a run that was asked before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.evaluate import Json, RunsDir

if TYPE_CHECKING:
    from rich.table import Table

    from dilemmas.analysis import Analysis
    from dilemmas.config import ScaleName

ANALYSE_EXAMPLES = """
[bold]Examples[/bold]

dilemmas analyse dilemmas

dilemmas analyse dilemmas --scale thirds --json

dilemmas analyse runs/dilemmas --reparse
"""
REPORT_EXAMPLES = """
[bold]Examples[/bold]

dilemmas report dilemmas

dilemmas report dilemmas --out gap.html
"""
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")]


def analyse(
    run: RunArgument,
    scale: Annotated[str | None, typer.Option(help="Scores of the options: even or thirds. [as asked]")] = None,
    reparse: Annotated[
        bool, typer.Option("--reparse", help="Read the stored replies again with this version; asks nothing.")
    ] = False,
    runs_dir: RunsDir = Path("runs"),
    json_: Json = False,
) -> None:
    """Score a run and test its deltas; writes analysis.json and tables/*.csv."""
    import sys

    from dilemmas.analysis import find
    from dilemmas.evaluate import read_again

    folder = find(run, runs_dir)
    if reparse:
        changed = read_again(folder)
        print(f"{changed:,} replies are read differently now", file=sys.stderr)
    analyse_run(folder, _scale(scale), with_report=False, as_json=json_)


def report(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(help="Where to write it. [report.html in the run's folder]")] = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Write the report of a run: one HTML file that can be read offline."""
    from dilemmas import analysis
    from dilemmas import report as stage

    folder = analysis.find(run, runs_dir)
    print(stage.write(analysis.analyse(folder), out or folder / "report.html"))


def analyse_run(folder: Path, scale: ScaleName | None, *, with_report: bool, as_json: bool) -> None:
    """Analyse a folder, save the tables, print the result."""
    import json

    from dilemmas import analysis

    found = analysis.analyse(folder, scale)
    tables = analysis.save(found, folder)
    page = None
    if with_report:
        from dilemmas import report as stage

        page = stage.write(found, folder / "report.html")
    if as_json:
        print(json.dumps(analysis.summary(found), indent=2, ensure_ascii=False, default=str))
        return
    _print_tables(found)
    print(f"\ntables  {tables}/")
    if page:
        print(f"report  {page}")


def _print_tables(found: Analysis) -> None:
    from rich.console import Console
    from rich.markup import escape

    from dilemmas.report import conditions, plain_effects, plain_levels

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    for verdict in found.verdicts:
        entries = [entry for entry in conditions(found, verdict.model) if entry["level"] == "category"]
        columns: tuple[str, ...] = ("n", "AD [95 %]", "floor", "AR [95 %]", "chance", "agree", "aligned", "unread")
        console.print(_table(f"{verdict.model}: scores", columns, plain_levels(entries)))
        if effects := plain_effects(entries):
            columns = ("ΔAD [95 %]", "p", "p Holm", "ΔAR [95 %]", "p", "p Holm")
            console.print(_table(f"{verdict.model}: change against the baseline", columns, effects))
        reasons = f": {'; '.join(verdict.reasons)}" if verdict.reasons else ""
        console.print(f"[bold]{escape(verdict.model)}: {verdict.fit}[/bold]{escape(reasons)}.", highlight=False)
    console.print(
        "\nAD: distance between stated and acted, 0 to 2; floor: what noise alone would give. AR: F1 of the side acted "
        "on against the side stated; chance: of independent answers. Δ above 0: a smaller gap than the baseline's.",
        style="dim",
        highlight=False,
    )
    if found.run.caveat:
        console.print(f"[bold]Note:[/bold] {escape(found.run.caveat)}", highlight=False)


def _table(title: str, columns: tuple[str, ...], rows: list[list[str]]) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("condition", no_wrap=True)
    for name in columns:
        table.add_column(name.replace("[", "\\["), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _scale(name: str | None) -> ScaleName | None:
    from dilemmas.errors import InputError

    if name is None:
        return None
    if name == "even":
        return "even"
    if name == "thirds":
        return "thirds"
    raise InputError(f'there is no scale "{name}"', where="--scale", fix="Known: even, thirds.")

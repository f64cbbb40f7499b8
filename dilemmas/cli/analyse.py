"""`dilemmas analyse` and `dilemmas report`: numbers and page of a run that was asked before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.evaluate import Json, RunsDir

if TYPE_CHECKING:
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
SCALE_HELP = "Scores of the options: even or thirds. \\[as asked]"
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")]


def analyse(
    run: RunArgument,
    scale: Annotated[str | None, typer.Option(help=SCALE_HELP)] = None,
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
    out: Annotated[Path | None, typer.Option(help="Where to write it. \\[report.html in the run's folder]")] = None,
    scale: Annotated[str | None, typer.Option(help=SCALE_HELP)] = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Write the report of a run: one HTML file that can be read offline."""
    from dilemmas import analysis
    from dilemmas import report as stage

    folder = analysis.find(run, runs_dir)
    print(stage.write(analysis.analyse(folder, _scale(scale)), out or folder / "report.html"))


def analyse_run(folder: Path, scale: ScaleName | None, *, with_report: bool, as_json: bool) -> None:
    """Analyse a folder, save the tables, print the result."""
    import json
    import sys

    from dilemmas import analysis
    from dilemmas.cli.tables import print_tables

    found = analysis.analyse(folder, scale)
    tables = analysis.save(found, folder)
    if found.outdated:
        print("some replies were read by an older version; `dilemmas analyse RUN --reparse`", file=sys.stderr)
    page = None
    if with_report:
        from dilemmas import report as stage

        page = stage.write(found, folder / "report.html")
    if as_json:
        print(json.dumps(analysis.summary(found), indent=2, ensure_ascii=False, default=str))
        return
    print_tables(found)
    print(f"\ntables  {tables}/")
    if page:
        print(f"report  {page}")


def _scale(name: str | None) -> ScaleName | None:
    from dilemmas.errors import InputError

    if name is None:
        return None
    if name == "even":
        return "even"
    if name == "thirds":
        return "thirds"
    raise InputError(f'there is no scale "{name}"', where="--scale", fix="Known: even, thirds.")

"""`dilemmas review agree`: how far reviewers agree, from what `pull` brought back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dilemmas.review.tables import Agreement

EXAMPLES = """
[bold]Examples[/bold]

dilemmas review agree annotations/round-1/

dilemmas review agree annotations/round-1/ --without reviewer-03
"""
WIDTH = 80
"""Columns where the output is no terminal."""
NARROW = 12
"""Columns of the first column: with five of n and four of 14 for intervals they make 80."""
LEGEND = (
    "In brackets: 95 % intervals over focal values; under each criterion: its commonest answer. n: dilemmas, or in "
    "the lower half single actions, that two or more judged. AC1, alpha, kappa: agreement beyond chance (1 "
    "perfect, 0 as by chance); where one answer dominates, alpha and kappa can be near 0 though people hardly differ."
)


def agree(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `dilemmas review pull` wrote.")],
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Leave out a reviewer, such as an adjudicator; may be given again."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables and page. \\[FOLDER]")] = None,
    draws: Annotated[int, typer.Option(min=100, help="Draws behind each interval.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    json_: Json = False,
) -> None:
    """Say how far reviewers agree, before anybody settles a disagreement; asks no server.

    Writes agreement.html and tables/*.csv: agreement overall and in parts, and the list of disagreements.
    Machines' judgements have tables of their own.
    """
    import json

    from dilemmas.review import page, tables

    found = tables.agree(folder, without=without or (), draws=draws, seed=seed)
    written = tables.save(found, out or folder)
    shown = page.write((out or folder) / "agreement.html", found)
    if json_:
        print(json.dumps(tables.summary(found), indent=2, ensure_ascii=False, allow_nan=False))
        return
    _print(found)
    print(f"\ntables  {written}/\npage    {shown}")


def _print(found: Agreement) -> None:
    """The agreement on each criterion, narrow enough for 80 columns, and what to know about it."""
    import re

    from rich.console import Console

    console = Console()
    if console.is_terminal:
        _print_all(console, found)
        return
    console = Console(width=WIDTH)
    with console.capture() as shown:
        _print_all(console, found)
    print(re.sub(r" +$", "", shown.get(), flags=re.MULTILINE), end="")


def _print_all(console: Console, found: Agreement) -> None:
    from rich.text import Text

    from dilemmas.review.tables import cautions, differing, notes

    project = "".join(c if c.isprintable() else "\ufffd" for c in found.pulled.manifest.project)
    people, dilemmas = (found.labels[name].nunique() for name in ("annotator", "dilemma"))
    judged = int(found.annotators["judged"].sum())
    heading = f"{project} ({found.form} form): {judged:,} judgements of {dilemmas:,} dilemmas, reviewers: {people}"
    console.print(Text(heading, style="bold"))
    if found.overall["n_pairs"].any():
        console.print("", _table(found), "", Text(LEGEND, style="dim"), sep="\n")
        for words in notes(found.overall):
            console.print(Text(f"–  {words}", style="dim"))
    for words in cautions(found):
        console.print(Text.assemble(("\nNote: ", "bold"), words))
    counts = differing(found)
    console.print(f"\ndisagreements: {counts['units']:,}, on {counts['dilemmas']:,} dilemmas", highlight=False)


def _table(found: Agreement) -> Table:
    """A row for each criterion: estimates, and under each its interval."""
    from rich import box
    from rich.table import Table

    from dilemmas.pages import interval, number

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("criterion", max_width=NARROW)
    for name in ("n", "raw", "AC1", "alpha", "kappa"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.overall.to_dict("records"):
        cells = [
            f"{number(row[name])}\n{interval({'low': row[f'{name}_low'], 'high': row[f'{name}_high']})}"
            for name in ("raw", "ac1", "alpha", "kappa")
        ]
        criterion = row["criterion"]
        table.add_row(f"{criterion}\n{_commonest(found, criterion)}".strip(), f"{row['n_pairs']:,}", *cells)
    return table


def _commonest(found: Agreement, criterion: str) -> str:
    """The answer given most often, and its share; empty where there is none."""
    from dilemmas.pages import share
    from dilemmas.review.tables import OVERALL

    shares = found.prevalence[(found.prevalence["level"] == OVERALL) & (found.prevalence["criterion"] == criterion)]
    given = shares.set_index("category")["share"].dropna()
    return f"{str(given.idxmax()).replace('_', ' ')} {share(given.max())}" if len(given) else ""

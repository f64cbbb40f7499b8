"""`dilemmas export`: a run's answers as one file for other programs."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from dilemmas.cli.evaluate import RunsDir

EXAMPLES = """
[bold]Examples[/bold]

dilemmas export dilemmas --format parquet --out answers.parquet

dilemmas export dilemmas --format jsonl --prompts

dilemmas export dilemmas --format csv --spreadsheet-safe --out answers.csv
"""


class Form(enum.StrEnum):
    """What can be written."""

    PARQUET = "parquet"
    JSONL = "jsonl"
    CSV = "csv"


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")],
    form: Annotated[Form, typer.Option("--format", help="What to write; parquet needs pyarrow.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to. \\[export.FORMAT in the run's folder]")
    ] = None,
    prompts: Annotated[bool, typer.Option("--prompts", help="Add the messages that were sent.")] = False,
    spreadsheet_safe: Annotated[
        bool,
        typer.Option("--spreadsheet-safe", help="Put ' before text that a spreadsheet would take for a formula."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over FILE where it is there.")] = False,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Write a run to one file: a row for each trial, with its reply and what was read in it.

    All formats hold the same; docs/runs.md explains the columns. A run may be exported while it is being asked.
    """
    from dilemmas import exporting
    from dilemmas.runs import find

    folder = find(run, runs_dir)
    path = out or folder / f"export.{form}"
    count = exporting.export(folder, form.value, path, prompts=prompts, safe=spreadsheet_safe, force=force)
    print(f"{count:,} rows in {path}")

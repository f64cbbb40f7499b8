"""`dilemmas release results`: the answers of runs as a folder from which every number can be computed anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dilemmas.cli.options import Json, RunsDir

EXAMPLES = """
[bold]Examples[/bold]

dilemmas release results study --out results/0.1.0

dilemmas release results before after --out results/0.2.0 --model-terms "my-model=Apache-2.0, as its weights"

dilemmas analyse results/0.1.0
"""


def results(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names of runs, or their folders.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The new folder, named after the version, such as results/0.1.0.")
    ],
    model_terms: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=TEXT", help="Terms under which a model's text stands; may be given again."),
    ] = None,
    date: Annotated[
        str | None, typer.Option(metavar="DAY", help="Day of the release; the same one gives the same bytes. \\[today]")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    json_: Json = False,
) -> None:
    """Release answers as Parquet, with what was asked, each prompt once; what models wrote keeps their own terms.

    `dilemmas analyse` on the folder gives the same numbers as on the run. Needs the extra `release`.
    """
    from dilemmas.release import results as releasing
    from dilemmas.runs import find

    terms = dict(_term(one) for one in model_terms or ())
    found = releasing.build([find(run, runs_dir) for run in runs], out, date=date, model_terms=terms)
    if json_:
        print(found.model_dump_json(indent=2))
        return
    for run in found.runs:
        print(f"{run.name}: {', '.join(f'{count:,} {name}' for name, count in run.counts.items())}".replace("_", " "))
    print(f"results  {out}")


def _term(given: str) -> tuple[str, str]:
    from dilemmas.errors import InputError

    name, found, text = given.partition("=")
    if not found:
        raise InputError("is not of the form NAME=TEXT", where=f"--model-terms {given}", fix="Name the model first.")
    return name.strip(), text.strip()

"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Folder in which runs are kept.")]
PlainHttpKey = Annotated[
    bool,
    typer.Option("--allow-plain-http-key", help="Let a key go over http to another machine: the network is yours."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of tables.")]
RunFile = Annotated[Path | None, typer.Option(help="Run file (TOML); options given here go before it.")]
PersonaSet = Annotated[
    str | None,
    typer.Option(help="twelve, three, none, a category (max, moderate, incongruous) or a .toml file. \\[twelve]"),
]
KeyVariable = Annotated[
    str | None, typer.Option(metavar="NAME", help="Environment variable that holds the server's key.")
]
DatasetFile = Annotated[str | None, typer.Option(help="Dilemmas (JSON Lines). \\[the shipped ones]")]
Limit = Annotated[int | None, typer.Option(help="Ask about the first N dilemmas only.")]
Shard = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Ask only part I of N, in a run of its own; `dilemmas merge` joins them."),
]
Repeats = Annotated[int | None, typer.Option(help="Times each question is asked. \\[3]")]
OrdersName = Annotated[str | None, typer.Option(help="williams, random or fixed. \\[williams]")]
Seed = Annotated[int | None, typer.Option(help="Seed of option orders and sampling.")]
PromptStyleName = Annotated[str | None, typer.Option(help="variables or statements. \\[variables]")]
Templates = Annotated[str | None, typer.Option(help="Folder whose templates replace the shipped ones.")]
RunName = Annotated[str | None, typer.Option(help="Name of the run. \\[the dataset's name]")]

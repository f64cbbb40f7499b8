"""`dilemmas merge`: several runs of one design as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dilemmas.cli.options import Json, RunsDir

EXAMPLES = """
[bold]Examples[/bold]

dilemmas merge study-1of2 study-2of2 --into study

dilemmas merge from-the-cluster/study-3of4 --into study --runs-dir runs
"""


def merge(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names of runs, or their folders.")],
    into: Annotated[str, typer.Option(metavar="NAME", help="Name of the whole; a run that is there is added to.")],
    runs_dir: RunsDir = Path("runs"),
    json_: Json = False,
) -> None:
    """Join runs to one: the shards of a study, or what several machines asked. They stay as they are.

    They must be of one design. What two of them answered is kept once, the earlier answer.
    """
    from dilemmas import merging
    from dilemmas.runs import find

    done = merging.merge([find(run, runs_dir) for run in runs], into, runs_dir)
    if json_:
        import dataclasses
        import json

        print(json.dumps(dataclasses.asdict(done), indent=2, ensure_ascii=False))
        return
    print(
        f"{done.runs} runs joined to {done.run}: {done.trials:,} trials and {done.replies:,} replies are new to it, "
        f"{done.twice:,} were answered twice, {done.open:,} are open"
    )
    for notice in done.notices:
        print(f"note: {notice}")

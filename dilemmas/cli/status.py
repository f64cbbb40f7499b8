"""`dilemmas status`: how far a run is, told from another terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json, RunsDir

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dilemmas.standing import ModelStanding, Standing

EXAMPLES = """
[bold]Examples[/bold]

dilemmas status dilemmas

dilemmas status dilemmas --watch

dilemmas status runs/dilemmas --json
"""
COUNTS = ("planned", "answered", "refused", "unreadable", "open", "set_aside", "failed_attempts")
"""What is counted of each model, in the order shown."""
PAUSE = 2.0
"""Shortest time between two looks, seconds."""
SHARE = 10
"""The time between two looks is at least so many times as long as one takes, so that a run is not slowed."""


def status(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")],
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again until nobody is asking.")] = False,
    runs_dir: RunsDir = Path("runs"),
    json_: Json = False,
) -> None:
    """Tell how far a run is, at any time and without disturbing it.

    Open are trials without a reply; set aside are those of them that the server refused for good.
    """
    from dilemmas.errors import InputError
    from dilemmas.runs import find

    if watch and json_:
        raise InputError("shows a table", where="--watch", fix="Leave out --watch or --json.")
    folder = find(run, runs_dir)
    if json_:
        _print_json(folder)
    elif watch:
        _watch(folder)
    else:
        _print(_shown(_look(folder)))


def _look(folder: Path) -> Standing:
    import time

    from dilemmas.standing import standing

    return standing(folder, time.time())


def _print_json(folder: Path) -> None:
    import dataclasses
    import json

    print(json.dumps(dataclasses.asdict(_look(folder)), indent=2, ensure_ascii=False))


def _watch(folder: Path) -> None:
    """Show how far a run is until nobody is asking, or until Ctrl-C."""
    import contextlib
    import time

    from rich.console import Console
    from rich.live import Live

    console = Console()
    with contextlib.suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        while True:
            began = time.monotonic()
            found = _look(folder)
            if console.is_terminal:
                live.update(_shown(found), refresh=True)
            else:
                _print(_shown(found))
            if not found.asking:
                return
            time.sleep(max(PAUSE, SHARE * (time.monotonic() - began)))


def _shown(found: Standing) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    state = "a process is asking now" if found.asking else "nobody is asking"
    head = f"{escape(found.run)}: {state}"
    if not found.models:
        return f"{head}; nothing is planned yet"
    table = Table(header_style="bold")
    table.add_column("model")
    for name in (*(count.replace("_", " ") for count in COUNTS), "rate", "left"):
        table.add_column(name, justify="right")
    for one in found.models:
        table.add_row(escape(one.model), *_cells(one))
    return Group(head, table)


def _cells(one: ModelStanding) -> list[str]:
    from dilemmas.cli.progress import duration, speed

    return [
        *(f"{getattr(one, name):,}" for name in COUNTS),
        "–" if one.per_second is None else speed(one.per_second),
        "–" if one.seconds_left is None else duration(one.seconds_left),
    ]


def _print(shown: RenderableType) -> None:
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=160)).print(shown)

"""`dilemmas probe`: what a server can do for a study, found out by real requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json, PlainHttpKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dilemmas.config import ModelConfig
    from dilemmas.probe import Probed

EXAMPLES = """
[bold]Examples[/bold]

dilemmas probe --base-url http://gpu:8000/v1

dilemmas probe --base-url http://gpu:8000/v1 --model Qwen/Qwen3-8B --json

dilemmas probe --model embedded

[bold]Exit codes[/bold]

0 done, 2 nobody answers, there is no such model, or a key is wanted.
"""


def probe(
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address of an OpenAI-compatible server, such as http://gpu:8000/v1."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A name at --base-url, embedded, scripted or local:/path.gguf. \\[the one that is listed]"),
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable that holds the server's key.")
    ] = None,
    allow_plain_http_key: PlainHttpKey = False,
    timeout: Annotated[float, typer.Option(help="Longest wait for one reply, seconds.")] = 60.0,
    json_: Json = False,
) -> None:
    """Find out what a server can do for a study, by two to three dozen short requests.

    Each line says what was asked and what was seen; at the end stands the command that asks a study.
    """
    import dataclasses
    import json

    from dilemmas import config

    asked = config.load(
        None,
        {
            "model.name": model,
            "model.base_url": base_url,
            "model.api_key_env": api_key_env,
            "model.allow_plain_http_key": allow_plain_http_key or None,
            "model.timeout": timeout,
        },
    ).model
    probed = _find_out(asked, choose=base_url is not None and model is None, quiet=json_)
    if json_:
        print(json.dumps(dataclasses.asdict(probed), indent=2, ensure_ascii=False))
    else:
        _print(probed)


def _find_out(asked: ModelConfig, *, choose: bool, quiet: bool) -> Probed:
    from rich.console import Console

    from dilemmas import loops
    from dilemmas.probe import probe

    console = Console(stderr=True, quiet=quiet)
    with console.status("asking ...") as status:
        return loops.run(probe(asked, choose=choose, say=lambda name: status.update(f"asking: {name}")))


def _print(probed: Probed) -> None:
    where = f" at {probed.address}" if probed.address else ""
    print(_harmless(f"{probed.model}{where}: {probed.requests} requests, {probed.seconds:.0f} s\n"))
    _print_table(("what", "asked", "seen"), [(one.name, one.asked, one.seen) for one in probed.findings])
    ways = [(one.protocol, one.mode or "none", one.seen) for one in probed.protocols]
    _print_table(("protocol", "mode", "two of our own questions"), ways)
    for line in probed.advice:
        print(line)
    for way in probed.protocols:
        print(_harmless(way.command or f"{way.protocol}: this server and model cannot be asked so"))


def _print_table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns, start=1):
        table.add_column(name, no_wrap=number == 1, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_harmless(cell)) for cell in row))
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)


def _harmless(text: str) -> str:
    """A text without a terminal's control codes, which a server may have put into it."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)

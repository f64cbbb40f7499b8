"""`dilemmas check`: what is wrong with a file of dilemmas, before a model is asked about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.evaluate import Json

if TYPE_CHECKING:
    from dilemmas.checking import Checked
    from dilemmas.config import RunConfig
    from dilemmas.judging import Sorting

EXAMPLES = """
[bold]Examples[/bold]

dilemmas check

dilemmas check dataset/drafts.jsonl

dilemmas check dataset/drafts.jsonl --judge Qwen/Qwen3-32B --base-url http://gpu:8000/v1

dilemmas check dataset/drafts.jsonl --embed BAAI/bge-m3 --embed-url http://gpu:8001/v1

[bold]Exit codes[/bold]

0 no errors, 1 errors were found, 2 wrong input, 3 the judge left readings open, 130 interrupted.
"""
EXIT_ERRORS = 1


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Dilemmas (JSON Lines). \\[the shipped ones]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for what is found. \\[checks/ and the file's name]")] = None,
    judge: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Have a model sort the actions blind: a name at --base-url, or embedded."),
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable that holds the key for --base-url.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, max=60, help="Readings by the judge of each dilemma.")] = 3,
    seed: Annotated[int | None, typer.Option(help="Seed of the judge's orders and sampling.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests in flight. \\[8; embedded 1]")] = None,
    embed: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Compare scenarios by this model's embeddings. \\[TF-IDF, no model]"),
    ] = None,
    embed_url: Annotated[str | None, typer.Option(help="Address of the embeddings' server. \\[--base-url]")] = None,
    embed_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable that holds the key for --embed-url.")
    ] = None,
    json_: Json = False,
) -> None:
    """Look for what is wrong with a file of dilemmas; asks no model unless told to.

    Writes findings.json, which `dilemmas generate --repair` takes, and check.html for people.
    The judge's readings are kept as they come: the same command again asks only what is missing.
    """
    import asyncio

    from dilemmas import checking, dataset
    from dilemmas.cli.progress import progress

    _refuse_idle(
        {
            "--base-url": (base_url, judge or (embed and not embed_url), "Name a model with --judge, or with --embed."),
            "--api-key-env": (api_key_env, base_url, "It goes to --base-url; --embed-url has --embed-key-env."),
            "--embed-url": (embed_url, embed, "Name a model with --embed."),
            "--embed-key-env": (embed_key_env, embed_url, "It goes to --embed-url alone."),
        }
    )
    path = file or dataset.shipped_path()
    judging = _settings(judge, base_url, api_key_env, concurrency, seed)
    at = (embed_url, embed_key_env) if embed_url else (base_url, api_key_env)
    embedding = _settings(embed, *at, concurrency, seed)
    with progress(quiet=json_) as show:
        checked = asyncio.run(
            checking.check_file(
                path,
                out or Path("checks", path.stem),
                judge=judging.model if judge else None,
                embedder=embedding.model if embed else None,
                orders=orders,
                seed=judging.seed,
                progress=show,
            )
        )
    _finish(checked, path, as_json=json_)


def _settings(
    model: str | None, base_url: str | None, api_key_env: str | None, concurrency: int | None, seed: int | None
) -> RunConfig:
    from dilemmas import config

    return config.load(
        None,
        {
            "seed": seed,
            "model.name": model,
            "model.base_url": base_url,
            "model.api_key_env": api_key_env,
            "model.concurrency": concurrency,
        },
    )


def _refuse_idle(options: dict[str, tuple[str | None, object, str]]) -> None:
    """Refuse an option that nothing would come of: it is given, and what it serves is not."""
    from dilemmas.errors import InputError

    for name, (given, served, fix) in options.items():
        if given and not served:
            raise InputError("is of no use here", where=name, fix=fix)


def _finish(checked: Checked, path: Path, *, as_json: bool) -> None:
    """Say what was found and where it is, and leave with the exit code that fits."""
    from dilemmas import checking, dataset
    from dilemmas.cli import EXIT_GAPS
    from dilemmas.cli.findings import print_findings

    findings = checked.findings.findings
    if as_json:
        print(checking.text(checked.findings), end="")
    else:
        print_findings(checked.findings, path.name)
        if checked.sorting and checked.sorting.caveat:
            print(f"\nNote: {checked.sorting.caveat}")
        print(f"\nfindings  {checked.json}\npage      {checked.page}")
        if path != dataset.shipped_path() and any(one.id and one.severity != "note" for one in findings):
            print(f"next      dilemmas generate --repair {checked.json}")
    if checked.sorting and checked.sorting.open:
        _tell_what_is_open(checked.sorting)
        raise typer.Exit(EXIT_GAPS)
    if any(one.severity == "error" for one in findings):
        raise typer.Exit(EXIT_ERRORS)


def _tell_what_is_open(sorting: Sorting) -> None:
    import sys

    why = str(sorting.stopped or sorting.last_failure)
    shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in why)
    print(
        f"{sorting.open:,} of {sorting.planned:,} readings by the judge are still open: {shown}\n"
        "Run the same command again to ask them.",
        file=sys.stderr,
    )

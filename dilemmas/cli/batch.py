"""`dilemmas batch`: trials as batch files for a service that answers them by itself, and its results taken in."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dilemmas.cli.options import (
    DatasetFile,
    Json,
    KeyVariable,
    Limit,
    OrdersName,
    PersonaSet,
    PlainHttpKey,
    PromptStyleName,
    Repeats,
    RunFile,
    RunName,
    RunsDir,
    Seed,
    Shard,
    Templates,
)

if TYPE_CHECKING:
    from dilemmas.batches.reading import Taken
    from dilemmas.batches.writing import Written

EXAMPLES = """
[bold]Examples[/bold], one after the other

dilemmas batch write --model Qwen/Qwen3-8B --for vllm --persona-set twelve --out batches/

vllm run-batch --model Qwen/Qwen3-8B -i batches/dilemmas-0001.jsonl -o batches/results-0001.jsonl

dilemmas batch read batches/results-0001.jsonl --run dilemmas

dilemmas analyse dilemmas
"""
WRITE_EXAMPLES = """
[bold]Examples[/bold]

dilemmas batch write --config experiments/value-action-gap/run.toml --for openai --out batches/ --dry-run

dilemmas batch write --model gpt-4o --for openai --out batches/

dilemmas batch write --model Qwen/Qwen3-8B --base-url http://gpu:8000/v1 --shard 1/2 --out batches/
"""
READ_EXAMPLES = """
[bold]Examples[/bold]

dilemmas batch read batches/results-0001.jsonl batches/errors-0001.jsonl --run dilemmas

dilemmas batch read cut-off.jsonl --run dilemmas --partial

[bold]Exit codes[/bold]

0 done, 2 wrong input (then nothing was taken in), 3 some trials of the run are still open.
"""

app = typer.Typer(
    name="batch",
    help="Write trials as batch files (OpenAI's Batch API, vllm run-batch), and take the results in.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


class For(enum.StrEnum):
    """Services whose abilities are known."""

    OPENAI = "openai"
    VLLM = "vllm"


@app.command(epilog=WRITE_EXAMPLES)
def write(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the batch files are to stand.")],
    config: RunFile = None,
    persona_set: PersonaSet = None,
    model: Annotated[
        str | None, typer.Option(help="What the service calls the model; or one of the run file's.")
    ] = None,
    for_: Annotated[
        For | None, typer.Option("--for", help="Service that is to answer, where no server can be asked what it can.")
    ] = None,
    base_url: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Server with this model, to find out what it can do.")
    ] = None,
    api_key_env: KeyVariable = None,
    allow_plain_http_key: PlainHttpKey = False,
    protocol: Annotated[str | None, typer.Option(help="reasoned or logprob. \\[reasoned]")] = None,
    dataset: DatasetFile = None,
    limit: Limit = None,
    shard: Shard = None,
    repeats: Repeats = None,
    orders: OrdersName = None,
    seed: Seed = None,
    prompt_style: PromptStyleName = None,
    templates: Templates = None,
    run: RunName = None,
    runs_dir: RunsDir = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how much it would be.")] = False,
    json_: Json = False,
) -> None:
    """Write what is open of a plan as batch files, whose results `dilemmas batch read` takes in.

    The trials are those of `dilemmas evaluate` with the same options: what either has answered is not asked again.
    """
    from dilemmas import config as settings
    from dilemmas import loops
    from dilemmas.batches import writing
    from dilemmas.study import prepare

    chosen = settings.load(
        config,
        {
            "name": run,
            "dataset": dataset,
            "limit": limit,
            "shard": shard,
            "persona_set": persona_set,
            "prompt_style": prompt_style,
            "templates": templates,
            "repeats": repeats,
            "orders": orders,
            "seed": seed,
            "model.name": model,
            "model.base_url": base_url or None,
            "model.api_key_env": api_key_env,
            "model.allow_plain_http_key": allow_plain_http_key or None,
            "model.protocol": protocol,
        },
    )
    declared: writing.Service | None = for_.value if for_ else None
    done = loops.run(writing.write(prepare(chosen), runs_dir, out, declared=declared, dry=dry_run))
    _show_written(done, dry=dry_run, as_json=json_)


@app.command(epilog=READ_EXAMPLES)
def read(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of results, or of errors.")],
    run: Annotated[str, typer.Option(metavar="RUN", help="Name of the run that wrote the batch, or its folder.")],
    partial: Annotated[bool, typer.Option("--partial", help="Leave out lines that are not whole.")] = False,
    served_as: Annotated[
        str, typer.Option(metavar="NAME", help="Another name by which replies may call the model.")
    ] = "",
    runs_dir: RunsDir = Path("runs"),
    json_: Json = False,
) -> None:
    """Take the results of batch files into their run: all of it is looked through before any is kept.

    What is answered already stays as it is; the same files again change nothing.
    """
    from dilemmas.batches import reading
    from dilemmas.cli import EXIT_GAPS
    from dilemmas.runs import find

    taken = reading.read(find(run, runs_dir), files, partial=partial, served_as=served_as)
    _show_taken(taken, as_json=json_)
    if taken.open:
        raise typer.Exit(EXIT_GAPS)


def _show_written(done: Written, *, dry: bool, as_json: bool) -> None:
    if as_json:
        _print_json(done)
        return
    size = sum(part.bytes for part in done.parts)
    print(
        f"{done.planned:,} trials planned in the run {done.run}, {done.answered:,} of them answered; "
        f"{done.requests:,} requests {'would be' if dry else 'are'} in files ({len(done.parts)}), {size / 1e6:,.1f} MB"
    )
    for part in done.parts:
        print(f"{part.path}: {part.requests:,} requests to {part.model}, {part.bytes / 1e6:,.1f} MB")
    if done.since and done.requests:
        print(
            f"note: batch files of this run were written before, on {done.since}; what they asked and have not brought "
            "in is asked again. Read their results first, if any are to come."
        )


def _show_taken(taken: Taken, *, as_json: bool) -> None:
    if as_json:
        _print_json(taken)
        return
    why = f" (the last: {taken.last_failure})" if taken.last_failure else ""
    cut = f", {taken.cut:,} lines left out that are not whole" if taken.cut else ""
    print(
        f"{taken.lines:,} results: {taken.taken:,} answers taken in ({taken.refused:,} refused, {taken.unreadable:,} "
        f"unreadable), {taken.known:,} known before, {taken.failed:,} failed{why}{cut}"
    )
    if taken.open:
        print(
            f"{taken.open:,} trials of the run {taken.run} are still open: read the other files of results, or write "
            "new batch files, or ask them with `dilemmas evaluate`."
        )


def _print_json(told: Any) -> None:
    import dataclasses
    import json

    print(json.dumps(dataclasses.asdict(told), indent=2, ensure_ascii=False))

"""`dilemmas check`: what is wrong with a file of dilemmas, before a model is asked about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json, PlainHttpKey

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
Where the judge's readings are mostly unreadable, that is 3 as well.
"""
EXIT_ERRORS = 1
ORDERS, MAX_TOKENS = 3, 3000
"""The judge's defaults: readings of each dilemma, and tokens of a reply, which leave room for thinking aloud."""
UNREADABLE_SHARE = 0.5
"""Share of unreadable readings above which the judging counts as failed: most of what was asked for is missing."""


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
    allow_plain_http_key: PlainHttpKey = False,
    orders: Annotated[
        int | None, typer.Option(min=1, max=60, help=f"Readings by the judge of each dilemma. \\[{ORDERS}]")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help=f"Longest reply by the judge, in tokens. \\[{MAX_TOKENS}]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the judge's orders and sampling.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests in flight. \\[8; embedded 1]")] = None,
    patience: Annotated[
        float | None, typer.Option(help="Seconds without any answer after which nothing more is asked. \\[60]")
    ] = None,
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
    from dilemmas import checking, dataset, loops
    from dilemmas.cli.progress import progress

    _refuse_idle(
        {
            "--base-url": (base_url, judge or (embed and not embed_url), "Name a model with --judge, or with --embed."),
            "--api-key-env": (api_key_env, base_url, "It goes to --base-url; --embed-url has --embed-key-env."),
            "--embed-url": (embed_url, embed, "Name a model with --embed."),
            "--embed-key-env": (embed_key_env, embed_url, "It goes to --embed-url alone."),
            "--allow-plain-http-key": (
                allow_plain_http_key or None,
                api_key_env or embed_key_env,
                "Name a key with --api-key-env.",
            ),
            "--orders": (orders, judge, "Name a judge with --judge."),
            "--max-tokens": (max_tokens, judge, "Name a judge with --judge."),
            "--seed": (seed, judge, "Name a judge with --judge."),
            "--concurrency": (concurrency, judge or embed, "Name a model with --judge, or with --embed."),
            "--patience": (patience, judge or embed, "Name a model with --judge, or with --embed."),
        }
    )
    path = file or dataset.shipped_path()
    judging = _settings(
        {
            "--judge": ("model.name", judge),
            "--base-url": ("model.base_url", base_url),
            "--api-key-env": ("model.api_key_env", api_key_env),
            "--allow-plain-http-key": ("model.allow_plain_http_key", allow_plain_http_key or None),
            "--concurrency": ("model.concurrency", concurrency),
            "--patience": ("model.patience", patience),
            "--seed": ("seed", seed),
            "--max-tokens": ("model.sampling.max_tokens", max_tokens or MAX_TOKENS),
        }
    )
    embedding = _settings(
        {
            "--embed": ("model.name", embed),
            **(
                {"--embed-url": ("model.base_url", embed_url), "--embed-key-env": ("model.api_key_env", embed_key_env)}
                if embed_url
                else {"--base-url": ("model.base_url", base_url), "--api-key-env": ("model.api_key_env", api_key_env)}
            ),
            "--allow-plain-http-key": ("model.allow_plain_http_key", allow_plain_http_key or None),
            "--concurrency": ("model.concurrency", concurrency),
            "--patience": ("model.patience", patience),
        }
    )
    with progress(quiet=json_) as show:
        checked = loops.run(
            checking.check_file(
                path,
                out or Path("checks", path.stem),
                judge=judging.model if judge else None,
                embedder=embedding.model if embed else None,
                orders=orders or ORDERS,
                seed=judging.seed,
                progress=show,
            )
        )
    _finish(checked, path, as_json=json_)


def _settings(options: dict[str, tuple[str, str | float | None]]) -> RunConfig:
    """Settings from options, the model's name and address among them; errors name the option."""
    from dilemmas import config
    from dilemmas.errors import InputError
    from dilemmas.models import in_process

    try:
        settings = config.load(None, dict(options.values()))
    except InputError as error:
        by_setting = {f"setting {setting}": option for option, (setting, _) in options.items()}
        error.where, error.fix = by_setting.get(error.where, error.where), "Change this option."
        raise
    option, address = (
        next(name for name, (setting, _) in options.items() if setting == wanted)
        for wanted in ("model.name", "model.base_url")
    )
    name, local = options[option][1], in_process(settings.model.name)
    if name and not local and not settings.model.base_url:
        raise InputError(
            f'the model "{name}" needs the address of the server that has it',
            where=option,
            fix=f"Give {address} http://host:port/v1.",
        )
    if name and local and settings.model.base_url:
        raise InputError(
            f"the model {name} runs in this process and takes no address",
            where=address,
            fix=f"Leave out {address}, or name a model of that server with {option}.",
        )
    return settings


def _refuse_idle(options: dict[str, tuple[object, object, str]]) -> None:
    """Refuse an option that nothing would come of: it is given, and what it serves is not."""
    from dilemmas.errors import InputError

    for name, (given, served, fix) in options.items():
        if given is not None and not served:
            raise InputError("is of no use here", where=name, fix=fix)


def _finish(checked: Checked, path: Path, *, as_json: bool) -> None:
    """Say what was found and where it is, and leave with the exit code that fits."""
    from dilemmas import checking, dataset
    from dilemmas.checks.overview import unanswered
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
        if path != dataset.shipped_path() and any(one.id for one in unanswered(findings)):
            print(f"next      {_next_step(checked)}")
    if checked.sorting and _tell_what_is_missing(checked.sorting):
        raise typer.Exit(EXIT_GAPS)
    if any(one.severity == "error" for one in findings):
        raise typer.Exit(EXIT_ERRORS)


def _next_step(checked: Checked) -> str:
    """What to do about the findings: a file with unusable lines cannot be repaired by drafting."""
    import shlex

    from dilemmas import dataset

    repair = f"dilemmas generate --repair {shlex.quote(str(checked.json))}"
    if not checked.unusable:
        return repair
    return f"mend {dataset.spans(checked.unusable)} first, check again, then {repair}"


def _tell_what_is_missing(sorting: Sorting) -> bool:
    """Say on standard error what the judge owes, and whether it owes anything."""
    import sys

    if sorting.open:
        why = str(sorting.stopped or sorting.last_failure)
        shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in why)
        print(f"{sorting.open:,} of {sorting.planned:,} readings by the judge are still open: {shown}", file=sys.stderr)
        if not (sorting.stopped and sorting.stopped.fix):  # which says as much
            print("Run the same command again to ask them.", file=sys.stderr)
    back = sorting.planned - sorting.open
    failed = sorting.unreadable > UNREADABLE_SHARE * back
    if failed:
        print(
            f"{sorting.unreadable:,} of {back:,} readings by the judge cannot be read; judging.jsonl has its replies.\n"
            "Take another judge, or more --max-tokens where replies are cut off.",
            file=sys.stderr,
        )
    return bool(sorting.open) or failed

"""`dilemmas generate`: have a model write drafts of dilemmas, or write anew what was found wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dilemmas.cli.options import Json, PlainHttpKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dilemmas.drafts.planning import Job
    from dilemmas.generate import Outcome
    from dilemmas.schema import Dilemma

EXAMPLES = """
[bold]Examples[/bold]

dilemmas generate --values Equality,Honest --model Qwen/Qwen3-32B --base-url http://gpu:8000/v1

dilemmas generate --values all --topics all --per-cell 1 --resume

dilemmas generate --values Honest --topics Religion --dry-run

dilemmas generate --repair checks/drafts/findings.json

[bold]Exit codes[/bold]

0 done, 2 wrong input, 3 finished with some dilemmas still open, 130 interrupted.
"""
OUT = Path("dataset/drafts.jsonl")
TIMEOUT = 600.0
"""Longest wait for one reply, seconds: 3,000 tokens from a server that writes five a second for each request."""
SHOWN = 10
"""Open dilemmas that are listed at the end; the journal has all."""


def generate(
    values: Annotated[str | None, typer.Option(help='Focal values, with commas between them, or "all".')] = None,
    topics: Annotated[str | None, typer.Option(help='Topics, with commas between them, or "all". \\[all]')] = None,
    per_cell: Annotated[int | None, typer.Option(help="Dilemmas for each value and topic. \\[1]")] = None,
    model: Annotated[
        str | None, typer.Option(help="embedded, local:/path.gguf, or a name at --base-url. \\[embedded]")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable that holds the server's key.")
    ] = None,
    allow_plain_http_key: PlainHttpKey = False,
    out: Annotated[Path | None, typer.Option(help="File of the drafts (JSON Lines). \\[dataset/drafts.jsonl]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what the file holds.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Move an older file aside and begin anew.")] = False,
    repair: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write anew what this findings.json has errors or warnings of.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Write at most N dilemmas now.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests in flight. \\[8; embedded 1]")] = None,
    patience: Annotated[
        float | None, typer.Option(help="Seconds without any answer after which nothing more is asked. \\[60]")
    ] = None,
    attempts: Annotated[
        int | None, typer.Option(help="Times a dilemma is asked for until its form is right. \\[4]")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Softmax temperature.")] = 0.8,
    max_tokens: Annotated[int, typer.Option(help="Longest reply, in tokens; less where it does not fit.")] = 3000,
    seed: Annotated[int | None, typer.Option(help="Seed of the plan and of sampling.")] = None,
    templates: Annotated[str | None, typer.Option(help="Folder whose templates replace the shipped ones.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and one prompt; ask nothing.")] = False,
    json_: Json = False,
) -> None:
    """Have a model write drafts of dilemmas, for people to check.

    Each draft is kept as it comes: the same command with --resume asks only for what is missing.
    """
    from dilemmas import config as settings
    from dilemmas.drafts import planning
    from dilemmas.errors import InputError

    chosen = settings.load(
        None,
        {
            "limit": limit,
            "seed": seed,
            "templates": templates,
            "model.name": model,
            "model.base_url": base_url,
            "model.api_key_env": api_key_env,
            "model.allow_plain_http_key": allow_plain_http_key or None,
            "model.concurrency": concurrency,
            "model.patience": patience,
            "model.attempts": attempts,
            "model.timeout": TIMEOUT,
            "model.sampling.temperature": temperature,
            "model.sampling.max_tokens": max_tokens,
        },
    )
    if repair is not None:
        if resume or force or any(given is not None for given in (values, topics, per_cell)):
            raise InputError(
                "--repair takes its dilemmas from the findings, and goes on by itself",
                fix="Leave out --values, --topics, --per-cell, --resume and --force.",
            )
        job = planning.prepare_repair(chosen, findings=repair, out=out)
    elif values is None:
        raise InputError(
            "for which values?", where="--values", fix='Name some, such as --values Equality,Honest, or "all".'
        )
    else:
        job = planning.prepare(
            chosen,
            values=values,
            topics="all" if topics is None else topics,
            per_cell=1 if per_cell is None else per_cell,
            out=out or OUT,
            resume=resume,
            force=force,
        )
    if dry_run:
        _show_plan(planning.summary(job), as_json=json_)
    else:
        _finish(_write(job, quiet=json_), job, as_json=json_)


def _write(job: Job, *, quiet: bool) -> Outcome:
    from dilemmas import generate as stage
    from dilemmas import loops
    from dilemmas.cli.progress import progress

    with progress(quiet=quiet) as show:
        return loops.run(stage.generate(job, show))


def _finish(outcome: Outcome, job: Job, *, as_json: bool) -> None:
    """Say what came of it, and leave with the exit code that fits."""
    import dataclasses
    import json

    from dilemmas.cli import EXIT_GAPS
    from dilemmas.drafts.file import journal_of

    if as_json:
        ids = [draft.id for draft in outcome.drafts]
        shown = {**dataclasses.asdict(outcome), "drafts": ids, "checks": _checked(outcome.drafts)}
        print(json.dumps(shown, indent=2, ensure_ascii=False, default=str))
    else:
        _print_outcome(outcome, journal_of(job.out))
    if outcome.stopped:
        if job.findings is None and not job.resume:
            outcome.stopped.fix = f"{outcome.stopped.fix} To go on, add --resume.".strip()
        raise outcome.stopped
    if outcome.open:
        raise typer.Exit(EXIT_GAPS)


def _print_outcome(outcome: Outcome, journal: Path) -> None:
    import shlex

    for notice in outcome.notices:
        print(f"note      {notice}")
    mode = f" ({outcome.mode})" if outcome.mode else ""
    print(f"model     {outcome.model}{mode}")
    print(
        f"drafts    {outcome.asked:,} written, {outcome.reused:,} there before, {outcome.open:,} left open"
        + (f", {outcome.later:,} for later" if outcome.later else "")
    )
    print(
        f"requests  {outcome.asked_again:,} replies broke the form, {outcome.failed_attempts:,} failed; "
        f"in {outcome.seconds:,.0f} s"
    )
    print(f"tokens    {outcome.prompt_tokens:,} read, {outcome.completion_tokens:,} written")
    for name, error in list(outcome.left_open.items())[:SHOWN]:
        print(f"open      {name}: {error}")
    if len(outcome.left_open) > SHOWN:
        print(f"open      and {len(outcome.left_open) - SHOWN:,} more; all are in {journal}")
    if outcome.caveat:
        print(f"caveat    {outcome.caveat}")
    if outcome.drafts:
        found = ", ".join(
            f"{count:,} {severity}{'' if count == 1 else 's'}" for severity, count in _checked(outcome.drafts).items()
        )
        print(f"checks    {found} in what was written now, by the rules of form and content")
    if outcome.asked or outcome.reused:
        print(f"file      {outcome.path}")
        print(f"next      dilemmas check {shlex.quote(outcome.path)}")


def _checked(drafts: Sequence[Dilemma]) -> dict[str, int]:
    """How many errors and warnings the rules that look at one dilemma at a time find in some."""
    from dilemmas.checks import content, form

    found = [finding.severity for finding in (*form.find(drafts), *content.find(drafts))]
    return {severity: found.count(severity) for severity in ("error", "warning")}


def _show_plan(found: dict[str, Any], *, as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for notice in found["notices"]:
        print(f"note      {notice}")
    print(f"file      {found['path']}")
    print(f"model     {found['model']}")
    print(f"dilemmas  {found['now']:,} to write now, {found['open']:,} open in all, {found['there']:,} there")
    print(f"tokens    about {found['prompt_tokens']:,} to read, {found['reply_tokens']:,} to write, if all goes well")
    print("values    " + (", ".join(f"{value} {count}" for value, count in found["values"].items()) or "none"))
    for message in found["example"]:
        print(f"\n--- the first one, {message['role']} message ---\n{message['content']}")

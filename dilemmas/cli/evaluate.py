"""`dilemmas evaluate`: ask a model, then score, test and report."""

from __future__ import annotations

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
    from collections.abc import Sequence

    from dilemmas.cluster import Cluster
    from dilemmas.config import RunConfig
    from dilemmas.ledger import Outcome
    from dilemmas.study import Study

EXAMPLES = """
[bold]Examples[/bold]

dilemmas evaluate --persona-set twelve

dilemmas evaluate --persona-set three --limit 6 --dry-run

dilemmas evaluate --persona-set twelve --model Qwen/Qwen3-8B --base-url http://gpu:8000/v1

dilemmas evaluate --model Qwen/Qwen3-8B --base-url http://a:8000/v1 --base-url http://b:8000/v1

dilemmas evaluate --config experiments/value-action-gap/run.toml

dilemmas evaluate --engine ray --address auto --gpus-per-actor 1 --model M --serve "vllm serve {model} --port {port}"

[bold]Exit codes[/bold]

0 done, 2 wrong input, 3 finished with some trials still open, 130 interrupted.
"""


def evaluate(
    config: RunFile = None,
    persona_set: PersonaSet = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="embedded, scripted, local:/path.gguf, or a name at --base-url; or one of the run file's. \\[embedded]"
        ),
    ] = None,
    base_url: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Address of an OpenAI-compatible server. Give several, and they share."),
    ] = None,
    api_key_env: KeyVariable = None,
    allow_plain_http_key: PlainHttpKey = False,
    protocol: Annotated[
        str | None, typer.Option(help="reasoned or logprob. \\[reasoned for a server, logprob embedded]")
    ] = None,
    dataset: DatasetFile = None,
    limit: Limit = None,
    shard: Shard = None,
    repeats: Repeats = None,
    orders: OrdersName = None,
    seed: Seed = None,
    prompt_style: PromptStyleName = None,
    templates: Templates = None,
    scale: Annotated[str | None, typer.Option(help="Scores of the options: even or thirds. \\[even]")] = None,
    concurrency: Annotated[
        str | None,
        typer.Option(metavar="N|auto", help="Requests in flight at each address; auto finds out. \\[8; embedded 1]"),
    ] = None,
    patience: Annotated[
        float | None, typer.Option(help="Seconds without any answer after which nothing more is asked. \\[60]")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="One request at a time and no cache, for the same replies each time.")
    ] = False,
    noise: Annotated[
        bool, typer.Option("--noise", help="First write down how far replies to the same question differ (8 requests).")
    ] = False,
    reuse: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="Take over this run's answers to the same trials. Can be given again."),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="ray: ask from the nodes of a Ray cluster.")] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="local|auto|HOST:PORT", help="The Ray cluster; local starts one here. \\[local]"),
    ] = None,
    actors: Annotated[
        int | None, typer.Option(metavar="N", help="Ray actors that ask. \\[one a node, GPU share or address]")
    ] = None,
    gpus_per_actor: Annotated[float | None, typer.Option(metavar="G", help="GPUs for each Ray actor. \\[0]")] = None,
    serve: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Command by which each Ray actor starts its server on {port}."),
    ] = None,
    run: RunName = None,
    runs_dir: RunsDir = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and both questions; ask nothing.")] = False,
    report: Annotated[bool, typer.Option(help="Write the report at the end.")] = True,
    json_: Json = False,
) -> None:
    """Ask a model, or several, what it values and what it would do, as itself and as personas.

    Answers are kept as they come: the same command again asks only what is missing.
    Another persona set or model adds to the run. `dilemmas status` tells how far it is.
    """
    from dilemmas import config as settings
    from dilemmas.runs import find
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
            "scale": scale,
            "model.name": model,
            "model.base_url": base_url or None,
            "model.api_key_env": api_key_env,
            "model.allow_plain_http_key": allow_plain_http_key or None,
            "model.protocol": protocol,
            "model.concurrency": int(concurrency) if concurrency and concurrency.isdecimal() else concurrency,
            "model.patience": patience,
            "model.strict": strict or None,
            "model.noise": noise or None,
        },
    )
    cluster = _cluster(engine, address=address, actors=actors, gpus_per_actor=gpus_per_actor, serve=serve)
    study = prepare(chosen)
    if dry_run:
        _show_plan(study, runs_dir, as_json=json_)
        return
    outcome = _ask(study, runs_dir, [find(other, runs_dir) for other in reuse or ()], cluster, quiet=json_)
    _finish(outcome, chosen, with_report=report, as_json=json_)


def _cluster(engine: str | None, **given: Any) -> Cluster | None:
    """The cluster that the options name; None where this process asks itself."""
    from dilemmas.cluster import Cluster
    from dilemmas.errors import InputError

    options = {name: value for name, value in given.items() if value is not None}
    if engine == "ray":
        return Cluster(**options)
    if engine is not None:
        raise InputError(f'there is no engine "{engine}"', where="--engine", fix="Use ray, or leave it out.")
    for name in options:
        raise InputError("is for a Ray cluster", where=f"--{name.replace('_', '-')}", fix="Add --engine ray.")
    return None


def _ask(study: Study, runs_dir: Path, reuse: Sequence[Path], cluster: Cluster | None, *, quiet: bool) -> Outcome:
    from dilemmas.cli.progress import progress

    with progress(several=len(study.config.models) > 1, quiet=quiet) as show:
        if cluster is not None:
            from dilemmas.cluster.driving import evaluate_on

            return evaluate_on(study, runs_dir, cluster, show, reuse=reuse)
        from dilemmas import evaluate as stage
        from dilemmas import loops

        return loops.run(stage.evaluate(study, runs_dir, show, reuse=reuse))


def _finish(outcome: Outcome, chosen: RunConfig, *, with_report: bool, as_json: bool) -> None:
    """Say what came of it, analyse what there is, and leave with the exit code that fits."""
    import sys

    from dilemmas.cli import EXIT_GAPS
    from dilemmas.cli.analyse import analyse_run

    say = (lambda text: print(text, file=sys.stderr)) if as_json else print
    for one in outcome.each:
        say(f"{one.model}: {_summary(one)}")
    say(_summary(outcome))
    for notice in outcome.notices:
        print(f"note: {notice}", file=sys.stderr)
    if outcome.reused + outcome.asked:
        analyse_run(Path(outcome.folder), chosen.scale, with_report=with_report, as_json=as_json)
    if outcome.stopped:
        raise outcome.stopped
    if outcome.open:
        why = f" (the last failure: {outcome.last_failure})" if outcome.last_failure else ""
        say(f"Some trials are still open{why}: run the same command again to ask them.")
        raise typer.Exit(EXIT_GAPS)


def _summary(outcome: Outcome) -> str:
    aside = f" ({outcome.set_aside:,} of them set aside)" if outcome.set_aside else ""
    return (
        f"{outcome.reused:,} answers reused, {outcome.asked:,} asked ({outcome.refused:,} refused, "
        f"{outcome.unreadable:,} unreadable), {outcome.open:,} left open{aside}, in {outcome.seconds:,.0f} s"
    )


def _show_plan(study: Study, runs_dir: Path, *, as_json: bool) -> None:
    import json

    from dilemmas.study import plan_summary

    plans = [plan_summary(study, model, runs_dir) for model in study.config.models]
    if as_json:
        print(json.dumps(plans if len(plans) > 1 else plans[0], indent=2, ensure_ascii=False))
        return
    for found in plans:
        _print_plan(found, runs_dir)
    for question, messages in plans[0]["examples"].items():
        for message in messages:
            print(f"\n--- the {question} question, {message['role']} message ---\n{message['content']}")


def _print_plan(found: dict[str, Any], runs_dir: Path) -> None:
    from dilemmas.cli.progress import duration

    time = "unknown: no reply of this model has been timed yet (ask a few with --limit 1)"
    if found["seconds"] is not None:
        rate = f"{found['seconds_per_reply']:.2f} s a reply ({found['rate_source']})"
        time = f"about {duration(found['seconds'])} at {rate}"
    print(f"run        {found['run']} in {runs_dir / found['run']}")
    print(f"model      {found['model']} ({found['protocol']})")
    print(
        f"trials     {found['trials']:,} = {found['conditions']} conditions x {found['dilemmas']} dilemmas x "
        f"{found['questions']} questions x {found['repeats']} repeats"
    )
    print(f"answered   {found['answered']:,} of this model in this run already")
    print(f"tokens     about {found['prompt_tokens']:,} to read (4 characters a token)")
    print(f"time       {time}")

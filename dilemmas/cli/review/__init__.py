"""`dilemmas review`: people judge dilemmas in Label Studio."""

from __future__ import annotations

import typer

from dilemmas.cli.review import agree, apply, pull, push, serve, status

EXAMPLES = """
[bold]Examples[/bold], one after the other

dilemmas review serve

dilemmas review push dataset/drafts.jsonl --project "Round 1"

dilemmas review pull --project "Round 1" --out annotations/round-1/

dilemmas review agree annotations/round-1/

[bold]Exit codes[/bold]

0 done, 2 wrong input or a server that refuses, 3 apply left something undecided, 130 interrupted.
"""

app = typer.Typer(
    name="review",
    help="Have people judge dilemmas in Label Studio, and bring their verdicts back.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
app.command(epilog=serve.EXAMPLES)(serve.serve)
app.command(epilog=push.EXAMPLES)(push.push)
app.command(epilog=status.EXAMPLES)(status.status)
app.command(epilog=pull.EXAMPLES)(pull.pull)
app.command(epilog=agree.EXAMPLES)(agree.agree)
app.command(epilog=apply.EXAMPLES)(apply.apply)

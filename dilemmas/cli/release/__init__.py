"""`dilemmas release`: a dataset that others can load, check and cite."""

from __future__ import annotations

import typer

from dilemmas.cli.release import build, diff, push, results, verify

EXAMPLES = """
[bold]Examples[/bold], one after the other

dilemmas release build dataset/reviewed.jsonl --version 0.1.0 --out releases/

dilemmas release verify releases/0.1.0

dilemmas release diff releases/0.1.0 releases/0.2.0

dilemmas release push releases/0.1.0 --to hf:my-lab/dilemmas

dilemmas release results first --out results/0.1.0

[bold]Exit codes[/bold]

0 done, 1 verify found something, 2 wrong input or a hub that refuses, 130 interrupted.
"""

app = typer.Typer(
    name="release",
    help="Make a dataset that others can load, check and cite.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
app.command(epilog=build.EXAMPLES)(build.build)
app.command(epilog=verify.EXAMPLES)(verify.verify)
app.command(epilog=diff.EXAMPLES)(diff.diff)
app.command(epilog=push.EXAMPLES)(push.push)
app.command(epilog=results.EXAMPLES)(results.results)

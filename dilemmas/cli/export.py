"""`dilemmas export`: a run's answers as one file for other programs, or a dataset's prompts for another harness."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dilemmas.cli.options import RunsDir

if TYPE_CHECKING:
    from dilemmas.harness.writing import Harness
    from dilemmas.schema import ProtocolName

EXAMPLES = """
[bold]Examples[/bold]

dilemmas export dilemmas --format parquet --out answers.parquet

dilemmas export dilemmas --format jsonl --prompts

dilemmas export dilemmas --format csv --spreadsheet-safe --out answers.csv

dilemmas export dataset/dilemmas.jsonl --to inspect --persona-set three --out inspect/

dilemmas export dataset/dilemmas.jsonl --to lm-eval --limit 10 --out lm-eval/
"""
RUNS = "Answers of a run (--format)"
PROMPTS = "Prompts for another harness (--to)"


class Form(enum.StrEnum):
    """What a run can be written as."""

    PARQUET = "parquet"
    JSONL = "jsonl"
    CSV = "csv"


class To(enum.StrEnum):
    """Who can ask the prompts of a dataset."""

    INSPECT = "inspect"
    LM_EVAL = "lm-eval"


class Protocol(enum.StrEnum):
    """How a question can be asked."""

    REASONED = "reasoned"
    LOGPROB = "logprob"


def export(
    what: Annotated[
        str,
        typer.Argument(metavar="RUN|DATASET", help="A run's name or folder; with --to, a file of dilemmas."),
    ],
    form: Annotated[
        Form | None, typer.Option("--format", help="What to write; parquet needs pyarrow.", rich_help_panel=RUNS)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Where to; with --to a new folder. \\[export.FORMAT in the run's folder]"),
    ] = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Add the messages that were sent.", rich_help_panel=RUNS)
    ] = False,
    spreadsheet_safe: Annotated[
        bool,
        typer.Option(
            "--spreadsheet-safe",
            help="Put ' before text that a spreadsheet would take for a formula.",
            rich_help_panel=RUNS,
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over the file where it is there.", rich_help_panel=RUNS)
    ] = False,
    runs_dir: RunsDir = Path("runs"),
    to: Annotated[To | None, typer.Option("--to", help="Who is to ask.", rich_help_panel=PROMPTS)] = None,
    persona_set: Annotated[
        str | None,
        typer.Option(
            help="twelve, three, none, a category or a .toml file. \\[twelve]",
            rich_help_panel=PROMPTS,
        ),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(help="Times each question is asked. \\[3]", rich_help_panel=PROMPTS)
    ] = None,
    orders: Annotated[
        str | None, typer.Option(help="williams, random or fixed. \\[williams]", rich_help_panel=PROMPTS)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of option orders and sampling.", rich_help_panel=PROMPTS)
    ] = None,
    protocol: Annotated[
        Protocol | None,
        typer.Option(help="reasoned, or (Inspect only) logprob. \\[reasoned]", rich_help_panel=PROMPTS),
    ] = None,
    prompt_style: Annotated[
        str | None, typer.Option(help="variables or statements. \\[variables]", rich_help_panel=PROMPTS)
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Take the first N dilemmas only.", rich_help_panel=PROMPTS)] = None,
) -> None:
    """Write a run's answers to one file, or a dataset's prompts to a folder that another harness runs.

    With --format: a row for each trial, with its reply and what was read in it; docs/runs.md explains the columns.

    With --to: the prompts of `dilemmas evaluate`, for Inspect or lm-evaluation-harness; see docs/harnesses.md.
    """
    of_prompts = {
        "dataset": what,
        "persona_set": persona_set,
        "repeats": repeats,
        "orders": orders,
        "seed": seed,
        "prompt_style": prompt_style,
        "limit": limit,
    }
    _check(
        form,
        to,
        of_run={"prompts": prompts, "spreadsheet_safe": spreadsheet_safe, "force": force},
        of_prompts={**of_prompts, "dataset": None, "protocol": protocol},
    )
    if to is not None:
        _write_prompts(of_prompts, to.value, (protocol or Protocol.REASONED).value, out)
        return
    from dilemmas import exporting
    from dilemmas.runs import find

    assert form is not None
    folder = find(what, runs_dir)
    path = out or folder / f"export.{form}"
    count = exporting.export(folder, form.value, path, prompts=prompts, safe=spreadsheet_safe, force=force)
    print(f"{count:,} rows in {path}")


def _check(form: Form | None, to: To | None, *, of_run: dict[str, Any], of_prompts: dict[str, Any]) -> None:
    """Refuse what is neither or both, and options of the other one."""
    from dilemmas.errors import InputError

    if (form is None) == (to is None):
        what = "say what to write" if form is None else "a run's answers and a dataset's prompts are two exports"
        raise InputError(what, where="--format, --to", fix="Give --format for a run, or --to for a dataset.")
    strange, right = (of_run, "--format") if form is None else (of_prompts, "--to")
    for name, given in strange.items():
        if given is not None and given is not False:
            raise InputError(f"goes with {right} only", where=f"--{name.replace('_', '-')}", fix="Leave it out.")


def _write_prompts(settings: dict[str, Any], harness: Harness, protocol: ProtocolName, out: Path | None) -> None:
    from dilemmas import config
    from dilemmas.errors import InputError
    from dilemmas.harness.writing import write
    from dilemmas.study import prepare

    if out is None:
        raise InputError("say where to", where="--out", fix="Name a new folder.")
    count = write(prepare(config.load(None, settings)), harness, protocol, out)
    print(f"{count:,} prompts in {out}")

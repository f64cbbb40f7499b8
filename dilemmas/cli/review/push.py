"""`dilemmas review push`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json
from dilemmas.cli.review.options import PlainHttpKey, ServerFile, connect

if TYPE_CHECKING:
    from dilemmas.review.push import Pushed

EXAMPLES = """
[bold]Examples[/bold]

dilemmas review push dataset/drafts.jsonl --project "Round 1" --annotators 3

dilemmas review push dataset/drafts.jsonl --project "Blind 1" --blind --sample 50 --seed 1

dilemmas review push dataset/reviewed.jsonl --project "Round 2" --only-undecided
"""


def push(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Dilemmas (JSON Lines).")],
    project: Annotated[str, typer.Option(metavar="TITLE", help="Title of the project; made if there is none.")],
    annotators: Annotated[
        int | None,
        typer.Option(min=1, help="Judgements wanted of each dilemma. \\[what the project has; 2 for a new one]"),
    ] = None,
    blind: Annotated[
        bool,
        typer.Option("--blind", help="Hide the labels and shuffle the actions; annotators give them."),
    ] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Push N dilemmas only, drawn at random.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of --sample, and of the order of the actions in --blind.")] = 0,
    only_undecided: Annotated[
        bool, typer.Option("--only-undecided", help="Only dilemmas that an earlier round left undecided.")
    ] = False,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Readings by check --judge (judgements.jsonl); annotators do not see them."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")] = False,
    json_: Json = False,
    server: ServerFile = None,
    allow_plain_http_key: PlainHttpKey = False,
) -> None:
    """Put dilemmas into a Label Studio project, as tasks for people.

    The same command again sends only what is missing, and what people have begun stays as it is.
    """
    import sys

    from dilemmas import dataset
    from dilemmas.review import push as pushing
    from dilemmas.review import selection

    def show(done: int, planned: int) -> None:
        print(f"{done:,} of {planned:,} tasks sent", file=sys.stderr, flush=True)

    everything = dataset.read(file).dilemmas
    chosen = selection.choose(everything, sample=sample, seed=seed, only_undecided=only_undecided)
    read = selection.readings(predictions, everything) if predictions else ()
    pushed = pushing.push(
        connect(server, allow_plain_http_key=allow_plain_http_key),
        chosen,
        project,
        annotators=annotators,
        form="blind" if blind else "open",
        seed=seed,
        predictions=read,
        dry_run=dry_run,
        progress=(lambda done, planned: None) if json_ else show,
    )
    _print(pushed, as_json=json_)


def _print(done: Pushed, *, as_json: bool) -> None:
    """What was done, where it is, and what comes next."""
    import json
    import shlex

    if as_json:
        print(json.dumps(done._asdict(), indent=2, ensure_ascii=False))
        return
    state = "new" if done.created else f"changed: {', '.join(done.changed)}" if done.changed else "as it was"
    print(f"project      {done.title} ({state}), {done.form} form, {done.annotators} judgements of each dilemma")
    sent = "to send" if done.dry_run else "sent"
    print(f"tasks        {done.sent:,} {sent}, {done.dilemmas - done.sent:,} there already")
    altered = f"changed on the server; delete in Label Studio and push again: {', '.join(map(str, done.altered))}"
    notes = {
        "removed": (done.removed, "out of date or double, and begun by nobody"),
        "kept": (done.kept, "out of date or double, but begun by somebody or changed on the server"),
        "altered": (len(done.altered), altered),
        "others": (done.others, "not made by dilemmas, left alone"),
        "predictions": (done.predictions, "readings by a judge added; annotators do not see them"),
        "not added": (done.predictions_left, "readings by a judge, since the task was begun or changed"),
        "unreadable": (done.unreadable, "readings by a judge that say nothing"),
    }
    for name, (count, what) in notes.items():
        if count:
            print(f"{name:11}  {count:,} {what}")
    if done.dry_run:
        print("dry run      nothing was changed")
        return
    print(f"page         {done.url}")
    print(f"next         invite people, then dilemmas review status --project {shlex.quote(done.title)}")

"""`dilemmas review apply`: what people decided makes the next version of a file of dilemmas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dilemmas.cli.options import Json

if TYPE_CHECKING:
    from dilemmas.review.decisions import Reviewed, Rule

EXAMPLES = """
[bold]Examples[/bold]

dilemmas review apply annotations/round-1/ dataset/drafts.jsonl --out dataset/reviewed.jsonl

dilemmas review apply round-1/ drafts.jsonl --out reviewed.jsonl --rule adjudicator --adjudicator reviewer-01
"""


def apply(
    round_: Annotated[Path, typer.Argument(metavar="ROUND", help="Folder that `dilemmas review pull` wrote.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The dilemmas that were pushed; it stays as it is.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The reviewed file to write.")],
    rule: Annotated[
        Literal["unanimous", "majority", "adjudicator"],
        typer.Option(help="What decides: the same verdict by all, by more than half, or one reviewer's."),
    ] = "unanimous",
    adjudicator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose verdict decides; where that one gave none, all must agree."),
    ] = None,
    min_reviewers: Annotated[
        int, typer.Option(min=1, metavar="N", help="Verdicts without which nothing is decided (but by an adjudicator).")
    ] = 2,
    force: Annotated[bool, typer.Option("--force", help="Write over an --out that holds something else.")] = False,
    names_in_dataset: Annotated[
        bool,
        typer.Option("--names-in-dataset", help="Take a round with people's addresses; the files will have them, too."),
    ] = False,
    json_: Json = False,
) -> None:
    """Apply people's verdicts: accept, revise, reject, or leave undecided for another round.

    Beside --out come its history (what was rejected or replaced) and its decisions (each with its reason).
    """
    import sys

    from dilemmas.cli import EXIT_GAPS
    from dilemmas.review import apply as applying
    from dilemmas.review.decisions import Rule

    how = Rule(rule, min_reviewers, adjudicator)
    reviewed = applying.apply(round_, file, out, how, force=force, names_in_dataset=names_in_dataset)
    (_print_json if json_ else _print)(reviewed, how, out)
    if not reviewed.dilemmas:
        print(f"{out} is empty: every dilemma was rejected, and no other command takes it", file=sys.stderr)
    if reviewed.open:
        raise typer.Exit(EXIT_GAPS)


def _print(reviewed: Reviewed, rule: Rule, out: Path) -> None:
    import shlex
    import sys

    from dilemmas.review import apply as applying

    print(f"rule       {rule}")
    for status, number in reviewed.counts.items():
        print(f"{status:<10} {number:,}")
    if reviewed.before:
        print(f"of these   {reviewed.before:,} that the same verdicts decided on before")
    for decision in reviewed.undecided:
        print(f"           {decision.dilemma}: {decision.reason}")
    for name, path in applying.files(out).items():
        print(f"{name:<10} {path}")
    for left in reviewed.left:
        print(f"not applied: {left.dilemma} {left.reason}", file=sys.stderr)
    if reviewed.undecided:
        title = shlex.quote(applying.next_title(reviewed.undecided[0].project))
        print(f"next       dilemmas review push {shlex.quote(str(out))} --only-undecided --project {title}")


def _print_json(reviewed: Reviewed, rule: Rule, out: Path) -> None:
    import json

    from dilemmas.review import apply as applying

    document = {
        "rule": rule._asdict(),
        "counts": reviewed.counts,
        "decided_before": reviewed.before,
        "decisions": [one.model_dump(mode="json", exclude_none=True) for one in reviewed.decisions],
        "not_applied": [left._asdict() for left in reviewed.left],
        "files": {name: str(path) for name, path in applying.files(out).items()},
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))
